package cli

import (
	"math"
	"strconv"
	"time"

	"github.com/rowferry/rowferry"
)

// The settings that hold a pipeline back: keys of 'throttle', and what
// `rowferry set` changes.
const (
	maxRowsSetting = string(rowferry.HeldByRate)
	runningSetting = string(rowferry.HeldBySource)
	lagSetting     = string(rowferry.HeldByTarget)
)

// limit is one of them.
type limit struct {
	name, example, doc, flag string
	kind                     kind
	check                    func(string) error
	set                      func(l *rowferry.Limits, value string) // what was checked
}

func throttleLimits() []limit {
	return []limit{
		{
			name: maxRowsSetting, example: "5000", flag: "max-rows-per-second", kind: numberKey, check: checkLimit,
			doc: "How many rows are written to the target in a second, while copying and while following; `0` for as many as there are. Rows are counted as the source changes them. No transaction is cut for it: one that is larger is written whole, and the next waits for longer.",
			set: func(l *rowferry.Limits, v string) { l.RowsPerSecond, _ = strconv.Atoi(v) },
		},
		{
			name: runningSetting, example: "32", kind: numberKey, check: checkLimit,
			doc: "How many sessions may be at work on the source's server for a copy to read on, those that copy included: `Threads_running` of MySQL and MariaDB, active client backends of PostgreSQL, whose account needs `pg_read_all_stats` for that. `0` for any number. It is looked at once a second, while tables are loaded.",
			set: func(l *rowferry.Limits, v string) { l.SourceRunning, _ = strconv.Atoi(v) },
		},
		{
			name: lagSetting, example: "10s", check: checkLag,
			doc: "How far the replicas of the target may be behind it for anything more to be written, as `pg_stat_replication` tells; `0s` for however far. A PostgreSQL target only, whose account needs `pg_read_all_stats`; of other servers it cannot be seen. It is looked at once a second.",
			set: func(l *rowferry.Limits, v string) { l.TargetLag, _ = time.ParseDuration(v) },
		},
	}
}

// throttleKeys are the keys of 'throttle'.
func throttleKeys() (keys []*key) {
	for _, l := range throttleLimits() {
		keys = append(keys, &key{
			name: l.name, kind: l.kind, flag: l.flag, example: l.example, check: l.check, doc: l.doc,
			set: func(s *settings, _ []string, v string) { l.set(&s.throttle, v) },
		})
	}
	return keys
}

func checkLimit(text string) error {
	if n, err := strconv.Atoi(text); err != nil || n < 0 || n > math.MaxInt32 {
		return rowferry.Errorf(rowferry.CodeBadValue, "%q is not a limit", text).Remedy("write", "a number from 1 to %d, or 0 for no limit", math.MaxInt32)
	}
	return nil
}

func checkLag(text string) error {
	if d, err := time.ParseDuration(text); err != nil || d < 0 || d > 0 && d < time.Second {
		return rowferry.Errorf(rowferry.CodeBadValue, "%q is not a lag to allow", text).Remedy("write", "10s or 2m, at least 1s, or 0s for no limit")
	}
	return nil
}

// fitsThrottle returns the limits that cannot be seen, with what each is for.
func (s *settings) fitsThrottle() [][2]string {
	var unfit [][2]string
	if s.throttle.SourceRunning > 0 && len(s.files) > 0 {
		unfit = append(unfit, [2]string{"throttle." + runningSetting, "a server as the source"})
	}
	if s.throttle.TargetLag > 0 && s.target != "" && s.targetScheme() != "postgres" {
		unfit = append(unfit, [2]string{"throttle." + lagSetting, "a PostgreSQL target"})
	}
	return unfit
}

var maxRowsOption = &option{name: "max-rows-per-second", value: "NUMBER", usage: "how many rows are written to the target in a second, while copying and while following; without it, as many as there are", key: "throttle." + maxRowsSetting}

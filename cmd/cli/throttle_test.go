package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
)

// TestThrottleSettings: flag before file, and by name what is no limit or cannot be
// seen.
func TestThrottleSettings(t *testing.T) {
	for _, tt := range []struct {
		throttle, target string
		args             []string
		want             string // in the error; "" for none
	}{
		{"{max_rows_per_second: 5, source_max_running: 7, target_max_lag: 10s}", "postgres://ferry@127.0.0.1:1/shop", nil, ""},
		{"{max_rows_per_second: -1}", "sqlite:shop.db", nil, `"-1" is not a limit`},
		{"{target_max_lag: 10ms}", "postgres://ferry@127.0.0.1:1/shop", nil, `"10ms" is not a lag`},
		{"{target_max_lag: 10s}", "mysql://ferry@127.0.0.1:1/shop", nil, "throttle.target_max_lag is for a PostgreSQL target"},
		{"{target_max_lag: 10s}", "sqlite:shop.db", nil, "throttle.target_max_lag is for a PostgreSQL target"},
		{"{max_rows_per_second: 5}", "sqlite:shop.db", []string{"--max-rows-per-second", "many"}, `"many" is not a limit`},
		{"{rows: 5}", "sqlite:shop.db", nil, "RF-1001"},
	} {
		file := t.TempDir() + "/shop.yaml"
		text := "name: shop\nsource: {url: 'mysql://ferry@127.0.0.1:1/shop'}\ntarget: {url: '" + tt.target + "'}\nthrottle: " + tt.throttle + "\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got := run(t, append([]string{"run", "-c", file, "--from", "latest", "--patience", "0s", "--state", t.TempDir() + "/state"}, tt.args...))
		if tt.want == "" && got.code != 3 || tt.want != "" && (got.code != 2 || !strings.Contains(got.err, tt.want)) {
			t.Errorf("%s, %s: %+v", tt.throttle, tt.target, got)
		}
	}
	s, err := parseConfig("x.yaml", "name: x\nthrottle: {max_rows_per_second: 5, source_max_running: 7, target_max_lag: 10s}\n", nil, false)
	if want := (rowferry.Limits{RowsPerSecond: 5, SourceRunning: 7, TargetLag: 10 * time.Second}); err != nil || s.throttle != want {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestControlWithoutAnEngine: nobody can be told anything, by its own code.
func TestControlWithoutAnEngine(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, args := range [][]string{{"pause"}, {"resume"}, {"set", "max_rows_per_second=5"}} {
		got := run(t, args)
		if got.code != 3 || !strings.Contains(got.err, "RF-4015") || !strings.Contains(got.err, "Nothing was changed.") {
			t.Errorf("%v: %+v", args, got)
		}
	}
	for _, tt := range []struct{ args, want string }{
		{"", "takes a setting"}, {"memory=1GiB", "cannot be changed"}, {"max_rows=5", "max_rows_per_second"},
		{"max_rows_per_second", "not a setting and its value"}, {"max_rows_per_second=x", "not a limit"},
		{"max_rows_per_second=1 max_rows_per_second=2", "or comes"},
	} {
		if got := run(t, append([]string{"set"}, strings.Fields(tt.args)...)); got.code != 2 || !strings.Contains(got.err, tt.want) {
			t.Errorf("%q: %+v", tt.args, got)
		}
	}
	if left, err := os.ReadDir("."); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// controlled is what a command that controls an engine says.
func controlled(t *testing.T, args ...string) (r controlResult) {
	t.Helper()
	got := run(t, append([]string{"-o", "json"}, args...))
	var e struct{ Result *controlResult }
	if err := json.Unmarshal([]byte(got.out), &e); err != nil || got.code != 0 || e.Result == nil {
		t.Fatalf("%v: %+v, %v", args, got, err)
	}
	return *e.Result
}

// TestControlOfAnEngine pauses an engine that waits for its source, which stays
// paused, sets it, and has it go on: as often as it is said.
func TestControlOfAnEngine(t *testing.T) {
	t.Chdir(t.TempDir())
	p := start(t, "run", "--source", "mysql://ferry@127.0.0.1:1/shop", "--target", "sqlite:shop.db", "--from", "latest", "--max-rows-per-second", "70")
	p.waitFor(t, "waiting")
	for i := range 2 {
		if r := controlled(t, "pause"); r.Changed != (i == 0) || !r.Throttle.Paused || r.Throttle.Reason != "pause" || r.Throttle.Since == nil || r.Throttle.MaxRows != 70 {
			t.Errorf("%+v, %+v", r, r.Throttle)
		}
	}
	if text := ok(t, "status", "--target", "sqlite:shop.db"); !strings.Contains(text, "\npaused     since ") || !strings.Contains(text, ": nothing is written\n") || !strings.Contains(text, "\nlimits     max_rows_per_second=70\n") {
		t.Error(text)
	}
	for i := range 2 {
		if r := controlled(t, "set", "max_rows_per_second=900"); r.Changed != (i == 0) || r.Throttle.MaxRows != 900 || !r.Throttle.Paused {
			t.Errorf("%+v, %+v", r, r.Throttle)
		}
	}
	if got := run(t, []string{"set", "max_rows_per_second=1", "target_max_lag=10s"}); got.code != 2 || !strings.Contains(got.err, "target_max_lag cannot be seen") {
		t.Errorf("%+v", got)
	}
	if got := run(t, []string{"pause", "--name", "other"}); got.code != 3 || !strings.Contains(got.err, "RF-4015") {
		t.Errorf("%+v", got)
	}
	for i := range 2 {
		if r := controlled(t, "resume"); r.Changed != (i == 0) || r.Throttle.Paused || r.Throttle.Reason != "" || r.Throttle.Since != nil || r.Throttle.MaxRows != 900 || r.Throttle.Waited["pause"] <= 0 {
			t.Errorf("%+v, %+v", r, r.Throttle)
		}
	}
	if text := ok(t, "resume"); !strings.Contains(text, "✓ it was not paused\n") {
		t.Error(text)
	}
	p.signal(t)
	if err := p.Wait(); err != nil {
		t.Error(err)
	}
}

// TestSourceMaxRunning: a copy begins no chunk while too many sessions are at work
// on its source, says so, and goes on when they have ended.
func TestSourceMaxRunning(t *testing.T) {
	o := newOrigin(t, testdb.MariaDB1011, "sqlite:shop.db")
	o.insert(t, 3)
	const limit = 30 // beyond what others may do on the server
	release := make(chan struct{})
	ended := make(chan error, 2*limit)
	for range 2 * limit {
		conn, err := o.db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		go func() {
			_, err := conn.ExecContext(t.Context(), "SELECT SLEEP(600)")
			<-release
			ended <- err
		}()
	}
	var busy int
	for name := ""; busy <= limit; {
		if err := o.db.QueryRow("SHOW GLOBAL STATUS LIKE 'Threads_running'").Scan(&name, &busy); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile("shop.yaml", []byte(o.file+fmt.Sprintf("throttle: {source_max_running: %d}\n", limit)), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, "run", "-c", "shop.yaml")
	var live *liveStatus
	for live == nil || !live.Throttle.Throttled {
		live = statusIn(t, run(t, []string{"-o", "json", "status", "-c", "shop.yaml"}).out).Engine
	}
	if live.Throttle.Reason != "source_max_running" || !strings.Contains(live.Throttle.Why, "sessions are at work on the source") || live.Copy == nil || live.Copy.Rows != 0 {
		t.Errorf("%+v, %+v", live.Throttle, live.Copy)
	}
	ids, err := o.db.Query("SELECT id FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP%' AND db = '" + o.name + "'")
	if err != nil {
		t.Fatal(err)
	}
	defer ids.Close()
	var kill []string
	for ids.Next() {
		var id int
		if err := ids.Scan(&id); err != nil {
			t.Fatal(err)
		}
		kill = append(kill, fmt.Sprintf("KILL QUERY %d", id))
	}
	if err := ids.Err(); err != nil {
		t.Fatal(err)
	}
	o.exec(t, kill...)
	close(release)
	for live = nil; live == nil || live.Copy != nil || !live.CaughtUp; {
		live = statusIn(t, run(t, []string{"-o", "json", "status", "-c", "shop.yaml"}).out).Engine
	}
	if live.Throttle.Throttled || live.Throttle.Waited["source_max_running"] <= 0 {
		t.Errorf("%+v", live.Throttle)
	}
	if n := rows(t, "shop.db", "item"); n != "3" {
		t.Errorf("%s rows", n)
	}
	p.signal(t)
	if err := p.Wait(); err != nil {
		t.Error(err)
	}
}

// TestHeldText: what holds a run back is shown in the progress and the summary.
func TestHeldText(t *testing.T) {
	at := time.Date(2026, 11, 18, 12, 4, 0, 0, time.UTC)
	for want, s := range map[string]rowferry.ThrottleState{
		"": {},
		"paused    for 1m30s: what was begun is being finished":                                  {Paused: true, Held: rowferry.HeldByPause, Since: at, Writing: true},
		"throttled for 1m30s: max_rows_per_second is 5":                                          {Held: rowferry.HeldByRate, Since: at, Limits: rowferry.Limits{RowsPerSecond: 5}},
		"throttled for 1m30s: source_max_running is 5, and 7 sessions are at work on the source": {Held: rowferry.HeldBySource, Since: at, Running: 7, Limits: rowferry.Limits{SourceRunning: 5}},
		"throttled for 1m30s: target_max_lag is 10s, and a replica of the target is 12s behind":  {Held: rowferry.HeldByTarget, Since: at, Lag: 12 * time.Second, Limits: rowferry.Limits{TargetLag: 10 * time.Second}},
	} {
		r := reading{now: at.Add(90 * time.Second), follows: true, progress: rowferry.Progress{Throttle: s}}
		lines := r.lines()
		if got := strings.Join(lines[2:], "|"); got != want || len(r.held()) > 0 != (want != "") {
			t.Errorf("%q, want %q; %v", got, want, r.held())
		}
	}
	sum := exampleSummary()
	sum.Waited = map[string]float64{"max_rows_per_second": 90, "pause": 3}
	if text := sum.text(false); !strings.Contains(text, "\nheld back  3.0s by pause, 1m30s by max_rows_per_second\n") {
		t.Error(text)
	}
}

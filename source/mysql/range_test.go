package mysql

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rowferry/rowferry"
)

// Wherever a log is cut by from and until, in whatever notation, the parts are
// the whole.
func TestEveryRange(t *testing.T) {
	for name := range logKinds() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := recorded(t, name)
			all := log.read(Options{Scope: notOther})
			must(t, all.err)
			begin := []string{string(all.begin)}
			want := text(all.txs)
			for i := range len(all.txs) + 1 {
				at := begin
				if i > 0 {
					at = []string{string(all.txs[i-1].Position), all.txs[i-1].Log}
				}
				for _, p := range at {
					head := log.read(Options{Scope: notOther, Until: p})
					tail := log.read(Options{Scope: notOther, From: p})
					if got := text(head.txs) + text(tail.txs); got != want || head.err != nil || tail.err != nil || len(head.txs) != i {
						t.Errorf("cut at %s: %d and %d transactions of %d (%v, %v)", p, len(head.txs), len(tail.txs), len(all.txs), head.err, tail.err)
					}
					if tail.begin != rowferry.Position(at[0]) {
						t.Errorf("from %s begins at %s, want %s", p, tail.begin, at[0])
					}
					if none := log.read(Options{Scope: notOther, From: p, Until: p}); len(none.txs) > 0 || none.err != nil {
						t.Errorf("from %s until %s: %d transactions, %v", p, p, len(none.txs), none.err)
					}
				}
			}
		})
	}
}

func TestEveryTime(t *testing.T) {
	for name := range logKinds() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := recorded(t, name)
			all := log.read(Options{Scope: notOther})
			must(t, all.err)
			for _, tx := range all.txs {
				for _, d := range []time.Duration{-time.Microsecond, 0, time.Microsecond, time.Second} {
					at := tx.CommitTime.Add(d)
					var head, tail []*rowferry.Tx
					for i, x := range all.txs {
						if !x.CommitTime.Before(at) && tail == nil {
							tail = all.txs[i:]
						}
						if !x.CommitTime.After(at) && len(head) == i {
							head = all.txs[:i+1]
						}
					}
					clock := at.Format(time.RFC3339Nano)
					if got := log.read(Options{Scope: notOther, From: clock}); text(got.txs) != text(tail) || got.err != nil {
						t.Errorf("from %s: %d transactions, want %d (%v)", clock, len(got.txs), len(tail), got.err)
					}
					if got := log.read(Options{Scope: notOther, Until: clock, ChunkBytes: 1}); text(got.txs) != text(head) || got.err != nil {
						t.Errorf("until %s: %d transactions, want %d (%v)", clock, len(got.txs), len(head), got.err)
					}
				}
			}
		})
	}
}

// Every place that is not between two transactions is refused, as a start and
// as an end.
func TestPlacesOutside(t *testing.T) {
	for _, name := range []string{"mysql", "mysql compressed", "mariadb"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := recorded(t, name)
			good := map[string]bool{}
			for i, f := range log {
				good[f.name+":4"] = true
				for _, e := range eventsOf(t, f.data) {
					if !e.inside {
						good[filePosition(f.name, uint64(e.end))] = true
					}
				}
				for off := range uint64(len(f.data)) + 3 {
					p := filePosition(log[i].name, off)
					_, err := log.source(Options{From: p}).Open(t.Context(), rowferry.Start{})
					_, err2 := log.source(Options{Until: p}).Open(t.Context(), rowferry.Start{})
					_, err3 := log.source(Options{}).Open(t.Context(), rowferry.Start{Position: rowferry.Position(p)})
					for _, err := range []error{err, err2, err3} {
						if good[p] && err != nil || !good[p] && rowferry.CodeOf(err) != rowferry.CodePositionOutside {
							t.Fatalf("%s (between transactions: %v): %v", p, good[p], err)
						}
					}
				}
			}
		})
	}
}

// A time after the log's end is taken as its end, and said to be one; a time
// before the end is not, though no transaction comes after it.
func TestTimeAfterTheEnd(t *testing.T) {
	for _, name := range []string{"mysql anonymous", "mysql", "mariadb"} {
		log := recorded(t, name)
		all := log.read(Options{Scope: notOther})
		must(t, all.err)
		events := eventsOf(t, log[2].data)
		end := clock(parseHeader(log[2].data[events[len(events)-1].start:]).time)
		for d, late := range map[time.Duration]bool{0: false, time.Second: true, time.Hour: true} {
			at := end.Add(d).Format(time.RFC3339)
			until := log.read(Options{Scope: notOther, Until: at})
			from := log.read(Options{Scope: notOther, From: end.Add(d).Format(time.RFC3339)})
			// The last second may hold transactions, which are not before it.
			whole := late || all.txs[len(all.txs)-1].CommitTime.Before(end)
			if until.err != nil || whole && text(until.txs) != text(all.txs) || from.err != nil || late && len(from.txs) > 0 {
				t.Errorf("%s: %s after the end: %v, %v, %d transactions", name, d, until.err, from.err, len(from.txs))
			}
			for what, got := range map[string]result{"until": until, "from": from} {
				noticed := len(got.notices) == 1 && strings.Contains(got.notices[0], at) && strings.Contains(got.notices[0], end.Format(time.RFC3339))
				if late && !noticed || !late && len(got.notices) > 0 {
					t.Errorf("%s: %s %s after the end: notices %q", name, what, d, got.notices)
				}
			}
		}
	}
}

func TestPositionsNotInTheLog(t *testing.T) {
	mysql, maria, anonymous := recorded(t, "mysql"), recorded(t, "mariadb"), recorded(t, "mysql anonymous")
	last := mysql.read(Options{Scope: notOther})
	must(t, last.err)
	whole := string(last.txs[len(last.txs)-1].Position)
	further := strings.Replace(whole, ":1-", ":1-99999", 1)
	for _, c := range []struct {
		log   logFiles
		opt   Options
		start rowferry.Position
		code  rowferry.Code
	}{
		{mysql, Options{From: further}, "", rowferry.CodePositionOutside},
		{mysql, Options{}, rowferry.Position(further), rowferry.CodePositionOutside},
		{mysql, Options{Until: further}, "", rowferry.CodeUntilNotFound},
		{mysql, Options{Until: "99999999-0000-0000-0000-000000000000:1"}, "", rowferry.CodeUntilNotFound},
		{mysql, Options{From: "0-1-1"}, "", rowferry.CodeMixedGTID},
		{mysql, Options{From: "other.000001:4"}, "", rowferry.CodePositionOutside},
		{mysql, Options{Until: "mysql-bin.000009:4"}, "", rowferry.CodePositionOutside},
		{maria, Options{From: "0-1-9999"}, "", rowferry.CodePositionOutside},
		{maria, Options{}, "0-7-1", rowferry.CodePositionOutside},
		{maria, Options{}, "9-1-1,0-1-3", rowferry.CodePositionOutside},
		{maria, Options{Until: "0-1-9999"}, "", rowferry.CodeUntilNotFound},
		{maria, Options{Until: "0-1-2,77-1-1"}, "", rowferry.CodeUntilNotFound},
		{maria, Options{From: "99999999-0000-0000-0000-000000000000:1"}, "", rowferry.CodeMixedGTID},
		{anonymous, Options{From: "99999999-0000-0000-0000-000000000000:1"}, "", rowferry.CodeMixedGTID},
		{mysql, Options{From: "2026-11-18T12:04:00"}, "", rowferry.CodeZonelessTime},
		{mysql, Options{Until: "nowhere"}, "", rowferry.CodeBadPosition},
		{mysql, Options{Until: "earliest"}, "", rowferry.CodeBadPosition},
	} {
		c.opt.Scope = notOther
		got := readFrom(c.log.source(c.opt), rowferry.Start{Position: c.start})
		if rowferry.CodeOf(got.err) != c.code {
			t.Errorf("from %q until %q start %q: %v, want %s", c.opt.From, c.opt.Until, c.start, got.err, c.code)
		}
	}
	if got := mysql.read(Options{Scope: notOther, From: "latest"}); got.err != nil || len(got.txs) > 0 || string(got.begin) != whole {
		t.Errorf("from latest: %d transactions from %s, %v", len(got.txs), got.begin, got.err)
	}
	if got := mysql.read(Options{Scope: notOther, Until: "latest"}); text(got.txs) != text(last.txs) {
		t.Errorf("until latest: %d transactions", len(got.txs))
	}
}

// Files that are missing, at the start, in the middle, or under another's name.
func TestFilesMissing(t *testing.T) {
	for name := range logKinds() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := recorded(t, name)
			all := log.read(Options{Scope: notOther})
			must(t, all.err)
			middle := logFiles{log[0], log[2]}
			got := middle.read(Options{Scope: notOther})
			if rowferry.CodeOf(got.err) != rowferry.CodeLogMissing || !strings.HasPrefix(text(all.txs), text(got.txs)) || len(got.txs) == 0 {
				t.Errorf("without the second file: %d transactions, %v", len(got.txs), got.err)
			}
			renamed := logFiles{log[0], {log[1].name, log[2].data}}
			got = renamed.read(Options{Scope: notOther})
			// Without GTIDs nothing tells.
			if name != "mysql anonymous" && (rowferry.CodeOf(got.err) != rowferry.CodeLogMissing || !strings.HasPrefix(text(all.txs), text(got.txs))) {
				t.Errorf("with the third file in place of the second: %d transactions, %v", len(got.txs), got.err)
			}
			from := all.txs[2]
			late := readFrom(log[1:].source(Options{Scope: notOther}), rowferry.Start{Position: from.Position})
			want := rowferry.CodeLogMissing
			if name == "mysql anonymous" {
				want = rowferry.CodePositionOutside
			}
			if rowferry.CodeOf(late.err) != want || len(late.txs) > 0 {
				t.Errorf("resumed in the first file without it: %d transactions, %v", len(late.txs), late.err)
			}
			// The last files alone are a log of their own.
			dump := Options{Scope: notOther, Dump: dumpFile(t)}
			got = log[1:].read(dump)
			if got.err != nil || !strings.HasSuffix(text(all.txs), text(got.txs)) || len(got.txs) == 0 {
				t.Errorf("the last two files: %d transactions, %v", len(got.txs), got.err)
			}
		})
	}
}

func TestSequenceRefused(t *testing.T) {
	log := recorded(t, "mysql")
	paths := log.write(t)
	want := log.read(Options{Scope: notOther}).txs
	for _, given := range [][]string{
		{paths[2], paths[0], paths[1]},
		{strings.TrimSuffix(paths[0], "000001") + "*"},
	} {
		got := readFrom(Files(Options{Paths: given, Scope: notOther}), rowferry.Start{})
		if got.err != nil || text(got.txs) != text(want) {
			t.Errorf("%v: %d transactions of %d, %v", given, len(got.txs), len(want), got.err)
		}
	}
	for code, given := range map[rowferry.Code][]string{
		rowferry.CodeUsage:         {paths[0], paths[0]},
		rowferry.CodeLogUnreadable: {paths[0] + ".gone"},
		rowferry.CodeBadValue:      {"[" + paths[0]},
	} {
		if got := readFrom(Files(Options{Paths: given, Scope: notOther}), rowferry.Start{}); rowferry.CodeOf(got.err) != code {
			t.Errorf("%v: %v, want %s", given, got.err, code)
		}
	}
	if got := readFrom(Files(Options{}), rowferry.Start{}); rowferry.CodeOf(got.err) != rowferry.CodeLogUnreadable {
		t.Errorf("no files: %v", got.err)
	}
}

func ExampleParsePosition() {
	for _, text := range []string{
		"mysql-bin.000042:1337",
		"3E11FA47-71CA-11E1-9E33-C80AA9429562:7:1-3, 3e11fa47-71ca-11e1-9e33-c80aa9429562:tag:5",
		"1-2-7,0-1-100",
		"2026-11-18T13:04:00+01:00",
	} {
		p, err := ParsePosition(text)
		fmt.Println(p, p.Concrete(), err)
	}
	// Output:
	// mysql-bin.000042:1337 true <nil>
	// 3e11fa47-71ca-11e1-9e33-c80aa9429562:1-3:7:tag:5 true <nil>
	// 0-1-100,1-2-7 true <nil>
	// 2026-11-18T12:04:00Z false <nil>
}

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/checkpoint"
	"github.com/rowferry/rowferry/schema"
)

// TestProblem compares the printed form of an error with the one that UX
// promises.
func TestProblem(t *testing.T) {
	e := rowferry.Errorf(rowferry.CodeLogMissing, "the source no longer has the log this pipeline needs").
		Fact("need", "mysql-bin.000042:1337 (checkpoint 2026-11-18 12:04)").
		Fact("oldest", "mysql-bin.000051").
		Remedy("archived logs", "rowferry replay -c shop.yaml --files '/backup/mysql-bin.00004*'").
		Remedy("prevent", "SET GLOBAL binlog_expire_logs_seconds=604800")
	e.Unharmed = "Nothing was changed on the target."
	want := `✗ RF-2004  the source no longer has the log this pipeline needs
    need    mysql-bin.000042:1337 (checkpoint 2026-11-18 12:04)
    oldest  mysql-bin.000051
    Nothing was changed on the target.
    → archived logs   rowferry replay -c shop.yaml --files '/backup/mysql-bin.00004*'
    → prevent         SET GLOBAL binlog_expire_logs_seconds=604800
`
	var b bytes.Buffer
	writeProblem(&b, e, false)
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}

// TestProblemIsSafe asserts that a row's value cannot act on the terminal.
func TestProblemIsSafe(t *testing.T) {
	e := rowferry.Errorf(rowferry.CodeRowRefused, "row \x1b[31mred\x07").Fact("k\x1b", "a\u202eb\tc\u009b")
	e.Err = errors.New("cause\x1b]0;title\x07")
	var b bytes.Buffer
	writeProblem(&b, e, false)
	if strings.ContainsAny(strings.ReplaceAll(b.String(), "\n", ""), "\x1b\x07\u009b\u202e\t") {
		t.Errorf("%q", b.String())
	}
	for _, want := range []string{`row \x1b[31mred\x07`, `a\u202eb\tc\u009b`, `cause  cause\x1b]0;title\x07`} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q does not contain %q", b.String(), want)
		}
	}
}

// TestProblems asserts that joined and wrapped errors are taken apart.
func TestProblems(t *testing.T) {
	a, b := rowferry.Errorf(rowferry.CodeTarget, "a"), rowferry.Errorf(rowferry.CodeStateFull, "b")
	plain := errors.New("plain")
	for _, tt := range []struct {
		err  error
		want []error
		code rowferry.Class
	}{
		{nil, nil, 0},
		{a, []error{a}, 3},
		{fmt.Errorf("while: %w", a), []error{a}, 3},
		{errors.Join(a, nil, fmt.Errorf("x: %w", errors.Join(b, plain))), []error{a, b, plain}, 3},
		{plain, []error{plain}, 1},
		{errors.Join(plain, b), []error{plain, b}, 1},
		{rowferry.Errorf(rowferry.CodeTarget, "over %w", b), nil, 3},
	} {
		got := problems(tt.err)
		if tt.want != nil && fmt.Sprint(got) != fmt.Sprint(tt.want) {
			t.Errorf("problems(%v) = %v", tt.err, got)
		}
		if c := classOf(got); c != tt.code {
			t.Errorf("class of %v is %d, want %d", tt.err, c, tt.code)
		}
	}
}

// TestExitCodes asserts that every code ends the program with its class, and
// says what was not harmed and what to do.
func TestExitCodes(t *testing.T) {
	for _, info := range rowferry.Codes() {
		var out, errs bytes.Buffer
		p := newProgram(nil, &out, &errs, nil)
		if got := p.finish(rowferry.Errorf(info.Code, "x")); got != int(info.Class) {
			t.Errorf("%s: exit code %d, want %d", info.Code, got, info.Class)
		}
		e := rowferry.Errorf(info.Code, "x")
		if unharmed(e) == "" || len(remediesOf(e)) == 0 {
			t.Errorf("%s does not say what is unharmed, or what to do", info.Code)
		}
		if className(info.Class) == fmt.Sprintf("class %d", info.Class) {
			t.Errorf("%s: class %d has no name", info.Code, info.Class)
		}
	}
}

func exampleSummary() *summary {
	at := time.Date(2026, 11, 18, 12, 4, 0, 0, time.UTC)
	compaction := 3.06
	return &summary{
		Pipeline: "shop", Resume: summaryResume{"fresh", "no checkpoint; starting at mysql-bin.000001:4"},
		Tables: []summaryTable{
			{Table: "shop.customers", Inserts: 1204, Updates: 312, Deletes: 5},
			{Table: "shop.orders", Inserts: 1200345, Updates: 7},
			{Table: "shop.a_table_with_a_rather_long_name", Deletes: 1},
		},
		Transactions: 12345, Rows: 1201874, Batches: 20,
		MostTransactions: 1000, LongestSeconds: 0.9, Compaction: &compaction, Seconds: 9.87, took: 9870 * time.Millisecond,
		Stopped: "at the end of the log", Position: "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-12345",
		Log: "mysql-bin.000002:1223072", Committed: &at,
		Notices: []string{"mysql-bin.000002 ends inside a transaction, as a file does that its server is still writing; everything before it is applied"},
		Next:    []string{"sqlite3 examples/quickstart/out/shop.db .tables", "rowferry status --target sqlite:shop.db"},
	}
}

func TestSummary(t *testing.T) {
	done, nothing, failed := exampleSummary(), exampleSummary(), exampleSummary()
	nothing.Transactions, nothing.Rows, nothing.Tables, nothing.Notices, nothing.MostTransactions = 0, 0, nil, nil, 0
	nothing.nothing = "everything in these files was already applied"
	failed.failed, failed.Stopped, failed.Fallbacks, failed.Splits, failed.Spilled = true, "by RF-3002 below", 2, 1, 2
	failed.Tables[0].Cleared = 3
	var b strings.Builder
	for _, s := range []*summary{done, nothing, failed} {
		b.WriteString(s.text(false) + "----\n")
	}
	golden(t, "testdata/summary.golden", b.String())
	for _, line := range strings.Split(b.String(), "\n") {
		if runes(line) > width {
			t.Errorf("%d columns: %s", runes(line), line)
		}
	}
	text, err := json.MarshalIndent(done, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/summary.json.golden", string(text)+"\n")
}

func TestNumbers(t *testing.T) {
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", 123456: "123,456"} {
		if got := count(n); got != want {
			t.Errorf("count(%d) = %s", n, got)
		}
	}
	for n, want := range map[float64]string{0: "0", 999: "999", 999.6: "1.0k", 1000: "1.0k", 12345: "12.3k", 182345: "182k", 999960: "1.0M", 27.1e6: "27.1M", 3e9: "3.0G"} {
		if got := brief(n); got != want {
			t.Errorf("brief(%v) = %s, want %s", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "0.0s", 1500 * time.Millisecond: "1.5s", 59 * time.Second: "59s", 94 * time.Second: "1m34s",
		2*time.Hour + 5*time.Minute: "2h05m", 50 * time.Hour: "2d2h",
	} {
		if got := shortly(d); got != want {
			t.Errorf("shortly(%v) = %s, want %s", d, got, want)
		}
	}
}

// hand is a clock whose hands and ticks the test moves.
type hand struct {
	at    time.Time
	ticks chan time.Time
	every time.Duration
}

func (h *hand) Now() time.Time { return h.at }

func (h *hand) Tick(d time.Duration) (<-chan time.Time, func()) {
	h.every = d
	return h.ticks, func() {}
}

// collected is a writer that hands every write to the test.
type collected chan string

func (c collected) Write(b []byte) (int, error) {
	c <- string(b)
	return len(b), nil
}

func TestProgress(t *testing.T) {
	p := rowferry.Progress{
		Rows: 1820000, Transactions: 9000, ReadBytes: 61 << 20, TotalBytes: 100 << 20,
		Position: "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-9000", Log: "mysql-bin.000042:1337",
		Commit: time.Date(2026, 11, 18, 12, 4, 0, 0, time.UTC),
	}
	for _, tt := range []struct {
		name     string
		terminal bool
		every    time.Duration
		want     string
	}{
		{"terminal", true, redrawEvery, "replay     61.0%  1.8M rows  182k rows/s  900 tx/s  ETA 6.4s\n" +
			"          at mysql-bin.000042:1337  committed 2026-11-18T12:04:00Z\n"},
		{"record", false, recordEvery, `"level":"INFO","msg":"progress","rows":1820000,"transactions":9000,"rows_per_second":182000,"position":"3e11fa47-71ca-11e1-9e33-c80aa9429562:1-9000","log":"mysql-bin.000042:1337","committed":"2026-11-18T12:04:00Z","share":0.61,"eta_seconds":6.393442622}` + "\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := make(collected)
			clock := &hand{at: time.Date(2026, 11, 18, 12, 0, 0, 0, time.UTC), ticks: make(chan time.Time)}
			prog := newProgram(nil, nil, w, nil)
			prog.clock, prog.errTerminal = clock, tt.terminal
			prog.log = newLogger(prog.screen, tt.terminal, false, values{})
			ctx, cancel := context.WithCancel(t.Context())
			snapshot := make(chan rowferry.Progress, 2)
			snapshot <- rowferry.Progress{}
			stop := prog.follow(ctx, nil, func() rowferry.Progress { return <-snapshot })
			if clock.every != tt.every {
				t.Errorf("every %v, want %v", clock.every, tt.every)
			}
			clock.at = clock.at.Add(10 * time.Second)
			snapshot <- p
			clock.ticks <- clock.at
			if got := <-w; !strings.HasSuffix(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
			cancel()
			if got := <-w; !strings.Contains(got, "stopping after the batch in hand") {
				t.Errorf("after cancelling: %q", got)
			}
			go func() {
				for range w { // stop erases what is drawn
				}
			}()
			stop()
			close(w)
		})
	}
}

func TestScreen(t *testing.T) {
	var b bytes.Buffer
	s := &screen{w: &b}
	s.draw("one", strings.Repeat("x", 100))
	fmt.Fprintln(s, "log")
	s.draw("two")
	s.draw()
	long := strings.Repeat("x", 78) + "…"
	up := "\x1b[1A\x1b[2K"
	want := "one\n" + long + "\n" + up + up + "log\none\n" + long + "\n" + up + up + "two\n" + up
	if b.String() != want {
		t.Errorf("got\n%q\nwant\n%q", b.String(), want)
	}
}

func TestDiff(t *testing.T) {
	table := &schema.Table{
		Name: schema.Name{Schema: "shop", Table: "customers"}, PrimaryKey: []int{0},
		Columns: []schema.Column{{Name: "id"}, {Name: "email"}, {Name: "photo"}, {Name: "a_column_with_a_long_name"}},
	}
	row := func(v ...rowferry.Value) rowferry.Row { return v }
	origin := &rowferry.Origin{Tx: "3e11fa47:7", Log: "mysql-bin.000001:1337", Commit: time.Date(2026, 11, 18, 12, 4, 0, 0, time.UTC).UnixMilli()}
	id, null := rowferry.IntValue(7), rowferry.NullValue()
	old, now := rowferry.TextValue("a@b\x1b[2J"), rowferry.TextValue("ö"+strings.Repeat("ü", 100))
	ms := []rowferry.Mutation{
		{Op: rowferry.Insert, After: row(id, old, rowferry.BytesValue(strings.Repeat("\xff", 100)), null)},
		{Op: rowferry.Update, Before: row(id, old, null, null), After: row(id, now, null, rowferry.Value{})},
		{Op: rowferry.Delete, Before: row(id, now, null, rowferry.FloatValue(1.5))},
		{Op: rowferry.Truncate}, {Op: rowferry.Shape}, {Op: rowferry.Drop},
	}
	for i := range ms {
		ms[i].Table, ms[i].Source, ms[i].Origin = table, table.Name, origin
	}
	var b bytes.Buffer
	sink := newDiffSink(&b, false)
	tx, err := sink.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(tx.Write(t.Context(), ms), tx.Commit(t.Context(), rowferry.Checkpoint{})); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/diff.golden", b.String())
}

// TestBudget asserts that the shares of the heap leave the collector room, at
// every size that is accepted.
func TestBudget(t *testing.T) {
	for _, total := range []int64{leastMemory, 128 << 20, defaultMemory, 1 << 30, 64 << 30} {
		b := divide(total)
		live := b.live() + int64(b.Recent)
		if live > b.Heap || b.Heap+sinkMemory > total || b.BatchBytes <= 0 || b.Recent <= 0 {
			t.Errorf("%d MiB: %d MiB live of a heap of %d MiB", total>>20, live>>20, b.Heap>>20)
		}
	}
	if b := divide(defaultMemory); b.BatchBytes != rowferry.DefaultBatchBytes || b.SpillBytes != rowferry.DefaultSpillBytes || b.Recent != checkpoint.DefaultRecent {
		t.Errorf("the default budget is not the engine's: %+v", b)
	}
}

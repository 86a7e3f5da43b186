package cli

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

func exampleFindings() []rowferry.Finding {
	return []rowferry.Finding{
		{Name: "row format", Level: rowferry.Passed, What: "binlog_format is ROW", Facts: []rowferry.Fact{{Name: "a", Value: "b"}}},
		{Name: "retention", Level: rowferry.Warning, What: "the source keeps its log for 2d0h", Facts: []rowferry.Fact{{Name: "kept", Value: "172800 s"}},
			Remedies: []rowferry.Remedy{{Label: "longer", Do: "SET GLOBAL binlog_expire_logs_seconds=604800"}}},
		{Name: "privileges", Level: rowferry.Failed, Code: rowferry.CodeSourceDenied, What: "the user lacks REPLICATION SLAVE\x1b[2J",
			Remedies: []rowferry.Remedy{{Label: "grant", Do: "GRANT REPLICATION SLAVE ON *.* TO 'rowferry'@'%'"}}},
	}
}

// TestDoctorText is what a person reads, with the statement that helps.
func TestDoctorText(t *testing.T) {
	r := &doctorResult{Source: examined{URL: "mysql://u@h:3306", list: exampleFindings()}, Target: examined{URL: "sqlite:x"}}
	r.Passed, r.Warnings, r.Failed = tallyFindings(r.Source.list)
	want := `source  mysql://u@h:3306
  ✓ row format  binlog_format is ROW
  ! retention   the source keeps its log for 2d0h
                kept  172800 s
                → longer   SET GLOBAL binlog_expire_logs_seconds=604800
  ✗ privileges  RF-2025 the user lacks REPLICATION SLAVE\x1b[2J
                → grant   GRANT REPLICATION SLAVE ON *.* TO 'rowferry'@'%'
target  sqlite:x

1 passed, 1 warning, 1 failed
`
	if got := r.text(false); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	failed := failures(r.Source.list)
	if len(failed) != 1 || rowferry.CodeOf(failed[0]) != rowferry.CodeSourceDenied {
		t.Errorf("%v", failed)
	}
	away := failedFinding("connection", errors.Join(rowferry.Errorf(rowferry.CodeTargetAway, "no answer"), errors.New("x")))
	if away.Code != rowferry.CodeTargetAway || away.What != "no answer" || len(away.Remedies) == 0 {
		t.Errorf("%+v", away)
	}
}

// TestDoctorOfFiles runs the command where there is no server to ask.
func TestDoctorOfFiles(t *testing.T) {
	files := inDir(t)
	out := ok(t, "doctor", "--files", files, "--target", "sqlite:shop.db")
	if !strings.Contains(out, "2 passed\n") {
		t.Error(out)
	}
	got := run(t, []string{"doctor", "--files", "none", "--target", "sqlite:shop.db"})
	if got.code != 3 || got.err != "" || !strings.Contains(got.out, "✗ files  RF-2020") || !strings.Contains(got.out, "1 passed, 1 failed") {
		t.Errorf("%+v", got)
	}
	if e := envelopeOf(t, run(t, []string{"-o", "json", "doctor", "--files", "none", "--target", "sqlite:shop.db"}), false); e.Code != "RF-2020" || e.Class != 3 {
		t.Errorf("%+v", e)
	}
}

func TestSequencesText(t *testing.T) {
	r := &sequencesResult{}
	r.fill([]rowferry.Sequence{
		{Table: schema.Name{Schema: "shop", Table: "orders"}, Column: "id", Last: 1200, Next: 1},
		{Table: schema.Name{Schema: "shop", Table: "items"}, Column: "id", Last: 7, Next: 8},
		{Table: schema.Name{Schema: "shop", Table: "empty"}, Column: "id", Last: 0, Next: 1},
	})
	want := `table        column  last  before  after
shop.orders  id      1200       1   1201
shop.items   id         7       8      8
shop.empty   id         0       1      1
`
	if got := r.table(); got != want || r.Behind != 1 {
		t.Errorf("%d behind\n%s", r.Behind, got)
	}
	got := run(t, []string{"sequences", "--target", "jsonl:-"})
	if got.code != 2 || !strings.Contains(got.err, "has no sequences to set") {
		t.Errorf("%+v", got)
	}
}

// TestFollowing is the progress of a run that follows: its rates are of the
// last seconds.
func TestFollowing(t *testing.T) {
	at := time.Date(2026, 11, 18, 12, 0, 0, 0, time.UTC)
	p := rowferry.Progress{Checkpoint: rowferry.Checkpoint{Position: "0-1-5", Updated: at}}
	m := &meter{begun: at, first: p, follows: true, capacity: 1000}
	for _, tt := range []struct {
		after  time.Duration
		change func()
		want   string
	}{
		{2 * time.Second, func() { p.Rows, p.ReadBytes = 8000, 2400 }, "follow    lag unknown  read 1.2kB/s  apply 4.0k rows/s  queue 0%\n          at 0-1-5  checkpoint 2.0s ago"},
		{30 * time.Second, func() {
			p.Commit, p.Lag, p.QueueBytes = at, 800*time.Millisecond, 30
			p.Checkpoint.Updated, p.Checkpoint.Log = at.Add(29*time.Second), "mysql-bin.000042:1337"
		}, "follow    lag 0.8s  read 0B/s  apply 0 rows/s  queue 3%\n          at mysql-bin.000042:1337  checkpoint 1.0s ago"},
		{31 * time.Second, func() { p.Rows, p.CaughtUp, p.Lag, p.ReadBytes = 8100, true, 0, 7 }, "follow    lag 0.0s  read 0B/s  apply 100 rows/s  queue 3%\n          at mysql-bin.000042:1337  checkpoint 2.0s ago"},
		{32 * time.Second, func() { p.Waiting = "RF-3014: no answer\x07" }, "waiting   RF-3014: no answer\\x07\n          at mysql-bin.000042:1337  checkpoint 3.0s ago"},
	} {
		tt.change()
		if tt.after == 31*time.Second { // rates are taken from a sample ten seconds ago, or the one before
			m.recent = m.recent[len(m.recent)-1:]
		}
		if got := strings.Join(m.measure(at.Add(tt.after), p).lines(), "\n"); got != tt.want {
			t.Errorf("after %s\ngot  %s\nwant %s", tt.after, got, tt.want)
		}
	}
}

// TestFollowingWaiting: the rows that wait are counted where some may.
func TestFollowingWaiting(t *testing.T) {
	var b strings.Builder
	p := newProgram(nil, nil, &b, nil)
	p.log = newLogger(p.screen, false, false, values{})
	m := &meter{follows: true, keyed: true, capacity: 1000}
	now := rowferry.Progress{Checkpoint: rowferry.Checkpoint{Held: rowferry.Held{Notes: rowferry.Kept{Waiting: 12}}}}
	r := m.measure(time.Time{}, now)
	if got := r.lines()[0]; !strings.HasSuffix(got, "  queue 0%  waiting 12") {
		t.Error(got)
	}
	if p.show(r); !strings.Contains(b.String(), `"waiting_rows":12`) {
		t.Error(b.String())
	}
}

// TestFollowingRecord is the same off a terminal: one log record.
func TestFollowingRecord(t *testing.T) {
	var b strings.Builder
	p := newProgram(nil, nil, &b, nil)
	p.log = newLogger(p.screen, false, false, values{})
	at := time.Date(2026, 11, 18, 12, 0, 0, 0, time.UTC)
	m := &meter{begun: at, follows: true, capacity: 1000}
	p.show(m.measure(at.Add(30*time.Second), rowferry.Progress{
		Rows: 300, ReadBytes: 600, QueueBytes: 10, Commit: at, Lag: 1500 * time.Millisecond, Waiting: "RF-3014: no answer",
		Checkpoint: rowferry.Checkpoint{Position: "0-1-5", Log: "mysql-bin.000042:1337", Updated: at.Add(28 * time.Second)},
	}))
	want := `"msg":"progress","caught_up":false,"read_bytes_per_second":20,"rows_per_second":10,"queue_share":0.01,"rows":300,"transactions":0,` +
		`"position":"0-1-5","log":"mysql-bin.000042:1337","checkpoint_age_seconds":2,"lag_seconds":1.5,"waiting":"RF-3014: no answer"}` + "\n"
	if !strings.HasSuffix(b.String(), want) {
		t.Errorf("got  %s\nwant %s", b.String(), want)
	}
}

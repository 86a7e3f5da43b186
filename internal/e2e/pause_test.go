package e2e

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rowferry/rowferry/internal/testdb"
)

// held is what status says of an engine, as far as these tests ask. Nil engine:
// none answers.
type held struct {
	Engine *struct {
		CaughtUp   bool    `json:"caught_up"`
		QueueShare float64 `json:"queue_share"`
		Rows       uint64  `json:"rows"`
		Copy       *struct {
			Phase string `json:"phase"`
			Rows  int64  `json:"rows"`
		} `json:"copy"`
		Throttle struct {
			Paused    bool   `json:"paused"`
			Throttled bool   `json:"throttled"`
			Reason    string `json:"reason"`
			Writing   bool   `json:"writing"`
			MaxRows   int    `json:"max_rows_per_second"`
		} `json:"throttle"`
	} `json:"engine"`
}

// statusOf asks with the arguments that name the pipeline.
func statusOf(t *testing.T, which ...string) (h held) {
	t.Helper()
	o := run(t, append([]string{"-o", "json", "status"}, which...)...)
	var envelope struct{ Result *held }
	if err := json.Unmarshal([]byte(o.stdout), &envelope); err != nil {
		t.Fatalf("%v\n%s%s", err, o.stdout, o.stderr)
	}
	if envelope.Result != nil {
		h = *envelope.Result
	}
	return h
}

// pauses pauses the engine, and waits until it writes nothing any more.
func pauses(r *rig, e *engine, which ...string) {
	r.t.Helper()
	for range 2 { // it stays so
		must(r.t, append([]string{"pause"}, which...)...)
	}
	awaits(r, e, "nothing is written", func() bool {
		h := statusOf(r.t, which...)
		return h.Engine != nil && h.Engine.Throttle.Paused && h.Engine.Throttle.Reason == "pause" && !h.Engine.Throttle.Writing
	})
}

// awaits polls while the engine runs.
func awaits(r *rig, e *engine, what string, done func() bool) {
	r.t.Helper()
	r.until(what, func() bool {
		select {
		case <-e.ended:
			r.t.Fatalf("the engine ended by itself with %d", e.cmd.ProcessState.ExitCode())
		default:
		}
		return done()
	})
}

// TestPauseOutlastsTheSender: while an engine is paused and can read no more, the
// server hears of it again and again, for longer than it would wait. The connection
// is the same afterwards, the checkpoint stays, and all that was held back arrives.
func TestPauseOutlastsTheSender(t *testing.T) {
	besideOthers(t)
	f := newPGLine(t, testdb.Postgres15, "wal_sender_timeout=2s")
	execAll(t, f.db, "CREATE TABLE item (id int PRIMARY KEY, body text NOT NULL)")
	f.begin()
	e := f.start()
	which := []string{"-c", filepath.Join(f.dir, "rowferry.yaml")}
	execAll(t, f.db, "INSERT INTO item VALUES (0, '')")
	f.awaits(e, "the first row arrives", func() bool { return f.arrived("SELECT COUNT(*) FROM item", 1) })
	pauses(f.rig, e, which...)
	before := f.sequence()
	var sender, begun string
	const reader = "SELECT pid::text, clock_timestamp()::text FROM pg_stat_replication"
	if err := f.db.QueryRow(reader).Scan(&sender, &begun); err != nil {
		t.Fatal(err)
	}
	for i := range 40 { // far more than the engine's buffers take
		execAll(t, f.db, fmt.Sprintf("INSERT INTO item SELECT %d, string_agg(md5(g::text), '') FROM generate_series(1, 60000) g", i+1))
	}
	f.awaits(e, "its buffers are full", func() bool {
		h := statusOf(t, which...)
		return h.Engine != nil && h.Engine.QueueShare >= 1
	})
	f.awaits(e, "the server heard of it two timeouts later", func() bool {
		var later bool
		err := f.db.QueryRow("SELECT reply_time > $2::timestamptz + interval '4s' FROM pg_stat_replication WHERE pid = $1::int", sender, begun).Scan(&later)
		if err != nil {
			t.Fatalf("the connection is another one: %v", err)
		}
		return later
	})
	if after := f.sequence(); after != before || !f.arrived("SELECT COUNT(*) FROM item", 1) {
		t.Errorf("paused, it went from batch %d to %d", before, after)
	}
	must(t, append([]string{"resume"}, which...)...)
	f.awaits(e, "everything arrives", func() bool { return f.arrived("SELECT COUNT(*) FROM item", 41) })
	var now string
	if err := f.db.QueryRow(reader).Scan(&now, &begun); err != nil || now != sender {
		t.Errorf("read by %s, then by %s, %v", sender, now, err)
	}
	e.end(t)
	testdb.RequireEqual(t, f.source.URL(f.database), f.goal.judge, "-tables=item")
}

// TestPauseAndThrottle: a copy under Load is throttled, paused, ended, gone on with,
// set free, and paused again while it follows. Paused, neither what is loaded nor
// the checkpoint changes, while the source goes on. In the end: Equal.
func TestPauseAndThrottle(t *testing.T) {
	besideOthers(t)
	pairs := copyPairs()[:1]
	if soak() {
		pairs = append(pairs, copyPairs()[2])
	}
	for _, p := range pairs {
		t.Run(p.String(), func(t *testing.T) {
			besideOthers(t)
			testPauseAndThrottle(t, newCopyCampaign(t, p))
		})
	}
}

func testPauseAndThrottle(t *testing.T, c *copyCampaign) {
	stop := c.write()
	r := &rig{t: t, pair: c.pair, source: c.source, db: c.db, database: c.database, goal: c.goal}
	which := []string{"--name", "copy", "--state", c.state, "--target", c.goal.url}
	args := c.args("--max-rows-per-second", "100")
	e := startEngine(t, "", args)
	awaits(r, e, "the copy is held back", func() bool {
		h := statusOf(t, which...)
		return h.Engine != nil && h.Engine.Copy != nil && h.Engine.Copy.Rows > 0 && h.Engine.Throttle.Throttled && h.Engine.Throttle.Reason == "max_rows_per_second"
	})
	loaded := "SELECT COALESCE(SUM(loaded), 0) FROM " + c.goal.chunks()
	if c.goal.kind.Flavor() == testdb.Postgres {
		loaded = "SELECT COALESCE(SUM(loaded), 0)::bigint FROM " + c.goal.chunks()
	}
	pauses(r, e, which...)
	was := c.stands(loaded)
	c.goesOn(r, e)
	if now := c.stands(loaded); now != was {
		t.Errorf("paused while it copies: %s, then %s", was, now)
	}
	e.end(t)

	e = startEngine(t, "", args)
	awaits(r, e, "it copies again", func() bool {
		h := statusOf(t, which...)
		return h.Engine != nil && h.Engine.Copy != nil && !h.Engine.Throttle.Paused && c.stands(loaded) != was
	})
	for range 2 {
		must(t, append(append([]string{"set"}, which...), "max_rows_per_second=0")...)
	}
	if h := statusOf(t, which...); h.Engine == nil || h.Engine.Throttle.MaxRows != 0 || h.Engine.Throttle.Throttled {
		t.Errorf("set free: %+v", h.Engine)
	}
	awaits(r, e, "it follows", func() bool {
		h := statusOf(t, which...)
		return h.Engine != nil && h.Engine.Copy == nil && h.Engine.Rows > 0
	})
	pauses(r, e, which...)
	was = c.stands(loaded)
	c.goesOn(r, e)
	if now := c.stands(loaded); now != was {
		t.Errorf("paused while it follows: %s, then %s", was, now)
	}
	must(t, append([]string{"resume"}, which...)...)
	stats := stop()
	e.end(t)
	must(t, c.args("--once")...)
	testdb.RequireEqual(t, c.source.URL(c.database), c.goal.judge, "-exclude", keyless)
	t.Logf("figure: %s: paused while it copied and while it followed, under %d transactions, Equal", c.pair, stats.Transactions)
}

// stands is what there is in the target: the checkpoint, and what is loaded.
func (c *copyCampaign) stands(loaded string) string {
	c.t.Helper()
	return "batch " + strconv.FormatInt(c.goal.committed(c.t), 10) + ", loaded " + strconv.FormatInt(c.goal.intOf(c.t, loaded), 10)
}

// goesOn waits until the source has committed fifty times.
func (c *copyCampaign) goesOn(r *rig, e *engine) {
	c.t.Helper()
	there := func() (n int64) {
		if err := c.db.QueryRow("SELECT COUNT(*) FROM ledger").Scan(&n); err != nil {
			c.t.Fatal(err)
		}
		return n
	}
	from := there()
	awaits(r, e, "the source goes on", func() bool { return there() >= from+50 })
}

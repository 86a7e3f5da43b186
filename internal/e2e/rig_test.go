package e2e

import (
	"bytes"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rowferry/rowferry/internal/faultproxy"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/internal/testdb/load"
)

// hung is after how long a wait that should have ended fails the test.
const hung = 4 * time.Minute

// rig is a pipeline from a server under Load to another server, with a proxy on
// the way to each.
type rig struct {
	t        *testing.T
	pair     pair
	timeout  time.Duration // of both servers, for the engine
	source   *testdb.Server
	db       *sql.DB
	database string
	goal     *goal
	login    string            // to the target, as in a URL; "": the superuser
	up, down *faultproxy.Proxy // to the source, to the target
	load     *load.Live
	ledger   *load.Ledger
}

// newRig makes a pipeline that begins now, on servers that may be shared, and
// with a target of the given options.
func newRig(t *testing.T, p pair, timeout time.Duration, opts ...testdb.Option) *rig {
	t.Helper()
	r := &rig{t: t, pair: p, timeout: timeout, source: testdb.Start(t, p.source, p.options()...)}
	r.database, r.db = testdb.NewDatabase(t, r.source)
	r.goal = newGoal(t, p.target, p.namespace(r.database), opts...)
	r.up = faultproxy.Start(t, r.source, 1)
	r.down = faultproxy.Start(t, r.goal.server, 2)
	return r
}

// begin makes the checkpoint, so that the log of others is not read; where the
// source's tables are not learnt from its log, they are those of the load.
func (r *rig) begin(state string) {
	r.t.Helper()
	if r.pair.fromPostgres() {
		createLoad(r.t, r.source, r.database)
	}
	o := call{tag: "failpoint", args: r.args(state, "--once", "--from", "latest")}.run(r.t)
	if o.code != 0 {
		r.t.Fatalf("exit %d\n%s", o.code, o.stderr)
	}
}

// args are those of a run with a state directory of its own, through the
// proxies.
func (r *rig) args(state string, more ...string) []string {
	r.t.Helper()
	login, scheme := "root", "mysql"
	if r.goal.kind.Flavor() == testdb.Postgres {
		login, scheme = "postgres", "postgres"
	}
	if r.login != "" {
		login = r.login
	}
	path := state + ".yaml"
	slot, tables := "", ""
	if r.pair.fromPostgres() {
		tables = "tables: ['public.*']\n"
		slot = fmt.Sprintf(", slot: %[1]s, publication: %[1]s", r.database)
	}
	text := fmt.Sprintf("name: faults\nsource: {url: '%s', timeout: %s%s}\ntarget: {url: '%s://%s@127.0.0.1:%d/%s', timeout: %s, triggers: fire}\n%sstate: %s\n",
		r.pair.url(r.up.Port, r.database), r.timeout, slot, scheme, login, r.down.Port, r.goal.name, r.timeout, tables, state)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	return append([]string{"-c", path, "run"}, more...)
}

// state returns the path of a state directory that is not there yet.
func (r *rig) state() string { return filepath.Join(r.t.TempDir(), "state") }

// write puts load on the source, until finish.
func (r *rig) write(rate float64) {
	r.t.Helper()
	o := r.pair.load(9, 2)
	o.Rate = rate
	l, err := load.Start(r.t.Context(), r.db, o)
	if err != nil {
		r.t.Fatal(err)
	}
	r.load = l
	r.t.Cleanup(func() { _, _ = l.Stop() }) // finish has looked at its error
}

// watch waits for the target's ledger and counts from now on what is inserted.
func (r *rig) watch() {
	r.t.Helper()
	r.until("the ledger is in the target", func() bool { return r.goal.has(r.t) })
	l, err := load.WatchLedger(r.t.Context(), r.goal.db, r.goal.kind.Flavor(), r.goal.schemaName())
	if err != nil {
		r.t.Fatal(err)
	}
	r.ledger = l
}

// until polls.
func (r *rig) until(what string, done func() bool) {
	r.t.Helper()
	for begun := time.Now(); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Since(begun) > hung {
			r.t.Fatalf("waited in vain until %s", what)
		}
	}
}

// sequence is that of the checkpoint, -1 while the target does not say.
func (r *rig) sequence() int64 {
	n, err := r.goal.number(r.goal.sequenceQuery())
	if err != nil {
		return -1
	}
	return n
}

// commits waits until the target has committed again, n times.
func (r *rig) commits(n int64) {
	r.t.Helper()
	var from int64 = -1
	r.until("the target commits", func() bool {
		now := r.sequence()
		if from < 0 {
			from = now
		}
		return from >= 0 && now >= from+n
	})
}

// behind is how many transactions the target lacks; -1 while it does not say.
func (r *rig) behind() int64 {
	var there int64
	if err := r.db.QueryRow("SELECT COUNT(*) FROM ledger").Scan(&there); err != nil {
		return -1
	}
	here, err := r.goal.number("SELECT COUNT(*) FROM " + r.goal.ns + "ledger")
	if err != nil {
		return -1
	}
	return there - here
}

// catchUp pauses the load until the target has everything.
func (r *rig) catchUp() {
	r.t.Helper()
	r.load.Pause()
	r.until("the target has everything", func() bool { return r.behind() == 0 })
}

// finish ends the load, lets the engine catch up and end, and compares.
func (r *rig) finish(e *engine) load.Stats {
	r.t.Helper()
	stats, err := r.load.Stop()
	if err != nil {
		r.t.Fatal(err)
	}
	r.until("the target has everything", func() bool { return r.behind() == 0 })
	e.end(r.t)
	r.equal()
	return stats
}

// equal requires that source and target are Equal and that no row of the ledger
// was inserted twice.
func (r *rig) equal() {
	r.t.Helper()
	testdb.RequireEqual(r.t, r.source.URL(r.database), r.goal.judge)
	c, err := r.ledger.Count(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	if !c.Exact() {
		r.t.Fatalf("the ledger's trigger counted otherwise: %+v", c)
	}
}

// engine is a run of the program.
type engine struct {
	cmd    *exec.Cmd
	output output
	ended  chan struct{}
}

// output is what a running program writes.
type output struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all.String()
}

// told is the end of it, and all of it where the program had to say where it hangs.
func (o *output) told() string {
	all := o.String()
	if strings.Contains(all, quitNote) {
		return all
	}
	return lastLines(all, 40)
}

// start starts an engine.
func (r *rig) start(state string, env ...string) *engine {
	r.t.Helper()
	return startEngine(r.t, "failpoint", r.args(state), env...)
}

// startEngine starts the program, built with a tag.
func startEngine(t *testing.T, tag string, args []string, env ...string) *engine {
	t.Helper()
	e := &engine{cmd: command(t, tag, args...), ended: make(chan struct{})}
	e.cmd.Env = append(os.Environ(), env...)
	e.cmd.Stdout, e.cmd.Stderr = &e.output, &e.output
	if err := e.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = e.cmd.Wait() // the exit code tells
		close(e.ended)
	}()
	t.Cleanup(func() {
		_ = e.cmd.Process.Kill() // it may have ended
		<-e.ended
		if t.Failed() {
			t.Logf("the engine said:\n%s", e.output.told())
		}
	})
	return e
}

// struck waits until a trap has struck the engine.
func (r *rig) struck(e *engine, fired <-chan struct{}) {
	r.t.Helper()
	select {
	case <-fired:
	case <-e.ended:
		r.t.Fatalf("the engine ended by itself with %d", e.cmd.ProcessState.ExitCode())
	case <-time.After(hung):
		r.t.Fatal("waited in vain for a fault to strike")
	}
}

// ends waits until an engine has ended.
func (r *rig) ends(e *engine) {
	r.t.Helper()
	select {
	case <-e.ended:
	case <-time.After(hung):
		r.t.Fatal("waited in vain for an engine to end")
	}
}

// end ends an engine that follows, which must not have ended by itself.
func (e *engine) end(t *testing.T) {
	t.Helper()
	select {
	case <-e.ended:
		t.Fatalf("the engine ended by itself with %d", e.cmd.ProcessState.ExitCode())
	default:
	}
	if err := e.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-e.ended
	if code := e.cmd.ProcessState.ExitCode(); code != 0 {
		t.Fatalf("the engine ended with %d", code)
	}
}

func lastLines(text string, n int) string {
	lines := bytes.Split([]byte(text), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-n):], []byte("\n")))
}

package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/mapping"
)

// sampleEvery is how often a running engine's progress is looked at, so that
// its rates can be told at once.
const sampleEvery = time.Second

// monitor is what a running pipeline tells about itself. It is safe for
// concurrent use, and asks the engine for no more than its Progress, which
// holds nothing up.
type monitor struct {
	w       *wiring
	begun   time.Time
	control sync.Mutex // held by a command that changes something

	mu       sync.Mutex
	phase    string
	waiting  string
	progress func() rowferry.Progress // nil until there is an engine
	meter    *meter
	notes    func() (*mapping.Reader, error) // nil where there is no engine
	grant    func(context.Context, []rowferry.Wish) error
	done     chan struct{}
	wg       sync.WaitGroup
}

// The phases of a run.
const (
	starting = "starting"
	stopping = "stopping"
)

func newMonitor(w *wiring) *monitor {
	return &monitor{w: w, begun: w.in.clock.Now(), phase: starting, done: make(chan struct{})}
}

// waits says what is waited for before there is an engine; "" for nothing.
func (m *monitor) waits(what string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.waiting = what
}

// running says that the engine begins its work.
func (m *monitor) running(e *rowferry.Engine) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.phase = m.w.mode.command
	m.progress, m.grant, m.meter = e.Progress, e.Grant, newMeter(m.w.in.clock.Now(), e.Progress(), m.w)
	m.notes = func() (*mapping.Reader, error) { return mapping.ReaderBeside(m.w.parts.Resolver, m.w.parts.State) }
	ticks, stop := m.w.in.clock.Tick(sampleEvery)
	m.wg.Go(func() { // the goroutine "samples"
		defer stop()
		for {
			select {
			case <-m.done:
				return
			case <-ticks:
				m.measure()
			}
		}
	})
}

func (m *monitor) measure() reading {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.meter.measure(m.w.in.clock.Now(), m.progress())
}

// ending says that the engine's work is over, and stops looking at it.
func (m *monitor) ending() {
	close(m.done)
	m.wg.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.phase, m.notes = stopping, nil
}

// liveStatus is the answer to "status". Fields may be added; none changes its
// meaning.
type liveStatus struct {
	Pipeline     string          `json:"pipeline"`
	PID          int             `json:"pid"`
	Phase        string          `json:"phase"` // starting, run, replay or stopping
	Since        time.Time       `json:"since"`
	Source       string          `json:"source"`
	Target       string          `json:"target"`
	Checkpoint   *checkpointView `json:"checkpoint"` // the last committed one; null while the run starts
	CaughtUp     bool            `json:"caught_up"`
	Lag          *float64        `json:"lag_seconds"` // null while it is not known
	Waiting      string          `json:"waiting"`
	ReadRate     float64         `json:"read_bytes_per_second"`
	RowRate      float64         `json:"rows_per_second"`
	TxRate       float64         `json:"transactions_per_second"`
	QueueBytes   int             `json:"queue_bytes"`
	QueueShare   float64         `json:"queue_share"`
	Transactions uint64          `json:"transactions"`
	Rows         uint64          `json:"rows"`
	Batches      uint64          `json:"batches"`
	Fallbacks    uint64          `json:"fallbacks"`
	Spilled      uint64          `json:"spilled"`
	Tables       []summaryTable  `json:"tables"`
	Copy         *liveCopy       `json:"copy"` // null where there is none to make
	Throttle     *throttleView   `json:"throttle"`
}

// liveCopy is how far a copy is.
type liveCopy struct {
	Phase    string `json:"phase"` // of the copy, as the checkpoint has it
	Rows     int64  `json:"rows"`
	Estimate int64  `json:"rows_estimated"`
	Making   string `json:"making"` // the key that is being made, or ""
}

// text says it for people.
func (c *liveCopy) text() string {
	text := fmt.Sprintf("%s, %s of about %s rows", c.Phase, brief(float64(c.Rows)), brief(float64(c.Estimate)))
	if c.Making != "" {
		text += ", " + c.Making
	}
	return text
}

// status answers the command of that name.
func (m *monitor) status(json.RawMessage) (any, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.w.settings
	l := &liveStatus{
		Pipeline: s.name, PID: os.Getpid(), Phase: m.phase, Since: m.begun.UTC(), Source: s.sourceText(), Target: s.target,
		Waiting: m.waiting, Tables: []summaryTable{}, Throttle: viewThrottle(m.w.throttle.State()),
	}
	if m.progress != nil {
		l.measured(m.meter.measure(m.w.in.clock.Now(), m.progress()))
	}
	return l, nil
}

func (l *liveStatus) measured(r reading) {
	p := r.progress
	l.Checkpoint = viewOf(&p.Checkpoint)
	if !p.Commit.IsZero() || p.CaughtUp {
		lag := p.Lag.Seconds()
		l.Lag = &lag
	}
	l.CaughtUp = p.CaughtUp
	l.Waiting = cmp.Or(p.Waiting, l.Waiting)
	l.ReadRate, l.RowRate, l.TxRate = r.readBytes, r.rows, r.txs
	l.QueueBytes, l.QueueShare = p.QueueBytes, r.queue
	l.Transactions, l.Rows, l.Batches = p.Transactions, p.Rows, p.Batches
	l.Fallbacks, l.Spilled = p.Fallbacks, p.Spilled
	l.Tables = summaryTables(&p)
	if p.Copy.Going() {
		loaded, estimate := p.Copy.Rows()
		l.Copy = &liveCopy{Phase: string(p.Copy.Phase), Rows: loaded, Estimate: estimate, Making: p.Copy.Making}
	}
}

// serve begins to answer in the state directory, whose lock the wiring holds.
// A pipeline runs without that too: where no socket can be made, the log says
// so.
func (w *wiring) serve() {
	m := w.monitor
	server, err := listenControl(w.settings.state, answers{
		"status": m.status, "set": m.controlled(m.setLimits),
		"pause":  m.controlled(func(controlArgs) (bool, error) { return w.throttle.Pause(), nil }),
		"resume": m.controlled(func(controlArgs) (bool, error) { return w.throttle.Resume(), nil }),
	}, lists{"map": m.tellMap, "rejects": m.tellRejects}, w.in.log)
	if err != nil {
		w.in.log.Warn("rowferry status cannot ask this engine", "error", err)
		return
	}
	w.closers = append(w.closers, server.close)
}

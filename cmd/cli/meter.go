package cli

import (
	"time"

	"github.com/rowferry/rowferry"
)

// rateWindow is how far back the rates of a run that follows are taken from:
// they should be of now, not of a night ago.
const rateWindow = 10 * time.Second

// meter turns snapshots of an engine's progress into rates. It is used by one
// goroutine.
type meter struct {
	begun    time.Time
	first    rowferry.Progress
	follows  bool     // the log has no end
	keyed    bool     // rows may wait for others
	capacity int      // bytes of a full queue
	recent   []sample // the oldest first; the first is what rates are taken from
}

type sample struct {
	at       time.Time
	progress rowferry.Progress
}

// reading is one measurement.
type reading struct {
	progress rowferry.Progress
	follows  bool
	keyed    bool
	now      time.Time
	took     time.Duration
	share    float64       // of the log read, 0 to 1; negative when unknown
	left     time.Duration // 0 when unknown
	queue    float64       // how full the queue is, 0 to 1
	age      time.Duration // of the last checkpoint

	// Per second, over the last rateWindow.
	readBytes, rows, txs float64
}

func newMeter(now time.Time, first rowferry.Progress, w *wiring) *meter {
	m := &meter{begun: now, first: first}
	if w != nil {
		m.follows, m.keyed, m.capacity = w.mode.follows, w.parts.Resolver != nil, 2*w.budget.BatchBytes
	}
	return m
}

func (m *meter) measure(now time.Time, p rowferry.Progress) reading {
	r := reading{progress: p, follows: m.follows, keyed: m.keyed, now: now, took: now.Sub(m.begun), share: -1, age: max(0, now.Sub(p.Checkpoint.Updated))}
	if p.TotalBytes > 0 {
		r.share = min(float64(p.ReadBytes)/float64(p.TotalBytes), 1)
	}
	read, left := p.ReadBytes-m.first.ReadBytes, p.TotalBytes-p.ReadBytes
	if r.share >= 0 && read > 0 && left > 0 {
		r.left = time.Duration(float64(r.took) * float64(left) / float64(read))
	}
	if m.capacity > 0 {
		r.queue = float64(p.QueueBytes) / float64(m.capacity)
	}
	m.rates(now, &r)
	return r
}

// rates compares with the newest sample that is a window old, or with the
// oldest there is.
func (m *meter) rates(now time.Time, r *reading) {
	p := r.progress
	p.Tables = nil // not needed, and there may be many
	if len(m.recent) == 0 {
		m.recent = append(m.recent, sample{m.begun, m.first})
	}
	m.recent = append(m.recent, sample{now, p})
	for len(m.recent) > 2 && now.Sub(m.recent[1].at) >= rateWindow {
		m.recent = m.recent[1:]
	}
	base := m.recent[0]
	seconds := max(now.Sub(base.at).Seconds(), 0.001)
	r.rows = float64(p.Rows-base.progress.Rows) / seconds
	r.txs = float64(p.Transactions-base.progress.Transactions) / seconds
	if n := p.ReadBytes - base.progress.ReadBytes; n > 0 { // a source that was opened again counts anew
		r.readBytes = float64(n) / seconds
	}
}

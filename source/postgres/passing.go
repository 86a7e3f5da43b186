package postgres

import (
	"strings"
	"sync/atomic"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/failpoint"
)

// passage is the way from where the slot is to the position that reading goes on
// from. A server whose files were put back, as a snapshot of its disk, lacks
// transactions that were applied and looks the same otherwise: identifier,
// timeline and, once it has written enough, a log that reaches the position.
// Asked from there on it would leave out, without a word, what it has committed
// before that place since. So it is asked from where the slot is:
//
//   - Where the slot is before the anchor's end, the server sends what was read
//     already. That is passed over, up to the anchor, which has to come: if
//     anything beyond it comes first, this is another history.
//   - Where the slot is behind the anchor's end, which we have told it, or the
//     anchor has come, all that was read is in this history.
//   - Between the anchor and the position there is nothing for us, in the history
//     that we read. What comes from there is new, so it is read.
//
// That the anchor comes again is sure: it told of rows, and which rows a
// transaction tells of is decided by the catalog of its time, publications
// included. It is not sure of one that told of none, which comes only where the
// server runs short of memory and streams it, nor where another publication or
// another origin is asked for than before. The former is no anchor; the latter is
// refused while the slot is behind.
type passage struct {
	anchor anchor // to be passed, then of what was read last
	begin  lsn    // the position
	stage  stage
	// entered is set once the slot was seen to be read by us. Where the server has
	// let go of it already, its reason comes next, and no word before says anything.
	entered bool
	// settled is set once the log has come to begin with nothing before it; begun
	// once begin was acknowledged. What is acknowledged earlier is held back: a
	// slot that was moved to begin in another history would vouch for it.
	settled, begun atomic.Bool
}

// stage is how far a reader has come on that way.
type stage uint8

const (
	arrived     stage = iota
	passing           // the anchor has not come yet
	approaching       // nothing after the anchor has come yet, nor the position
)

// asked is where the server is asked to begin. It begins where the slot is, if
// that is later.
func (p *passage) asked() lsn {
	if p.anchor.xid == 0 {
		return p.anchor.at
	}
	return 0
}

// enter begins, with what the slot has confirmed.
func (p *passage) enter(confirmed lsn) {
	p.entered = true
	switch {
	case p.anchor.xid != 0 && confirmed < p.anchor.at:
		p.stage = passing
	case max(p.anchor.at, confirmed) < p.begin:
		p.stage = approaching
	default:
		p.arrive()
	}
}

// arrive is called where everything up to begin is known to be as it was.
func (p *passage) arrive() (acknowledge bool) {
	p.stage = arrived
	p.settled.Store(true)
	return p.begun.Load()
}

// acks reports whether an acknowledgement may be passed on. It is safe for
// concurrent use with all others.
func (p *passage) acks(at lsn) bool {
	if at != p.begin {
		return true // of what was read from here
	}
	p.begun.Store(true)
	return p.settled.Load() || failpoint.On("vouch-early")
}

// passes takes the beginning of a transaction that was committed, and reports
// whether it is to be passed over.
func (r *reader) passes(c commit) (bool, error) {
	switch p := &r.passage; {
	case p.stage == passing && c.lsn >= p.anchor.at:
		return false, r.severed("transaction %d, committed at %s", c.xid, c.lsn)
	case p.stage == passing:
		return true, nil
	case p.stage == approaching && c.lsn >= p.begin:
		r.arrive()
	case p.stage == approaching: // of a history that left ours after the anchor
		p.stage = arrived
	}
	return false, nil
}

// passed takes the end of a transaction that is passed over.
func (r *reader) passed(end lsn) error {
	p, got := &r.passage, anchor{end, r.tx.commit.xid, r.tx.commit.time}
	r.tx = assembly{}
	switch {
	case end < p.anchor.at:
		return nil
	case got != p.anchor:
		return r.severed("%s", got.describe())
	case p.anchor.at < p.begin:
		p.stage = approaching
	default:
		r.arrive()
	}
	return nil
}

// reaches takes word that everything before a place was sent.
func (r *reader) reaches(end lsn) error {
	switch p := &r.passage; {
	case p.stage == passing && end >= p.anchor.at && p.entered:
		return r.severed("nothing up to %s", end)
	case p.stage == approaching && end >= p.begin:
		r.arrive()
	}
	return nil
}

func (r *reader) arrive() {
	if r.passage.arrive() {
		r.feedback.ack(r.passage.begin)
	}
}

// severed is the error of a log that does not have what was read. instead is what
// came in the anchor's place.
func (r *reader) severed(instead string, args ...any) *rowferry.Error {
	was, _, _ := strings.Cut(r.opened.start.Lineage, "@")
	return broken(r.opened.begin, was, r.opened.lineage(), "the last transaction that was read is not in the server's log").
		Fact("read", "%s", r.passage.anchor.describe()).Fact("there", instead, args...)
}

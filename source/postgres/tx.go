package postgres

import (
	"strconv"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/failpoint"
	"github.com/rowferry/rowferry/schema"
)

// assembly collects the changes of the open transaction.
type assembly struct {
	open    bool
	passed  bool // it was read before, and nothing is made of it
	rows    bool // it has told of rows
	commit  commit
	id      string
	time    time.Time
	changes []rowferry.Change
	size    int // of changes, in bytes
}

// begin opens a transaction. The first one begins with the shapes that are known
// from the start.
func (r *reader) begin(c commit, what string, at time.Time) {
	r.text = append(r.text[:0], what...)
	if c.xid != 0 {
		if r.opened.told != nil {
			r.opened.told.add(c.xid)
		}
		r.text = strconv.AppendUint(append(r.text, ' '), uint64(c.xid), 10)
	}
	r.text = c.lsn.append(append(r.text, " at "...))
	r.tx = assembly{open: true, commit: c, id: r.memory.str(r.text), time: at, changes: r.memory.begin()}
	for _, s := range r.tables.pending {
		r.add(rowferry.Change{Op: rowferry.Shape, Table: s}, changeBase)
	}
	r.tables.pending = nil
}

func (r *reader) add(c rowferry.Change, size int) {
	r.tx.changes = append(r.tx.changes, c)
	r.tx.size += size
}

// drop tells that a table no longer has the name under which it is known.
func (r *reader) drop(gone *schema.Table) {
	if gone != nil {
		r.add(rowferry.Change{Op: rowferry.Drop, Table: gone}, changeBase)
	}
}

// tell tells the shape of the rows that follow, where it is another one than was
// told.
func (r *reader) tell(t *table) {
	if t.known.shape != t.shape {
		t.known.shape = t.shape
		r.add(rowferry.Change{Op: rowferry.Shape, Table: t.shape}, changeBase)
	}
}

// part hands over what was collected, as a chunk that is not the last, once it
// is enough.
func (r *reader) part() *rowferry.Tx {
	if r.tx.size < r.chunk {
		return nil
	}
	tx := r.memory.tx()
	tx.ID, tx.CommitTime, tx.Changes = r.tx.id, r.tx.time, r.memory.end(r.tx.changes)
	r.tx.changes, r.tx.size = r.memory.begin(), 0
	return tx
}

// ends hands over the open transaction, which ends at a place, unless it was only
// passed over.
func (r *reader) ends(end lsn) (*rowferry.Tx, error) {
	if r.tx.passed {
		return nil, r.passed(end)
	}
	if c := r.tx.commit; r.tx.rows {
		r.passage.anchor = anchor{end, c.xid, c.time}
	}
	return r.finish(end)
}

// finish hands over what was collected, as all up to a place. Where a copy saw
// something before it that did not come, it is not handed over.
func (r *reader) finish(end lsn) (*rowferry.Tx, error) {
	if err := r.whole(end); err != nil {
		return nil, err
	}
	tx := r.memory.tx()
	tx.ID, tx.CommitTime, tx.Changes = r.tx.id, r.tx.time, r.memory.end(r.tx.changes)
	last := r.passage.anchor
	r.text = last.append(append(r.text[:0], r.from...))
	tx.Lineage = r.memory.str(r.text)
	r.text = end.append(r.text[:0])
	if last.at == end { // as it is but where the log is idle: the lineage has that text
		tx.Log = tx.Lineage[len(r.from):][:len(r.text)]
	} else {
		tx.Log = r.memory.str(r.text)
	}
	tx.Last, tx.Position = true, rowferry.Position(tx.Log)
	r.tx = assembly{}
	r.last, r.moved = end, time.Now()
	if failpoint.On("ack-early") {
		r.feedback.ack(end)
	}
	return tx, nil
}

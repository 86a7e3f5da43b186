package mysql

import (
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// assembly collects the changes of the open transaction.
type assembly struct {
	skip    bool // its position is applied already: only its digest counts
	digest  digest
	memory  *arena
	xid     string // of XA END: which XA transaction this is
	inScope bool   // it has changed something in scope

	changes []rowferry.Change
	size    int // of changes, in bytes
	before  int // changes in earlier chunks, less what was rolled back
	// drop is set where a rollback to a savepoint undid changes of earlier
	// chunks: how many are left.
	drop       *int
	savepoints []savepoint
	shapes     []shaped
}

type savepoint struct {
	name string
	at   int // changes before it
}

// shaped is a shape that the transaction made known to the consumer, and what
// was known before, in case it is undone.
type shaped struct {
	at   int
	name schema.Name
	was  *schema.Table
}

// reset begins the next transaction's, in memory of its own.
func (a *assembly) reset(memory *arena) {
	digest := a.digest
	digest.reset()
	*a = assembly{digest: digest, memory: memory, changes: memory.begin()}
}

// count is the number of changes so far, over all chunks.
func (a *assembly) count() int { return a.before + len(a.changes) }

func (a *assembly) add(c rowferry.Change) {
	a.changes = append(a.changes, c)
	a.size += c.Size()
	a.inScope = true
}

// savepoint remembers where we are. One of the same name takes the old one's
// place.
func (a *assembly) savepoint(name string) {
	a.release(name, false)
	a.savepoints = append(a.savepoints, savepoint{name, a.count()})
}

// rollbackTo undoes what came after a savepoint, which stays. It reports
// whether there is one of that name.
func (a *assembly) rollbackTo(name string) bool {
	for i := len(a.savepoints) - 1; i >= 0; i-- {
		if s := a.savepoints[i]; s.name == name {
			a.savepoints = a.savepoints[:i+1]
			a.truncate(s.at)
			return true
		}
	}
	return false
}

// release forgets a savepoint, and for RELEASE SAVEPOINT those after it too.
func (a *assembly) release(name string, later bool) {
	for i := len(a.savepoints) - 1; i >= 0; i-- {
		if a.savepoints[i].name != name {
			continue
		}
		end := i + 1
		if later {
			end = len(a.savepoints)
		}
		a.savepoints = append(a.savepoints[:i], a.savepoints[end:]...)
		return
	}
}

// truncate undoes every change from the nth on.
func (a *assembly) truncate(n int) {
	if n < a.before {
		a.before = n
		a.drop = &n
		a.changes = a.changes[:0]
	} else {
		a.changes = a.changes[:n-a.before]
	}
	a.size = 0
	for i := range a.changes {
		a.size += a.changes[i].Size()
	}
}

// undone takes back the shapes of changes from the nth on, newest first.
func (a *assembly) undone(n int, restore func(schema.Name, *schema.Table)) {
	for len(a.shapes) > 0 {
		s := a.shapes[len(a.shapes)-1]
		if s.at < n {
			return
		}
		restore(s.name, s.was)
		a.shapes = a.shapes[:len(a.shapes)-1]
	}
}

// chunk hands over what was collected, as a chunk that is not the last.
func (a *assembly) chunk(id string, commit time.Time) *rowferry.Tx {
	tx := a.memory.tx()
	tx.ID, tx.CommitTime, tx.Changes, tx.DropFrom = id, commit, a.memory.end(a.changes), a.drop
	a.before += len(a.changes)
	a.changes, a.size, a.drop = a.memory.begin(), 0, nil
	return tx
}

package postgres

import (
	"encoding/binary"
	"errors"
	"iter"
	"unsafe"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// asideBlock is how many bytes of messages are put aside in one piece.
const asideBlock = 64 << 10

// aside is a transaction that the server sends before it is committed. Its
// messages are kept as they came: what they mean is only known, and asked of
// the catalog, once it is committed.
type aside struct {
	xid    uint32
	blocks [][]byte        // in memory: messages, each behind its length
	size   int             // of blocks
	spool  rowferry.Spool  // what came before blocks; nil: nothing did
	subs   map[uint32]fate // subtransactions of which something came
	newest uint32          // whose message came last
}

// fate is what is known of a subtransaction.
type fate uint8

const (
	kept   fate = iota // nothing else is known
	undone             // rolled back, and the server said so
	untold             // rolled back, and the server did not say so: see settle
)

// asides are the transactions that are put aside.
type asides struct {
	all   map[uint32]*aside
	open  *aside // whose messages come at present; nil outside of Stream Start and Stop
	size  int    // in memory, of all
	limit int
	spool func() (rowferry.Spool, error)
}

// start begins or goes on with a transaction.
func (s *asides) start(xid uint32, first bool) error {
	a := s.all[xid]
	switch {
	case first && a == nil:
		a = &aside{xid: xid, subs: map[uint32]fate{}}
		s.all[xid] = a
	case first || a == nil:
		return malformed(msgStreamStart, "does not go on where the transaction was left").Fact("xid", "%d", xid)
	}
	s.open = a
	return nil
}

// put keeps a message of the open transaction. Where all that is kept is too
// much for memory, the largest goes to its overflow area.
func (s *asides) put(message []byte) error {
	n := len(message) + 4
	s.open.put(message)
	s.open.size += n
	if s.size += n; s.size <= s.limit {
		return nil
	}
	most := s.open
	for _, a := range s.all {
		if a.size > most.size {
			most = a
		}
	}
	s.size -= most.size
	return most.spill(s.spool)
}

func (a *aside) put(message []byte) {
	if xid := messageXid(message); xid != a.newest {
		a.newest = xid
		if _, known := a.subs[xid]; xid != a.xid && !known {
			a.subs[xid] = kept
		}
	}
	last := len(a.blocks) - 1
	if last < 0 || len(a.blocks[last])+4+len(message) > asideBlock && len(a.blocks[last]) > 0 {
		a.blocks = append(a.blocks, nil)
		last++
	}
	b := binary.BigEndian.AppendUint32(a.blocks[last], uint32(len(message)))
	a.blocks[last] = append(b, message...)
}

// messageXid returns the transaction or subtransaction of a message that was
// put aside.
func messageXid(message []byte) uint32 { return binary.BigEndian.Uint32(message[1:]) }

// asideTable stands for the table of what is in an overflow area, which is made
// for rows.
var asideTable = &schema.Table{Name: schema.Name{Table: "put aside"}}

// spill moves what is in memory to the overflow area.
func (a *aside) spill(spool func() (rowferry.Spool, error)) (err error) {
	if a.spool == nil {
		if a.spool, err = spool(); err != nil {
			return err
		}
	}
	changes := make([]rowferry.Change, len(a.blocks))
	for i, b := range a.blocks {
		row := rowferry.Row{rowferry.BytesValue(unsafe.String(unsafe.SliceData(b), len(b)))} // nobody writes b any more
		changes[i] = rowferry.Change{Op: rowferry.Insert, Table: asideTable, After: row}
	}
	a.blocks, a.size = nil, 0
	return a.spool.Append(changes)
}

// abort forgets a subtransaction, or all of the transaction. PostgreSQL tells
// also of those of which it has sent nothing, and not of all others: see settle.
func (s *asides) abort(xid, sub uint32) error {
	a := s.all[xid]
	switch {
	case a == nil:
		return nil
	case xid != sub:
		if _, sent := a.subs[sub]; sent {
			a.subs[sub] = undone
		}
		return nil
	default:
		s.remove(a)
		return a.close()
	}
}

// take returns a transaction that was committed, which is the caller's from then
// on, or nil where nothing of it was sent.
func (s *asides) take(xid uint32) *aside {
	a := s.all[xid]
	if a != nil {
		s.remove(a)
	}
	return a
}

func (s *asides) remove(a *aside) {
	delete(s.all, a.xid)
	s.size -= a.size
}

// close removes every overflow area.
func (s *asides) close() error {
	var errs []error
	for _, a := range s.all {
		errs = append(errs, a.close())
	}
	s.all = nil
	return errors.Join(errs...)
}

func (a *aside) close() error {
	if a.spool == nil {
		return nil
	}
	return a.spool.Close()
}

// errEnough ends reading an overflow area early.
var errEnough = errors.New("enough")

// messages are those that were not rolled back, in order. They are the caller's.
func (a *aside) messages() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if a.spool != nil {
			err := a.spool.Replay(func(changes []rowferry.Change) error {
				for i := range changes {
					block := changes[i].After[0].Str()
					if !a.each(unsafe.Slice(unsafe.StringData(block), len(block)), yield) { // nobody writes it
						return errEnough
					}
				}
				return nil
			})
			if errors.Is(err, errEnough) {
				return
			}
			if err != nil {
				yield(nil, err)
				return
			}
		}
		for i, b := range a.blocks {
			a.blocks[i] = nil
			if !a.each(b, yield) {
				return
			}
		}
	}
}

// each calls yield with the messages of a block, and reports whether it wants
// more.
func (a *aside) each(block []byte, yield func([]byte, error) bool) bool {
	for len(block) > 0 {
		n := 4 + int(binary.BigEndian.Uint32(block))
		message := block[4:n]
		block = block[n:]
		switch fate := a.subs[messageXid(message)]; {
		case fate == undone:
			continue // the server describes its tables again
		case fate == untold && message[0] != msgRelation:
			continue // but not those of this one
		}
		if !yield(message, nil) {
			return false
		}
	}
	return true
}

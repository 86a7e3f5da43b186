package postgres

import (
	"context"
	"errors"
	"io"
	"iter"

	"github.com/rowferry/rowferry"
)

// message takes one message of pgoutput.
func (r *reader) message(ctx context.Context, b []byte) (*rowferry.Tx, error) {
	if r.asides.open != nil {
		return nil, r.streamed(b)
	}
	kind, body := b[0], b[1:]
	switch kind {
	case msgBegin:
		c, err := parseBegin(body)
		if err != nil {
			return nil, err
		}
		return nil, r.opens(kind, c)
	case msgCommit:
		c, err := parseCommit(kind, body)
		if err != nil {
			return nil, err
		}
		if !r.tx.open || c.lsn != r.tx.commit.lsn {
			return nil, malformed(kind, "ends another transaction than the one that is open")
		}
		return r.ends(c.end)
	case msgRelation, msgType, msgInsert, msgUpdate, msgDelete, msgTruncate:
		if !r.tx.open {
			return nil, malformed(kind, "comes outside of a transaction")
		}
		if err := r.change(ctx, kind, body, false); err != nil {
			return nil, err
		}
		return r.part(), nil
	case msgOrigin:
		return nil, parsePassed(kind, body)
	case msgLogical:
		return nil, r.logical(body)
	case msgStreamStart:
		xid, first, err := parseStreamStart(body)
		if err != nil {
			return nil, err
		}
		if r.tx.open || r.asides.spool == nil {
			return nil, malformed(kind, "comes where none is expected")
		}
		return nil, r.asides.start(xid, first)
	case msgStreamAbort:
		xid, sub, err := parseStreamAbort(body)
		if err != nil {
			return nil, err
		}
		return nil, r.asides.abort(xid, sub)
	case msgStreamCommit:
		return nil, r.commits(ctx, body)
	case msgBeginPrepare, msgPrepare, msgCommitPrepared, msgRollbackPrepared, msgStreamPrepare:
		return nil, rowferry.Errorf(rowferry.CodeSourceUnfit, "the replication slot was made to tell prepared transactions before they are committed").
			Fact("slot", "%s", r.opened.slot).Fact("message", "%s", messageNames[kind]).
			Remedy("choose", "another source.slot, without two_phase")
	default:
		return nil, unexpected(kind)
	}
}

// opens begins a transaction that was committed, if it is not beyond the end.
func (r *reader) opens(kind byte, c commit) error {
	if r.tx.open {
		return malformed(kind, "comes while a transaction is open")
	}
	pass, err := r.passes(c)
	if err != nil {
		return err
	}
	if pass {
		r.tx = assembly{open: true, passed: true, commit: c}
		return nil
	}
	at := clock(c.time)
	switch end, until := r.opened.end, r.opened.until; {
	case end != 0 && c.lsn >= end, !until.IsZero() && at.After(until):
		return io.EOF
	}
	r.begin(c, "xid", at)
	return nil
}

// streamed takes a message between Stream Start and Stream Stop. Each but those
// of the stream itself has the number of its transaction before its fields,
// which may be a subtransaction.
func (r *reader) streamed(b []byte) error {
	switch kind := b[0]; kind {
	case msgStreamStop:
		if len(b) != 1 {
			return malformed(kind, badLength)
		}
		r.asides.open = nil
		return nil
	case msgOrigin:
		return parsePassed(kind, b[1:])
	case msgRelation, msgType, msgInsert, msgUpdate, msgDelete, msgTruncate, msgLogical:
		if len(b) < 5 {
			return malformed(kind, badLength)
		}
		return r.asides.put(b)
	default:
		return unexpected(kind)
	}
}

// commits takes a Stream Commit: what was put aside of the transaction follows.
func (r *reader) commits(ctx context.Context, body []byte) error {
	c, err := parseCommit(msgStreamCommit, body)
	if err != nil {
		return err
	}
	if err := r.opens(msgStreamCommit, c); err != nil {
		return err
	}
	a := r.asides.take(c.xid)
	if a == nil {
		return malformed(msgStreamCommit, "is of a transaction of which nothing was sent").Fact("xid", "%d", c.xid)
	}
	if !r.tx.passed {
		if err := r.settle(ctx, a); err != nil {
			return errors.Join(err, a.close())
		}
	}
	next, stop := iter.Pull2(a.messages())
	r.back = &readBack{aside: a, next: next, stop: stop}
	return nil
}

// readBack is a transaction that was put aside and is committed.
type readBack struct {
	aside *aside
	next  func() ([]byte, error, bool)
	stop  func()
}

func (b *readBack) close() error {
	b.stop()
	return b.aside.close()
}

// readBack takes the next messages of a transaction that was put aside, until
// they make a chunk or end.
func (r *reader) readBack(ctx context.Context) (*rowferry.Tx, error) {
	r.at = r.tx.commit.lsn
	for {
		b, err, more := r.back.next()
		if err != nil {
			return nil, err
		}
		if !more {
			back := r.back
			r.back = nil
			if err := back.close(); err != nil {
				return nil, err
			}
			return r.ends(r.tx.commit.end)
		}
		if err := r.change(ctx, b[0], b[5:], true); err != nil {
			return nil, r.located(err)
		}
		if tx := r.part(); tx != nil {
			return tx, nil
		}
	}
}

// change takes a message of the open transaction, which may be one that was put
// aside.
func (r *reader) change(ctx context.Context, kind byte, body []byte, aside bool) error {
	if r.tx.passed && kind != msgRelation { // which is not sent again
		return nil
	}
	switch kind {
	case msgInsert, msgUpdate, msgDelete:
		r.tx.rows = true
		c := cursor{b: body}
		t, err := r.table(ctx, c.u32())
		if err != nil || t == nil {
			return err
		}
		ch, size, err := t.change(&r.memory, kind, &c)
		if err != nil {
			return err
		}
		r.add(ch, size)
		return nil
	case msgRelation:
		d, err := parseRelation(body)
		if err != nil {
			return err
		}
		// In each stream the server describes every table anew, if only once.
		if !aside || !r.tables.unchanged(d) {
			r.drop(r.tables.describe(d))
		}
		return nil
	case msgTruncate:
		r.tx.rows = true
		return r.truncate(ctx, body)
	case msgLogical:
		return r.logical(body)
	case msgType:
		return parsePassed(kind, body)
	default:
		return unexpected(kind)
	}
}

// logical takes what somebody wrote by pg_logical_emit_message: a copy's token is of
// interest, once it is committed.
func (r *reader) logical(body []byte) error {
	m, err := parseLogical(body)
	if err == nil && m.prefix == tokenPrefix && m.transactional {
		r.opened.tokens.meets(m.content)
	}
	return err
}

// table returns the table whose rows follow, and has told its shape; nil where
// it is out of scope.
func (r *reader) table(ctx context.Context, oid uint32) (*table, error) {
	t, gone, err := r.tables.of(ctx, oid)
	if err != nil || t == nil {
		return nil, err
	}
	r.drop(gone)
	r.tell(t)
	return t, nil
}

func (r *reader) truncate(ctx context.Context, body []byte) error {
	oids, err := parseTruncate(body)
	if err != nil {
		return err
	}
	var all []*table
	seen := map[uint32]bool{}
	for _, oid := range oids {
		if seen[oid] {
			continue
		}
		seen[oid] = true
		t, err := r.table(ctx, oid)
		if err != nil {
			return err
		}
		if t != nil {
			all = append(all, t)
		}
	}
	for _, t := range childrenFirst(all) {
		r.add(rowferry.Change{Op: rowferry.Truncate, Table: t.shape}, changeBase)
	}
	return nil
}

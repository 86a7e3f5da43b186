package mysql

import (
	"context"

	"github.com/go-mysql-org/go-mysql/replication"
)

// decode adds the changes of a rows event to the transaction.
func (r *reader) decode(ctx context.Context, m *mapping, e *event, h *rowsHead, rows []byte) error {
	t := r.tables
	if err := t.ready(ctx, m, e.start); err != nil {
		return err
	}
	hdr, err := t.header(e.typ)
	if err != nil {
		return err
	}
	hdr.TableID, hdr.Flags, hdr.ColumnCount = h.table, h.flags, h.columns
	hdr.ColumnBitmap1, hdr.ColumnBitmap2 = h.before, h.after
	t.announce(r.tx, m.shape)
	had := len(r.tx.changes)
	changes, err := m.decoder.decode(r.tx.changes, hdr, rows)
	if err != nil {
		return err
	}
	r.tx.changes = changes
	for i := had; i < len(changes); i++ {
		changes[i].Table = m.shape
		r.tx.size += changes[i].Size()
	}
	r.tx.inScope = true
	if !m.shape.ConstraintsKnown {
		t.unsure[m.name] = true
	}
	return t.unlogged(ctx, e.start, m.shape, h.flags, changes[had:])
}

// header returns the library's form of a rows event's header, of which only
// the library can set the type. The caller fills in the rest, each time.
func (t *tables) header(typ replication.EventType) (*replication.RowsEvent, error) {
	if h := t.headers[typ]; h != nil {
		return h, nil
	}
	parser := replication.NewBinlogParser()
	var h *replication.RowsEvent
	parser.SetRowsEventDecodeFunc(func(e *replication.RowsEvent, _ []byte) error {
		h = e
		return nil
	})
	for _, raw := range [][]byte{blankEvent(replication.FORMAT_DESCRIPTION_EVENT, blankDescription()), blankEvent(typ, nil)} {
		if _, err := parser.Parse(raw); err != nil {
			return nil, err
		}
	}
	t.headers[typ] = h
	return h, nil
}

// blankDescription is the body of a format description that knows every type
// and no checksums.
func blankDescription() []byte {
	b := make([]byte, 2+50+4+1, 2+50+4+1+255)
	b[0] = replication.MinBinlogVersion
	copy(b[2:], "5.1.73")
	b[len(b)-1] = headerSize
	for range 255 {
		b = append(b, rowsV2Fixed)
	}
	return b
}

func blankEvent(typ replication.EventType, body []byte) []byte {
	raw := make([]byte, headerSize, headerSize+len(body))
	raw[4] = byte(typ)
	return unframed(header{typ: typ}, append(raw, body...), place{}, place{}).raw
}

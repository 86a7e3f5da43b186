package postgres

import (
	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/failpoint"
	"github.com/rowferry/rowferry/schema"
)

// What stands before a tuple, and how a column of it is sent; see
// https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html#PROTOCOL-LOGICALREP-MESSAGE-FORMATS-TUPLEDATA
const (
	tupleKey = 'K' // the old values of the replica identity
	tupleOld = 'O' // all old values
	tupleNew = 'N'

	columnNull      = 'n'
	columnUnchanged = 'u' // stored apart (TOAST) and not changed
	columnText      = 't'
	columnBinary    = 'b'
)

// The sizes that Change.Size and Row.Size add to those of the values.
const (
	changeBase = 64
	rowBase    = 24
)

// table is a table as the log describes it at present.
type table struct {
	said  *described
	name  schema.Name
	scope bool
	// What follows is known from the first row on.
	shape   *schema.Table
	known   *known
	columns []column // one per column of the log and of the shape
	key     []int    // ordinals of the replica identity; all of them where it is full
	late    bool     // foreign keys from or to it are looked at when a statement ends, or later
}

// column says how a column's text becomes a value.
type column struct {
	typ   *schema.Type
	keeps bool // the value lies in the text
	key   bool
}

func columnOf(t *schema.Type, key bool) column {
	switch t.Kind {
	case schema.Int, schema.Bool, schema.Float32, schema.Float64, schema.Bit, schema.Blob:
		return column{typ: t, key: key}
	default:
		return column{typ: t, key: key, keeps: true}
	}
}

// formats are those of the forms in which a column is sent.
var formats = [...]int16{columnText: textFormat, columnBinary: binaryFormat}

// value reads a value in a format.
func (c *column) value(m *arena, format int16, said []byte) (rowferry.Value, *rowferry.Error) {
	if format == binaryFormat {
		return carryBinary(m, c.typ, said)
	}
	if c.keeps {
		said = m.copied(said)
	}
	return carry(c.typ, said)
}

// change reads an Insert, Update or Delete from behind its table. It returns its
// size too, as Change.Size does.
func (t *table) change(m *arena, kind byte, c *cursor) (ch rowferry.Change, size int, err error) {
	ch = rowferry.Change{Table: t.shape, ChecksLate: t.late}
	var before, after int
	switch kind {
	case msgInsert:
		ch.Op = rowferry.Insert
		after, err = t.after(m, c, c.u8(), &ch)
	case msgUpdate:
		ch.Op = rowferry.Update
		tag := c.u8()
		if tag != tupleNew {
			before, err = t.before(m, c, tag, &ch)
			tag = c.u8()
		}
		if err == nil {
			after, err = t.after(m, c, tag, &ch)
		}
		if err == nil && ch.Before == nil {
			before, err = t.identify(m, &ch)
		}
	case msgDelete:
		ch.Op = rowferry.Delete
		before, err = t.before(m, c, c.u8(), &ch)
	default:
		return ch, 0, malformed(kind, "is no change of a row")
	}
	switch {
	case err != nil:
		return ch, 0, err
	case !c.whole():
		return ch, 0, malformed(kind, badLength)
	default:
		return ch, changeBase + rowBase + before + rowBase + after, nil
	}
}

// before reads an old row. Of a key, only the replica identity's columns are
// meant: the others are sent as NULL.
func (t *table) before(m *arena, c *cursor, tag byte, ch *rowferry.Change) (size int, err error) {
	if tag != tupleKey && tag != tupleOld {
		return 0, t.malformed("has an old row of a kind that is not known")
	}
	ch.Before, size, _, err = t.row(m, c, tag == tupleKey)
	return size, err
}

// after reads a new row. What did not change and was not sent is in the old row,
// where that has it, and absent otherwise.
func (t *table) after(m *arena, c *cursor, tag byte, ch *rowferry.Change) (size int, err error) {
	if tag != tupleNew {
		return 0, t.malformed("has no new row where one belongs")
	}
	var unchanged bool
	ch.After, size, unchanged, err = t.row(m, c, false)
	if err != nil || !unchanged || ch.Before == nil {
		return size, err
	}
	for i := range ch.After {
		if ch.After[i].IsAbsent() {
			ch.After[i] = ch.Before[i]
			size += len(ch.After[i].Str())
		}
	}
	return size, nil
}

// identify makes the old row of an update that changed nothing of the replica
// identity.
func (t *table) identify(m *arena, ch *rowferry.Change) (size int, err error) {
	if len(t.key) == 0 {
		return 0, rowferry.Errorf(rowferry.CodeReplicaIdentity, "the log has an update of a table without a replica identity").
			Fact("table", "%s", t.name).Remedy("mend it", "with the SQL that rowferry doctor shows")
	}
	ch.Before = m.row(len(t.columns))
	size = len(t.columns) * valueSize
	for _, o := range t.key {
		ch.Before[o] = ch.After[o]
		size += len(ch.After[o].Str())
	}
	return size, nil
}

// row reads one tuple. It returns the size of its values, and whether one was
// not sent because it did not change.
func (t *table) row(m *arena, c *cursor, keyOnly bool) (row rowferry.Row, size int, unchanged bool, err error) {
	if n := c.u16(); n != len(t.columns) {
		return nil, 0, false, t.malformed("has another number of columns than its table")
	}
	row = m.row(len(t.columns))
	size = len(row) * valueSize
	for i := range t.columns {
		col := &t.columns[i]
		switch kind := c.u8(); kind {
		case columnNull:
			if !keyOnly || col.key {
				row[i] = rowferry.NullValue()
			}
		case columnUnchanged:
			unchanged = true
			if failpoint.On("null-for-unchanged") {
				row[i] = rowferry.NullValue()
			}
		case columnText, columnBinary:
			said := c.take(int(int32(c.u32())))
			if c.failed {
				return nil, 0, false, t.malformed(badLength)
			}
			if keyOnly && !col.key {
				continue
			}
			v, bad := col.value(m, formats[kind], said)
			if bad != nil {
				return nil, 0, false, bad.Fact("table", "%s", t.name).Fact("column", "%s", t.shape.Columns[i].Name)
			}
			row[i] = v
			size += len(v.Str())
		default:
			return nil, 0, false, t.malformed("has a column in a form that was not asked for")
		}
	}
	return row, size, unchanged, nil
}

func (t *table) malformed(what string) *rowferry.Error {
	return rowferry.Errorf(rowferry.CodeCorruptLog, "a row of the log %s", what).Fact("table", "%s", t.name)
}

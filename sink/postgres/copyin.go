package postgres

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/sqlsink"
)

// copyBytes is how much one COPY carries, so that none takes long: each has to be
// answered within the session's limits.
const copyBytes = 4 << 20

// largeRow is the size beyond which a row travels by itself, as parameters: in
// the text of a COPY bytes take twice their room, and a row has at most 1 GiB.
var largeRow = 64 << 20

// copyIn writes new rows of one table by COPY … FROM STDIN: in binary format
// where every written column has a form for that, else in text format
// (https://www.postgresql.org/docs/15/sql-copy.html#id-1.9.3.55.9.2). The server
// reads each value as it reads a parameter. Of identity columns it takes the value
// that is given, ALWAYS or not.
type copyIn struct {
	target *target
	sql    string // "" where no column is written
	binary bool   // the format of buf, and of what comes
	set    []int
	buf    []byte
	rows   int64
	last   rowferry.Mutation // of the rows in buf
}

func newCopyIn(t *target) *copyIn {
	c := &copyIn{target: t, binary: true}
	var names []string
	for o := range t.Columns {
		if !t.Columns[o].Computed {
			c.set = append(c.set, o)
			c.binary = c.binary && t.columns[o].form != noForm
			names = append(names, t.Columns[o].Quoted)
		}
	}
	if len(names) > 0 {
		c.sql = "COPY " + t.quoted + " (" + strings.Join(names, ", ") + ") FROM STDIN"
	}
	return c
}

// fits reports whether a COPY may carry the row.
func (c *copyIn) fits(m *rowferry.Mutation) bool { return c.sql != "" && m.After.Size() <= largeRow }

// add takes a row, whose image has been checked. From one on that has no binary
// form, or is refused, all go as text: it is sent, or refused, as that.
func (c *copyIn) add(ctx context.Context, s *Sink, m *rowferry.Mutation) error {
	if c.binary && !c.addBinary(m) {
		if err := c.flush(ctx, s); err != nil {
			return err
		}
		c.binary = false
	}
	if !c.binary {
		if err := c.addText(m); err != nil {
			return err
		}
	}
	c.rows++
	c.last = rowferry.Mutation{Op: m.Op, Table: m.Table, Source: m.Source, Origin: m.Origin, Index: m.Index}
	return nil
}

// What stands before the rows of a COPY in binary format, with no flags and no
// extension, and behind them.
const (
	binaryHeader  = "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	binaryTrailer = "\xff\xff"
)

// addBinary appends a row in binary format, or returns false and leaves all as it
// was.
func (c *copyIn) addBinary(m *rowferry.Mutation) bool {
	was := len(c.buf)
	if was == 0 {
		c.buf = append(c.buf, binaryHeader...)
	}
	c.buf = binary.BigEndian.AppendUint16(c.buf, uint16(len(c.set)))
	for _, o := range c.set {
		var ok bool
		if c.buf, ok = c.target.columns[o].appendBinary(c.buf, m.After[o]); !ok {
			c.buf = c.buf[:was]
			return false
		}
	}
	return true
}

func (c *copyIn) addText(m *rowferry.Mutation) error {
	for i, o := range c.set {
		if i > 0 {
			c.buf = append(c.buf, '\t')
		}
		var err *rowferry.Error
		if c.buf, err = c.target.columns[o].appendCopy(c.buf, m.After[o]); err != nil {
			return c.target.About(err, m).Fact("column", "%s", c.target.Shape.Columns[o].Name)
		}
	}
	c.buf = append(c.buf, '\n')
	return nil
}

func (c *copyIn) full() bool { return len(c.buf) >= copyBytes }

// flush sends what was added. A refusal does not say which mutation it was, but
// names the row in the server's words.
func (c *copyIn) flush(ctx context.Context, s *Sink) error {
	if c.rows == 0 {
		return nil
	}
	rows, buf, sql := c.rows, c.buf, c.sql
	if c.binary {
		buf, sql = append(buf, binaryTrailer...), sql+" (FORMAT binary)"
	}
	c.rows, c.buf = 0, buf[:0]
	if s.options.Trace != nil {
		s.options.Trace(sql, []string{strconv.FormatInt(rows, 10) + " rows"})
	}
	conn, err := s.session(ctx)
	if err != nil {
		return err
	}
	tag, err := conn.CopyFrom(ctx, bytes.NewReader(buf), sql)
	if err != nil {
		return c.refuse(ctx, s, err)
	}
	if tag.RowsAffected() != rows {
		e := rowferry.Errorf(rowferry.CodeRowRefused, "something in the target kept rows from being inserted, without an error")
		return c.target.About(e, &c.last).Fact("inserted", "%d rows of %d", tag.RowsAffected(), rows)
	}
	return nil
}

// refuse is what the sink says of an error of COPY, with the server's words for
// the line and its value.
func (c *copyIn) refuse(ctx context.Context, s *Sink, err error) error {
	refused := sqlsink.Blame(s.refuse(ctx, err, c.target, &c.last), &c.last)
	var server *pgconn.PgError
	if e, ok := refused.(*rowferry.Error); ok && errors.As(err, &server) && server.Where != "" {
		e.Fact("where", "%s", sqlsink.Shorten(server.Where))
	}
	return refused
}

// appendCopy appends a value as COPY reads it.
func (c *column) appendCopy(dst []byte, v rowferry.Value) ([]byte, *rowferry.Error) {
	text, err := c.encode(v)
	switch {
	case err != nil:
		return dst, err
	case text == nil:
		return append(dst, `\N`...), nil
	case c.format() == binaryFormat:
		return hex.AppendEncode(append(dst, `\\x`...), text), nil
	default:
		return appendEscaped(dst, text), nil
	}
}

// escapes are the characters that COPY does not take as they are.
var escapes = [256]byte{'\\': '\\', '\n': 'n', '\r': 'r', '\t': 't', '\b': 'b', '\f': 'f', '\v': 'v'}

func appendEscaped(dst, text []byte) []byte {
	plain := 0
	for i, c := range text {
		if escapes[c] != 0 {
			dst = append(append(dst, text[plain:i]...), '\\', escapes[c])
			plain = i + 1
		}
	}
	return append(dst, text[plain:]...)
}

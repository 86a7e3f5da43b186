package mysqlwire

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Commands:
// https://dev.mysql.com/doc/dev/mysql-server/latest/my__command_8h.html
const (
	comQuery        = 0x03
	comStmtPrepare  = 0x16
	comStmtExecute  = 0x17
	comStmtLongData = 0x18
	comStmtClose    = 0x19
)

// Stmt is a prepared statement of one connection.
type Stmt struct {
	conn   *Conn
	id     uint32
	params int
	closed bool
}

// Prepare prepares a statement, as Exec runs one.
func (c *Conn) Prepare(ctx context.Context, sql string) (*Stmt, error) {
	all, err := c.PrepareAll(ctx, []string{sql})
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// PrepareAll prepares statements at once, all or none.
func (c *Conn) PrepareAll(ctx context.Context, statements []string) ([]*Stmt, error) {
	all := make([]*Stmt, len(statements))
	parts := make([]byte, len(statements))
	var refused *ServerError
	err := c.aside(ctx, func() error {
		for i, sql := range statements {
			c.text(comStmtPrepare, sql)
			parts[i] = c.parts
		}
		return nil
	}, func() error {
		for i := range all {
			all[i] = &Stmt{conn: c}
			e, err := all[i].readPrepared(&c.in, parts[i])
			if err != nil {
				return err
			}
			if e != nil {
				all[i].closed = true
				if refused == nil {
					refused = e
				}
			}
		}
		return nil
	})
	if err == nil && refused != nil {
		for _, st := range all {
			st.Close()
		}
		err = refused
	}
	if err != nil {
		return nil, err
	}
	return all, nil
}

// readPrepared reads the answer to COM_STMT_PREPARE:
// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_stmt_prepare.html
func (s *Stmt) readPrepared(p *packets, command byte) (*ServerError, error) {
	p.begin(command)
	b, err := p.next()
	if err != nil {
		return nil, err
	}
	if b[0] == headerError {
		a, err := refusal(b)
		return a.err, err
	}
	if b[0] != headerOK || len(b) < 9 {
		return nil, nonsense("to a statement that was prepared: %d bytes, the first %#x", len(b), b[0])
	}
	s.id = binary.LittleEndian.Uint32(b[1:])
	columns := int(binary.LittleEndian.Uint16(b[5:]))
	s.params = int(binary.LittleEndian.Uint16(b[7:]))
	for _, n := range []int{s.params, columns} {
		if n == 0 {
			continue
		}
		if _, err := readColumns(p, n); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// Close lets go of the statement. The server does not answer: it is told with
// what is sent next, and behind the executions that are queued, so that they
// are not in danger.
func (s *Stmt) Close() {
	if !s.closed && s.conn.err == nil {
		s.conn.close(s.id)
	}
	s.closed = true
}

func (c *Conn) close(id uint32) {
	start := len(c.out)
	c.out = binary.LittleEndian.AppendUint32(append(appendPacket(c.out), comStmtClose), id)
	c.out, _ = closePacket(c.out, start)
	c.closing = append(c.closing, id)
}

// text appends a command with a text.
func (c *Conn) text(command byte, sql string) {
	start := len(c.out)
	c.out = append(append(appendPacket(c.out), command), sql...)
	c.out, c.parts = closePacket(c.out, start)
}

// execution is a COM_STMT_EXECUTE that is being written:
// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_stmt_execute.html
// and https://mariadb.com/kb/en/com_stmt_execute/. The types of all parameters
// are sent with each, 4 bytes for two: those of a NULL differ.
type execution struct {
	stmt *Stmt
	buf  []byte // the packet's content
	n    int    // parameters that are written
	long []longParam
	more int // bytes of long
	cut  int // the size of a text that is sent by itself
}

// longParam is a text that is sent before the execution, in pieces.
type longParam struct {
	param int
	text  string
}

// Where the parts of an execution are.
const (
	execNulls = 10 // command, statement, flags and iterations come before
	typeSize  = 2
	noSign    = 0x80
)

func (x *execution) reset(s *Stmt) {
	clear(x.long)
	x.stmt, x.buf, x.n, x.long, x.more = s, x.buf[:0], 0, x.long[:0], 0
	if cap(x.buf) > keptBuffer {
		x.buf = nil
	}
}

// Begin begins an execution of a prepared statement. The values of its
// parameters follow in order, then Queue or Rows. One that is begun and not
// queued is dropped by the next.
func (c *Conn) Begin(s *Stmt) {
	x := &c.open
	x.reset(s)
	// As go-sql-driver/mysql divides them.
	x.cut = max(c.largest/(s.params+1), 64)
	x.buf = append(x.buf, comStmtExecute)
	x.buf = binary.LittleEndian.AppendUint32(x.buf, s.id)
	x.buf = append(x.buf, 0 /* no cursor */, 1, 0, 0, 0 /* iterations */)
	if s.params == 0 {
		return
	}
	x.buf = append(x.buf, make([]byte, (s.params+7)/8)...)
	x.buf = append(x.buf, 1 /* types follow */)
	x.buf = append(x.buf, make([]byte, typeSize*s.params)...)
}

// param notes the type of the next parameter, and reports whether there is one.
func (x *execution) param(typ, sign byte) bool {
	if x.stmt == nil || x.n >= x.stmt.params {
		x.n = math.MaxInt32 // complete says so
		return false
	}
	at := execNulls + (x.stmt.params+7)/8 + 1 + typeSize*x.n
	x.buf[at], x.buf[at+1] = typ, sign
	x.n++
	return true
}

// Int gives the next parameter.
func (c *Conn) Int(v int64) {
	if c.open.param(typeLongLong, 0) {
		c.open.buf = binary.LittleEndian.AppendUint64(c.open.buf, uint64(v))
	}
}

// Uint gives the next parameter.
func (c *Conn) Uint(v uint64) {
	if c.open.param(typeLongLong, noSign) {
		c.open.buf = binary.LittleEndian.AppendUint64(c.open.buf, v)
	}
}

// Float gives the next parameter. The server takes neither NaN nor infinity.
func (c *Conn) Float(v float64) {
	if c.open.param(typeDouble, 0) {
		c.open.buf = binary.LittleEndian.AppendUint64(c.open.buf, math.Float64bits(v))
	}
}

// Text gives the next parameter, which is in the session's character set. What
// becomes of it is said by the statement.
func (c *Conn) Text(s string) {
	x := &c.open
	if !x.param(typeString, 0) {
		return
	}
	if len(s) > x.cut {
		x.long = append(x.long, longParam{x.n - 1, s})
		x.more += len(s)
		return
	}
	x.buf = append(appendLen(x.buf, uint64(len(s))), s...)
}

// Bytes gives the next parameter, which travels as a text does.
func (c *Conn) Bytes(s string) { c.Text(s) }

// Null gives the next parameter.
func (c *Conn) Null() {
	if x := &c.open; x.param(typeNull, 0) {
		i := x.n - 1
		x.buf[execNulls+i/8] |= 1 << (i % 8)
	}
}

// Arg gives the next parameter: a string, integer, float, bytes or nil.
func (c *Conn) Arg(v any) error {
	switch v := v.(type) {
	case nil:
		c.Null()
	case string:
		c.Text(v)
	case []byte:
		c.Text(string(v))
	case int:
		c.Int(int64(v))
	case int64:
		c.Int(v)
	case uint64:
		c.Uint(v)
	case float64:
		c.Float(v)
	default:
		return fmt.Errorf("a %T cannot be given to a statement", v)
	}
	return nil
}

// complete demands that each parameter was given once.
func (x *execution) complete() error {
	switch {
	case x.stmt == nil:
		return errors.New("no execution was begun")
	case x.stmt.closed:
		return errors.New("the statement is closed")
	case x.n != x.stmt.params:
		return fmt.Errorf("a statement of %d parameters was given others", x.stmt.params)
	default:
		return nil
	}
}

func (x *execution) size() int { return len(x.buf) + x.more }

// execute puts the open execution into out, after its long texts:
// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_stmt_send_long_data.html
func (c *Conn) execute() error {
	x := &c.open
	const piece = 1 << 20 // which is less than any text that is sent so on its own
	for _, l := range x.long {
		for text := l.text; len(text) > 0; {
			n := min(len(text), piece, max(c.largest/2, 64))
			start := len(c.out)
			c.out = binary.LittleEndian.AppendUint32(append(appendPacket(c.out), comStmtLongData), x.stmt.id)
			c.out = append(binary.LittleEndian.AppendUint16(c.out, uint16(l.param)), text[:n]...)
			c.out, _ = closePacket(c.out, start)
			text = text[n:]
			if len(c.out) >= sendAt {
				if err := c.flush(); err != nil {
					return err
				}
			}
		}
	}
	start := len(c.out)
	c.out, c.parts = closePacket(append(appendPacket(c.out), x.buf...), start)
	return nil
}

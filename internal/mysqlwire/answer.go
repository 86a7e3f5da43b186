package mysqlwire

import "encoding/binary"

// What an answer begins with:
// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response.html
const (
	headerOK    = 0x00
	headerFile  = 0xfb // LOCAL INFILE: the server asks for a file of ours
	headerEOF   = 0xfe // in a packet of less than 9 bytes
	headerError = 0xff
)

// moreResults is the bit of the status of an answer that another one follows.
const moreResults = 0x0008

// maxColumns is the number of columns that a server gives at most.
const maxColumns = 4096

// answer is how many rows a statement found, or what the server says.
type answer struct {
	n   int64
	err *ServerError
}

// readAnswer reads the answer to a statement of so many packets: of one that changes rows how many
// it found, of a query how many there were, each of which goes to row; nil drops
// them. Errors other than those of the server break the connection.
func readAnswer(p *packets, command byte, binaryRows bool, row func([]value) error) (answer, error) {
	p.begin(command)
	b, err := p.next()
	if err != nil {
		return answer{}, err
	}
	switch b[0] {
	case headerOK:
		n, err := parseOK(b)
		return answer{n: n}, err
	case headerError:
		return refusal(b)
	case headerFile:
		return answer{}, &ProtocolError{"the server asks for a file of ours, and gets none"}
	}
	columns, n := lenEnc(b)
	if n != len(b) || columns == 0 || columns > maxColumns {
		return answer{}, nonsense("it begins with %#x", b[0])
	}
	types, err := readColumns(p, int(columns))
	if err != nil {
		return answer{}, err
	}
	return readRows(p, types, binaryRows, row)
}

func refusal(b []byte) (answer, error) {
	err := parseError(b)
	if e, ok := err.(*ServerError); ok { //nolint:errorlint // as parseError returns it
		return answer{err: e}, nil
	}
	return answer{}, err
}

// parseOK reads an OK packet:
// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_ok_packet.html
func parseOK(b []byte) (int64, error) {
	rows, n := lenEnc(b[1:])
	if n == 0 || rows > 1<<63-1 {
		return 0, nonsense("an OK without a number of rows")
	}
	_, id := lenEnc(b[1+n:])
	rest := b[1+n+id:]
	if id == 0 || len(rest) < 4 {
		return 0, nonsense("an OK of %d bytes", len(b))
	}
	return int64(rows), alone(binary.LittleEndian.Uint16(rest))
}

// alone refuses a status that says that another answer follows.
func alone(status uint16) error {
	if status&moreResults != 0 {
		return nonsense("another one follows")
	}
	return nil
}

// parseEOF reports whether b is the end of a list, and reads it:
// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_eof_packet.html
func parseEOF(b []byte) (bool, error) {
	if b[0] != headerEOF || len(b) >= 9 {
		return false, nil
	}
	if len(b) < 5 {
		return false, nonsense("an end of %d bytes", len(b))
	}
	return true, alone(binary.LittleEndian.Uint16(b[3:]))
}

// column is what a row's values need: the type, and whether it has no sign.
type column struct {
	typ      byte
	unsigned bool
}

// readColumns reads so many definitions of columns, or parameters, and their
// end.
func readColumns(p *packets, n int) ([]column, error) {
	all := make([]column, n)
	for i := range all {
		b, err := p.next()
		if err != nil {
			return nil, err
		}
		if all[i], err = parseColumn(b); err != nil {
			return nil, err
		}
	}
	b, err := p.next()
	if err != nil {
		return nil, err
	}
	switch end, err := parseEOF(b); {
	case err != nil:
		return nil, err
	case !end:
		return nil, nonsense("%d columns are followed by %#x", n, b[0])
	default:
		return all, nil
	}
}

// parseColumn reads a definition:
// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response_text_resultset_column_definition.html
func parseColumn(b []byte) (column, error) {
	const names, fixed, unsigned = 6, 10, 0x20
	rest := b
	for range names {
		var ok bool
		if _, rest, ok = lenText(rest); !ok {
			return column{}, nonsense("a column without names")
		}
	}
	if _, n := lenEnc(rest); n == 0 || len(rest) < n+fixed {
		return column{}, nonsense("a column of %d bytes", len(b))
	}
	rest = rest[1:] // the length of what follows
	return column{typ: rest[6], unsigned: rest[7]&unsigned != 0}, nil
}

// readRows reads rows until their end.
func readRows(p *packets, columns []column, binaryRows bool, row func([]value) error) (answer, error) {
	a, values := answer{}, make([]value, len(columns))
	var told error
	for {
		b, err := p.next()
		if err != nil {
			return answer{}, err
		}
		if b[0] == headerError {
			return refusal(b)
		}
		if end, err := parseEOF(b); err != nil {
			return answer{}, err
		} else if end {
			return a, told
		}
		a.n++
		if row == nil || told != nil {
			continue
		}
		if binaryRows {
			err = parseBinaryRow(b, columns, values)
		} else {
			err = parseTextRow(b, values)
		}
		if err != nil {
			return answer{}, err
		}
		if err := row(values); err != nil {
			told = &rowError{err}
		}
	}
}

// rowError is what whoever was given a row said. The connection is as good as
// before: the other rows were read.
type rowError struct{ error }

func (e *rowError) Unwrap() error { return e.error }

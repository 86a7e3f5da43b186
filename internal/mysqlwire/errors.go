package mysqlwire

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrBroken is the error of a connection that broke after the login, wrapped
// with why.
var ErrBroken = errors.New("the connection is broken")

// ServerError is what the server says of a statement, which is undone. The
// connection stays usable, unless the server says otherwise.
type ServerError struct {
	Number  uint16
	State   string // SQLSTATE, "" before the login
	Message string
}

func (e *ServerError) Error() string {
	if e.State == "" {
		return fmt.Sprintf("Error %d: %s", e.Number, e.Message)
	}
	return fmt.Sprintf("Error %d (%s): %s", e.Number, e.State, e.Message)
}

// ProtocolError is an answer that makes no sense, or that nobody asked for. The
// connection is broken.
type ProtocolError struct{ What string }

func (e *ProtocolError) Error() string { return e.What }

func nonsense(format string, args ...any) error {
	return &ProtocolError{"the server's answer makes no sense: " + fmt.Sprintf(format, args...)}
}

// parseError reads an ERR packet, which begins with 0xff:
// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_err_packet.html
func parseError(b []byte) error {
	if len(b) < 3 {
		return nonsense("an error of %d bytes", len(b))
	}
	e := &ServerError{Number: binary.LittleEndian.Uint16(b[1:]), Message: string(b[3:])}
	if len(b) >= 9 && b[3] == '#' {
		e.State, e.Message = string(b[4:9]), string(b[9:])
	}
	return e
}

//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package mysqlwire

import (
	"errors"
	"net"
	"syscall"
)

// peek asks the system what has come, without waiting: nothing, the end, or
// something that is to be looked at.
func peek(raw net.Conn) (p peeked) {
	p = peekUnknown
	s, ok := raw.(syscall.Conn)
	if !ok {
		return p
	}
	r, err := s.SyscallConn()
	if err != nil {
		return p
	}
	err = r.Read(func(fd uintptr) bool {
		var one [1]byte
		n, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK) // which never blocks: Go's sockets do not
		switch {
		case errors.Is(err, syscall.EAGAIN):
			p = peekNothing
		case errors.Is(err, syscall.EINTR), err == nil && n > 0:
		default:
			p = peekEnd
		}
		return true
	})
	if err != nil {
		return peekUnknown
	}
	return p
}

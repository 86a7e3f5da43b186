package postgres

import (
	"crypto/tls"
	"net"
	"syscall"
)

// receiveBytes is how much the kernel may hold for us, with what it keeps of its own
// beside each small message.
const receiveBytes = 4 << 20

// widen gives a connection room for what comes while we wait for more. A size that is
// set is where the kernel ends fitting it to the network by itself, and may be at most
// net.core.rmem_max; but asked to wake nobody before half of a size has come, it
// makes that room at once and goes on fitting. A connection that does not take it is
// read as it is.
func widen(conn net.Conn) {
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	s, ok := conn.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		for _, n := range []int{receiveBytes / 2, 1} {
			_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, n)
		}
	})
}

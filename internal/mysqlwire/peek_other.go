//go:build !(linux || darwin || dragonfly || freebsd || netbsd || openbsd)

package mysqlwire

import "net"

func peek(net.Conn) peeked { return peekUnknown }

package testdb

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// The ports that are handed out lie below those the kernel gives to outgoing
// connections. Otherwise a client that calls a server which is down may take
// the server's port for itself, or even be connected to itself.
const (
	firstPort = 15000
	lastPort  = 32000
	portTries = 200
)

// Port is a TCP port on 127.0.0.1 that no other process that reserves takes,
// whether somebody listens on it or not.
type Port struct {
	Number int
	claim  net.Listener
}

// ReservePort finds a port nobody listens on. It is the caller's until Release,
// or until the process ends.
func ReservePort() (*Port, error) {
	var last error
	for range portTries {
		n := firstPort + rand.IntN(lastPort-firstPort)
		// An abstract socket is a claim that ends with its process.
		claim, err := net.Listen("unix", fmt.Sprintf("@rowferry-port-%d", n))
		if err != nil {
			last = err
			continue
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", n))
		if err != nil {
			last = errors.Join(err, claim.Close())
			continue
		}
		if err := l.Close(); err != nil {
			return nil, errors.Join(err, claim.Close())
		}
		return &Port{Number: n, claim: claim}, nil
	}
	return nil, fmt.Errorf("find a free port: %w", last)
}

// Release gives the port back; twice is no harm.
func (p *Port) Release() { p.claim.Close() }

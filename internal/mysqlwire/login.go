package mysqlwire

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
	gomysql "github.com/go-mysql-org/go-mysql/mysql"

	"github.com/rowferry/rowferry/internal/connect"
)

// ErrPlainPassword refuses a server that asks for the password in plain.
var ErrPlainPassword = errors.New("the server asks for the password in plain, and the connection is not encrypted")

// Link is a connection of the library that is logged in, and the network below
// it.
type Link struct {
	*client.Conn
	raw   net.Conn // below TLS
	guard *guard   // over raw
}

// Login does the handshake over raw, encrypted where config is not nil. What
// answers may be no such server, or a hostile one: the library panics on packets
// that make no sense. Whoever dialled raw closes it.
func Login(ctx context.Context, raw net.Conn, e connect.Endpoint, config *tls.Config, options ...client.Option) (l *Link, err error) {
	l = &Link{raw: raw, guard: &guard{Conn: raw}}
	defer func() {
		if p := recover(); p != nil {
			l, err = nil, &ProtocolError{fmt.Sprintf("what answers does not speak the protocol: %v", p)}
		}
	}()
	network, address := e.Network()
	if config == nil && network != "unix" {
		l.guard.password = e.Password.Reveal()
	}
	dialer := func(context.Context, string, string) (net.Conn, error) { return l.guard, nil }
	l.Conn, err = client.ConnectWithDialer(ctx, network, address, e.User, e.Password.Reveal(), "", dialer, append(options, func(c *client.Conn) error {
		if config != nil {
			c.SetTLSConfig(config)
		}
		c.SetAttributes(map[string]string{"program_name": "rowferry"})
		return nil
	})...)
	if err != nil {
		return nil, l.Cause(err)
	}
	l.guard.password = ""
	return l, nil
}

// Cause returns what went wrong with the network where the library says only
// that something did, and other errors as they are.
func (l *Link) Cause(err error) error {
	if l.guard.err != nil && errors.Is(err, gomysql.ErrBadConn) {
		return l.guard.err
	}
	return err
}

// During makes waits for the network end with ctx, until the returned function
// is called. A wait that was cut short fails with os.ErrDeadlineExceeded; where
// ctx has ended already, the first one does.
func (l *Link) During(ctx context.Context) (done func()) { return during(ctx, l.raw) }

func during(ctx context.Context, raw net.Conn) (done func()) {
	cut := func() { _ = raw.SetDeadline(time.Unix(1, 0)) } // fails only on a closed connection
	again := func() { _ = raw.SetDeadline(time.Time{}) }
	if ctx.Err() != nil { // or an answer could be faster than the goroutine below
		cut()
		return again
	}
	happened := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		cut()
		close(happened)
	})
	return func() {
		if !stop() {
			<-happened
			again()
		}
	}
}

// guard is the network as the library has it, which tells only in words what
// went wrong there. Without TLS it refuses to send the password as it is, which
// a server may ask for.
type guard struct {
	net.Conn
	password string // not to be sent; "" if it may be
	err      error  // the first one
}

func (g *guard) Read(b []byte) (int, error) {
	n, err := g.Conn.Read(b)
	return n, g.note(err)
}

func (g *guard) Write(b []byte) (int, error) {
	if g.password != "" && len(b) > packetHeader && string(bytes.TrimRight(b[packetHeader:], "\x00")) == g.password {
		return 0, g.note(ErrPlainPassword)
	}
	n, err := g.Conn.Write(b)
	return n, g.note(err)
}

func (g *guard) note(err error) error {
	if g.err == nil {
		g.err = err
	}
	return err
}

// RefusesLogin reports whether err means that the server wants the password in a
// way that is not supported.
func RefusesLogin(err error) bool {
	return errors.Is(err, ErrPlainPassword) || strings.Contains(err.Error(), "auth plugin")
}

// RefusesTLS reports whether err means TLS that cannot be had, or trusted.
func RefusesTLS(err error) bool {
	var record tls.RecordHeaderError
	var verify *tls.CertificateVerificationError
	var alert tls.AlertError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &record) || errors.As(err, &verify) || errors.As(err, &alert) ||
		errors.As(err, &authority) || errors.As(err, &host) || errors.As(err, &invalid) ||
		LacksTLS(err) || strings.Contains(err.Error(), "tls: ")
}

// LacksTLS reports whether err means that the server offers no TLS.
func LacksTLS(err error) bool { return strings.Contains(err.Error(), "does not support TLS") }

// Root is the innermost error that tells what went wrong: the library wraps each
// in what was being done inside it.
func Root(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil || errors.As(err, new(*net.OpError)) && !errors.As(next, new(*net.OpError)) {
			return err
		}
		err = next
	}
}

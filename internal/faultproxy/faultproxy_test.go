package faultproxy_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/rowferry/rowferry/internal/faultproxy"
	"github.com/rowferry/rowferry/internal/testdb"
)

func TestMain(m *testing.M) {
	// The driver would log every connection that is cut.
	if err := mysql.SetLogger(&mysql.NopLogger{}); err != nil {
		panic(err)
	}
	testdb.Main(m)
}

// place is a table on a server, seen directly and through a proxy.
type place struct {
	proxy   *faultproxy.Proxy
	direct  *sql.DB
	through *sql.DB
}

func newPlace(t *testing.T, k testdb.Kind) place {
	t.Helper()
	s := testdb.Start(t, k)
	name, direct := testdb.NewDatabase(t, s)
	p := faultproxy.Start(t, s, 1)
	old, proxied := fmt.Sprintf("127.0.0.1:%d", s.Port), p.Address()
	driver := "mysql"
	if k.Flavor() == testdb.Postgres {
		driver = "pgx"
	}
	through, err := sql.Open(driver, strings.Replace(s.DSN(name), old, proxied, 1))
	must(t, err)
	t.Cleanup(func() { through.Close() })
	_, err = direct.Exec("CREATE TABLE t (a INT PRIMARY KEY)")
	must(t, err)
	return place{p, direct, through}
}

// insert commits a row through the proxy, in one of several ways.
func (p place) insert(ctx context.Context, way string, a int) (err error) {
	conn, err := p.through.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	exec := func(q string) {
		if err == nil {
			_, err = conn.ExecContext(ctx, q)
		}
	}
	exec("BEGIN")
	exec(fmt.Sprintf("INSERT INTO t VALUES (%d)", a))
	switch way {
	case "prepared":
		var commit *sql.Stmt
		if err == nil {
			commit, err = conn.PrepareContext(ctx, "COMMIT")
		}
		if err == nil {
			defer commit.Close()
			_, err = commit.ExecContext(ctx)
		}
	default:
		exec(way)
	}
	return err
}

func (p place) has(t *testing.T, a int) bool {
	t.Helper()
	var n int
	must(t, p.direct.QueryRow(fmt.Sprintf("SELECT COUNT(*) FROM t WHERE a = %d", a)).Scan(&n))
	return n == 1
}

// A COMMIT is struck exactly: not seen by the server, or done and not answered,
// as often as it is asked for, however the client says it.
func TestAtCommit(t *testing.T) {
	for _, k := range testdb.Targets() {
		t.Run(string(k), func(t *testing.T) {
			p := newPlace(t, k)
			a, lost := 0, 0
			for _, way := range []string{"COMMIT", "commit work;", "prepared"} {
				for range 10 {
					for _, f := range []faultproxy.CommitFault{faultproxy.CutBeforeCommit, faultproxy.CutAfterCommit, faultproxy.CutAnswer} {
						// One passes first.
						a++
						fired := p.proxy.AtCommit(2, f)
						must(t, p.insert(t.Context(), way, a))
						a++
						if err := p.insert(t.Context(), way, a); err == nil {
							t.Fatalf("%s: fault %d and no error", way, f)
						}
						<-fired
						settle(t, p)
						has := p.has(t, a)
						if f == faultproxy.CutBeforeCommit && has || f == faultproxy.CutAnswer && !has || !p.has(t, a-1) {
							t.Fatalf("%s: fault %d: the row is there: %t", way, f, has)
						}
						if f == faultproxy.CutAfterCommit && !has {
							lost++
						}
					}
				}
			}
			if p.proxy.Commits() != 180 || p.proxy.Blind() != 0 {
				t.Errorf("%d COMMITs seen, %d connections blind", p.proxy.Commits(), p.proxy.Blind())
			}
			t.Logf("%d of 30 lost when cut right after they were sent", lost)
		})
	}
}

// settle waits until the server has ended the transactions of lost clients: a
// lock on the whole table waits for each of them.
func settle(t *testing.T, p place) {
	t.Helper()
	_, err := p.direct.Exec("ALTER TABLE t ADD b INT")
	must(t, err)
	_, err = p.direct.Exec("ALTER TABLE t DROP COLUMN b")
	must(t, err)
}

// A withheld answer leaves the client waiting and the row there.
func TestStallAnswer(t *testing.T) {
	for _, k := range testdb.Targets() {
		t.Run(string(k), func(t *testing.T) {
			p := newPlace(t, k)
			fired := p.proxy.AtCommit(1, faultproxy.StallAnswer)
			answer := make(chan error, 1)
			go func() { answer <- p.insert(context.Background(), "COMMIT", 1) }()
			<-fired
			if !p.has(t, 1) {
				t.Error("the row is not there")
			}
			select {
			case err := <-answer:
				t.Errorf("the client was answered: %v", err)
			case <-time.After(100 * time.Millisecond):
			}
			if p.proxy.Cut() == 0 {
				t.Error("no connection to cut")
			}
			if err := <-answer; err == nil {
				t.Error("the client was told of success")
			}
		})
	}
}

// What stalls arrives later; in one direction only, the server gets what the
// client hears nothing of.
func TestStall(t *testing.T) {
	for _, k := range testdb.Targets() {
		t.Run(string(k), func(t *testing.T) {
			p := newPlace(t, k)
			for i, d := range []faultproxy.Direction{faultproxy.ToServer, faultproxy.ToClient} {
				must(t, p.through.Ping())
				p.proxy.Shape(d, faultproxy.Shape{Stall: true})
				answer := make(chan error, 1)
				go func() {
					_, err := p.through.Exec(fmt.Sprintf("INSERT INTO t VALUES (%d)", i))
					answer <- err
				}()
				if d == faultproxy.ToClient {
					for !p.has(t, i) {
						time.Sleep(time.Millisecond)
					}
				}
				select {
				case err := <-answer:
					t.Errorf("answered while stalled: %v", err)
				case <-time.After(100 * time.Millisecond):
				}
				if d == faultproxy.ToServer && p.has(t, i) {
					t.Error("a stalled statement arrived")
				}
				p.proxy.Shape(d, faultproxy.Shape{})
				must(t, <-answer)
			}
		})
	}
}

// An encrypted connection passes, and is said to be blind.
func TestBlind(t *testing.T) {
	ours := testdb.NewAuthority(t)
	s := testdb.Start(t, testdb.MySQL97, testdb.TLS(ours.Server(t, "localhost")))
	p := faultproxy.Start(t, s, 1)
	c := mysql.NewConfig()
	c.User, c.Net, c.Addr = "root", "tcp", p.Address()
	c.TLS = &tls.Config{InsecureSkipVerify: true}
	connector, err := mysql.NewConnector(c)
	must(t, err)
	db := sql.OpenDB(connector)
	defer db.Close()
	must(t, db.Ping())
	if p.Blind() != 1 {
		t.Errorf("%d blind connections", p.Blind())
	}
}

// Half open: the server never learns that the client has gone.
func TestSwallow(t *testing.T) {
	l, clients := listen(t)
	p := proxyTo(t, l)
	client, err := net.Dial("tcp", p.Address())
	must(t, err)
	server := <-clients
	say(t, client, "before")
	hear(t, server, "before")
	p.ShapeBoth(faultproxy.Shape{Swallow: true})
	say(t, client, "lost")
	must(t, client.Close())
	for p.Lost() < 4 {
		time.Sleep(time.Millisecond)
	}
	p.ShapeBoth(faultproxy.Shape{})
	// A timeout, not the end.
	must(t, server.SetReadDeadline(time.Now().Add(200*time.Millisecond)))
	if n, err := server.Read(make([]byte, 10)); n != 0 || !isTimeout(err) {
		t.Errorf("the server read %d bytes, %v", n, err)
	}
}

func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}

// Exactly as much passes as was said before a connection is reset.
func TestAtByteAndPattern(t *testing.T) {
	for name, arm := range map[string]func(*faultproxy.Proxy) <-chan struct{}{
		"byte":    func(p *faultproxy.Proxy) <-chan struct{} { return p.AtByte(faultproxy.ToServer, 7) },
		"pattern": func(p *faultproxy.Proxy) <-chan struct{} { return p.AtPattern(faultproxy.ToServer, "defg") },
	} {
		t.Run(name, func(t *testing.T) {
			l, clients := listen(t)
			p := proxyTo(t, l)
			fired := arm(p)
			client, err := net.Dial("tcp", p.Address())
			must(t, err)
			server := <-clients
			for _, part := range []string{"abc", "de", "fghi"} {
				say(t, client, part)
				if part != "fghi" {
					hear(t, server, part)
				}
			}
			<-fired
			got, err := io.ReadAll(server)
			if !errors.Is(err, syscall.ECONNRESET) || string(got) != "fg" {
				t.Errorf("the server got %q, %v", got, err)
			}
			if _, err := io.ReadAll(client); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the client ended with %v", err)
			}
		})
	}
}

// Refused connections are refused as by a server that is not there.
func TestRefuse(t *testing.T) {
	l, clients := listen(t)
	p := proxyTo(t, l)
	there, err := net.Dial("tcp", p.Address())
	must(t, err)
	server := <-clients
	must(t, p.Refuse(true))
	if _, err := net.Dial("tcp", p.Address()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("refused with %v", err)
	}
	say(t, there, "still")
	hear(t, server, "still")
	must(t, p.Refuse(false))
	other, others := listen(t)
	p.SetTarget(other.Addr().String())
	again, err := net.Dial("tcp", p.Address())
	must(t, err)
	say(t, again, "new")
	hear(t, <-others, "new")
	if open, ever := p.Connections(); open != 2 || ever != 2 {
		t.Errorf("%d connections open, %d ever", open, ever)
	}
}

// However badly bytes pass, they pass whole and in order, both ways.
func TestShapesKeepBytes(t *testing.T) {
	sent := make([]byte, 1<<20)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range sent {
		sent[i] = byte(random.Uint32())
	}
	for name, s := range map[string]faultproxy.Shape{
		"loss":      {Loss: 0.3, Retransmit: time.Millisecond},
		"delay":     {Delay: 20 * time.Millisecond},
		"bandwidth": {Bandwidth: 8 << 20},
		"all":       {Loss: 0.3, Retransmit: time.Millisecond, Delay: 3 * time.Millisecond, Bandwidth: 16 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			l, clients := listen(t)
			p := proxyTo(t, l)
			p.ShapeBoth(s)
			client, err := net.Dial("tcp", p.Address())
			must(t, err)
			server := <-clients
			go func() {
				_, _ = io.Copy(server, server)
				_ = server.(*net.TCPConn).CloseWrite()
			}()
			go func() {
				_, _ = client.Write(sent)
				_ = client.(*net.TCPConn).CloseWrite()
			}()
			got, err := io.ReadAll(client)
			if err != nil || !bytes.Equal(got, sent) {
				t.Errorf("%d bytes came back, %v", len(got), err)
			}
		})
	}
}

func listen(t *testing.T) (net.Listener, <-chan net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { l.Close() })
	conns := make(chan net.Conn, 10)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns <- c
		}
	}()
	return l, conns
}

func proxyTo(t *testing.T, l net.Listener) *faultproxy.Proxy {
	t.Helper()
	p, err := faultproxy.New(l.Addr().String(), faultproxy.Opaque, 1)
	must(t, err)
	t.Cleanup(p.Close)
	return p
}

func say(t *testing.T, c net.Conn, text string) {
	t.Helper()
	_, err := c.Write([]byte(text))
	must(t, err)
}

func hear(t *testing.T, c net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
		t.Fatalf("heard %q, %v; want %q", got, err, want)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

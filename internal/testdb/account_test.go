package testdb_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"fmt"
	"net"
	"os"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/rowferry/rowferry/internal/testdb"
)

// login connects with a driver of the flavor: by TCP, or by the socket if
// network is unix.
func login(t *testing.T, s *testdb.Server, a testdb.Account, network string, secure *tls.Config) error {
	t.Helper()
	address := fmt.Sprintf("127.0.0.1:%d", s.Port)
	if network == "unix" {
		address = s.Socket()
	}
	var db *sql.DB
	if s.Kind.Flavor() == testdb.Postgres {
		c, err := pgx.ParseConfig("")
		must(t, err)
		c.Host, c.Port, c.User, c.Password, c.Database = "127.0.0.1", uint16(s.Port), a.User, a.Password, "postgres"
		c.TLSConfig, c.Fallbacks = secure, nil
		c.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, address)
		}
		db = stdlib.OpenDB(*c)
	} else {
		c := mysql.NewConfig()
		c.User, c.Passwd, c.Net, c.Addr, c.TLS = a.User, a.Password, network, address, secure
		c.Logger = &mysql.NopLogger{}
		connector, err := mysql.NewConnector(c)
		must(t, err)
		db = sql.OpenDB(connector)
	}
	defer db.Close()
	return db.PingContext(t.Context())
}

func trust(t *testing.T, a *testdb.Authority, name string) *tls.Config {
	t.Helper()
	pem, err := os.ReadFile(a.File)
	must(t, err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return &tls.Config{RootCAs: pool, ServerName: name, MinVersion: tls.VersionTLS12}
}

// Every plugin lets in who knows the password, by TCP with and without TLS and
// by the socket, and nobody else. Certificates that do not fit are refused.
func TestLogin(t *testing.T) {
	ours, theirs := testdb.NewAuthority(t), testdb.NewAuthority(t)
	for _, k := range testdb.Targets() {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			opts := []testdb.Option{testdb.TLS(ours.Server(t, "localhost", "127.0.0.1"))}
			if k.Flavor() == testdb.MariaDB {
				opts = append(opts, testdb.WithEd25519())
			}
			s := testdb.Start(t, k, opts...)
			for _, p := range k.Plugins() {
				a := testdb.Account{User: "u " + string(p), Password: testdb.Awkward, Plugin: p}
				wrong := a
				wrong.Password += "x"
				for i, secure := range []*tls.Config{nil, trust(t, ours, "localhost")} {
					must(t, s.CreateAccount(t.Context(), a)) // again, so that nothing is cached
					if err := login(t, s, wrong, "tcp", secure); err == nil {
						t.Errorf("%s, TLS %d: the wrong password is let in", p, i)
					}
					must(t, login(t, s, a, "tcp", secure))
				}
				must(t, login(t, s, a, "unix", nil))
				for name, secure := range map[string]*tls.Config{
					"another name": trust(t, ours, "elsewhere.example"), "another authority": trust(t, theirs, "localhost"),
				} {
					if err := login(t, s, a, "tcp", secure); err == nil {
						t.Errorf("%s: a certificate of %s is taken", p, name)
					}
				}
			}
		})
	}
}

// Accounts can demand TLS or a certificate.
func TestRequirements(t *testing.T) {
	ours := testdb.NewAuthority(t)
	cert, key := ours.Client(t, "client")
	pair, err := tls.LoadX509KeyPair(cert, key)
	must(t, err)
	for _, k := range testdb.Targets() {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			s := testdb.Start(t, k, testdb.TLS(ours.Server(t, "localhost")))
			plain, with := trust(t, ours, "localhost"), trust(t, ours, "localhost")
			with.Certificates = []tls.Certificate{pair}
			for _, c := range []struct {
				require testdb.Requirement
				ok      []*tls.Config
				refused []*tls.Config
			}{
				{testdb.NoRequirement, []*tls.Config{nil, plain, with}, nil},
				{testdb.RequireTLS, []*tls.Config{plain, with}, []*tls.Config{nil}},
				{testdb.RequireCertificate, []*tls.Config{with}, []*tls.Config{nil, plain}},
			} {
				a := testdb.Account{User: fmt.Sprintf("r'%d", c.require), Password: "p", Plugin: k.Plugins()[0], Require: c.require}
				must(t, s.CreateAccount(t.Context(), a))
				for _, secure := range c.ok {
					if err := login(t, s, a, "tcp", secure); err != nil {
						t.Errorf("requirement %d: %v", c.require, err)
					}
				}
				for _, secure := range c.refused {
					if err := login(t, s, a, "tcp", secure); err == nil {
						t.Errorf("requirement %d lets in without", c.require)
					}
				}
			}
		})
	}
}

// A server without TLS, and one whose certificate has expired, do not get past
// a client that insists.
func TestNoTrust(t *testing.T) {
	ours := testdb.NewAuthority(t)
	for _, k := range testdb.Targets() {
		for name, o := range map[string]testdb.Option{
			"without": testdb.WithoutTLS(), "expired": testdb.TLS(ours.Expired(t, "localhost")),
		} {
			s := testdb.Start(t, k, testdb.Private(), o)
			a := testdb.Account{User: "u", Password: "p", Plugin: k.Plugins()[0]}
			must(t, s.CreateAccount(t.Context(), a))
			must(t, login(t, s, a, "tcp", nil))
			if err := login(t, s, a, "tcp", trust(t, ours, "localhost")); err == nil {
				t.Errorf("%s, %s: TLS was made", k, name)
			}
		}
	}
}

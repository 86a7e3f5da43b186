package mysql

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	bignum "math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/connect"
	"github.com/rowferry/rowferry/internal/testdb"
)

const password = "c4nary p@ss/w:rd'%"

// authority makes certificates that no system trusts.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	dir  string
}

func newAuthority(t testing.TB, dir string) *authority {
	t.Helper()
	a := &authority{dir: dir}
	var err error
	a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	a.cert = &x509.Certificate{
		SerialNumber: bignum.NewInt(1), Subject: pkix.Name{CommonName: "an authority"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.write(t, "ca", a.cert, a.key)
	return a
}

// write makes a certificate and writes it and its key into name.pem and
// name.key.
func (a *authority) write(t testing.TB, name string, cert *x509.Certificate, key *ecdsa.PrivateKey) {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, cert, a.cert, &key.PublicKey, a.key)
	must(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(a.dir, name+".pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644))
	must(t, os.WriteFile(filepath.Join(a.dir, name+".key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o644))
}

func (a *authority) server(t testing.TB) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	a.write(t, "server", &x509.Certificate{
		SerialNumber: bignum.NewInt(2), Subject: pkix.Name{CommonName: "a server"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"db.example"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}, key)
}

// encrypting starts a server that offers TLS.
func encrypting(t testing.TB, k testdb.Kind) (*testdb.Server, *authority) {
	t.Helper()
	if k.Flavor() == testdb.MariaDB {
		a := newAuthority(t, t.TempDir())
		a.server(t)
		return testdb.Start(t, k, testdb.Private(), testdb.Arg("ssl_ca="+a.dir+"/ca.pem"), testdb.Arg("ssl_cert="+a.dir+"/server.pem"), testdb.Arg("ssl_key="+a.dir+"/server.key")), a
	}
	s := testdb.Start(t, k, testdb.Private())
	files, err := s.BinlogFiles()
	must(t, err)
	a := newAuthority(t, filepath.Join(filepath.Dir(filepath.Dir(files[0])), "data"))
	a.server(t)
	must(t, s.Exec(t.Context(), "SET GLOBAL ssl_ca='ca.pem', ssl_cert='server.pem', ssl_key='server.key'", "ALTER INSTANCE RELOAD TLS"))
	return s, a
}

// TestLiveLogin logs in with every plugin, with and without TLS.
func TestLiveLogin(t *testing.T) {
	kinds := []testdb.Kind{testdb.MySQL97, testdb.MariaDB1011}
	plugins := map[testdb.Kind][]string{
		testdb.MySQL97:     {"caching_sha2_password"},
		testdb.MariaDB1011: {"mysql_native_password"},
		testdb.MariaDB11:   {"mysql_native_password", "ed25519"},
	}
	if testdb.Soak() {
		kinds = append(kinds, testdb.MariaDB11)
	}
	for _, k := range kinds {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			var s *testdb.Server
			var a *authority
			if k == testdb.MariaDB11 { // in a root directory of its own, it makes its certificate itself
				s = testdb.Start(t, k, testdb.Private())
				must(t, s.Exec(t.Context(), "INSTALL SONAME 'auth_ed25519'"))
			} else {
				s, a = encrypting(t, k)
			}
			quoted := strings.ReplaceAll(password, "'", "''")
			for i, plugin := range plugins[k] {
				user := fmt.Sprint("user", i)
				how := fmt.Sprintf("IDENTIFIED WITH %s BY '%s'", plugin, quoted)
				if k.Flavor() == testdb.MariaDB {
					how = fmt.Sprintf("IDENTIFIED VIA %s USING PASSWORD('%s')", plugin, quoted)
				}
				rights := "REPLICATION SLAVE, REPLICATION CLIENT"
				must(t, s.Exec(t.Context(), fmt.Sprintf("CREATE USER %s@'127.0.0.1' %s", user, how), fmt.Sprintf("GRANT %s ON *.* TO %s@'127.0.0.1'", rights, user)))
				e := endpoint(t, s, user)
				e.Password = connect.NewSecret(password)
				ways := map[string]connect.TLS{"plain": {Mode: connect.TLSDisable}}
				if a != nil {
					ways["verify-full"] = connect.TLS{Mode: connect.TLSVerifyFull, CA: a.dir + "/ca.pem"}
					ways["another name"] = connect.TLS{Mode: connect.TLSVerifyFull, CA: a.dir + "/ca.pem", ServerName: "db.example"}
					ways["verify-ca"] = connect.TLS{Mode: connect.TLSVerifyCA, CA: a.dir + "/ca.pem", ServerName: "whatever.example"}
				}
				for way, tls := range ways {
					e.TLS = tls
					// The first time in full, then as the server remembers it.
					for range 2 {
						if res := readFrom(Live(LiveOptions{Endpoint: e, Once: true}), rowferry.Start{}); res.err != nil || len(res.txs) == 0 {
							t.Errorf("%s, %s: %d transactions, %v", plugin, way, len(res.txs), res.err)
						}
					}
				}
			}
		})
	}
}

// TestLiveRefusals is refused, and says by which code.
func TestLiveRefusals(t *testing.T) {
	for _, k := range []testdb.Kind{testdb.MySQL97, testdb.MariaDB1011} {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			s, a := encrypting(t, k)
			stranger := newAuthority(t, t.TempDir())
			must(t, s.Exec(t.Context(), "CREATE USER u@'127.0.0.1' IDENTIFIED BY '"+strings.ReplaceAll(password, "'", "''")+"'",
				"CREATE USER nobody@'127.0.0.1'", "CREATE USER client@'127.0.0.1'", "GRANT REPLICATION CLIENT ON *.* TO client@'127.0.0.1'"))
			quiet, err := net.Listen("tcp", "127.0.0.1:0")
			must(t, err)
			defer quiet.Close()
			good := endpoint(t, s, "root")
			for name, c := range map[string]struct {
				change func(*connect.Endpoint)
				code   rowferry.Code
			}{
				"wrong password":     {func(e *connect.Endpoint) { e.User, e.Password = "u", connect.NewSecret("wrong "+password) }, rowferry.CodeSourceDenied},
				"no such user":       {func(e *connect.Endpoint) { e.User, e.Password = "who", connect.NewSecret(password) }, rowferry.CodeSourceDenied},
				"no privilege":       {func(e *connect.Endpoint) { e.User = "nobody" }, rowferry.CodeSourceDenied},
				"may list, not read": {func(e *connect.Endpoint) { e.User = "client" }, rowferry.CodeSourceDenied},
				"wrong authority": {func(e *connect.Endpoint) {
					e.TLS = connect.TLS{Mode: connect.TLSVerifyFull, CA: stranger.dir + "/ca.pem"}
				}, rowferry.CodeBadTLS},
				"wrong name": {func(e *connect.Endpoint) {
					e.TLS = connect.TLS{Mode: connect.TLSVerifyFull, CA: a.dir + "/ca.pem", ServerName: "other.example"}
				}, rowferry.CodeBadTLS},
				"nobody there": {func(e *connect.Endpoint) { e.Port = 1 }, rowferry.CodeSourceAway},
				"silence":      {func(e *connect.Endpoint) { e.Port, e.Timeout = quiet.Addr().(*net.TCPAddr).Port, 100*time.Millisecond }, rowferry.CodeSourceAway},
				"no socket":    {func(e *connect.Endpoint) { e.Socket = "/does/not/exist" }, rowferry.CodeSourceAway},
			} {
				e := good
				c.change(&e)
				res := readFrom(Live(LiveOptions{Endpoint: e, Once: true}), rowferry.Start{})
				if rowferry.CodeOf(res.err) != c.code || strings.Contains(fmt.Sprintf("%+v", res.err), "c4nary") {
					t.Errorf("%s: %v, want %s", name, res.err, c.code)
				}
			}
		})
	}
}

// TestLiveHostile meets a server without TLS where there has to be one, one that
// asks for the password in plain, and one that makes no sense.
func TestLiveHostile(t *testing.T) {
	for name, c := range map[string]struct {
		tls   string
		reply string // to the login
		code  rowferry.Code
	}{
		"no TLS":         {connect.TLSVerifyCA, "", rowferry.CodeBadTLS},
		"plain password": {connect.TLSDisable, "\xfemysql_clear_password\x00", rowferry.CodeSourceDenied},
		"nonsense":       {connect.TLSDisable, "\xfemysql_native_password\x00\x01", rowferry.CodeSourceAway},
		"no key":         {connect.TLSDisable, "\x01\x04", rowferry.CodeSourceAway},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			must(t, err)
			heard := make(chan []byte, 1)
			go func() { heard <- impostor(l, c.reply) }()
			e := connect.Endpoint{Scheme: "mysql", Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, User: "u", Password: connect.NewSecret(password), TLS: connect.TLS{Mode: c.tls}, Timeout: 5 * time.Second}
			_, err = Live(LiveOptions{Endpoint: e}).Open(t.Context(), rowferry.Start{})
			if rowferry.CodeOf(err) != c.code {
				t.Errorf("%v, want %s", err, c.code)
			}
			must(t, l.Close())
			if b := <-heard; strings.Contains(string(b), password) {
				t.Errorf("the password was sent: %q", b)
			}
		})
	}
}

// impostor plays a server without TLS for one connection and returns what it
// was sent.
func impostor(l net.Listener, reply string) (heard []byte) {
	const capabilities = 0x00000200 | 0x00008000 | 0x00080000 // protocol 4.1, secure connection, plugins
	c, err := l.Accept()
	if err != nil {
		return nil
	}
	defer c.Close()
	send := func(number byte, b string) {
		_, _ = c.Write(append([]byte{byte(len(b)), byte(len(b) >> 8), 0, number}, b...)) // the client may be gone
	}
	send(0, "\x0a9.7.0\x00\x01\x00\x00\x0012345678\x00"+string([]byte{capabilities & 0xff, capabilities >> 8 & 0xff, 45, 2, 0, capabilities >> 16, 0, 21})+
		strings.Repeat("\x00", 10)+"123456789012\x00caching_sha2_password\x00")
	b := make([]byte, 4096)
	for number := byte(2); ; number += 2 {
		n, err := c.Read(b)
		heard = append(heard, b[:n]...)
		if err != nil {
			return heard
		}
		if reply == "\x01\x04" && number > 2 {
			send(number, "\x01no key")
			continue
		}
		send(number, reply)
	}
}

package e2e

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rowferry/rowferry/internal/testdb"
)

// bench is one server that connections are tried on.
type bench struct {
	kind         testdb.Kind
	ours, theirs *testdb.Authority
	server       *testdb.Server // with a certificate of ours for localhost
	expired      *testdb.Server // with one that was
	without      *testdb.Server // without TLS
}

// line is a pipeline with the bench's server at one end, and one at the other
// that is sure to be reached.
type line struct {
	t        *testing.T
	bench    *bench
	role     string // "source" or "target": what the bench's server is
	dir      string
	database string         // on the bench's server
	other    map[string]any // the other end's configuration
	insert   func()         // adds a row to the source
	rows     int64          // in the source
	count    func() int64   // rows in the target
	denied   string         // code of a refused login
	canary   string         // is in every password of the line, and must be nowhere else
	grants   []string
}

// TestConnections reaches servers in every way there is, as source and as
// target, and is kept from those that cannot be trusted.
func TestConnections(t *testing.T) {
	besideOthers(t)
	for _, k := range testdb.Targets() {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			b := &bench{kind: k, ours: testdb.NewAuthority(t), theirs: testdb.NewAuthority(t)}
			opts := []testdb.Option{testdb.TLS(b.ours.Server(t, "localhost"))}
			if k.Flavor() == testdb.MariaDB {
				opts = append(opts, testdb.WithEd25519())
			}
			b.server = testdb.Start(t, k, opts...)
			b.expired = testdb.Start(t, k, testdb.TLS(b.ours.Expired(t, "localhost")))
			b.without = testdb.Start(t, k, testdb.WithoutTLS())
			for _, role := range []string{"source", "target"} {
				if role == "source" && k.Flavor() == testdb.Postgres {
					continue
				}
				t.Run(role, func(t *testing.T) {
					l := b.line(t, role)
					l.account(testdb.Account{User: "tls_only", Require: testdb.RequireTLS})
					l.account(testdb.Account{User: "certified", Require: testdb.RequireCertificate})
					t.Run("tls", func(t *testing.T) { l.at(t).trust() })
					t.Run("logins", func(t *testing.T) { l.at(t).logins() })
					t.Run("passwords", func(t *testing.T) { l.at(t).passwords() })
					t.Run("canary", func(t *testing.T) { l.at(t).follow() })
				})
			}
		})
	}
}

// at is the same line for a test within the test.
func (l *line) at(t *testing.T) *line {
	l.t = t
	return l
}

func (b *bench) line(t *testing.T, role string) *line {
	l := &line{t: t, bench: b, role: role, dir: t.TempDir(), denied: "RF-2025", canary: fmt.Sprintf("canary%sfor%d", role, b.server.Port)}
	if role == "source" {
		database, db := testdb.NewDatabase(t, b.server)
		g := newGoal(t, sqliteKind, database)
		l.database, l.other = database, map[string]any{"url": g.url}
		l.grants = []string{"REPLICATION SLAVE, REPLICATION CLIENT ON *.*", "SELECT ON " + database + ".*"}
		l.insert = func() { l.exec(db, "INSERT INTO item VALUES ()") }
		l.count = func() int64 { return g.intOf(l.t, "SELECT COUNT(*) FROM item") }
		l.exec(db, "CREATE TABLE item (id BIGINT AUTO_INCREMENT PRIMARY KEY)")
		return l
	}
	l.denied = "RF-3015"
	source := testdb.Start(t, testdb.MariaDB1011)
	from, db := testdb.NewDatabase(t, source)
	g := &goal{kind: b.kind, server: b.server}
	l.database, g.db = testdb.NewDatabase(t, b.server)
	l.grants = []string{"ALL ON " + l.database + ".*"}
	if b.kind.Flavor() == testdb.Postgres {
		g.ns = from + "."
		l.grants = nil // see account
	}
	l.other = map[string]any{"url": source.URL(from)}
	l.insert = func() { l.exec(db, "INSERT INTO item VALUES ()") }
	l.count = func() int64 { return g.intOf(l.t, "SELECT COUNT(*) FROM "+g.ns+"item") }
	l.exec(db, "CREATE TABLE item (id BIGINT AUTO_INCREMENT PRIMARY KEY)")
	return l
}

// exec runs a statement.
func (l *line) exec(db *sql.DB, statement string) {
	l.t.Helper()
	if _, err := db.ExecContext(l.t.Context(), statement); err != nil {
		l.t.Fatalf("%s: %v", statement, err)
	}
}

// account makes an account that may do what its role needs.
func (l *line) account(a testdb.Account) testdb.Account {
	l.t.Helper()
	a.User = l.role + "_" + a.User
	a.Password = testdb.Awkward + l.canary
	if a.Plugin == "" {
		a.Plugin = l.bench.kind.Plugins()[0]
	}
	a.Grants = l.grants
	if err := l.bench.server.CreateAccount(l.t.Context(), a); err != nil {
		l.t.Fatal(err)
	}
	if l.bench.kind.Flavor() == testdb.Postgres { // where only a table's owner may lock it
		if err := l.bench.server.Exec(l.t.Context(), "ALTER ROLE "+l.bench.server.Quote(a.User)+" SUPERUSER"); err != nil {
			l.t.Fatal(err)
		}
	}
	return a
}

// attempt is one connection that is tried.
type attempt struct {
	name   string
	user   string // without the role
	host   string // "" is localhost
	tls    map[string]any
	strips bool           // somebody in between takes TLS out of what the server offers
	server *testdb.Server // nil is the bench's
	more   map[string]any // further keys of the configuration
	env    []string       // of the engine
	code   string         // what it is refused with; "" is not refused
	plain  bool           // user and statements may be read on the way
	url    func(port int, user string) string
	whole  string // a variable of the environment for that URL; the file has none
}

// try runs a pipeline until it has caught up, and listens.
func (l *line) try(a attempt) {
	l.t.Helper()
	server := a.server
	if server == nil {
		server = l.bench.server
	}
	tap := tapped(l.t, server, a.strips)
	l.insert()
	l.rows++
	if a.whole != "" {
		a.env = append(a.env, a.whole+"="+a.url(tap.port, l.role+"_"+a.user))
	}
	c := call{tag: shipped(), env: append(a.env, "TMPDIR="+l.dir), args: l.args(l.configured(a, tap.port), "--once")}
	o := c.run(l.t)
	heard := tap.hangUp(l.t)
	output := o.stdout + o.stderr
	switch {
	case a.code == "" && (o.code != 0 || l.count() != l.rows):
		l.t.Errorf("%s: exit %d, want %d rows\n%s", a.name, o.code, l.rows, output)
	case a.code != "" && (o.code != 2 || !strings.Contains(output, a.code)):
		l.t.Errorf("%s: exit %d, want 2 and %s\n%s", a.name, o.code, a.code, output)
	}
	if bytes.Contains(heard, []byte(l.canary)) {
		l.t.Errorf("%s: the password was sent as it is", a.name)
	}
	if !a.plain && bytes.Contains(heard, []byte(l.role+"_"+a.user)) {
		l.t.Errorf("%s: the user's name was sent as it is: %q", a.name, heard)
	}
	if a.code == "" && a.url == nil && len(heard) == 0 {
		l.t.Errorf("%s: the tap heard nothing", a.name)
	}
	l.requireSilence(a.name, output)
}

// configured writes the configuration of an attempt and returns its path.
func (l *line) configured(a attempt, port int) string {
	l.t.Helper()
	host := a.host
	if host == "" {
		host = "localhost"
	}
	u := url.URL{Scheme: string(l.bench.kind.Flavor()), User: url.User(l.role + "_" + a.user), Host: host + ":" + strconv.Itoa(port), Path: "/" + l.database}
	end := map[string]any{"url": u.String()}
	if a.url != nil && a.whole == "" {
		end["url"] = a.url(port, l.role+"_"+a.user)
	}
	if a.tls != nil {
		end["tls"] = a.tls
	}
	if a.more == nil {
		a.more = map[string]any{"password_file": l.secret("pw", testdb.Awkward+l.canary+"\n")}
	}
	for k, v := range a.more {
		end[k] = v
	}
	ends := map[string]any{"source": l.other, "target": l.other}
	ends[l.role] = end
	ends["name"], ends["state"] = "conns", "state"
	text, err := json.Marshal(ends) // which is YAML, too
	if err != nil {
		l.t.Fatal(err)
	}
	return l.secret("conns.yaml", string(text))
}

// secret writes a file that may hold a password.
func (l *line) secret(name, text string) string {
	l.t.Helper()
	path := filepath.Join(l.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
	return path
}

func (l *line) args(config string, more ...string) []string {
	return append([]string{"run", "--config", config, "--from", "earliest", "--patience", "0s", "--log-level", "debug"}, more...)
}

// full is verify-full by an authority, and more keys as pairs.
func full(a *testdb.Authority, more ...string) map[string]any {
	m := map[string]any{"mode": "verify-full", "ca": a.File}
	for i := 0; i < len(more); i += 2 {
		m[more[i]] = more[i+1]
	}
	return m
}

// trust tries who may be trusted: nothing that is said to others can be read.
func (l *line) trust() {
	b := l.bench
	cert, key := b.ours.Client(l.t, "client")
	const badTLS = "RF-1013"
	for _, a := range []attempt{
		{name: "right name and authority", tls: full(b.ours)},
		{name: "another host", host: "127.0.0.1", tls: full(b.ours), code: badTLS},
		{name: "server_name", host: "127.0.0.1", tls: full(b.ours, "server_name", "localhost")},
		{name: "wrong server_name", tls: full(b.ours, "server_name", "elsewhere.example"), code: badTLS},
		{name: "wrong authority", tls: full(b.theirs), code: badTLS},
		{name: "the system's authorities", tls: map[string]any{"mode": "verify-full"}, code: badTLS},
		{name: "verify-ca, another host", host: "127.0.0.1", tls: full(b.ours, "mode", "verify-ca")},
		{name: "verify-ca, wrong authority", tls: full(b.theirs, "mode", "verify-ca"), code: badTLS},
		{name: "expired", server: b.expired, tls: full(b.ours), code: badTLS},
		{name: "verify-ca, expired", server: b.expired, tls: full(b.ours, "mode", "verify-ca"), code: badTLS},
		{name: "no TLS", server: b.without, tls: full(b.ours), code: badTLS},
		{name: "verify-ca, no TLS", server: b.without, tls: full(b.ours, "mode", "verify-ca"), code: badTLS},
		{name: "downgraded", strips: true, tls: full(b.ours), code: badTLS},
		{name: "verify-ca, downgraded", strips: true, tls: full(b.ours, "mode", "verify-ca"), code: badTLS},
		{name: "not asked for, and demanded", plain: true, code: l.denied},
		{name: "client's certificate", user: "certified", tls: full(b.ours, "cert", cert, "key", key)},
		{name: "no client's certificate", user: "certified", tls: full(b.ours), code: l.denied},
	} {
		if a.user == "" {
			a.user = "tls_only"
		}
		l.try(a)
	}
}

// requireSilence wants the password in nothing that was printed or written.
func (l *line) requireSilence(what, output string) {
	l.t.Helper()
	if strings.Contains(output, l.canary) {
		l.t.Errorf("%s: the password was printed:\n%s", what, output)
	}
	for _, name := range filesWith(l.t, l.dir, l.canary) {
		if base := filepath.Base(name); base != "pw" && base != "conns.yaml" {
			l.t.Errorf("%s: the password is in %s", what, name)
		}
	}
}

// filesWith returns the regular files below a directory that hold a text. A
// running engine may remove some meanwhile.
func filesWith(t *testing.T, dir, text string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte(text)) {
			found = append(found, path)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return found
}

package testdb

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// shared holds the servers that tests of this process share, by kind and
// options, while Main runs.
var shared struct {
	sync.Mutex
	on      bool
	servers map[string]*Server
}

// Main runs a package's tests with servers shared between them and ends the
// process: func TestMain(m *testing.M) { testdb.Main(m) }.
func Main(m *testing.M) {
	shared.Lock()
	shared.on, shared.servers = true, map[string]*Server{}
	shared.Unlock()
	code := m.Run()
	shared.Lock()
	defer shared.Unlock()
	for _, s := range shared.servers {
		if err := s.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// Start returns a running server and logs its version. Under Main it is shared
// with every test that asks for the same kind and options, unless they include
// Private; otherwise it ends with the test. Without the server the test fails.
func Start(t testing.TB, k Kind, opts ...Option) *Server {
	t.Helper()
	s, err := startShared(k, opts)
	if err == nil && s == nil {
		if s, err = Launch(context.Background(), k, opts...); err == nil {
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: version %s, comment %q, port %d", k, s.Version, s.Comment, s.Port)
	return s
}

// startShared returns the shared server, or none if it is not to be shared.
func startShared(k Kind, opts []Option) (*Server, error) {
	shared.Lock()
	defer shared.Unlock()
	c := newConfig(k, opts)
	if !shared.on || c.private {
		return nil, nil
	}
	key := string(k) + "\x00" + c.key()
	if s := shared.servers[key]; s != nil {
		return s, nil
	}
	s, err := Launch(context.Background(), k, opts...)
	if err == nil {
		shared.servers[key] = s
	}
	return s, err
}

// droppedWithin is how long a database may take to go: it goes with its server anyway.
const droppedWithin = 30 * time.Second

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

// NewDatabase makes an empty database for the test, named after it, and a pool
// of sessions in it; both go when the test ends. What holds a database back, as a
// prepared transaction of a test that failed, holds it only for droppedWithin.
func NewDatabase(t testing.TB, s *Server) (name string, db *sql.DB) {
	t.Helper()
	prefix := notInNames.ReplaceAllString(strings.ToLower(t.Name()), "_")
	name, err := s.CreateDatabase(context.Background(), prefix[:min(len(prefix), 40)])
	if err != nil {
		t.Fatal(err)
	}
	if db, err = s.Open(name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		db.Close()
		ctx, cancel := context.WithTimeout(context.Background(), droppedWithin)
		defer cancel()
		// A test may have stopped its server on purpose.
		drop := "DROP DATABASE IF EXISTS " + s.Quote(name)
		if s.config.flavor == Postgres {
			_ = s.dropSlots(ctx, name)
			drop += " WITH (FORCE)" // though sessions of others be in it
		}
		_ = s.Exec(ctx, drop)
	})
	return name, db
}

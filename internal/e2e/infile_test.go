package e2e

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rowferry/rowferry/internal/testdb"
)

// thief is a server that answers statements by asking for a file of the
// client's, as LOCAL INFILE does
// (https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response_local_infile_request.html).
type thief struct {
	port    int
	wants   string   // the file
	answers []string // the statements, by their beginning, that are answered properly
	demand  string   // the answer to the login; "" lets everybody in

	listener net.Listener
	work     sync.WaitGroup
	mu       sync.Mutex
	asked    int
	heard    bytes.Buffer
}

// What a client may do, as the server's greeting and the client's answer say.
const (
	mayProtocol41 = 0x0200
	mayLocalFiles = 0x0080
	maySecure     = 0x8000
	mayPlugins    = 0x0008_0000
)

func newThief(t *testing.T, f *thief) *thief {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.port, f.listener = l.Addr().(*net.TCPAddr).Port, l
	serve := f.serve
	if strings.HasPrefix(f.demand, "R") {
		serve = f.servePostgres
	}
	f.work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // it was closed
			}
			f.work.Go(func() { serve(c) })
		}
	})
	return f
}

// flee ends the server, and returns how often it asked and what it was told.
func (f *thief) flee(t *testing.T) (asked int, heard []byte) {
	t.Helper()
	if err := f.listener.Close(); err != nil {
		t.Error(err)
	}
	f.work.Wait()
	return f.asked, f.heard.Bytes()
}

// serve talks to one client until it leaves.
func (f *thief) serve(c net.Conn) {
	defer c.Close()
	send := func(number byte, b string) {
		_, _ = c.Write(append([]byte{byte(len(b)), byte(len(b) >> 8), 0, number}, b...)) // the client may be gone
	}
	capabilities := binary.LittleEndian.AppendUint32(nil, mayProtocol41|mayLocalFiles|maySecure|mayPlugins)
	send(0, "\x0a8.4.0\x00\x01\x00\x00\x0012345678\x00"+string(capabilities[:2])+"\x2d\x02\x00"+string(capabilities[2:])+"\x15"+
		strings.Repeat("\x00", 10)+"123456789012\x00mysql_native_password\x00")
	const ok, end = "\x00\x00\x00\x02\x00\x00\x00", "\xfe\x00\x00\x02\x00"
	const column = "\x03def\x00\x00\x00\x01x\x00\x0c\x2d\x00\x00\x01\x00\x00\xfd\x00\x00\x00\x00\x00"
	for {
		number, b := f.listen(c)
		properly := len(b) > 0 && slices.ContainsFunc(f.answers, func(a string) bool { return strings.HasPrefix(string(b[1:]), a) })
		switch {
		case b == nil:
			return
		case number == 1 && f.demand != "":
			send(number+1, f.demand)
		case number > 0: // the login, or the file
			send(number+1, ok)
		case properly && strings.HasPrefix(string(b[1:]), "SELECT"): // a row of one text
			for i, p := range []string{"\x01", column, end, "\x0816777216", end} {
				send(byte(i+1), p)
			}
		case properly:
			send(1, ok)
		default:
			f.mu.Lock()
			f.asked++
			f.mu.Unlock()
			send(1, "\xfb"+f.wants)
		}
	}
}

// servePostgres answers whatever it is told first with its demand.
func (f *thief) servePostgres(c net.Conn) {
	defer c.Close()
	b := make([]byte, 4096)
	for {
		n, err := c.Read(b)
		f.mu.Lock()
		f.heard.Write(b[:n])
		f.asked++
		f.mu.Unlock()
		if err != nil {
			return
		}
		_, _ = c.Write([]byte(f.demand)) // the client may be gone
	}
}

// listen reads a packet, or returns nil.
func (f *thief) listen(c net.Conn) (number byte, b []byte) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(c, head); err != nil {
		return 0, nil
	}
	b = make([]byte, int(head[0])|int(head[1])<<8|int(head[2])<<16)
	if _, err := io.ReadFull(c, b); err != nil {
		return 0, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.heard.Write(b)
	return head[3], b
}

// TestLocalInfile: a server that asks for files gets none, whatever it is asked
// by, and the run ends.
func TestLocalInfile(t *testing.T) {
	besideOthers(t)
	const content = "what only this machine may know 77d1f0"
	wants := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(wants, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	source := testdb.Start(t, testdb.MariaDB1011)
	database, db := testdb.NewDatabase(t, source)
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE item (id INT PRIMARY KEY)"); err != nil {
		t.Fatal(err)
	}
	for _, role := range []string{"source", "target"} {
		for _, answers := range [][]string{nil, {"SET"}, {"SET", "SELECT @@max_allowed_packet"}} {
			f := newThief(t, &thief{wants: wants, answers: answers})
			url := fmt.Sprintf("mysql://u@127.0.0.1:%d/shop", f.port)
			args := []string{"run", "--once", "--from", "earliest", "--patience", "0s", "--name", "theft", "--state", filepath.Join(t.TempDir(), "state")}
			if role == "source" {
				args = append(args, "--source", url, "--target", "sqlite:"+filepath.Join(t.TempDir(), "target.db"))
			} else {
				args = append(args, "--source", source.URL(database), "--target", url)
			}
			o := run(t, args...)
			asked, heard := f.flee(t)
			if o.code == 0 || !strings.Contains(o.stderr, "RF-") {
				t.Errorf("%s, %q answered: exit %d\n%s", role, answers, o.code, o.stderr)
			}
			if asked == 0 || len(heard) == 0 {
				t.Errorf("%s, %q answered: it did not come to the question:\n%s", role, answers, o.stderr)
			}
			if bytes.Contains(heard, []byte(content)) || strings.Contains(o.stdout+o.stderr, content) {
				t.Errorf("%s, %q answered: the file was sent", role, answers)
			}
			t.Logf("%s, %q answered: asked %d times, exit %d: %.200s", role, answers, asked, o.code, o.stderr)
		}
	}
}

// TestPlainPassword: a server that asks for the password as it is gets none over
// a network without TLS, though that was allowed.
func TestPlainPassword(t *testing.T) {
	besideOthers(t)
	source := testdb.Start(t, testdb.MariaDB1011)
	database, _ := testdb.NewDatabase(t, source)
	const clearPassword, cleartext = "\xfemysql_clear_password\x00", "R\x00\x00\x00\x08\x00\x00\x00\x03"
	for _, c := range []struct{ role, scheme, demand, code string }{
		{"source", "mysql", clearPassword, "RF-2025"}, {"target", "mysql", clearPassword, "RF-3015"}, {"target", "postgres", cleartext, "RF-3015"},
	} {
		f := newThief(t, &thief{demand: c.demand})
		const password = "canary for nobody"
		dir := t.TempDir()
		other := map[string]any{"url": "sqlite:target.db"}
		if c.role == "target" {
			other["url"] = source.URL(database)
		}
		// Written so, the name is not known to be this machine's.
		end := map[string]any{"url": fmt.Sprintf("%s://u@LocalHost:%d/shop", c.scheme, f.port), "password_file": "pw", "tls": map[string]any{"mode": "disable"}}
		text, err := json.Marshal(map[string]any{"name": "plain", "state": "state", "source": other, "target": other, c.role: end})
		if err != nil {
			t.Fatal(err)
		}
		for name, content := range map[string]string{"plain.yaml": string(text), "pw": password} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		o := run(t, "run", "--once", "--from", "earliest", "--patience", "0s", "-c", filepath.Join(dir, "plain.yaml"))
		_, heard := f.flee(t)
		if len(heard) == 0 || bytes.Contains(heard, []byte(password)) {
			t.Errorf("%s %s was told %q", c.role, c.scheme, heard)
		}
		if o.code != 2 || !strings.Contains(o.stderr, c.code) || strings.Contains(o.stderr, password) {
			t.Errorf("%s %s: exit %d\n%s", c.role, c.scheme, o.code, o.stderr)
		}
	}
}

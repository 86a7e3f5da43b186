package e2e

import (
	"bytes"
	"encoding/binary"
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

func newThief(t *testing.T, wants string, answers []string) *thief {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &thief{port: l.Addr().(*net.TCPAddr).Port, wants: wants, answers: answers, listener: l}
	f.work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // it was closed
			}
			f.work.Go(func() { f.serve(c) })
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
			f := newThief(t, wants, answers)
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

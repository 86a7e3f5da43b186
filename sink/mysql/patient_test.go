package mysql_test

import (
	"bytes"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/schema"
	"github.com/rowferry/rowferry/sink/mysql"
)

// TestCompleteIsPatient: a key may take longer to make than an answer may take
// otherwise.
func TestCompleteIsPatient(t *testing.T) {
	onEach(t, func(t *testing.T, server *testdb.Server) {
		name, db := testdb.NewDatabase(t, server)
		sink := open(t, server, name, func(o *mysql.Options) { o.Endpoint.Timeout = time.Second })
		defer sink.Close()
		p := begin(t, sink)
		table := keyed("t", col("id", integer), col("p", integer), col("s", schema.Type{Kind: schema.Char, Length: 200, Charset: "utf8mb4", Collation: "utf8mb4_bin"}))
		table.ForeignKeys = []schema.ForeignKey{{Columns: []int{1}, Parent: table.Name, Referenced: []string{"id"}}}
		p.loads(table)
		const rows = 1 << 17
		mustExec(t, db, "INSERT INTO t VALUES (1, 1, REPEAT('x', 200))")
		for n := 1; n < rows; n *= 2 {
			mustExec(t, db, fmt.Sprintf("INSERT INTO t SELECT id + %d, %d - p, s FROM t", n, n+1))
		}
		began := time.Now()
		p.completes(table)
		t.Logf("took %s", time.Since(began))
		_, err := db.Exec("UPDATE t SET p = 0 WHERE id = 1")
		if err == nil {
			t.Error("the table is without its foreign key")
		}
	})
}

// TestCompleteIsWatched: an ALTER TABLE whose answer never comes is given up when
// the server is no longer at it.
func TestCompleteIsWatched(t *testing.T) {
	onEach(t, func(t *testing.T, server *testdb.Server) {
		name, _ := testdb.NewDatabase(t, server)
		port := keepAnswers(t, server.Port, []byte("ALTER TABLE"))
		sink := open(t, server, name, func(o *mysql.Options) {
			short(o)
			o.Endpoint.Host, o.Endpoint.Port = "127.0.0.1", port
		})
		defer sink.Close()
		p := begin(t, sink)
		table := keyed("t", col("id", integer), col("u", integer))
		table.Uniques = []schema.Index{{Name: "u", Columns: []int{1}}}
		p.loads(table)
		err := sink.Complete(t.Context(), shapesOf([]*schema.Table{table}), rowferry.Completion{Each: func(string) {}})
		code(t, err, rowferry.CodeTargetAway)
		again := open(t, server, name, nil)
		defer again.Close()
		q := &pipeline{t: t, sink: again, cp: p.cp}
		q.completes(table)
		q.must(inserted(table, i(1), i(1)))
		wants(t, q.try(inserted(table, i(2), i(1))), rowferry.CodeForeignRow)
	})
}

// keepAnswers returns the port of a proxy that gives no more answers to a
// connection once it has sent the words.
func keepAnswers(t *testing.T, port int, words []byte) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	pump := func(from, to net.Conn, pass func([]byte) bool) {
		buffer := make([]byte, 64<<10)
		for {
			n, err := from.Read(buffer)
			if err != nil || !pass(buffer[:n]) {
				return
			}
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
	}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return // closed
			}
			upstream, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
			if err != nil {
				client.Close()
				continue
			}
			kept := make(chan struct{})
			go func() {
				defer upstream.Close()
				pump(client, upstream, func(b []byte) bool {
					if bytes.Contains(b, words) {
						close(kept)
					}
					return true
				})
			}()
			go pump(upstream, client, func([]byte) bool {
				select {
				case <-kept:
					return false
				default:
					return true
				}
			})
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

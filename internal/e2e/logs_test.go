package e2e

import (
	"context"
	"database/sql"
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"

	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/internal/testdb/record"
)

// script records what statements, run in one session, leave in a log: one
// file per call of the pseudo statement "ROTATE".
func script(t *testing.T, k testdb.Kind, statements ...string) record.Recording {
	t.Helper()
	r := recordOnly(t, k, func(ctx context.Context, db *sql.DB) error {
		conn, err := db.Conn(ctx)
		if err != nil {
			return err
		}
		defer conn.Close()
		for _, q := range statements {
			if q == "ROTATE" {
				q = "FLUSH BINARY LOGS"
			}
			if _, err := conn.ExecContext(ctx, q); err != nil {
				return err
			}
		}
		return nil
	})
	return r
}

// expect adds to a recording what its server, which still runs, holds.
func expect(t *testing.T, r record.Recording) record.Recording {
	t.Helper()
	r.Expected = filepath.Join(filepath.Dir(r.Files[0]), "expected.txt")
	testdb.Dump(t, r.Server.URL(record.Database), r.Expected)
	return r
}

// recordOnly records without a dump, for what the judge of equality, like the
// program, refuses.
func recordOnly(t *testing.T, k testdb.Kind, fill func(context.Context, *sql.DB) error) record.Recording {
	t.Helper()
	s := testdb.Start(t, k, testdb.Private(), testdb.RowMetadata("FULL"))
	r, err := record.Record(t.Context(), s, t.TempDir(), record.Options{Fill: func(db *sql.DB) error { return fill(t.Context(), db) }})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// copyLogs copies files into a directory of the test, so that they can be
// damaged.
func copyLogs(t *testing.T, files []string) []string {
	t.Helper()
	dir := t.TempDir()
	var copies []string
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, filepath.Base(f))
		if err := os.WriteFile(to, data, 0o600); err != nil {
			t.Fatal(err)
		}
		copies = append(copies, to)
	}
	return copies
}

// rewrite replaces a file by what edit makes of it.
func rewrite(t *testing.T, path string, edit func([]byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, edit(data), 0o600); err != nil {
		t.Fatal(err)
	}
}

// The event header, https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_replication_binlog_event.html
const (
	headerSize = 19
	typeAt     = 4
	sizeAt     = 9
	crcSize    = 4
)

// eventAt returns the offset of the n-th event of the given type, counted
// from 0.
func eventAt(t *testing.T, log []byte, eventType byte, n int) int {
	t.Helper()
	for at := 4; at+headerSize <= len(log); at += int(binary.LittleEndian.Uint32(log[at+sizeAt:])) {
		if log[at+typeAt] != eventType {
			continue
		}
		if n--; n < 0 {
			return at
		}
	}
	t.Fatalf("the log has too few events of type %d", eventType)
	return 0
}

// seal writes the checksum of the event at an offset anew.
func seal(log []byte, at int) {
	size := int(binary.LittleEndian.Uint32(log[at+sizeAt:]))
	end := at + size - crcSize
	binary.LittleEndian.PutUint32(log[end:], crc32.ChecksumIEEE(log[at:end]))
}

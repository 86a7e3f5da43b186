package checkpoint

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

func FuzzParseKey(f *testing.F) {
	shape, err := shapeKey(schema.Name{Schema: "s", Table: "t"}, 7)
	if err != nil {
		f.Fatal(err)
	}
	for _, k := range [][]byte{{headKey}, markerKey(3), partKey(recordKey(4), 1), partKey(shape, 2), partKey(rulesKey([32]byte{1}), 3), {}} {
		f.Add(k)
	}
	f.Fuzz(func(t *testing.T, k []byte) {
		e, err := parseKey(k)
		if err != nil || e.kind != shapePrefix || len(e.name.Schema) > maxName || len(e.name.Table) > maxName {
			return
		}
		again, err := shapeKey(e.name, e.seq)
		if err != nil || !bytes.Equal(partKey(again, e.part), k) {
			t.Fatalf("%x is read as %+v, which is written as %x", k, e, again)
		}
	})
}

// FuzzDecodeValue feeds every decoder of stored values.
func FuzzDecodeValue(f *testing.F) {
	c, err := encodeCheckpoint(recordOf(1).Checkpoint, strings.Repeat("ab", 32))
	if err != nil {
		f.Fatal(err)
	}
	shape, err := json.Marshal(tableOf("a", 2))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(encodeBlob(blobCheckpoint, c))
	f.Add(encodeBlob(blobShape, shape))
	f.Add(encodeBlob(blobDropped, nil))
	f.Add(head{first: 1, pruned: 300}.encode())
	f.Add(marker{prev: 1, shapes: 300}.encode())
	f.Add(c)
	f.Add(shape)
	f.Add([]byte(`{"format":2,"id":"x","pipeline":"p","created":"2026-11-18T12:04:00Z"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if n := blobLength(b); n < 0 || n > maxBlobLength+32 {
			t.Fatalf("a blob of %d bytes", n)
		}
		if kind, data, err := decodeBlob(b); err == nil {
			if len(data) > len(b) || !bytes.HasSuffix(encodeBlob(kind, data), data) {
				t.Fatalf("%x holds %x", b, data)
			}
		}
		if h, err := decodeHead(b); err == nil {
			if again, err := decodeHead(h.encode()); err != nil || again != h {
				t.Fatalf("%+v became %+v, %v", h, again, err)
			}
		}
		_, _ = decodeMarker(b)
		if c, _, _, err := decodeCheckpoint(b); err == nil {
			_ = rowferry.Record{Checkpoint: c}
		}
		if table, err := decodeTable(b); err == nil {
			if err := table.Validate(); err != nil {
				t.Fatal(err)
			}
		}
		_, _ = parseFormat(b)
	})
}

// FuzzCheckFiles feeds the checks that stand between damaged files and Badger.
func FuzzCheckFiles(f *testing.F) {
	dir := filepath.Join(f.TempDir(), "state")
	s := open(f, dir)
	mustRecord(f, s, recordOf(1, tableOf("a", 1)))
	logs, err := filepath.Glob(filepath.Join(dir, badgerName, "*.mem"))
	if err != nil || len(logs) != 1 {
		f.Fatalf("%v, %v", logs, err)
	}
	b, err := os.ReadFile(logs[0])
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b[:2000])
	mustClose(f, s)
	tables, err := filepath.Glob(filepath.Join(dir, badgerName, "*.sst"))
	if err != nil || len(tables) != 1 {
		f.Fatalf("%v, %v", tables, err)
	}
	if b, err = os.ReadFile(tables[0]); err != nil {
		f.Fatal(err)
	}
	if err := checkTable(b); err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	path := filepath.Join(f.TempDir(), "000001.sst")
	f.Fuzz(func(t *testing.T, b []byte) {
		_ = checkLog(b, 4*memtableSize)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		_ = verifyTable(path)
	})
}

package sqlite_test

import (
	"context"
	"encoding/binary"
	"math"
	"path/filepath"
	"sync"
	"testing"
	"time"

	driver "zombiezen.com/go/sqlite"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/sqlite"
	"github.com/rowferry/rowferry/schema"
	"github.com/rowferry/rowferry/sink/sinktest"
	"github.com/rowferry/rowferry/sink/sqlite"
)

func TestConformance(t *testing.T) {
	var mu sync.Mutex
	paths := map[rowferry.Sink]string{}
	at := func(t *testing.T, path string) rowferry.Sink {
		o := sqlite.DefaultOptions()
		o.BusyTimeout = 3 * time.Second // for the clause in which a rival waits in vain
		s, err := sqlite.Open(context.Background(), path, o)
		if err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		defer mu.Unlock()
		paths[s] = path
		return s
	}
	sinktest.Run(t, func(t *testing.T) rowferry.Sink { return at(t, filepath.Join(t.TempDir(), "it's a#?%.db")) }, sinktest.Options{
		Read: func(t *testing.T, s rowferry.Sink, table *schema.Table) []rowferry.Row {
			return readTable(t, paths[s], table)
		},
		Again: func(t *testing.T, s rowferry.Sink) rowferry.Sink { return at(t, paths[s]) },
		Refuses: func(typ schema.Type, v rowferry.Value) bool {
			return v.Kind() == rowferry.Uint && typ.Kind == schema.Int && v.Uint() > math.MaxInt64
		},
		Indexes: func(t *testing.T, s rowferry.Sink, table *schema.Table) (all []string) {
			conn, err := driver.OpenConn(paths[s], driver.OpenReadWrite)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetBusyTimeout(time.Minute)
			err = dialect.Query(conn, `SELECT group_concat(x.name || CASE WHEN x."desc" THEN ' desc' ELSE '' END, ',' ORDER BY x.seqno)
				FROM pragma_index_list(?1) l, pragma_index_xinfo(l.name) x WHERE NOT l."unique" AND x.key GROUP BY l.name`, func(r *driver.Stmt) error {
				all = append(all, r.ColumnText(0))
				return nil
			}, table.Name.Table)
			if err != nil {
				t.Fatal(err)
			}
			return all
		},
		Exec: func(t *testing.T, s rowferry.Sink, sql string) {
			conn, err := driver.OpenConn(paths[s], driver.OpenReadWrite)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetBusyTimeout(time.Minute)
			if err := dialect.Exec(conn, sql); err != nil {
				t.Fatal(err)
			}
		},
	})
}

// readTable reads the committed rows through a connection of its own.
func readTable(t *testing.T, path string, table *schema.Table) []rowferry.Row {
	t.Helper()
	conn, err := driver.OpenConn(path, driver.OpenReadOnly)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	x, err := dialect.Inspect(conn, table.Name.Table)
	if err != nil {
		t.Fatal(err)
	}
	if x == nil {
		return nil
	}
	list := ""
	for i, c := range table.Columns {
		if i > 0 {
			list += ", "
		}
		list += dialect.Quote(c.Name)
	}
	var rows []rowferry.Row
	err = dialect.Query(conn, "SELECT "+list+" FROM "+dialect.Quote(table.Name.Table), func(s *driver.Stmt) error {
		r := make(rowferry.Row, len(table.Columns))
		for i, c := range table.Columns {
			r[i] = readValue(t, s, i, c)
		}
		rows = append(rows, r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// readValue wants the storage class that the type table promises.
func readValue(t *testing.T, s *driver.Stmt, i int, c schema.Column) rowferry.Value {
	t.Helper()
	got := s.ColumnType(i)
	if got == driver.TypeNull {
		return rowferry.NullValue()
	}
	want, err := schema.SQLiteType(c.Type)
	if err != nil {
		t.Fatal(err)
	}
	class := map[driver.ColumnType]string{driver.TypeInteger: "INTEGER", driver.TypeFloat: "REAL", driver.TypeText: "TEXT", driver.TypeBlob: "BLOB"}[got]
	if class != want {
		t.Fatalf("column %s is stored as %s, want %s", c.Name, class, want)
	}
	switch got {
	case driver.TypeInteger:
		if c.Type.Unsigned || c.Type.Kind == schema.Bit {
			return rowferry.UintValue(uint64(s.ColumnInt64(i)))
		}
		return rowferry.IntValue(s.ColumnInt64(i))
	case driver.TypeFloat:
		return rowferry.FloatValue(s.ColumnFloat(i))
	case driver.TypeText:
		return rowferry.TextValue(s.ColumnText(i))
	default:
		b := make([]byte, s.ColumnLen(i))
		s.ColumnBytes(i, b)
		if c.Type.Kind == schema.Bit {
			return rowferry.UintValue(binary.BigEndian.Uint64(b))
		}
		return rowferry.BytesValue(string(b))
	}
}

package mysql_test

import (
	"context"
	"database/sql"
	"math"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/connect"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/schema"
	"github.com/rowferry/rowferry/sink/mysql"
	"github.com/rowferry/rowferry/sink/sinktest"
)

func TestMain(m *testing.M) { testdb.Main(m) }

// onEach runs a test on every server of the family, on all at once. It is the last
// that a test does.
func onEach(t *testing.T, test func(t *testing.T, server *testdb.Server)) {
	for _, k := range testdb.Kinds() {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			test(t, testdb.Start(t, k))
		})
	}
}

func endpoint(t testing.TB, server *testdb.Server, database string) connect.Endpoint {
	t.Helper()
	e, err := connect.Parse(server.URL(database))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// open opens a sink on a database.
func open(t *testing.T, server *testdb.Server, database string, change func(*mysql.Options)) *mysql.Sink {
	t.Helper()
	o := mysql.DefaultOptions()
	o.Endpoint = endpoint(t, server, database)
	if change != nil {
		change(&o)
	}
	s, err := mysql.Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConformance(t *testing.T) {
	onEach(t, func(t *testing.T, server *testdb.Server) {
		type place struct {
			name string
			db   *sql.DB
		}
		var mu sync.Mutex
		places := map[rowferry.Sink]place{}
		at := func(t *testing.T, p place) rowferry.Sink {
			s := open(t, server, p.name, nil)
			mu.Lock()
			defer mu.Unlock()
			places[s] = p
			return s
		}
		of := func(s rowferry.Sink) place {
			mu.Lock()
			defer mu.Unlock()
			return places[s]
		}
		sinktest.Run(t, func(t *testing.T) rowferry.Sink {
			name, db := testdb.NewDatabase(t, server)
			return at(t, place{name, db})
		}, sinktest.Options{
			Read: func(t *testing.T, s rowferry.Sink, table *schema.Table) []rowferry.Row {
				return readTable(t, of(s).db, table)
			},
			Again: func(t *testing.T, s rowferry.Sink) rowferry.Sink { return at(t, of(s)) },
			Exec: func(t *testing.T, s rowferry.Sink, sql string) {
				if _, err := of(s).db.Exec(sql); err != nil {
					t.Fatal(err)
				}
			},
			Indexes: func(t *testing.T, s rowferry.Sink, table *schema.Table) []string {
				return testdb.Texts(t, of(s).db, `SELECT GROUP_CONCAT(CONCAT(COLUMN_NAME, IF(COLLATION = 'D', ' desc', '')) ORDER BY SEQ_IN_INDEX) FROM information_schema.STATISTICS
					WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = '`+table.Name.Table+`' AND NON_UNIQUE = 1 GROUP BY INDEX_NAME`)
			},
			Refuses: refuses,
			Beside:  true,
			Columns: 800, // a row of InnoDB takes half a page
		})
	})
}

// refuses is what MySQL has no value for: infinity and NaN, and years beyond
// those of four digits.
func refuses(typ schema.Type, v rowferry.Value) bool {
	switch s := v.Str(); {
	case v.Kind() == rowferry.Float:
		return math.IsInf(v.Float(), 0)
	case typ.Native == "":
		return false
	case typ.Kind == schema.Decimal:
		return s == "NaN" && typ.Precision > 0
	case typ.Kind == schema.Date, typ.Kind == schema.DateTime, typ.Kind == schema.Timestamp:
		return s[4] != '-' || strings.HasSuffix(s, "BC")
	default:
		return false
	}
}

func quote(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// readTable reads the committed rows as the server prints them.
func readTable(t *testing.T, db *sql.DB, table *schema.Table) []rowferry.Row {
	t.Helper()
	var list []string
	for _, c := range table.Columns {
		q := quote(c.Name)
		switch c.Type.Kind {
		case schema.Bit:
			q = "CAST(" + q + " AS UNSIGNED)"
		case schema.Float32, schema.Float64:
			q = "CAST(" + q + " AS DOUBLE)"
		case schema.JSON, schema.UUID, schema.Inet4, schema.Inet6:
			q = "CAST(" + q + " AS CHAR)"
		default: // as it prints
		}
		list = append(list, q)
	}
	rows, err := db.Query("SELECT " + strings.Join(list, ", ") + " FROM " + quote(table.Name.Table))
	if err != nil && strings.Contains(err.Error(), "1146") {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []rowferry.Row
	for rows.Next() {
		raw, into := make([]sql.RawBytes, len(list)), make([]any, len(list))
		for i := range raw {
			into[i] = &raw[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		r := make(rowferry.Row, len(list))
		for i, c := range table.Columns {
			r[i] = readValue(t, raw[i], c.Type)
		}
		all = append(all, r)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func readValue(t *testing.T, raw []byte, typ schema.Type) rowferry.Value {
	t.Helper()
	var err error
	var v rowferry.Value
	switch {
	case raw == nil:
		return rowferry.NullValue()
	case typ.Kind == schema.Int && typ.Unsigned, typ.Kind == schema.Bit:
		var n uint64
		n, err = strconv.ParseUint(string(raw), 10, 64)
		v = rowferry.UintValue(n)
	case typ.Kind == schema.Int, typ.Kind == schema.Year, typ.Kind == schema.Bool:
		var n int64
		n, err = strconv.ParseInt(string(raw), 10, 64)
		v = rowferry.IntValue(n)
	case typ.Kind.Approximate():
		var f float64
		f, err = strconv.ParseFloat(string(raw), 64)
		v = rowferry.FloatValue(f)
	case typ.Kind == schema.Binary, typ.Kind == schema.VarBinary, typ.Kind == schema.Blob:
		v = rowferry.BytesValue(string(raw))
	case typ.Native != "" && typ.Fsp > 0: // printed with all digits
		v = rowferry.TextValue(strings.TrimRight(strings.TrimRight(string(raw), "0"), "."))
		if !strings.Contains(string(raw), ".") || strings.HasSuffix(string(raw), ".000000") {
			v = rowferry.TextValue(strings.TrimSuffix(string(raw), ".000000"))
		}
	default:
		v = rowferry.TextValue(string(raw))
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

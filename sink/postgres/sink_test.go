package postgres_test

import (
	"context"
	"encoding/hex"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/connect"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/internal/testdb/pgtypes"
	"github.com/rowferry/rowferry/schema"
	"github.com/rowferry/rowferry/sink/postgres"
	"github.com/rowferry/rowferry/sink/sinktest"
)

func TestMain(m *testing.M) { testdb.Main(m) }

func kinds() []testdb.Kind {
	if testdb.Soak() {
		return []testdb.Kind{testdb.Postgres15, testdb.PostgresNew}
	}
	return []testdb.Kind{testdb.Postgres15}
}

func endpoint(t testing.TB, url string) connect.Endpoint {
	t.Helper()
	e, err := connect.Parse(url)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func open(t *testing.T, o postgres.Options) *postgres.Sink {
	t.Helper()
	s, err := postgres.Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConformance(t *testing.T) {
	for _, k := range kinds() {
		t.Run(string(k), func(t *testing.T) { conformance(t, testdb.Start(t, k)) })
	}
}

func conformance(t *testing.T, server *testdb.Server) {
	var mu sync.Mutex
	names := map[rowferry.Sink]string{}
	at := func(t *testing.T, database string) rowferry.Sink {
		s := open(t, postgres.Options{Endpoint: endpoint(t, server.URL(database)), CreateTables: true})
		mu.Lock()
		defer mu.Unlock()
		names[s] = database
		return s
	}
	of := func(s rowferry.Sink) string {
		mu.Lock()
		defer mu.Unlock()
		return names[s]
	}
	sinktest.Run(t, func(t *testing.T) rowferry.Sink {
		name, _ := testdb.NewDatabase(t, server)
		return at(t, name)
	}, sinktest.Options{
		Read: func(t *testing.T, s rowferry.Sink, table *schema.Table) []rowferry.Row {
			return readTable(t, endpoint(t, server.URL(of(s))), table)
		},
		Indexes: func(t *testing.T, s rowferry.Sink, table *schema.Table) []string {
			return all(t, server, of(s), `SELECT string_agg(a.attname || CASE WHEN i.indoption[p.n] & 1 = 1 THEN ' desc' ELSE '' END, ',' ORDER BY p.n)
				FROM pg_index i CROSS JOIN generate_series(0, i.indnatts - 1) p(n) LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[p.n]
				WHERE i.indrelid = to_regclass('public."`+table.Name.Table+`"') AND NOT i.indisunique GROUP BY i.indexrelid`)
		},
		Refuses: refuses,
		Beside:  true,
		Again:   func(t *testing.T, s rowferry.Sink) rowferry.Sink { return at(t, of(s)) },
		Exec: func(t *testing.T, s rowferry.Sink, sql string) {
			db, err := server.Open(of(s))
			if err == nil {
				_, err = db.Exec(sql)
				db.Close()
			}
			if err != nil {
				t.Fatal(err)
			}
		},
	})
}

// refuses is what PostgreSQL has no value for: U+0000 in text, and dates that
// are none.
func refuses(typ schema.Type, v rowferry.Value) bool {
	switch {
	case typ.Native != "":
		return false
	case typ.Kind == schema.Date, typ.Kind == schema.DateTime, typ.Kind == schema.Timestamp:
		return strings.Contains(v.Str(), "-00")
	default:
		return v.Kind() == rowferry.Text && strings.ContainsRune(v.Str(), 0)
	}
}

// readTable reads the committed rows through a connection of its own.
func readTable(t *testing.T, e connect.Endpoint, table *schema.Table) []rowferry.Row {
	t.Helper()
	ctx := context.Background()
	conn, err := dialect.Connect(ctx, e, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	x, err := dialect.Inspect(ctx, conn, table.Name)
	if err != nil {
		t.Fatal(err)
	}
	if x == nil {
		return nil
	}
	var list []string
	for _, c := range table.Columns {
		text := dialect.Quote(c.Name) + "::text"
		if c.Type.Native != "" { // as it is printed, which a cast need not be
			text = "CASE WHEN " + dialect.Quote(c.Name) + " IS NOT NULL THEN concat(" + dialect.Quote(c.Name) + ") END"
		}
		list = append(list, text)
	}
	var rows []rowferry.Row
	err = dialect.Query(ctx, conn, "SELECT "+strings.Join(list, ", ")+" FROM "+dialect.QuoteTable(table.Name), func(got dialect.Row) error {
		r := make(rowferry.Row, len(table.Columns))
		for i, c := range table.Columns {
			if r[i] = rowferry.NullValue(); !got.Null(i) {
				r[i] = readValue(t, got.Text(i), c.Type)
			}
		}
		rows = append(rows, r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// readValue turns PostgreSQL's text into the value as the source carries it.
func readValue(t *testing.T, s string, typ schema.Type) rowferry.Value {
	t.Helper()
	number := func(n uint64, err error) uint64 {
		if err != nil {
			t.Fatalf("%s holds %q", typ, s)
		}
		return n
	}
	if typ.Native != "" {
		return pgtypes.Value(typ, s)
	}
	switch typ.Kind {
	case schema.Int, schema.Year:
		if typ.Unsigned {
			return rowferry.UintValue(number(strconv.ParseUint(s, 10, 64)))
		}
		n, err := strconv.ParseInt(s, 10, 64)
		number(0, err)
		return rowferry.IntValue(n)
	case schema.Bit:
		if len(s) != typ.Length {
			t.Fatalf("%s holds %q", typ, s)
		}
		return rowferry.UintValue(number(strconv.ParseUint(s, 2, 64)))
	case schema.Float32, schema.Float64:
		bits := 64
		if typ.Kind == schema.Float32 {
			bits = 32
		}
		f, err := strconv.ParseFloat(s, bits)
		number(0, err)
		return rowferry.FloatValue(f)
	case schema.Binary, schema.VarBinary, schema.Blob:
		b, err := hex.DecodeString(strings.TrimPrefix(s, `\x`))
		number(0, err)
		return rowferry.BytesValue(string(b))
	case schema.Timestamp:
		return rowferry.TextValue(padded(strings.TrimSuffix(s, "+00"), typ.Fsp))
	case schema.DateTime, schema.Time:
		return rowferry.TextValue(padded(s, typ.Fsp))
	case schema.Inet4, schema.Inet6:
		return rowferry.TextValue(strings.TrimSuffix(strings.TrimSuffix(s, "/32"), "/128"))
	default:
		return rowferry.TextValue(s)
	}
}

// padded adds the zeros at the end of a fraction, which PostgreSQL leaves out.
func padded(s string, fsp int) string {
	whole, fraction, _ := strings.Cut(s, ".")
	if fsp == 0 {
		return whole
	}
	return whole + "." + fraction + strings.Repeat("0", fsp-len(fraction))
}

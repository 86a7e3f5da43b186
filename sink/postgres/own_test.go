package postgres_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/internal/testdb/pgtypes"
	"github.com/rowferry/rowferry/schema"
)

// own is a PostgreSQL database and another that its rows go to.
type own struct {
	*target
	source, reader *pgconn.PgConn // in both of which values are printed the same
	cases          []pgtypes.Case
}

func newOwn(t *testing.T, kind testdb.Kind) *own {
	t.Helper()
	server := testdb.Start(t, kind)
	x := &own{target: newTargetOn(t, server, nil)}
	connect := func(database string) *pgconn.PgConn {
		conn, err := dialect.Connect(t.Context(), endpoint(t, server.URL(database)), nil)
		x.must(err)
		t.Cleanup(func() { conn.Close(t.Context()) })
		return conn
	}
	name, _ := testdb.NewDatabase(t, server)
	x.source, x.reader = connect(name), connect(x.name)
	x.run(x.source, pgtypes.Setup)
	x.run(x.reader, pgtypes.Needed)
	version, err := strconv.Atoi(x.source.ParameterStatus("server_version")[:2])
	x.must(err)
	x.cases = pgtypes.Cases(version)
	return x
}

func (x *own) run(conn *pgconn.PgConn, statements string) {
	x.t.Helper()
	_, err := conn.Exec(x.t.Context(), statements).ReadAll()
	if err != nil {
		x.t.Fatalf("%s: %v", statements, err)
	}
}

// shape makes a table at the source and returns its shape.
func (x *own) shape(name, definition string) *schema.Table {
	x.t.Helper()
	x.run(x.source, "CREATE TABLE app."+dialect.Quote(name)+" ("+definition+")")
	var oids []uint32
	x.must(dialect.Query(x.t.Context(), x.source, "SELECT 'app."+dialect.Quote(name)+"'::regclass::oid", func(r dialect.Row) error {
		oid, err := r.Int(0)
		oids = append(oids, uint32(oid))
		return err
	}))
	all, err := dialect.ReadSource(x.t.Context(), x.source, oids, dialect.SourceOptions{})
	x.must(err)
	if len(all) != 1 {
		x.t.Fatalf("%d tables %s", len(all), name)
	}
	return all[0].Table
}

// rows wants the table to have exactly these rows, as the server prints them.
// Types are the source's.
func (x *own) rows(t *schema.Table, want map[string]bool) {
	x.t.Helper()
	got := map[string]bool{}
	x.must(dialect.Query(x.t.Context(), x.reader, "SELECT * FROM "+dialect.QuoteTable(t.Name), func(r dialect.Row) error {
		row := make([]string, len(r))
		for i := range r {
			row[i] = "NULL"
			if !r.Null(i) {
				row[i] = strconv.Quote(r.Text(i))
			}
		}
		got[strings.Join(row, " ")] = true
		return nil
	}))
	for r := range want {
		if !got[r] {
			x.t.Errorf("%s lacks the row %s", t.Name, r)
		}
	}
	for r := range got {
		if !want[r] {
			x.t.Errorf("%s has the row %s", t.Name, r)
		}
	}
}

// applyBulk commits the mutations as one batch in bulk.
func (x *own) applyBulk(ms ...rowferry.Mutation) error {
	x.t.Helper()
	for k := range ms {
		ms[k].Origin, ms[k].Index = &rowferry.Origin{Tx: "0-1-7"}, k
	}
	tx, err := x.sink.Begin(x.t.Context())
	x.must(err)
	bulk, ok := tx.(rowferry.BulkTx)
	if !ok {
		x.t.Fatal("no bulk form")
	}
	cp := x.next()
	if err = bulk.WriteBulk(x.t.Context(), ms); err == nil {
		err = tx.Commit(x.t.Context(), cp)
	}
	if err != nil {
		x.must(tx.Rollback())
		return err
	}
	x.cp = cp
	return nil
}

// both calls test for the single and for the bulk form.
func (x *own) both(test func(form string, apply func(...rowferry.Mutation) error)) {
	test("single", x.apply)
	test("bulk", x.applyBulk)
}

func postgresKinds() []testdb.Kind {
	if testdb.Soak() {
		return []testdb.Kind{testdb.Postgres15, testdb.PostgresNew}
	}
	return []testdb.Kind{testdb.Postgres15}
}

// TestOwnTypes: every type of a PostgreSQL arrives in another as the very same
// type, with the values that the server itself prints: inserted, updated from and
// to every value, and deleted, one by one and in bulk.
func TestOwnTypes(t *testing.T) {
	for _, k := range postgresKinds() {
		t.Run(string(k), func(t *testing.T) {
			x := newOwn(t, k)
			definition := []string{"id int PRIMARY KEY"}
			most := 0
			for _, c := range x.cases {
				definition = append(definition, dialect.Quote(c.Name)+" "+c.Declared)
				most = max(most, len(c.Values)+1)
			}
			x.both(func(name string, apply func(...rowferry.Mutation) error) {
				shape := x.shape(name, strings.Join(definition, ", "))
				x.must(x.sink.Prepare(t.Context(), []rowferry.Mutation{shaped(shape)}))
				x.declared(shape)
				printed := func(id, turn int) string {
					row := []string{strconv.Quote(strconv.Itoa(id))}
					for _, c := range x.cases {
						row = append(row, strconv.Quote(c.Values[(id+turn)%len(c.Values)]))
						if (id+turn)%most == 0 && c.Name != "more" {
							row[len(row)-1] = "NULL"
						}
					}
					return strings.Join(row, " ")
				}
				row := func(id, turn int) rowferry.Row {
					r := rowferry.Row{i(int64(id))}
					for o, c := range x.cases {
						v := pgtypes.Value(shape.Columns[o+1].Type, c.Values[(id+turn)%len(c.Values)])
						if (id+turn)%most == 0 && c.Name != "more" {
							v = null
						}
						r = append(r, v)
					}
					return r
				}
				var ms []rowferry.Mutation
				want := map[string]bool{}
				for id := range most {
					ms = append(ms, inserted(shape, row(id, 0)...))
					want[printed(id, 0)] = true
				}
				x.must(apply(ms...))
				x.rows(shape, want)
				for turn := 1; turn <= most; turn++ {
					clear(want)
					ms = ms[:0]
					for id := range most {
						ms = append(ms, updated(shape, row(id, turn-1), row(id, turn)))
						want[printed(id, turn)] = true
					}
					x.must(apply(ms...))
					x.rows(shape, want)
				}
				ms = ms[:0]
				for id := range most {
					ms = append(ms, deleted(shape, row(id, most)...))
				}
				x.must(apply(ms...))
				x.rows(shape, nil)
			})
		})
	}
}

// declared wants each column of the target to be declared as at the source, or
// as its base type.
func (x *own) declared(t *schema.Table) {
	x.t.Helper()
	got := map[string]string{}
	x.must(dialect.Query(x.t.Context(), x.reader, "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0",
		func(r dialect.Row) error { got[r.Text(0)] = r.Text(1); return nil }, dialect.QuoteTable(t.Name)))
	for _, c := range x.cases {
		want := c.Native
		if want == "" {
			want = c.Declared
		}
		if got[c.Name] != want {
			x.t.Errorf("%s is declared %s, want %s", c.Name, got[c.Name], want)
		}
	}
}

// TestOwnKeyless: without a key a row is found by its values exactly, though the
// type takes others for equal or has no equality at all.
func TestOwnKeyless(t *testing.T) {
	x := newOwn(t, testdb.Postgres15)
	for n, c := range x.cases {
		shape := x.shape(fmt.Sprintf("keyless%d", n), "v "+c.Declared+", n int")
		x.must(x.sink.Prepare(t.Context(), []rowferry.Mutation{shaped(shape)}))
		typ := shape.Columns[0].Type
		var ms []rowferry.Mutation
		want := map[string]bool{}
		for _, s := range c.Values {
			v := pgtypes.Value(typ, s)
			ms = append(ms, inserted(shape, v, i(1)), inserted(shape, v, null))
			want[strconv.Quote(s)+` "2"`] = true
		}
		for k := range c.Values {
			v := pgtypes.Value(typ, c.Values[len(c.Values)-1-k])
			ms = append(ms, deleted(shape, v, null), updated(shape, rowferry.Row{v, i(1)}, rowferry.Row{v, i(2)}))
		}
		if err := x.apply(ms...); err != nil {
			t.Errorf("%s: %v", c.Declared, err)
			continue
		}
		x.rows(shape, want)
	}
}

// TestOwnKeys: rows are found by keys of every type that can be one.
func TestOwnKeys(t *testing.T) {
	x := newOwn(t, testdb.Postgres15)
	tried := 0
	for n, c := range x.cases {
		values := x.distinct(c)
		if values == nil || c.Kind == "float" || c.Kind == "double" { // which never identify
			continue
		}
		tried++
		shape := x.shape(fmt.Sprintf("keys%d", n), "v "+c.Declared+", k int, n int, PRIMARY KEY (v, k)")
		x.must(x.sink.Prepare(t.Context(), []rowferry.Mutation{shaped(shape)}))
		x.both(func(form string, apply func(...rowferry.Mutation) error) {
			const each = 5 // rows for each value, so that there is something to write in bulk
			var ins, ups, dels, rest []rowferry.Mutation
			want := map[string]bool{}
			for k := range each * len(values) {
				s := values[k/each]
				v := pgtypes.Value(shape.Columns[0].Type, s)
				ins = append(ins, inserted(shape, v, i(int64(k)), i(1)))
				ups = append(ups, updated(shape, rowferry.Row{v, i(int64(k)), gone}, rowferry.Row{v, i(int64(k)), i(2)}))
				if gone := deleted(shape, v, i(int64(k)), gone); k%each > 0 {
					dels = append(dels, gone)
				} else {
					want[fmt.Sprintf(`%s "%d" "2"`, strconv.Quote(s), k)] = true
					rest = append(rest, gone)
				}
			}
			for _, ms := range [][]rowferry.Mutation{ins, ups, dels} {
				if err := apply(ms...); err != nil {
					t.Errorf("%s (%s): %v", c.Declared, form, err)
					return
				}
			}
			x.rows(shape, want)
			x.must(apply(rest...))
		})
	}
	if tried < 50 {
		t.Errorf("only %d types were keys", tried)
	}
}

// distinct returns the values of which no two are equal to the server, or nil for
// a type without an order.
func (x *own) distinct(c pgtypes.Case) []string {
	x.t.Helper()
	var kept []string
	refused := func(sql string) string {
		_, err := x.source.Exec(x.t.Context(), sql).ReadAll()
		var server *pgconn.PgError
		if err == nil || !errors.As(err, &server) {
			x.must(err)
			return ""
		}
		return server.Code
	}
	x.run(x.source, "DROP TABLE IF EXISTS app.tried")
	if refused("CREATE TABLE app.tried (v "+c.Declared+" PRIMARY KEY)") != "" {
		return nil
	}
	for _, v := range c.Values {
		insert := "INSERT INTO app.tried VALUES (" + dialect.Literal(v) + ")"
		if refused(insert) == "" {
			kept = append(kept, v)
		}
		if refused(insert) != "23505" {
			return nil
		}
	}
	return kept
}

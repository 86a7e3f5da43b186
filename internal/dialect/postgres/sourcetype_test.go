package postgres_test

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/internal/testdb/pgtypes"
	"github.com/rowferry/rowferry/schema"
)

// TestSourceTypes: every type is read as what its values are, by table and by
// oid.
func TestSourceTypes(t *testing.T) {
	on(t, func(t *testing.T, conn *pgconn.PgConn, version int) {
		run(t, conn, pgtypes.Setup)
		cases := pgtypes.Cases(version)
		var columns []string
		for _, c := range cases {
			columns = append(columns, dialect.Quote(c.Name)+" "+c.Declared)
		}
		run(t, conn, "CREATE TABLE app.t ("+strings.Join(columns, ", ")+")")
		got := read(t, conn, dialect.SourceOptions{})["t"]
		for i, c := range got.Table.Columns {
			want := cases[i]
			if want.Native == "" {
				want.Native = want.Declared
			}
			if c.Type.Native != want.Native || c.Type.Kind.String() != want.Kind {
				t.Errorf("%s is %s (%s), want %s (%s)", want.Declared, c.Type.Native, c.Type.Kind, want.Native, want.Kind)
			}
			alone, err := dialect.SourceType(t.Context(), conn, got.Columns[i].TypeOID, got.Columns[i].Mod)
			if err != nil {
				t.Errorf("%s: %v", want.Declared, err)
			}
			is(t, want.Declared+" by oid", alone, c.Type)
		}
	})
}

// TestSourceTypeDetails: what a type says beyond its kind.
func TestSourceTypeDetails(t *testing.T) {
	on(t, func(t *testing.T, conn *pgconn.PgConn, _ int) {
		run(t, conn, pgtypes.Setup+`
CREATE COLLATION app.loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE app.rows (a int, m app.mood);
CREATE TABLE app.t (tight text, loose text COLLATE app.loose, ci public.citext, blanks bpchar, padded char(4), mood app.mood,
  nested app.nested[], d numeric(10,2), n numeric, r numeric(2,5), ts timestamp, ts2 timestamptz(2), b bit(3), h public.hstore[], f app.floats, row app.rows, domain app.price)`)
		types := map[string]schema.Type{}
		for _, c := range read(t, conn, dialect.SourceOptions{})["t"].Table.Columns {
			types[c.Name] = c.Type
		}
		for name, exact := range map[string]bool{"tight": true, "loose": false, "ci": false, "blanks": false, "padded": true, "mood": true} {
			if typ := types[name]; (typ.Collation == "utf8mb4_0900_bin") != exact || typ.Charset != "utf8mb4" {
				t.Errorf("%s has the collation %q", name, typ.Collation)
			}
		}
		mood := schema.UserType{Name: "app.mood", Labels: []string{"sad", "ok", `very "happy"`, "it's", "a,b", ""}}
		odd := schema.UserType{Name: `app."Odd Name"`, Fields: []schema.Field{{Name: "a", Native: "integer"}, {Name: `b "c`, Native: "text"}, {Name: "m", Native: "app.mood"}}}
		floats := schema.UserType{Name: "app.floats"}
		is(t, "mood", types["mood"].User, []schema.UserType{mood})
		is(t, "labels", types["mood"].Labels, mood.Labels)
		is(t, "nested", types["nested"].User, []schema.UserType{mood, odd, floats, {Name: "app.nested", Fields: []schema.Field{
			{Name: "o", Native: `app."Odd Name"`}, {Name: "p", Native: "numeric(10,2)"}, {Name: "n", Native: "numeric(6,2)[]"},
			{Name: "l", Native: "app.mood[]"}, {Name: "x", Native: "app.floats"},
		}}})
		is(t, "hstore", types["h"].User, []schema.UserType{{Name: "public.hstore", Extension: "hstore"}})
		is(t, "rows", types["row"].User, []schema.UserType{mood, {Name: "app.rows"}})
		is(t, "domain", types["domain"].User, []schema.UserType(nil))
		is(t, "decimals", []int{types["d"].Precision, types["d"].Scale, types["n"].Precision, types["r"].Precision, types["r"].Scale}, []int{10, 2, 0, 0, 0})
		is(t, "fractions", []int{types["ts"].Fsp, types["ts2"].Fsp}, []int{6, 2})
		is(t, "lengths", []int{types["padded"].Length, types["b"].Length}, []int{4, 3})
	})
}

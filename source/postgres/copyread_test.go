package postgres

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/internal/testdb/pgtypes"
)

func major(t testing.TB, s *testdb.Server) (version int) {
	if _, err := fmt.Sscan(strings.SplitN(s.Version, ".", 2)[0], &version); err != nil {
		t.Fatal(err)
	}
	return version
}

// Every type's values are read from a table as they are from the log.
func TestCopyReadsWhatIsLogged(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		t.Parallel()
		p := newPlace(t, k)
		p.exec(pgtypes.Setup)
		cases := pgtypes.Cases(major(t, p.server))
		for i, c := range cases {
			p.exec(fmt.Sprintf("CREATE TABLE app.t%d (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v %s, w %s)", i, c.Declared, strings.Replace(c.Declared, "app.more", "int", 1)))
		}
		p.exec("CREATE TABLE app.long (id int PRIMARY KEY, a text, b bytea, n int GENERATED ALWAYS AS (id * 2) STORED, c text[])")
		c := p.copies()
		for i, one := range cases {
			for _, v := range one.Values {
				p.exec(fmt.Sprintf("INSERT INTO app.t%d (v) VALUES (%s)", i, dialect.Literal(v)))
			}
		}
		p.exec("INSERT INTO app.long (id, a, b, c) SELECT g, repeat('é\\n' || g, 90000), decode(repeat('00ff5c', 70000), 'hex'), array_fill('x\\y'::text, ARRAY[5000]) FROM generate_series(1, 5) g",
			"INSERT INTO app.long (id, a, b, c) SELECT g, NULL, '', '{}' FROM generate_series(6, 3000) g")
		logged := inserted(c.log())
		if len(logged) != len(cases)+1 {
			t.Errorf("rows of %d tables were logged, not of %d", len(logged), len(cases)+1)
		}
		for _, table := range c.copy.Tables() {
			want := logged[table.Shape.Name.Table]
			rows := c.read(&table, nil, nil)
			wantSame(t, table.Shape.Name.Table+" "+table.Shape.Columns[1].Type.String(), rows, want)
			var keys [][]rowferry.Value
			for _, r := range rows {
				keys = append(keys, keyOf(table.Shape, r))
			}
			var fetched []rowferry.Row
			if err := c.reader.Fetch(t.Context(), &table, append(keys, []rowferry.Value{rowferry.IntValue(-1)}), func(some []rowferry.Row) error {
				fetched = append(fetched, some...)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			wantSame(t, "fetched "+table.Shape.Name.Table, fetched, want)
		}
	})
}

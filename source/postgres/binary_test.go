package postgres

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/internal/testdb/pgtypes"
	"github.com/rowferry/rowferry/schema"
	"github.com/rowferry/rowferry/source/sourcetest"
)

// inFormat reads what was logged since the pipeline began, in binary format or text.
func (p *place) inFormat(text bool) []sourcetest.Transaction {
	p.t.Helper()
	o := p.pipe()
	o.From, o.Once = "earliest", true
	s := Live(o)
	s.text.Store(text)
	r, err := s.Open(p.t.Context(), rowferry.Start{Spool: spools(p.t)})
	if err != nil {
		p.t.Fatal(err)
	}
	if got := r.(*reader).opened.binary; got == text {
		p.t.Fatalf("read in binary format: %t", got)
	}
	return sourcetest.Join(all(p.t, r), nil)
}

// Values are the same in both formats, in new rows and in old ones, of columns and of
// domains.
func TestBinaryIsText(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		t.Parallel()
		p := newPlace(t, k)
		p.exec(pgtypes.Setup, "CREATE DOMAIN app.day AS date; CREATE DOMAIN app.doc AS jsonb; CREATE DOMAIN app.three AS bit(3)")
		var cases []pgtypes.Case
		for _, c := range pgtypes.Cases(major(t, p.server)) {
			if c.Kind != "other" {
				cases = append(cases, c)
			}
		}
		cases = append(cases, pgtypes.Case{Declared: "app.day", Values: []string{"0044-03-15 BC", "12345-06-07", "infinity"}},
			pgtypes.Case{Declared: "app.doc", Values: []string{`{"a": [1, null, "é"]}`, "null"}},
			pgtypes.Case{Declared: "app.three", Values: []string{"101", "010"}},
			pgtypes.Case{Declared: "bit(64)", Values: []string{strings.Repeat("10", 32)}},
			pgtypes.Case{Declared: "time", Values: []string{"24:00:00", "23:59:59.000001"}})
		for i, c := range cases {
			p.exec(fmt.Sprintf("CREATE TABLE app.t%d (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v %s)", i, strings.Replace(c.Declared, "app.more", "app.positive", 1)),
				fmt.Sprintf("ALTER TABLE app.t%d REPLICA IDENTITY FULL", i))
		}
		p.log(func(o *Options) { o.From = "latest" })
		values := 0
		for i, c := range cases {
			for _, v := range c.Values {
				p.exec(fmt.Sprintf("INSERT INTO app.t%d (v) VALUES (%s)", i, dialect.Literal(v)))
				values++
			}
			p.exec(fmt.Sprintf("UPDATE app.t%d SET v = NULL WHERE id = 1", i), fmt.Sprintf("DELETE FROM app.t%d", i))
		}
		binary, text := rows(p.inFormat(false)), rows(p.inFormat(true))
		if n := strings.Count(text, "insert "); n != values || values < 100 {
			t.Errorf("%d of %d values were read", n, values)
		}
		b, x := strings.Split(binary, "\n"), strings.Split(text, "\n")
		for i := range min(len(b), len(x)) {
			if b[i] != x[i] {
				t.Errorf("in binary format %s\nas text %s", b[i], x[i])
			}
		}
		if len(b) != len(x) {
			t.Errorf("%d changes in binary format, %d as text", len(b), len(x))
		}
	})
}

// A column that comes later and is not known in binary format has the log read as
// text, from where it was read to.
func TestBinaryGivesWay(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		t.Parallel()
		p := newPlace(t, k)
		p.exec("CREATE SCHEMA app", "CREATE TABLE app.a (id int PRIMARY KEY, v numeric)")
		p.log(func(o *Options) { o.From = "latest" })
		o := p.pipe()
		o.From = "earliest"
		s := Live(o)
		p.exec("INSERT INTO app.a VALUES (1, 1.50)")
		first, err := s.Open(t.Context(), rowferry.Start{Spool: spools(t)})
		if err != nil {
			t.Fatal(err)
		}
		tx, err := first.Next(t.Context())
		if err != nil || !first.(*reader).opened.binary {
			t.Fatalf("in binary format %t, %v", first.(*reader).opened.binary, err)
		}
		p.exec("ALTER TABLE app.a ADD w int[]", "INSERT INTO app.a VALUES (2, 'NaN', '{1,2}')")
		if _, err := first.Next(t.Context()); rowferry.CodeOf(err) != rowferry.CodeSourceAway || !strings.Contains(err.Error(), "app.a") {
			t.Fatal(err)
		}
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		s.options.Once = true
		again, err := s.Open(t.Context(), rowferry.Start{Position: tx.Position, Lineage: tx.Lineage, Tables: []*schema.Table{tx.Changes[len(tx.Changes)-1].Table}, Spool: spools(t)})
		if err != nil {
			t.Fatal(err)
		}
		wantRows(t, sourcetest.Join([]*rowferry.Tx{tx}, nil), "insert a [1 1.50]")
		if got, want := rows(sourcetest.Join(all(t, again), nil)), "shape a (id integer, v numeric, w integer[])\ninsert a [2 NaN {1,2}]\n"; got != want {
			t.Errorf("read:\n%swant:\n%s", got, want)
		}
	})
}

// TestCarryBinaryRefuses: bytes that are no value of the type stop.
func TestCarryBinaryRefuses(t *testing.T) {
	number := func(n int16, rest ...int16) (b []byte) {
		for _, x := range append([]int16{n}, rest...) {
			b = binary.BigEndian.AppendUint16(b, uint16(x))
		}
		return b
	}
	jsonb := schema.Type{Kind: schema.JSON, Native: "jsonb"}
	for _, c := range []struct {
		typ schema.Type
		b   []byte
	}{
		{kinds["smallint"], make([]byte, 4)}, {kinds["bigint"], make([]byte, 4)}, {kinds["bool"], []byte{2}}, {kinds["bool"], nil},
		{kinds["real"], make([]byte, 8)}, {kinds["double"], make([]byte, 4)}, {kinds["bit"], []byte{0, 0, 0, 4, 0}}, {kinds["bit"], []byte{0, 0, 0, 3}},
		{kinds["text"], []byte("\xff")}, {kinds["varchar"], []byte("a\x00")}, {kinds["enum"], []byte("\xff")}, {jsonb, nil}, {jsonb, []byte("{}")}, {jsonb, []byte("\x02{}")},
		{kinds["numeric"], number(1, 0, 0, 0)}, {kinds["numeric"], number(1, 0, 0, 0, 10_000)}, {kinds["numeric"], number(0, 0, 1, 0)}, {kinds["numeric"], nil},
		{kinds["uuid"], make([]byte, 15)}, {kinds["date"], make([]byte, 8)}, {kinds["timestamp"], make([]byte, 4)}, {kinds["time"], []byte{0xff, 0, 0, 0, 0, 0, 0, 0}},
	} {
		var m arena
		if v, bad := carryBinary(&m, &c.typ, c.b); bad == nil || bad.Code != rowferry.CodeCorruptLog {
			t.Errorf("%s %x is %s, %v", c.typ, c.b, v, bad)
		}
	}
}

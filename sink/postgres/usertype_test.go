package postgres_test

import (
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/schema"
	"github.com/rowferry/rowferry/sink/postgres"
)

var (
	moodType = schema.UserType{Name: `"odd.""s"."a.""b"`, Labels: []string{"sad", "it's"}}
	pairType = schema.UserType{Name: "app.pair", Fields: []schema.Field{{Name: "a b", Native: "integer"}, {Name: "m", Native: moodType.Name}}}
	mood     = schema.Type{Kind: schema.Enum, Labels: moodType.Labels, Native: moodType.Name, User: []schema.UserType{moodType}}
	pairs    = schema.Type{Kind: schema.Other, Native: "app.pair[]", User: []schema.UserType{moodType, pairType}}
	spans    = schema.Type{Kind: schema.Other, Native: "app.spans", User: []schema.UserType{{Name: "app.spans"}}}
	citext   = schema.Type{Kind: schema.Text, Native: "public.citext", User: []schema.UserType{{Name: "public.citext", Extension: "citext"}}}
)

// TestMakesTypes: enums and composite types are made with the table, once, and
// not at all where the table is not made.
func TestMakesTypes(t *testing.T) {
	x := newTarget(t, nil)
	a, b := keyed("a", col("id", integer, false), col("m", mood, true), col("p", pairs, true)), keyed("b", col("id", integer, false), col("m", mood, true))
	x.must(x.sink.Prepare(t.Context(), []rowferry.Mutation{shaped(a), shaped(b)}))
	x.must(x.apply(inserted(a, i(1), txt("it's"), txt(`{"(1,sad)"}`)), inserted(b, i(1), null)))
	x.is(`it's|{"(1,sad)"}`, "SELECT m || '|' || p::text FROM shop.a")
	x.is("made by Rowferry", `SELECT obj_description('"odd.""s"."a.""b"'::regtype)`)

	other := newTarget(t, func(o *postgres.Options) { o.CreateTables = false })
	other.exec("CREATE SCHEMA shop", "CREATE TABLE shop.b (id int PRIMARY KEY, m text)")
	other.must(other.sink.Prepare(t.Context(), []rowferry.Mutation{shaped(b)}))
	other.must(other.apply(inserted(b, i(1), txt("it's"))))
	other.is("0", "SELECT count(*) FROM pg_type WHERE typname LIKE 'a%b'")
}

// TestRefusesTypes: a type that is another in the target, or that cannot be made,
// stops with what would mend it.
func TestRefusesTypes(t *testing.T) {
	for name, c := range map[string]struct {
		typ    schema.Type
		before string
		parts  []string
	}{
		"label missing":     {mood, `CREATE SCHEMA "odd.""s"; CREATE TYPE "odd.""s"."a.""b" AS ENUM ('sad')`, []string{"it's"}},
		"other sort":        {mood, `CREATE SCHEMA "odd.""s"; CREATE DOMAIN "odd.""s"."a.""b" AS text`, []string{"neither"}},
		"composite":         {mood, `CREATE SCHEMA "odd.""s"; CREATE TYPE "odd.""s"."a.""b" AS (sad int)`, []string{"(sad integer)"}},
		"attribute missing": {pairs, `CREATE SCHEMA app; CREATE TYPE app.pair AS ("a b" integer)`, []string{"app.pair"}},
		"attribute renamed": {pairs, `CREATE SCHEMA app; CREATE SCHEMA "odd.""s"; CREATE TYPE "odd.""s"."a.""b" AS ENUM ('sad', 'it''s'); CREATE TYPE app.pair AS ("a" integer, m "odd.""s"."a.""b")`, []string{"a b integer"}},
		"a range":           {spans, "CREATE SCHEMA app", []string{"cannot be made"}},
		"an extension":      {citext, "SELECT 1", []string{"cannot be made"}},
		"no such extension": {citext, "CREATE DOMAIN public.citext AS text", []string{"extension citext"}},
	} {
		t.Run(name, func(t *testing.T) {
			x := newTarget(t, nil)
			x.exec(c.before)
			shape := keyed("t", col("id", integer, false), col("v", c.typ, true))
			err := x.sink.Prepare(t.Context(), []rowferry.Mutation{shaped(shape)})
			wants(t, err, rowferry.CodeTableDiffers, c.parts...)
			refusal(t, err)
			if e, ok := err.(*rowferry.Error); !ok || len(e.Remedies) == 0 {
				t.Errorf("%v has no remedy", err)
			}
			x.is("false", "SELECT to_regclass('shop.t') IS NOT NULL")
		})
	}
}

// TestFindsTypes: a type may have more labels than the source's, and a table that
// exists is refused once its type lacks one.
func TestFindsTypes(t *testing.T) {
	x := newTarget(t, nil)
	x.exec(`CREATE SCHEMA "odd.""s"`, `CREATE TYPE "odd.""s"."a.""b" AS ENUM ('more', 'it''s', 'sad')`)
	shape := keyed("t", col("id", integer, false), col("v", mood, true))
	x.must(x.sink.Prepare(t.Context(), []rowferry.Mutation{shaped(shape)}))
	x.must(x.apply(inserted(shape, i(1), txt("sad"))))
	wants(t, x.apply(inserted(shape, i(2), txt("new"))), rowferry.CodeRowRefused, "new")
	more := mood
	more.User = []schema.UserType{{Name: moodType.Name, Labels: append([]string{"new"}, moodType.Labels...)}}
	err := x.sink.Prepare(t.Context(), []rowferry.Mutation{shaped(keyed("t", col("id", integer, false), col("v", more, true)))})
	wants(t, err, rowferry.CodeTableDiffers)
	if e, ok := err.(*rowferry.Error); !ok || len(e.Remedies) != 1 || e.Remedies[0].Do != `ALTER TYPE "odd.""s"."a.""b" ADD VALUE 'new'` {
		t.Errorf("%#v is no remedy", err)
	}
}

// TestOwnGuards: the row of another with the same key is told apart by values of
// PostgreSQL's own types that can be compared; those that cannot stop nobody.
func TestOwnGuards(t *testing.T) {
	own := func(kind schema.Kind, native string) schema.Type { return schema.Type{Kind: kind, Native: native} }
	for _, c := range []struct {
		typ            schema.Type
		theirs, before rowferry.Value
		told           bool
	}{
		{own(schema.Bool, "boolean"), i(0), i(1), true},
		{own(schema.Decimal, "numeric"), txt("NaN"), txt("1.0"), true},
		{own(schema.Decimal, "numeric"), txt("NaN"), txt("NaN"), false},
		{own(schema.Date, "date"), txt("infinity"), txt("0044-03-15 BC"), true},
		{own(schema.Timestamp, "timestamp(6) with time zone"), txt("0044-03-15 12:00:00 BC"), txt("0044-03-15 12:00:01 BC"), true},
		{own(schema.Time, "time without time zone"), txt("24:00:00"), txt("00:00:00"), true},
		{own(schema.VarChar, "character(5)"), txt("a    "), txt("b    "), true},
		{mood, txt("sad"), txt("it's"), true},
		{own(schema.Other, "point"), txt("(1,2)"), txt("(3,4)"), false},
		{own(schema.Other, "interval"), txt("1 day"), txt("2 days"), false},
		{own(schema.JSON, "jsonb"), txt("1"), txt("2"), false},
	} {
		for _, bulk := range []bool{false, true} {
			x := newOwnless(t)
			shape := keyed("t", col("id", integer, false), col("v", c.typ, true), col("n", integer, true))
			x.must(x.sink.Prepare(t.Context(), []rowferry.Mutation{shaped(shape)}))
			var ins, ups []rowferry.Mutation
			for k := range int64(5) {
				ins = append(ins, inserted(shape, i(k), c.theirs, i(1)))
				ups = append(ups, updated(shape, rowferry.Row{i(k), c.before, i(1)}, rowferry.Row{i(k), c.before, i(2)}))
			}
			x.must(x.apply(ins...))
			apply := map[bool]func(...rowferry.Mutation) error{false: x.apply, true: x.applyBulk}[bulk]
			err := apply(ups...)
			if told := rowferry.CodeOf(err) == rowferry.CodeRowDiffers || bulk && rowferry.CodeOf(err) == rowferry.CodeRowMissing; told != c.told || err != nil && !told {
				t.Errorf("%s %s for %s (bulk %v): %v", c.typ, c.before, c.theirs, bulk, err)
			}
		}
	}
}

func newOwnless(t *testing.T) *own {
	return &own{target: newTargetOn(t, testdb.Start(t, testdb.Postgres15), nil)}
}

package postgres_test

import (
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
	"github.com/rowferry/rowferry/sink/postgres"
)

func childOf(parent, referenced string, onDelete schema.Action) *schema.Table {
	t := keyed("child", col("id", integer, false), col("p", integer, true))
	t.ForeignKeys = []schema.ForeignKey{{Columns: []int{1}, Parent: schema.Name{Schema: "shop", Table: parent}, Referenced: []string{referenced}, OnDelete: onDelete}}
	return t
}

const foreignKeys = "SELECT coalesce(string_agg(pg_get_constraintdef(oid), ', '), 'none') FROM pg_constraint WHERE contype = 'f'"

// TestParentComesLater: the key is added with its parent, in the same batch, a
// later one, or after a restart that told the shapes again.
func TestParentComesLater(t *testing.T) {
	parent, child := keyed("parent", col("id", integer, false)), childOf("parent", "id", schema.Cascade)
	const valid = "FOREIGN KEY (p) REFERENCES shop.parent(id) ON DELETE CASCADE DEFERRABLE"
	for _, restart := range []bool{false, true} {
		x := newTarget(t, nil)
		x.must(x.apply(shaped(child)))
		x.is("none", foreignKeys)
		if restart {
			x.sink = x.open(nil)
			x.must(x.sink.Prepare(t.Context(), []rowferry.Mutation{shaped(child)}))
		}
		x.must(x.apply(shaped(parent), inserted(parent, i(1)), inserted(child, i(10), i(1)), deleted(parent, i(1))))
		x.is(valid, foreignKeys)
		x.is("0", "SELECT count(*) FROM shop.child")
		wants(t, x.apply(inserted(child, i(11), i(9))), rowferry.CodeRowRefused, "child_fk_")
	}
}

// TestRowsBeforeTheirParentTable, as a dump restored with its checks off has
// them: the key acts, and leaves what is there alone.
func TestRowsBeforeTheirParentTable(t *testing.T) {
	x := newTarget(t, nil)
	parent, child := keyed("parent", col("id", integer, false)), childOf("parent", "id", schema.SetNull)
	x.must(x.apply(unchecked(shaped(child), inserted(child, i(10), i(1)), inserted(child, i(11), i(2)))...))
	x.must(x.apply(unchecked(shaped(parent), inserted(parent, i(1)))...))
	if !strings.Contains(strings.Join(x.notices, "\n"), "NOT VALID") || !strings.Contains(x.one(foreignKeys), "NOT VALID") {
		t.Errorf("notices %q, keys %s", x.notices, x.one(foreignKeys))
	}
	x.must(x.apply(deleted(parent, i(1))))
	x.is("10:NULL 11:2", "SELECT string_agg(id || ':' || coalesce(p::text, 'NULL'), ' ' ORDER BY id) FROM shop.child")
	x.must(x.apply(shaped(child), shaped(parent)))
}

// TestRestartedWithMissingParent: the wait for a parent is no difference.
func TestRestartedWithMissingParent(t *testing.T) {
	x := newTarget(t, nil)
	child := childOf("parent", "id", schema.Cascade)
	x.must(x.apply(shaped(child), inserted(child, i(1), null)))
	x.sink = x.open(nil)
	x.must(x.apply(inserted(child, i(2), null)))
}

func TestForeignKeysLeftOut(t *testing.T) {
	x := newTarget(t, func(o *postgres.Options) {
		o.InScope = func(n schema.Name) bool { return n.Table != "elsewhere" }
	})
	plain := keyed("plain", col("id", integer, false), col("other", integer, true), col("loose", schema.Type{Kind: schema.VarChar, Length: 9, Collation: "utf8mb4_general_ci"}, true))
	plain.Uniques = []schema.Index{{Name: "loose", Columns: []int{2}}}
	x.must(x.apply(shaped(plain)))
	for _, c := range []struct {
		name, parent, referenced string
		column                   schema.Type
		part                     string
		carried                  bool // where it acts
	}{
		{"out of scope", "elsewhere", "id", integer, "not part of the pipeline", false},
		{"no key", "plain", "other", integer, "no primary or unique key", false},
		{"collation", "plain", "loose", plain.Columns[2].Type, "collation", true},
	} {
		child := childOf(c.parent, c.referenced, schema.NoAction)
		child.Columns[1].Type = c.column
		child.Name.Table = c.name
		x.must(x.apply(shaped(child)))
		x.is("none", foreignKeys)
		if got := strings.Join(x.notices, "\n"); !strings.Contains(got, c.part) {
			t.Errorf("%s: notices %q", c.name, got)
		}
		acting := childOf(c.parent, c.referenced, schema.Cascade)
		acting.Columns[1].Type = c.column
		acting.Name.Table = c.name + " acting"
		err := x.apply(shaped(acting))
		if c.carried {
			x.must(err)
			continue
		}
		wants(t, err, rowferry.CodeCascades, "on delete cascade", c.part)
		refusal(t, err)
	}
}

// TestActionsMustAgree compares an existing table's foreign keys with the
// source's.
func TestActionsMustAgree(t *testing.T) {
	parent := keyed("parent", col("id", integer, false))
	for _, c := range []struct {
		name, sql string
		source    schema.Action
		known     bool
		code      rowferry.Code
	}{
		{"same", "REFERENCES shop.parent ON DELETE CASCADE", schema.Cascade, true, ""},
		{"refused alike", "REFERENCES shop.parent (id) ON DELETE CASCADE ON UPDATE RESTRICT", schema.Cascade, true, ""},
		{"none here", "", schema.Cascade, true, rowferry.CodeCascades},
		{"another here", "REFERENCES shop.parent (id) ON DELETE SET NULL", schema.Cascade, true, rowferry.CodeCascades},
		{"of some columns", "REFERENCES shop.parent (id) ON DELETE SET NULL (p)", schema.SetNull, true, rowferry.CodeCascades},
		{"only here", "REFERENCES shop.parent (id) ON DELETE CASCADE", schema.NoAction, true, rowferry.CodeCascades},
		{"unknown there", "REFERENCES shop.parent (id) ON DELETE CASCADE", schema.NoAction, false, ""},
		{"no action", "", schema.NoAction, true, ""},
	} {
		x := newTarget(t, nil)
		x.exec("CREATE SCHEMA shop", "CREATE TABLE shop.parent (id integer PRIMARY KEY)", "CREATE TABLE shop.child (id integer PRIMARY KEY, p integer "+c.sql+")")
		child := childOf("parent", "id", c.source)
		child.ConstraintsKnown = c.known
		if err := x.apply(shaped(parent), shaped(child)); rowferry.CodeOf(err) != c.code {
			t.Errorf("%s: got %v, want %q", c.name, err, c.code)
		}
	}
}

// TestForeignChild: to a table of somebody else's making no key is added, and
// where one would have to act its parent is refused.
func TestForeignChild(t *testing.T) {
	for action, code := range map[schema.Action]rowferry.Code{schema.NoAction: "", schema.Cascade: rowferry.CodeCascades} {
		x := newTarget(t, nil)
		x.exec("CREATE SCHEMA shop", "CREATE TABLE shop.child (id integer PRIMARY KEY, p integer)")
		x.must(x.apply(shaped(childOf("parent", "id", action))))
		if err := x.apply(shaped(keyed("parent", col("id", integer, false)))); rowferry.CodeOf(err) != code {
			t.Errorf("%s: got %v, want %q", action, err, code)
		}
		x.is("none", foreignKeys)
	}
}

// TestOrphansAtTheEnd: a check that was put off refuses the batch before its
// checkpoint, and says which row it is about.
func TestOrphansAtTheEnd(t *testing.T) {
	x := newTarget(t, nil)
	parent, child := keyed("parent", col("id", integer, false)), childOf("parent", "id", schema.NoAction)
	err := x.apply(unchecked(shaped(parent), shaped(child), inserted(child, i(1), i(5)), inserted(child, i(2), i(6)), inserted(parent, i(6)))...)
	wants(t, err, rowferry.CodeRowRefused, "(p)=(5)", "last change: insert of shop.child")
	refusal(t, err)
	x.is("1", "SELECT sequence FROM rowferry.rowferry_checkpoint")
	x.must(x.apply(unchecked(shaped(parent), shaped(child), inserted(child, i(1), i(5)), inserted(parent, i(5)))...))
	// The next batch checks at once again.
	tx, err := x.sink.Begin(t.Context())
	x.must(err)
	wants(t, tx.Write(t.Context(), []rowferry.Mutation{inserted(child, i(3), i(9))}), rowferry.CodeRowRefused)
	x.must(tx.Rollback())
}

// TestDeferredHere: constraints of the operator's that are checked at COMMIT.
func TestDeferredHere(t *testing.T) {
	x := newTarget(t, nil)
	x.exec("CREATE SCHEMA shop", "CREATE TABLE shop.t (id integer PRIMARY KEY, u integer UNIQUE DEFERRABLE INITIALLY DEFERRED)")
	want := keyed("t", col("id", integer, false), col("u", integer, true))
	err := x.apply(shaped(want), inserted(want, i(1), i(1)), inserted(want, i(2), i(1)))
	wants(t, err, rowferry.CodeForeignRow, "t_u_key")
	refusal(t, err)
	x.is("0", "SELECT count(*) FROM shop.t")
	x.must(x.apply(inserted(want, i(1), i(1))))
}

func TestTriggers(t *testing.T) {
	setup := []string{
		"CREATE SCHEMA shop", "CREATE TABLE shop.log (what text)",
		"CREATE FUNCTION shop.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO shop.log VALUES (TG_TABLE_NAME || ' ' || TG_OP); RETURN coalesce(NEW, OLD); END $$",
		"CREATE TABLE shop.parent (id integer PRIMARY KEY)",
		"CREATE TABLE shop.child (id integer PRIMARY KEY, p integer REFERENCES shop.parent ON DELETE CASCADE DEFERRABLE)",
		"CREATE TRIGGER a AFTER INSERT OR UPDATE OR DELETE ON shop.parent FOR EACH ROW EXECUTE FUNCTION shop.note()",
		`CREATE TRIGGER "b ""c" AFTER INSERT OR UPDATE OR DELETE ON shop.child FOR EACH ROW EXECUTE FUNCTION shop.note()`,
		`ALTER TABLE shop.child ENABLE ALWAYS TRIGGER "b ""c"`,
		"CREATE TABLE shop.grand (id integer PRIMARY KEY, p integer REFERENCES shop.child ON DELETE CASCADE)", "INSERT INTO shop.grand VALUES (1, NULL)",
		"CREATE TRIGGER d AFTER UPDATE OR DELETE ON shop.grand FOR EACH ROW EXECUTE FUNCTION shop.note()",
		"CREATE TRIGGER off AFTER INSERT ON shop.parent FOR EACH ROW EXECUTE FUNCTION shop.note()", "ALTER TABLE shop.parent DISABLE TRIGGER off",
	}
	parent, child := keyed("parent", col("id", integer, false)), childOf("parent", "id", schema.Cascade)
	const logged = "SELECT coalesce(string_agg(what, ',' ORDER BY what), '') FROM shop.log"
	const states = "SELECT string_agg(format('%s:%s', tgname, tgenabled), ' ' ORDER BY tgname) FROM pg_trigger WHERE NOT tgisinternal"
	for option, want := range map[string]string{"": "", "suppress": "", "fire": "child DELETE,child INSERT,grand DELETE,parent DELETE,parent INSERT,parent INSERT"} {
		t.Run("triggers "+option, func(t *testing.T) {
			x := newTarget(t, func(o *postgres.Options) { o.Triggers = option })
			x.exec(setup...)
			err := x.apply(shaped(parent), shaped(child), inserted(parent, i(1)), inserted(parent, i(2)), inserted(child, i(1), i(1)))
			if option == "" {
				wants(t, err, rowferry.CodeTriggers, "a")
				refusal(t, err)
				return
			}
			x.must(err)
			// The triggers of the child and its child are reached by cascades alone.
			x.exec("ALTER TABLE shop.grand DISABLE TRIGGER d", "UPDATE shop.grand SET p = 1", "ALTER TABLE shop.grand ENABLE TRIGGER d")
			x.must(x.apply(deleted(parent, i(1))))
			x.is(want, logged)
			x.is(`a:O b "c:A d:O off:D`, states)
			if option == "suppress" {
				x.must(x.apply(unchecked(inserted(child, i(5), i(5)), inserted(parent, i(5)))...))
				x.is("", logged)
				x.exec("INSERT INTO shop.parent VALUES (77)")
				x.is("parent INSERT", logged)
			}
		})
	}
}

// TestTriggerThatSwallows a row without an error.
func TestTriggerThatSwallows(t *testing.T) {
	x := newTarget(t, func(o *postgres.Options) { o.Triggers = "fire" })
	x.exec("CREATE SCHEMA shop", "CREATE TABLE shop.t (id integer PRIMARY KEY)", "CREATE FUNCTION shop.eat() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
		"CREATE FUNCTION shop.no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'too many'; END $$",
		"CREATE TRIGGER eat BEFORE INSERT ON shop.t FOR EACH ROW WHEN (NEW.id = 1) EXECUTE FUNCTION shop.eat()",
		"CREATE TRIGGER no BEFORE INSERT ON shop.t FOR EACH ROW WHEN (NEW.id = 2) EXECUTE FUNCTION shop.no()")
	want := keyed("t", col("id", integer, false))
	for id, part := range map[int64]string{1: "kept a row from being inserted", 2: "too many"} {
		err := x.apply(shaped(want), inserted(want, i(3)), inserted(want, i(id)))
		wants(t, err, rowferry.CodeRowRefused, part)
		refusal(t, err)
	}
	x.is("0", "SELECT count(*) FROM shop.t")
}

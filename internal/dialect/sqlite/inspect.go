package sqlite

import (
	"fmt"
	"slices"
	"strings"

	"zombiezen.com/go/sqlite"

	"github.com/rowferry/rowferry/schema"
)

// Existing is a table as the database has it.
type Existing struct {
	// Shape has the table's names, keys and foreign keys. Its types stand for
	// the columns' affinities. A foreign key's Parent has no namespace, and
	// Referenced is resolved where SQLite left it implied.
	Shape        *schema.Table
	Columns      []Column // one per Shape.Columns
	Kind         string   // "table", "view", "virtual" or "shadow"
	Strict       bool
	WithoutRowid bool
	RowidAlias   int // ordinal of the INTEGER PRIMARY KEY column, or -1
	Uniques      []UniqueIndex
	Triggers     []string
	SQL          string // the CREATE statement
}

// Column is what SQLite says of a column beyond its schema.Column.
type Column struct {
	Declared   string
	Affinity   Affinity
	HasDefault bool
}

// UniqueIndex is a unique index, the primary key's included.
type UniqueIndex struct {
	Name       string
	Columns    []int // ordinals; -1 for an expression or the rowid
	Partial    bool
	Expression bool
	Primary    bool
}

// TableNames returns the tables of the main database, in order of name,
// without SQLite's own, views, and virtual tables with their shadows.
func TableNames(conn *sqlite.Conn) ([]string, error) {
	var names []string
	err := Query(conn, `SELECT name FROM pragma_table_list
		WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY name`,
		func(s *sqlite.Stmt) error {
			names = append(names, s.ColumnText(0))
			return nil
		})
	return names, err
}

// Inspect returns the table or view of that name, compared as SQLite does, or
// nil when there is none.
func Inspect(conn *sqlite.Conn, name string) (*Existing, error) {
	x, err := inspectHead(conn, name)
	if x == nil || err != nil {
		return nil, err
	}
	if err := x.readColumns(conn); err != nil {
		return nil, err
	}
	if err := x.readIndexes(conn); err != nil {
		return nil, err
	}
	x.findRowidAlias()
	if err := x.readForeignKeys(conn); err != nil {
		return nil, err
	}
	err = Query(conn, `SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ?1 COLLATE NOCASE ORDER BY name`,
		func(s *sqlite.Stmt) error {
			x.Triggers = append(x.Triggers, s.ColumnText(0))
			return nil
		}, name)
	return x, err
}

func inspectHead(conn *sqlite.Conn, name string) (*Existing, error) {
	var x *Existing
	err := Query(conn, `SELECT l.name, l.type, l.wr, l.strict, coalesce(m.sql, '')
		FROM pragma_table_list(?1) l LEFT JOIN sqlite_schema m ON m.name = l.name AND m.type IN ('table', 'view')
		WHERE l.schema = 'main'`,
		func(s *sqlite.Stmt) error {
			x = &Existing{
				Shape:        &schema.Table{Name: schema.Name{Table: s.ColumnText(0)}, ConstraintsKnown: true},
				Kind:         s.ColumnText(1),
				WithoutRowid: s.ColumnBool(2),
				Strict:       s.ColumnBool(3),
				SQL:          s.ColumnText(4),
				RowidAlias:   -1,
			}
			return nil
		}, name)
	return x, err
}

func (x *Existing) readColumns(conn *sqlite.Conn) error {
	t := x.Shape
	key := map[int]int{} // place in the primary key → ordinal
	err := Query(conn, `SELECT name, type, "notnull", dflt_value IS NOT NULL, pk, hidden FROM pragma_table_xinfo(?1, 'main') WHERE hidden <> 1 ORDER BY cid`,
		func(s *sqlite.Stmt) error {
			declared := s.ColumnText(1)
			a := affinityOf(declared, x.Strict)
			c := schema.Column{Name: s.ColumnText(0), Type: typeOf(a), Nullable: !s.ColumnBool(2)}
			switch s.ColumnInt(5) {
			case 2:
				c.Generated = schema.Virtual
			case 3:
				c.Generated = schema.Stored
			}
			if pk := s.ColumnInt(4); pk > 0 {
				key[pk] = len(t.Columns)
			}
			t.Columns = append(t.Columns, c)
			x.Columns = append(x.Columns, Column{Declared: declared, Affinity: a, HasDefault: s.ColumnBool(3)})
			return nil
		}, t.Name.Table)
	for i := 1; i <= len(key); i++ {
		t.PrimaryKey = append(t.PrimaryKey, key[i])
	}
	return err
}

func (x *Existing) readIndexes(conn *sqlite.Conn) error {
	t := x.Shape
	err := Query(conn, `SELECT name, partial, origin = 'pk' FROM pragma_index_list(?1, 'main') WHERE "unique" ORDER BY name`,
		func(s *sqlite.Stmt) error {
			x.Uniques = append(x.Uniques, UniqueIndex{Name: s.ColumnText(0), Partial: s.ColumnBool(1), Primary: s.ColumnBool(2)})
			return nil
		}, t.Name.Table)
	if err != nil {
		return err
	}
	for i := range x.Uniques {
		u := &x.Uniques[i]
		err := Query(conn, `SELECT cid FROM pragma_index_xinfo(?1, 'main') WHERE key ORDER BY seqno`,
			func(s *sqlite.Stmt) error {
				cid := s.ColumnInt(0)
				if cid < 0 {
					cid, u.Expression = -1, true
				}
				u.Columns = append(u.Columns, cid)
				return nil
			}, u.Name)
		if err != nil {
			return err
		}
		switch {
		case u.Partial:
			t.Unsupported = append(t.Unsupported, fmt.Sprintf("partial unique index %s", u.Name))
		case u.Expression:
			t.Unsupported = append(t.Unsupported, fmt.Sprintf("unique index %s over an expression", u.Name))
		case !u.Primary:
			t.Uniques = append(t.Uniques, schema.Index{Name: u.Name, Columns: u.Columns})
		}
	}
	return nil
}

// findRowidAlias recognises INTEGER PRIMARY KEY: the one primary key of a
// rowid table that has no index of its own.
func (x *Existing) findRowidAlias() {
	pk := x.Shape.PrimaryKey
	if len(pk) != 1 || x.WithoutRowid || x.Kind != "table" {
		return
	}
	if slices.ContainsFunc(x.Uniques, func(u UniqueIndex) bool { return u.Primary }) {
		return
	}
	if strings.EqualFold(x.Columns[pk[0]].Declared, "INTEGER") {
		x.RowidAlias = pk[0]
	}
}

func (x *Existing) readForeignKeys(conn *sqlite.Conn) error {
	t := x.Shape
	last := -1
	implied := false
	err := Query(conn, `SELECT id, "table", "from", "to", on_update, on_delete FROM pragma_foreign_key_list(?1, 'main') ORDER BY id, seq`,
		func(s *sqlite.Stmt) error {
			if id := s.ColumnInt(0); id != last {
				last = id
				t.ForeignKeys = append(t.ForeignKeys, schema.ForeignKey{
					Parent:   schema.Name{Table: s.ColumnText(1)},
					OnUpdate: actionOf(s.ColumnText(4)),
					OnDelete: actionOf(s.ColumnText(5)),
				})
			}
			f := &t.ForeignKeys[len(t.ForeignKeys)-1]
			o := columnFold(t, s.ColumnText(2))
			if o < 0 {
				return fmt.Errorf("foreign key of table %s names column %q, which it does not have", t.Name, s.ColumnText(2))
			}
			f.Columns = append(f.Columns, o)
			f.Referenced = append(f.Referenced, s.ColumnText(3))
			implied = implied || s.ColumnIsNull(3)
			return nil
		}, t.Name.Table)
	if err != nil || !implied {
		return err
	}
	return x.resolveImplied(conn)
}

// resolveImplied fills in the referenced columns of foreign keys that name
// only their parent and so mean its primary key.
func (x *Existing) resolveImplied(conn *sqlite.Conn) error {
	for i := range x.Shape.ForeignKeys {
		f := &x.Shape.ForeignKeys[i]
		if f.Referenced[0] != "" {
			continue
		}
		parent, err := inspectHead(conn, f.Parent.Table)
		if err != nil {
			return err
		}
		if parent == nil {
			continue
		}
		if err := parent.readColumns(conn); err != nil {
			return err
		}
		if len(parent.Shape.PrimaryKey) == len(f.Columns) {
			f.Referenced = parent.Shape.ColumnNames(parent.Shape.PrimaryKey)
		}
	}
	return nil
}

func actionOf(s string) schema.Action {
	switch s {
	case "RESTRICT":
		return schema.Restrict
	case "CASCADE":
		return schema.Cascade
	case "SET NULL":
		return schema.SetNull
	case "SET DEFAULT":
		return schema.SetDefault
	default: // "NO ACTION": SQLite has no other
		return schema.NoAction
	}
}

// columnFold returns the ordinal of the column that SQLite would take for
// name, or -1.
func columnFold(t *schema.Table, name string) int {
	name = Fold(name)
	return slices.IndexFunc(t.Columns, func(c schema.Column) bool { return Fold(c.Name) == name })
}

package mysql

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// madeBy is the comment of tables that Rowferry made. Only such a table is ever
// given a foreign key later.
const madeBy = "made by Rowferry"

// existing is a table as the server has it.
type existing struct {
	shape    *schema.Table // names as the server has them
	columns  []existingColumn
	kind     string // "BASE TABLE", "VIEW", "SEQUENCE", …
	engine   string
	made     bool
	indexes  []string // names of the keys, PRIMARY among them, foreign keys aside
	unique   []string // those that are unique
	triggers []string
}

// existingColumn is what the server says of a column beyond its schema.Column.
type existingColumn struct {
	declared string // COLUMN_TYPE
	bytes    int64  // CHARACTER_OCTET_LENGTH: how much a text or binary column holds
	filled   bool   // an insert may leave it out
	onUpdate bool   // an update that leaves it out changes it
}

// inspect returns the table or view of that name, or nil when there is none.
// Names in the catalog are compared without case, so what it returns is looked
// at again.
func (s *Sink) inspect(ctx context.Context, se *session, name schema.Name) (*existing, error) {
	x, err := s.inspectHead(ctx, se, name)
	if x == nil || err != nil {
		return nil, err
	}
	if err := x.readColumns(ctx, se); err != nil {
		return nil, err
	}
	if err := x.readKeys(ctx, se); err != nil {
		return nil, err
	}
	references, err := readReferences(ctx, se, "k.TABLE_SCHEMA = ? AND k.TABLE_NAME = ?", x.shape.Name)
	if err != nil {
		return nil, err
	}
	for _, r := range references {
		if r.child != x.shape.Name {
			continue
		}
		f := schema.ForeignKey{Name: r.name, Parent: r.parent, Referenced: r.referenced, OnDelete: r.onDelete, OnUpdate: r.onUpdate}
		for _, c := range r.columns {
			f.Columns = append(f.Columns, x.ordinal(c))
		}
		x.shape.ForeignKeys = append(x.shape.ForeignKeys, f)
	}
	err = se.query(ctx, "SELECT EVENT_OBJECT_SCHEMA, EVENT_OBJECT_TABLE, TRIGGER_NAME FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = ? AND EVENT_OBJECT_TABLE = ? ORDER BY TRIGGER_NAME",
		func(scan func(...any) error) error {
			var at schema.Name
			var trigger string
			err := scan(&at.Schema, &at.Table, &trigger)
			if at == x.shape.Name {
				x.triggers = append(x.triggers, trigger)
			}
			return err
		}, x.shape.Name.Schema, x.shape.Name.Table)
	return x, err
}

func (s *Sink) inspectHead(ctx context.Context, se *session, name schema.Name) (*existing, error) {
	var x *existing
	err := se.query(ctx, "SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE, COALESCE(ENGINE, ''), COALESCE(TABLE_COMMENT, '') FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?",
		func(scan func(...any) error) error {
			n := &existing{shape: &schema.Table{ConstraintsKnown: true}}
			var comment string
			if err := scan(&n.shape.Name.Schema, &n.shape.Name.Table, &n.kind, &n.engine, &comment); err != nil {
				return err
			}
			n.made = comment == madeBy
			if s.server.foldName(n.shape.Name) == s.server.foldName(name) {
				x = n
			}
			return nil
		}, name.Schema, name.Table)
	return x, err
}

func (x *existing) ordinal(column string) int {
	return slices.IndexFunc(x.shape.Columns, func(c schema.Column) bool { return strings.EqualFold(c.Name, column) })
}

func (x *existing) readColumns(ctx context.Context, se *session) error {
	return se.query(ctx, `SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, IS_NULLABLE, COLUMN_DEFAULT IS NOT NULL, EXTRA,
		CHARACTER_SET_NAME, COLLATION_NAME, CHARACTER_MAXIMUM_LENGTH, CHARACTER_OCTET_LENGTH, NUMERIC_PRECISION, NUMERIC_SCALE, DATETIME_PRECISION
		FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION`,
		func(scan func(...any) error) error {
			var at schema.Name
			var r columnRow
			var name, nullable, extra string
			var hasDefault bool
			if err := scan(&at.Schema, &at.Table, &name, &r.dataType, &r.columnType, &nullable, &hasDefault, &extra,
				&r.charset, &r.collation, &r.length, &r.bytes, &r.precision, &r.scale, &r.fsp); err != nil {
				return err
			}
			if at != x.shape.Name {
				return nil
			}
			extra = strings.ToLower(extra)
			c := schema.Column{Name: name, Type: r.typ(), Nullable: nullable == "YES",
				AutoIncrement: strings.Contains(extra, "auto_increment"), Invisible: strings.Contains(extra, "invisible")}
			switch {
			case strings.Contains(extra, "virtual generated"):
				c.Generated = schema.Virtual
			case strings.Contains(extra, "stored generated"), strings.Contains(extra, "persistent generated"):
				c.Generated = schema.Stored
			}
			x.shape.Columns = append(x.shape.Columns, c)
			x.columns = append(x.columns, existingColumn{
				declared: r.columnType, bytes: r.bytes.Int64, onUpdate: strings.Contains(extra, "on update"),
				filled: c.Nullable || hasDefault || c.AutoIncrement || c.Generated != schema.NotGenerated || strings.Contains(extra, "default_generated"),
			})
			return nil
		}, x.shape.Name.Schema, x.shape.Name.Table)
}

// readKeys reads the primary key, the unique keys, and the names of the rest. A part that is an
// expression makes a key that says nothing of columns.
func (x *existing) readKeys(ctx context.Context, se *session) error {
	type part struct{ ordinal, prefix int }
	keys, names := map[string][]part{}, []string{}
	err := se.query(ctx, `SELECT TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, COLUMN_NAME, COALESCE(SUB_PART, 0), NON_UNIQUE FROM information_schema.STATISTICS
		WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? ORDER BY INDEX_NAME, SEQ_IN_INDEX`,
		func(scan func(...any) error) error {
			var at schema.Name
			var index string
			var column sql.NullString
			var several int
			p := part{ordinal: -1}
			if err := scan(&at.Schema, &at.Table, &index, &column, &p.prefix, &several); err != nil || at != x.shape.Name {
				return err
			}
			if !slices.Contains(x.indexes, index) {
				x.indexes = append(x.indexes, index)
			}
			if several != 0 {
				return nil
			}
			if column.Valid {
				p.ordinal = x.ordinal(column.String)
			}
			if keys[index] == nil {
				names = append(names, index)
			}
			keys[index] = append(keys[index], p)
			return nil
		}, x.shape.Name.Schema, x.shape.Name.Table)
	x.unique = names
	for _, name := range names {
		parts := keys[name]
		if slices.ContainsFunc(parts, func(p part) bool { return p.ordinal < 0 }) {
			continue
		}
		u := schema.Index{Name: name}
		for _, p := range parts {
			u.Columns, u.Prefix = append(u.Columns, p.ordinal), append(u.Prefix, p.prefix)
		}
		if name == "PRIMARY" {
			x.shape.PrimaryKey = u.Columns
			continue
		}
		if u.Whole() {
			u.Prefix = nil
		}
		x.shape.Uniques = append(x.shape.Uniques, u)
	}
	return err
}

// reference is one foreign key as the server has it.
type reference struct {
	name                string
	child, parent       schema.Name
	columns, referenced []string
	onDelete, onUpdate  schema.Action
}

// readReferences returns the foreign keys that the condition selects; it takes
// a database and a table.
func readReferences(ctx context.Context, se *session, where string, name schema.Name) ([]*reference, error) {
	var all []*reference
	err := se.query(ctx, `SELECT k.CONSTRAINT_NAME, k.TABLE_SCHEMA, k.TABLE_NAME, k.COLUMN_NAME,
		k.REFERENCED_TABLE_SCHEMA, k.REFERENCED_TABLE_NAME, k.REFERENCED_COLUMN_NAME, r.DELETE_RULE, r.UPDATE_RULE
		FROM information_schema.KEY_COLUMN_USAGE k JOIN information_schema.REFERENTIAL_CONSTRAINTS r
		ON r.CONSTRAINT_SCHEMA = k.CONSTRAINT_SCHEMA AND r.CONSTRAINT_NAME = k.CONSTRAINT_NAME AND r.TABLE_NAME = k.TABLE_NAME
		WHERE k.REFERENCED_TABLE_NAME IS NOT NULL AND `+where+` ORDER BY k.TABLE_SCHEMA, k.TABLE_NAME, k.CONSTRAINT_NAME, k.ORDINAL_POSITION`,
		func(scan func(...any) error) error {
			var r reference
			var column, referenced, onDelete, onUpdate string
			err := scan(&r.name, &r.child.Schema, &r.child.Table, &column, &r.parent.Schema, &r.parent.Table, &referenced, &onDelete, &onUpdate)
			if err == nil {
				r.onDelete, err = actionOf(onDelete)
			}
			if err == nil {
				r.onUpdate, err = actionOf(onUpdate)
			}
			if err != nil {
				return err
			}
			if n := len(all); n == 0 || all[n-1].name != r.name || all[n-1].child != r.child {
				all = append(all, &r)
			}
			last := all[len(all)-1]
			last.columns, last.referenced = append(last.columns, column), append(last.referenced, referenced)
			return nil
		}, name.Schema, name.Table)
	return all, err
}

func actionOf(rule string) (schema.Action, error) {
	switch rule {
	case "NO ACTION":
		return schema.NoAction, nil
	case "RESTRICT":
		return schema.Restrict, nil
	case "CASCADE":
		return schema.Cascade, nil
	case "SET NULL":
		return schema.SetNull, nil
	case "SET DEFAULT":
		return schema.SetDefault, nil
	default:
		return "", rowferry.Errorf(rowferry.CodeTarget, "a foreign key of the target has the rule %q, which is not known", rule)
	}
}

package mysql

import (
	"context"
	"slices"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// flagSQLForeignKeys marks rows events of a MySQL server (9.6 and newer) that
// handles foreign keys above the storage engine and so logs what they cascade
// (M10), which is the default there. With innodb_native_foreign_keys=ON, on
// older servers and on MariaDB nothing is logged, and the flag is not set.
const flagSQLForeignKeys = 0x10

// cascadesLogged reports whether a server is expected to log cascades.
func (s server) cascadesLogged() bool { return !s.mariadb && s.since(9, 6) }

func cascades(a schema.Action) bool {
	return a == schema.Cascade || a == schema.SetNull || a == schema.SetDefault
}

// withoutCascades returns the shape as the target should have it: where the log
// carries what foreign keys cascade, the target must not cascade again.
func (t *tables) withoutCascades(shape *schema.Table) *schema.Table {
	acts := func(f schema.ForeignKey) bool { return cascades(f.OnDelete) || cascades(f.OnUpdate) }
	if !t.head.srv.cascadesLogged() || !slices.ContainsFunc(shape.ForeignKeys, acts) {
		return shape
	}
	if p := t.plain[shape]; p != nil {
		return p
	}
	p := *shape
	p.ForeignKeys = slices.Clone(shape.ForeignKeys)
	for i := range p.ForeignKeys {
		f := &p.ForeignKeys[i]
		if cascades(f.OnDelete) {
			f.OnDelete = schema.NoAction
		}
		if cascades(f.OnUpdate) {
			f.OnUpdate = schema.NoAction
		}
	}
	t.plain[shape] = &p
	return &p
}

// unlogged refuses a change of a parent whose cascades should be in the log and
// are not: the children's shapes were announced without their actions.
func (t *tables) unlogged(ctx context.Context, at place, parent *schema.Table, flags uint16, changes []rowferry.Change) error {
	if !t.head.srv.cascadesLogged() || flags&flagSQLForeignKeys != 0 || len(changes) == 0 || changes[0].Op == rowferry.Insert {
		return nil
	}
	// Shapes as the consumer recorded them have no actions.
	if _, err := t.relearn(ctx, at, t.catalog.Tables()); err != nil {
		return err
	}
	for _, child := range t.catalog.Tables() {
		if !t.src.opt.Scope(child.Name) {
			continue
		}
		for _, f := range child.ForeignKeys {
			if f.Parent == parent.Name && slices.ContainsFunc(changes, func(c rowferry.Change) bool { return triggers(&c, &f, parent) }) {
				return rowferry.Errorf(rowferry.CodeCascades, "a change of %s cascades to %s, and the log does not have what it did there", parent.Name, child.Name).
					Fact("server", "%s", t.head.srv.version).
					Remedy("let the server log cascades", "innodb_native_foreign_keys=OFF on the source")
			}
		}
	}
	return nil
}

// triggers reports whether a change of the parent makes a foreign key act.
func triggers(c *rowferry.Change, f *schema.ForeignKey, parent *schema.Table) bool {
	switch c.Op {
	case rowferry.Delete:
		return cascades(f.OnDelete)
	case rowferry.Update:
		return cascades(f.OnUpdate) && slices.ContainsFunc(f.Referenced, func(name string) bool {
			i := parent.Column(name)
			return i < 0 || c.After[i] != c.Before[i] && !c.After[i].IsAbsent()
		})
	default:
		return false
	}
}

// replaces reports whether rows events of these flags may be the first half of
// a REPLACE on a server that handles foreign keys above the storage engine: it
// deletes the row and inserts it again without a look at the row's children,
// which stay. The delete never ends the statement.
func replaces(flags uint16) bool {
	return flags&flagSQLForeignKeys != 0 && flags&flagStatementEnd == 0
}

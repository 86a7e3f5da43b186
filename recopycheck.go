package rowferry

import (
	"context"
	"fmt"

	"github.com/rowferry/rowferry/schema"
)

// checkUnlogged refuses tables of which a foreign key changes rows, which the log would
// not tell.
func (e *Engine) checkUnlogged(names []schema.Name) error {
	for _, n := range names {
		for _, f := range e.shapes[n].ForeignKeys {
			if f.Acts() {
				return Errorf(CodeRecopyRefused, "a foreign key of table %s changes its rows, and the log does not have those changes", n).
					Fact("foreign key", "%s to %s", f.Name, f.Parent).
					Remedy("start over", "rowferry destroy, then run again into empty tables")
			}
		}
	}
	return nil
}

// notes reports whether it is noted which rows of a table are the pipeline's.
func (e *Engine) notesRows(n schema.Name) bool {
	return e.parts.Resolver != nil && e.parts.Resolver.Notes(n)
}

// checkMade refuses tables in which others may have rows that cannot be told from the
// pipeline's.
func (e *Engine) checkMade(ctx context.Context, begins bool) error {
	if !begins {
		return nil
	}
	sink := e.parts.Sink.(RecopySink)
	for _, m := range e.recopy.staging().targets {
		if e.notesRows(m.Source) {
			continue
		}
		made, err := sink.Made(ctx, m.Table)
		if err != nil {
			return err
		}
		why := "it was not made by this program, and which of its rows are the pipeline's is not noted"
		if made {
			why = untold(m.Table)
		}
		if why != "" {
			return Errorf(CodeRecopyRefused, "which rows of table %s the source no longer has cannot be told", m.Table.Name).Fact("because", "%s", why).
				Remedy("start over", "rowferry destroy, then run again into empty tables")
		}
	}
	return nil
}

// untold says why rows of a table cannot be named by what the target tells of their
// keys, "" where they can.
func untold(t *schema.Table) string {
	for _, o := range t.Identity() {
		switch t.Columns[o].Type.Kind {
		case schema.Int, schema.Char, schema.VarChar, schema.Text, schema.UUID:
		default:
			return fmt.Sprintf("its key has a column of type %s", t.Columns[o].Type.Kind)
		}
	}
	return ""
}

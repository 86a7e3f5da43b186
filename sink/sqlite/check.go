package sqlite

import (
	"fmt"
	"strings"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/sqlite"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

// folding is how SQLite compares names. Shapes have no namespace here.
var folding = sqlsink.Folding{
	Table:  func(n schema.Name) schema.Name { return schema.Name{Table: dialect.Fold(n.Table)} },
	Column: dialect.Fold,
}

// check refuses an existing table that cannot hold the shape's rows exactly,
// or that would do something with them by itself.
func (s *Sink) check(t *schema.Table, x *dialect.Existing) error {
	if x.Kind != "table" {
		return rowferry.Errorf(rowferry.CodeTableDiffers, "the target has a %s of the table's name", x.Kind).Fact("table", "%s", t.Name)
	}
	if s.loading.bare(t.Name) && dialect.Made(t, x) {
		t = unfinished(t, x)
	}
	if facts := differences(t, x); len(facts) > 0 {
		e := rowferry.Errorf(rowferry.CodeTableDiffers, "a target table has another shape than the source").Fact("table", "%s", t.Name)
		e.Facts = append(e.Facts, facts...)
		return e
	}
	if err := folding.CheckActions(t, x.Shape); err != nil {
		return err
	}
	if len(x.Triggers) > 0 && s.options.Triggers != "fire" {
		return rowferry.Errorf(rowferry.CodeTriggers, "a target table has triggers").
			Fact("table", "%s", t.Name).Fact("triggers", "%s", strings.Join(x.Triggers, ", ")).
			Remedy("let them fire", "triggers: fire")
	}
	return nil
}

// differences lists every way in which x cannot take rows of t as they are.
func differences(t *schema.Table, x *dialect.Existing) []rowferry.Fact {
	var facts []rowferry.Fact
	differ := func(column, format string, args ...any) {
		facts = append(facts, rowferry.Fact{Name: "column " + column, Value: fmt.Sprintf(format, args...)})
	}
	for _, c := range t.Columns {
		o := folding.Ordinal(x.Shape, c.Name)
		if o < 0 {
			differ(c.Name, "is missing in the target")
			continue
		}
		have, got := x.Shape.Columns[o], x.Columns[o]
		want, err := schema.SQLiteType(c.Type)
		switch {
		case err != nil:
			differ(c.Name, "%v", err)
		case have.Generated == schema.NotGenerated && !dialect.Keeps(got.Affinity, x.Strict, c.Type):
			differ(c.Name, "is %s in the source, which needs %s, and is declared %q in the target", c.Type, want, got.Declared)
		}
		if c.Nullable && !have.Nullable {
			differ(c.Name, "may be NULL in the source and is NOT NULL in the target")
		}
	}
	for o, c := range x.Shape.Columns {
		filled := c.Nullable || x.Columns[o].HasDefault || c.Generated != schema.NotGenerated || o == x.RowidAlias
		if folding.Ordinal(t, c.Name) < 0 && !filled {
			differ(c.Name, "is not in the source, and in the target is NOT NULL without a default")
		}
	}
	if key := folding.KeyDifference(t, x.Shape, x.RowidAlias); key != "" {
		facts = append(facts, rowferry.Fact{Name: "primary key", Value: key})
	}
	return facts
}

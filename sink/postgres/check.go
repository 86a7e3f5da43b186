package postgres

import (
	"context"
	"fmt"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

// folding: PostgreSQL compares quoted names exactly.
var folding = sqlsink.Folding{Table: normal, Column: func(s string) string { return s }}

// The limits of PostgreSQL
// (https://www.postgresql.org/docs/15/limits.html): columns of a table, and
// parameters of a statement, whose number travels in 16 bits.
const (
	mostColumns = 1600
	mostParams  = 65535
)

// check refuses an existing table that cannot hold the shape's rows exactly,
// or that would do something with them by itself.
func (s *Sink) check(ctx context.Context, t *schema.Table, x *dialect.Existing) error {
	if x.Kind != "table" && x.Kind != "partitioned table" {
		return rowferry.Errorf(rowferry.CodeTableDiffers, "the target has a %s of the table's name", x.Kind).Fact("table", "%s", t.Name)
	}
	if s.loading.bare(t.Name) && x.Made {
		t = unfinished(t, x)
	}
	if facts := differences(t, x); len(facts) > 0 {
		e := rowferry.Errorf(rowferry.CodeTableDiffers, "a target table has another shape than the source").Fact("table", "%s", t.Name)
		e.Facts = append(e.Facts, facts...)
		return e
	}
	if err := s.checkTypes(ctx, t, x); err != nil {
		return err
	}
	awaited, err := s.awaited(ctx, t, x)
	if err != nil {
		return err
	}
	if err := folding.CheckActions(awaited, x.Shape); err != nil {
		return err
	}
	if len(x.Triggers) > 0 && s.options.Triggers == triggersRefuse {
		return rowferry.Errorf(rowferry.CodeTriggers, "a target table has triggers").
			Fact("table", "%s", t.Name).Fact("triggers", "%s", x.TriggerNames()).
			Remedy("let them fire", "triggers: fire").
			Remedy("switch them off while rows are written", "triggers: suppress")
	}
	return nil
}

// awaited returns the shape without the foreign keys that are still to be
// added, since their parent does not exist yet.
func (s *Sink) awaited(ctx context.Context, t *schema.Table, x *dialect.Existing) (*schema.Table, error) {
	c := *t
	c.ForeignKeys = nil
	for _, f := range t.ForeignKeys {
		if f.Acts() && !has(t, f, x) {
			missing, err := s.pending(ctx, t, f)
			if err != nil {
				return nil, err
			}
			if missing {
				continue
			}
		}
		c.ForeignKeys = append(c.ForeignKeys, f)
	}
	return &c, nil
}

// differences lists every way in which x cannot take rows of t as they are.
func differences(t *schema.Table, x *dialect.Existing) []rowferry.Fact {
	var facts []rowferry.Fact
	differ := func(column, format string, args ...any) {
		facts = append(facts, rowferry.Fact{Name: "column " + column, Value: fmt.Sprintf(format, args...)})
	}
	for _, why := range x.Odd {
		facts = append(facts, rowferry.Fact{Name: "table", Value: why})
	}
	if x.Kind == "partitioned table" && t.Identity() == nil {
		facts = append(facts, rowferry.Fact{Name: "table", Value: "it is partitioned, and one of several equal rows without a key cannot be told from the others"})
	}
	for _, c := range t.Columns {
		o := x.Shape.Column(c.Name)
		if o < 0 {
			differ(c.Name, "is missing in the target")
			continue
		}
		have, got := x.Shape.Columns[o], x.Columns[o]
		want, err := schema.PostgresType(c.Type)
		switch {
		case err != nil:
			differ(c.Name, "%v", err)
		case have.Generated == schema.NotGenerated && !got.Keeps(c.Type):
			differ(c.Name, "is %s in the source, which needs %s, and is %s in the target", c.Type, want, got.Declared)
		}
		if c.Nullable && !have.Nullable && have.Generated == schema.NotGenerated {
			differ(c.Name, "may be NULL in the source and is NOT NULL in the target")
		}
	}
	for o, c := range x.Shape.Columns {
		if t.Column(c.Name) < 0 && !c.Nullable && !x.Columns[o].Filled && c.Generated == schema.NotGenerated {
			differ(c.Name, "is not in the source, and in the target is NOT NULL without a default")
		}
	}
	if key := folding.KeyDifference(t, x.Shape, x.Fills()); key != "" {
		facts = append(facts, rowferry.Fact{Name: "primary key", Value: key})
	}
	return facts
}

// checkLimits refuses a shape that PostgreSQL has no room for.
func checkLimits(t *schema.Table) error {
	if n := len(t.Columns); n > mostColumns {
		return rowferry.Errorf(rowferry.CodeTypeRefused, "a table has more columns than PostgreSQL's tables can have").
			Fact("table", "%s", t.Name).Fact("columns", "%d, and the most is %d", n, mostColumns)
	}
	return nil
}

package mapping

import (
	"encoding/json"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/failpoint"
	"github.com/rowferry/rowferry/schema"
)

// project appends what a change comes to. The rules are the table's own, and look at
// nothing but the change: an update brings a row into the filter, takes it out, or
// changes one that stays.
func (p *projection) project(dst []rowferry.Mutation, c *rowferry.Change) ([]rowferry.Mutation, error) {
	switch c.Op {
	case rowferry.Insert:
		in, err := p.in(c.After, c)
		if err != nil || !in {
			return p.leaveOut(dst, c, rowferry.Insert), err
		}
		return p.insert(dst, c, c.After)
	case rowferry.Delete:
		in, err := p.in(c.Before, c)
		if err != nil || !in {
			return p.leaveOut(dst, c, rowferry.Delete), err
		}
		return p.remove(dst, c)
	case rowferry.Update:
		return p.update(dst, c)
	case rowferry.Truncate:
		switch {
		case p.rule.Deletes == SkipDeletes:
			return dst, nil
		case p.rule.Deletes == SoftDeletes:
			return dst, rowferry.Errorf(rowferry.CodeRuleRefused, "a table with soft deletes was emptied at the source by one statement, which does not tell its rows").
				Fact("table", "%s", p.source.Name)
		}
	default: // a shape
	}
	return append(dst, p.mutation(c, c.Op, nil, nil)), nil
}

func (p *projection) mutation(c *rowferry.Change, op rowferry.Op, before, after rowferry.Row) rowferry.Mutation {
	return rowferry.Mutation{
		Op: op, Table: p.target, Before: before, After: after, Source: c.Table.Name, ChecksOff: c.ChecksOff, ChecksLate: c.ChecksLate,
	}
}

// in reports whether the filter takes a row.
func (p *projection) in(row rowferry.Row, c *rowferry.Change) (bool, error) {
	if p.where == nil {
		return true, nil
	}
	if o := p.where.lacks(row); o >= 0 {
		return false, p.lacking("the filter", o, c)
	}
	in, err := p.where.holds(row)
	if err != nil {
		return false, p.failed(err, "the filter", c)
	}
	return in, nil
}

func (p *projection) update(dst []rowferry.Mutation, c *rowferry.Change) ([]rowferry.Mutation, error) {
	view := p.whole(c)
	was, is := true, true
	var err error
	if p.where != nil {
		if was, err = p.in(c.Before, c); err != nil {
			return dst, err
		}
		if is, err = p.in(view, c); err != nil {
			return dst, err
		}
	}
	switch {
	case !was && !is:
		return p.leaveOut(dst, c, rowferry.Update), nil
	case !was:
		for o := range view {
			if view[o].IsAbsent() && p.source.Columns[o].Generated == schema.NotGenerated && (p.to == nil || p.to[o] >= 0) {
				return dst, p.lacking("a row which enters the filter", o, c)
			}
		}
		entered := make(rowferry.Row, len(view))
		copy(entered, view)
		if p.hands {
			return p.enters(dst, c, entered)
		}
		return p.insert(dst, c, entered)
	case !is && p.hands:
		return p.leaves(dst, c)
	case !is:
		return p.remove(dst, c)
	case p.to == nil:
		return append(dst, p.mutation(c, rowferry.Update, c.Before, c.After)), nil
	}
	before, err := p.old(c)
	if err != nil {
		return dst, err
	}
	after, err := p.row(c, c.After, view)
	if err != nil {
		return dst, err
	}
	for o := range after {
		if !after[o].IsAbsent() && after[o] != before[o] {
			m := p.mutation(c, rowferry.Update, before, after)
			p.ease(&m, c.Before, c.After)
			return append(dst, m), nil
		}
	}
	return dst, nil // nothing of it reaches the target
}

// whole returns the row as it is after an update, as far as it is known.
func (p *projection) whole(c *rowferry.Change) rowferry.Row {
	if p.where == nil && p.to == nil {
		return c.After
	}
	p.view = append(p.view[:0], c.After...)
	for o := range p.view {
		if p.view[o].IsAbsent() {
			p.view[o] = c.Before[o]
		}
	}
	return p.view
}

func (p *projection) insert(dst []rowferry.Mutation, c *rowferry.Change, row rowferry.Row) ([]rowferry.Mutation, error) {
	if p.to == nil {
		return append(dst, p.mutation(c, rowferry.Insert, nil, row)), nil
	}
	after, err := p.row(c, row, row)
	if err != nil {
		return dst, err
	}
	m := p.mutation(c, rowferry.Insert, nil, after)
	m.Revives = p.deleted
	p.ease(&m, nil, row)
	return append(dst, m), nil
}

// remove is a delete, as the rules have it.
func (p *projection) remove(dst []rowferry.Mutation, c *rowferry.Change) ([]rowferry.Mutation, error) {
	if p.rule.Deletes == SkipDeletes {
		return dst, nil
	}
	before, err := p.old(c)
	if err != nil {
		return dst, err
	}
	if p.rule.Deletes != SoftDeletes {
		return append(dst, p.mutation(c, rowferry.Delete, before, nil)), nil
	}
	after := make(rowferry.Row, len(p.columns))
	for i, x := range p.columns {
		if x.maker == fromDeleted || x.maker == fromTime {
			after[i] = timeOf(c)
		}
	}
	return append(dst, p.mutation(c, rowferry.Update, before, after)), nil
}

// old returns the target's old row: what it has where nobody changed it, as far as
// the change tells. The time of the change before is not told.
func (p *projection) old(c *rowferry.Change) (rowferry.Row, error) {
	if p.to == nil {
		return c.Before, nil
	}
	row := make(rowferry.Row, len(p.columns))
	for i, x := range p.columns {
		switch x.maker {
		case fromColumn:
			row[i] = c.Before[x.from]
		case fromProgram:
			if x.program.lacks(c.Before) >= 0 {
				continue
			}
			if x.filled && x.from >= 0 && failpoint.On("forget-old-defaults") {
				row[i] = c.Before[x.from]
				continue
			}
			v, err := x.program.value(c.Before)
			if err != nil {
				return nil, p.failed(err, "column "+p.target.Columns[i].Name, c)
			}
			row[i] = v
		case fromOrigin:
			row[i] = p.origin
		case fromKey:
			row[i] = p.sourceKey(c.Before)
		case fromDeleted:
			row[i] = rowferry.NullValue()
		default: // fromTime
		}
	}
	return row, nil
}

// row returns the target's new row. image is what the log has, and view has besides
// what it left out since it did not change.
func (p *projection) row(c *rowferry.Change, image, view rowferry.Row) (rowferry.Row, error) {
	row := make(rowferry.Row, len(p.columns))
	for i, x := range p.columns {
		switch x.maker {
		case fromColumn:
			row[i] = image[x.from]
		case fromProgram:
			if x.program.untouched(image) {
				continue
			}
			what := "column " + p.target.Columns[i].Name
			if o := x.program.lacks(view); o >= 0 {
				return nil, p.lacking(what, o, c)
			}
			v, err := x.program.value(view)
			if err != nil {
				return nil, p.failed(err, what, c)
			}
			row[i] = v
		case fromOrigin:
			row[i] = p.origin
		case fromKey:
			row[i] = p.sourceKey(view)
		case fromTime:
			row[i] = timeOf(c)
		case fromDeleted:
			row[i] = rowferry.NullValue()
		}
	}
	return row, nil
}

// untouched reports whether an image has none of the program's columns, so that its
// value is what it was.
func (p *program) untouched(image rowferry.Row) bool {
	for _, o := range p.uses {
		if !image[o].IsAbsent() {
			return false
		}
	}
	return len(p.uses) > 0
}

// value computes the program for a row. A column that stands alone is handed on as
// it is.
func (p *program) value(row rowferry.Row) (rowferry.Value, error) {
	if p.node.column >= 0 {
		return row[p.node.column], nil
	}
	return p.eval(row)
}

// sourceKey is the key of a source row as text: the value, or a JSON list of them.
func (p *projection) sourceKey(row rowferry.Row) rowferry.Value {
	identity := p.source.Identity()
	parts := make([]string, len(identity))
	for i, o := range identity {
		if row[o].IsAbsent() {
			return rowferry.Value{}
		}
		parts[i] = row[o].String()
	}
	if len(parts) == 1 {
		return rowferry.TextValue(parts[0])
	}
	list, err := json.Marshal(parts)
	if err != nil { // texts can always be written
		panic(err)
	}
	return rowferry.TextValue(string(list))
}

// timeOf is when the source committed a change, as a timestamp is carried: NULL for
// a row of a copy, of which nobody knows it.
func timeOf(c *rowferry.Change) rowferry.Value {
	if c.Commit == 0 {
		return rowferry.NullValue()
	}
	return rowferry.TextValue(time.UnixMilli(c.Commit).UTC().Format("2006-01-02 15:04:05.000"))
}

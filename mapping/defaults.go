package mapping

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// MissingColumns says what becomes of a source column that the target's table does not
// have.
type MissingColumns string

// The policies.
const (
	StopAtMissing MissingColumns = ""     // the pipeline stops before it writes
	DropMissing   MissingColumns = "drop" // it is left out, with a warning
)

// LeavesOut reports whether columns are left out where the target's tables lack them,
// so that the rules have to know these; see Facing.
func (r *Rules) LeavesOut() bool {
	for _, x := range r.entities {
		if x.MissingColumns == DropMissing {
			return true
		}
	}
	return false
}

// Facing returns the rules for a target that has the tables. Which columns these have
// is a part of the rules from there on: where it changes, so do they. notice is told
// of each column that is left out, once by each handler, when its table comes.
// CodeRuleRefused for a table of which columns were to be left out, and that is not
// there.
func (r *Rules) Facing(tables []*schema.Table, notice func(table schema.Name, text string)) (*Rules, error) {
	facing := *r
	facing.entities, facing.notice = maps.Clone(r.entities), notice
	for source, x := range r.entities {
		if x.MissingColumns != DropMissing || !r.InScope(source) {
			continue
		}
		target := r.Target(source)
		i := slices.IndexFunc(tables, func(t *schema.Table) bool { return t.Name == target })
		if i < 0 {
			return nil, refuseRule(source.String(), "'missing_columns: drop' is for a table that the target has, and it does not have %s", target).
				Remedy("make it", "in the target, with the columns that it shall have").
				Remedy("let it be made", "with all columns, or without those under 'drop': leave missing_columns out")
		}
		own := *x
		own.has = tables[i].ColumnNames(all(tables[i]))
		slices.Sort(own.has)
		facing.entities[source] = &own
	}
	return &facing, nil
}

// Recalling returns the rules for the target that they faced when their canonical text
// was recorded.
func (r *Rules) Recalling(canonical string) *Rules {
	if !r.LeavesOut() {
		return r
	}
	had := map[string][]string{} // by quoted name
	eachRule(canonical, func(entity, word string) {
		if text, ok := strings.CutPrefix(word, "has="); ok {
			if name, err := strconv.Unquote(text); err == nil {
				had[entity] = append(had[entity], name)
			}
		}
	})
	recalling := *r
	recalling.entities = maps.Clone(r.entities)
	for source, x := range r.entities {
		if has := had[fmt.Sprintf("%q.%q", source.Schema, source.Table)]; x.MissingColumns == DropMissing && has != nil {
			own := *x
			own.has = has
			recalling.entities[source] = &own
		}
	}
	return &recalling
}

// lacks reports whether the target's table lacks a column that is left out then. Names
// that differ in case alone are one to some targets, and others refuse them by name.
func (r *rule) lacks(column string) bool {
	return r.has != nil && !slices.ContainsFunc(r.has, func(n string) bool { return strings.EqualFold(n, column) })
}

// tellMissing tells which columns of a table are left out.
func (h *handler) tellMissing(p *projection) {
	if h.rules.notice == nil || h.missing[p.target.Name] {
		return
	}
	for _, o := range p.left {
		h.missing[p.target.Name] = true
		h.rules.notice(p.source.Name, fmt.Sprintf("the target's %s has no column %s: its values are left out", p.target.Name, p.rule.wanted(p.source.Columns[o].Name)))
	}
}

// defaulted compiles the default of a source column: the column's value, and where that
// is NULL the default. It returns the column as it is in the target.
func (p *projection) defaulted(o int, name string) (schema.Column, projected, error) {
	c := p.source.Columns[o]
	if slices.Contains(p.source.PrimaryKey, o) || slices.Contains(p.source.Identity(), o) {
		return c, projected{}, refuseRule(p.source.Name.String(), "column %s belongs to the key by which rows are found, and has no default", c.Name)
	}
	program, err := p.rule.defaults[name].compileDefault(p.source, o)
	if err != nil {
		return c, projected{}, aboutExpression(err, p.source.Name.String(), "defaults."+name)
	}
	c.Nullable = program.nullable
	return c, projected{maker: fromProgram, program: program, filled: true, from: o}, nil
}

// compileDefault is compile for the default of a column: the program has the column's
// value, or where that is NULL the expression's.
func (x *expression) compileDefault(shape *schema.Table, o int) (*program, error) {
	c := &compiler{text: x.text, shape: shape, uses: map[int]bool{o: true}}
	n, err := c.compile(x.root)
	if err != nil {
		return nil, err
	}
	column := shape.Columns[o]
	if n, err = c.asColumn(x.root, n, column); err != nil {
		return nil, err
	}
	t := columnType(column)
	t.nullable = column.Nullable && n.nullable
	return c.program(made(t, func(row rowferry.Row) (rowferry.Value, error) {
		if v := row[o]; !v.IsNull() {
			return v, nil
		}
		return n.eval(row)
	})), nil
}

// asColumn returns the node with its values as a column carries them. They are of the
// column's type: a default makes no other column of it.
func (c *compiler) asColumn(at ast.Node, n node, column schema.Column) (node, error) {
	want := columnType(column)
	want.nullable = n.nullable
	misfit := c.wrong(at, "%s is %s, and its default is %s", column.Name, want, n.typ)
	switch {
	case n.kind == kindNull:
		return n, misfit
	case want.kind == kindTime && n.kind == kindText && n.literal:
		_, err := moment(n.value)
		if day := len(n.value.Str()) == dayLength; err != nil || day != (column.Type.Kind == schema.Date) {
			return n, c.wrong(at, "%q is not written as %s is\n%s", n.value.Str(), want, timeForms[column.Type.Kind])
		}
		return written(want, n.value), nil
	case want.kind == kindDecimal && n.kind == kindInt && n.literal:
		text := n.value.String()
		n = written(typ{kind: kindDecimal, precision: len(text)}, rowferry.TextValue(text))
	}
	t, _, n, err := c.either(at, node{typ: want, column: -1}, n)
	switch {
	case err != nil:
		return n, err
	case t != want:
		return n, misfit
	case !column.Type.Unsigned || column.Type.Kind != schema.Int:
		return n, nil
	}
	return made(want, func(row rowferry.Row) (rowferry.Value, error) {
		v, err := n.eval(row)
		if err == nil && v.Kind() == rowferry.Int && v.Int() < 0 {
			err = fmt.Errorf("%s is below 0, and %s is unsigned", v, column.Name)
		}
		return like(v, rowferry.UintValue(0)), err
	}), nil
}

// ease notes in a mutation what of a row, after a change, it makes up or leaves out.
// before is nil for a new row.
func (p *projection) ease(m *rowferry.Mutation, before, after rowferry.Row) {
	for _, x := range p.columns {
		switch {
		case !x.filled:
		case x.from < 0: // no column of the source
			m.Defaulted = m.Defaulted || before == nil
		case after[x.from].IsNull() && (before == nil || !before[x.from].IsNull()):
			m.Defaulted = true
		}
	}
	for _, o := range p.left {
		if v := after[o]; !v.IsAbsent() && !v.IsNull() && (before == nil || v != before[o]) {
			m.LeftOut = true
		}
	}
}

package mapping

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// projection is what becomes of the rows of one version of a source table's shape.
type projection struct {
	source, target *schema.Table
	// to holds, per source column, its ordinal in the target, -1 where the target
	// does not have its value. Nil means that the columns are the same, and rows are
	// shared.
	to      []int
	rule    *rule          // nil where there is none
	where   *program       // nil takes all rows
	columns []projected    // of the target; nil where to is
	left    []int          // ordinals of the source's columns that are left out, since the target lacks them
	hands   bool           // changes of rows that the filter leaves out are handed on
	deleted int            // 1 and the ordinal of the column of soft deletes; 0: there is none
	view    rowferry.Row   // scratch: a whole row
	origin  rowferry.Value // the pipeline's name
}

// maker says what a target column's values are made of.
type maker uint8

const (
	fromColumn  maker = iota // a source column
	fromProgram              // an expression
	fromOrigin               // the pipeline's name
	fromKey                  // the source's key, as text
	fromTime                 // the time of the change
	fromDeleted              // the time of a soft delete
)

type projected struct {
	maker   maker
	from    int // of fromColumn and where filled: the source's ordinal, -1 where it has no such column
	program *program
	filled  bool // the program is a default
}

// newProjection compiles the rules for a version of a shape. The target has no
// foreign keys yet.
func newProjection(t *schema.Table, name schema.Name, r *rule, pipeline string) (*projection, error) {
	p := &projection{source: t, rule: r, origin: rowferry.TextValue(pipeline)}
	if r != nil && r.where != nil {
		where, err := r.where.compileWhere(t)
		if err != nil {
			return nil, aboutExpression(err, t.Name.String(), "where")
		}
		p.where = where
	}
	if !r.reshapes() {
		p.target = t.WithName(name)
		return p, p.fits()
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	shape := t.WithName(name)
	shape.Columns = nil
	shape.Unsupported = slices.Clone(t.Unsupported)
	p.target = shape
	p.to = make([]int, len(t.Columns))
	for o, c := range t.Columns {
		to, kept := r.targetColumn(c.Name)
		if p.to[o] = -1; !kept {
			if wanted := r.wanted(c.Name); wanted != "" && r.lacks(wanted) {
				p.left = append(p.left, o)
			}
			continue
		}
		p.to[o] = len(shape.Columns)
		from := projected{from: o}
		if r.defaults[to] != nil {
			var err error
			if c, from, err = p.defaulted(o, to); err != nil {
				return nil, err
			}
		}
		c.Name = to
		shape.Columns, p.columns = append(shape.Columns, c), append(p.columns, from)
	}
	if err := p.add(); err != nil {
		return nil, err
	}
	p.deleted = 1 + slices.IndexFunc(p.columns, func(x projected) bool { return x.maker == fromDeleted })
	p.keys()
	return p, p.fits()
}

// check refuses names that the table does not have, and what its key needs.
func (p *projection) check() error {
	t, r := p.source, p.rule
	about := t.Name.String()
	missing := func(what, name string) error {
		return refuseRule(about, "%s names column %s, which the table does not have", what, name).Fact("columns", "%v", t.ColumnNames(all(t)))
	}
	for _, name := range r.Drop {
		if t.Column(name) < 0 {
			return missing("drop", name)
		}
	}
	for name := range r.Rename {
		if t.Column(name) < 0 {
			return missing("rename", name)
		}
	}
	for _, o := range append(slices.Clone(t.PrimaryKey), t.Identity()...) {
		name := t.Columns[o].Name
		if r.lacks(r.wanted(name)) {
			return refuseRule(about, "column %s belongs to the key by which rows are found, and the target's table does not have it", name)
		}
		if _, kept := r.targetColumn(name); !kept {
			return refuseRule(about, "column %s belongs to the key by which rows are found, and can be neither dropped nor replaced", name)
		}
	}
	if t.Identity() == nil {
		for what, used := range map[string]bool{"deletes: soft": r.Deletes == SoftDeletes, "provenance.key": r.Key != "", "provenance.time": r.Time != ""} {
			if used {
				return refuseRule(about, "%s needs a key, and the table has none", what)
			}
		}
	}
	return nil
}

func all(t *schema.Table) []int {
	o := make([]int, len(t.Columns))
	for i := range o {
		o[i] = i
	}
	return o
}

// add adds the columns that the source does not have. One that has a source
// column's name stands in its place.
func (p *projection) add() error {
	t, r := p.source, p.rule
	place := func(c schema.Column, x projected) {
		after := 0 // behind the columns that come before it at the source
		for o, s := range t.Columns {
			name := s.Name
			if to, ok := r.Rename[name]; ok {
				name = to
			}
			if name == c.Name && !slices.Contains(r.Drop, s.Name) {
				p.target.Columns = slices.Insert(p.target.Columns, after, c)
				p.columns = slices.Insert(p.columns, after, x)
				for i := range p.to {
					if p.to[i] >= after {
						p.to[i]++
					}
				}
				return
			}
			if p.to[o] >= 0 {
				after = p.to[o] + 1
			}
		}
		p.target.Columns, p.columns = append(p.target.Columns, c), append(p.columns, x)
	}
	time := schema.Type{Kind: schema.Timestamp, Fsp: 3}
	text := schema.Type{Kind: schema.Text, Charset: "utf8mb4", Collation: "utf8mb4_0900_bin"}
	for _, a := range append(r.added(), p.unknown()...) {
		switch x := cmp.Or(r.computed[a.name], r.defaults[a.name]); {
		case x != nil:
			program, err := x.compile(t)
			if err != nil {
				return aboutExpression(err, t.Name.String(), a.what)
			}
			if program.kind == kindNull {
				return refuseRule(t.Name.String(), "%s is nil, of which no column can be made", a.what)
			}
			place(p.computed(a.name, program), projected{maker: fromProgram, program: program, filled: r.defaults[a.name] != nil, from: -1})
		case a.what == "provenance.source":
			place(schema.Column{Name: a.name, Type: text}, projected{maker: fromOrigin})
		case a.what == "provenance.key":
			place(schema.Column{Name: a.name, Type: text}, projected{maker: fromKey})
		case a.what == "provenance.time":
			place(schema.Column{Name: a.name, Type: time, Nullable: true}, projected{maker: fromTime})
		default:
			place(schema.Column{Name: a.name, Type: time, Nullable: true}, projected{maker: fromDeleted})
		}
	}
	return nil
}

// unknown are the columns with a default that the source does not have.
func (p *projection) unknown() (all []addition) {
	for _, name := range slices.Sorted(maps.Keys(p.rule.Defaults)) {
		if p.target.Column(name) < 0 {
			all = append(all, addition{name, "defaults." + name})
		}
	}
	return all
}

// computed declares a computed column. A copy of a column is of its type, and so is
// a text in a text's place.
func (p *projection) computed(name string, x *program) schema.Column {
	c := x.column(name)
	if x.node.column >= 0 {
		c.Type = p.source.Columns[x.node.column].Type
		return c
	}
	for _, s := range p.source.Columns {
		to := s.Name
		if renamed, ok := p.rule.Rename[to]; ok {
			to = renamed
		}
		if k := s.Type.Kind; to == name && x.kind == kindText && (k == schema.Char || k == schema.VarChar || k == schema.Text) {
			c.Type = s.Type
		}
	}
	return c
}

// keys carries over the keys and indexes whose columns the target has. What others
// need goes, and it is told.
func (p *projection) keys() {
	s, t := p.source, p.target
	t.PrimaryKey, _ = p.ordinals(s.PrimaryKey)
	t.Uniques, t.Indexes, t.ForeignKeys = nil, nil, nil
	lose := func(what, why string) { t.Unsupported = append(t.Unsupported, what+", "+why) }
	identity := s.Identity()
	for _, u := range s.Uniques {
		columns, gone := p.ordinals(u.Columns)
		switch {
		case gone != "":
			lose("the unique key "+u.Name, "whose column "+gone+" the rules take away")
		case p.rule.keepsRows() && !slices.Equal(u.Columns, identity):
			lose("the unique key "+u.Name, "of which rows that were deleted would keep their values")
		default:
			u.Columns = columns
			t.Uniques = append(t.Uniques, u)
		}
	}
	for _, x := range s.Indexes {
		if columns, gone := p.ordinals(x.Columns); gone == "" {
			x.Columns = columns
			t.Indexes = append(t.Indexes, x)
		}
	}
}

// ordinals returns the target's ordinals of source columns, and the name of one
// that it does not have.
func (p *projection) ordinals(source []int) (target []int, gone string) {
	if p.to == nil || source == nil {
		return source, ""
	}
	target = make([]int, len(source))
	for i, o := range source {
		if target[i] = p.to[o]; target[i] < 0 {
			return nil, p.source.Columns[o].Name
		}
	}
	return target, ""
}

// fits makes sure of what the rest of the program relies on: rows are found by the
// same columns on both sides.
func (p *projection) fits() error {
	want, _ := p.ordinals(p.source.Identity())
	if !slices.Equal(want, p.target.Identity()) {
		return rowferry.Errorf(rowferry.CodeInternal, "the rules give table %s another key", p.source.Name)
	}
	if err := p.target.Validate(); err != nil {
		return refuseRule(p.source.Name.String(), "the rules make a table that cannot be: %v", err)
	}
	return nil
}

// failed is the error for an expression that has no value for a row.
func (p *projection) failed(err error, what string, c *rowferry.Change) error {
	return rowferry.Errorf(rowferry.CodeNotComputed, "%s has no value for a row: %w", what, err).
		Fact("table", "%s", p.source.Name).Fact("change", "%s", c.Op).Fact("key", "%s", p.keyText(c))
}

// lacking is the error for a change that lacks a column.
func (p *projection) lacking(what string, ordinal int, c *rowferry.Change) error {
	return rowferry.Errorf(rowferry.CodeImageLacks, "a change was logged without a column that %s needs", what).
		Fact("table", "%s", p.source.Name).Fact("change", "%s", c.Op).Fact("column", "%s", p.source.Columns[ordinal].Name).Fact("key", "%s", p.keyText(c)).
		Remedy("prevent", "%s", "SET GLOBAL binlog_row_image=FULL on MySQL or MariaDB, REPLICA IDENTITY FULL of the table on PostgreSQL").
		Remedy("then", "start over, with a new copy")
}

func (p *projection) keyText(c *rowferry.Change) string { return keyText(p.source, c) }

// keyText is the key of the row that a change is of, for people.
func keyText(t *schema.Table, c *rowferry.Change) string {
	row := c.Before
	if row == nil {
		row = c.After
	}
	text := ""
	for i, o := range t.Identity() {
		if i > 0 {
			text += " "
		}
		text += fmt.Sprintf("%s=%s", t.Columns[o].Name, row[o])
	}
	return text
}

package mysql

import (
	"fmt"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/mysql"

	"github.com/rowferry/rowferry/schema"
)

// spec is what a column's definition says beyond its shape, as far as changing
// it changes values.
type spec struct {
	expression string // of a generated column, its tokens
	size       int    // of TEXT and BLOB: 1 (tiny) to 4 (long)
	digits     int    // of FLOAT(m,d) and DOUBLE(m,d): before the point …
	decimals   int    // … and after it; -1 where all are kept
}

func specOf(def *definition) spec {
	s := spec{expression: def.column.expression, decimals: -1}
	if def.column.kind != schema.Invalid {
		return s
	}
	switch tp := def.col.Tp; tp.GetType() {
	case mysql.TypeTinyBlob:
		s.size = 1
	case mysql.TypeBlob:
		s.size = 2
		if tp.GetFlen() > 0 {
			s.size = 1 // TEXT(n) is the smallest that holds n
		}
	case mysql.TypeMediumBlob:
		s.size = 3
	case mysql.TypeLongBlob:
		s.size = 4
	case mysql.TypeFloat, mysql.TypeDouble:
		if tp.GetDecimal() >= 0 {
			s.decimals, s.digits = tp.GetDecimal(), tp.GetFlen()-tp.GetDecimal()
		}
	default: // the shape says all
	}
	return s
}

// cuts reports whether a column of this definition may not hold every value of
// one of the other.
func (s spec) cuts(old spec, strict bool) bool {
	return s.size > 0 && s.size < 4 && s.size < old.size && !strict ||
		s.decimals >= 0 && (old.decimals < 0 || s.decimals < old.decimals || s.digits < old.digits)
}

// specs remembers the definitions of columns, by folded name. It is never
// written to after its draft was put into the catalog.
type specs map[string]spec

func (d *draft) define(def *definition) {
	if d.specs == nil {
		d.specs = specs{}
	}
	d.specs[strings.ToLower(def.name)] = specOf(def)
}

// followSpecs brings the definitions past an alteration.
func (d *draft) followSpecs(a *alteration, gone map[string]bool) {
	old := d.specs
	d.specs = specs{}
	for name, s := range old {
		if a.convert != nil && s.size > 0 {
			s.size = 4 // texts may have grown
		}
		if to, ok := a.renames[name]; ok {
			d.specs[strings.ToLower(to)] = s
		} else if !gone[name] {
			d.specs[name] = s
		}
	}
	for _, x := range a.adds {
		if x.def.what == defColumn && !x.void {
			d.define(x.def)
		}
	}
}

// rewrites collects what an alteration does that the shapes before and after it
// do not show. Where it is not known what a column was, what may be counts.
type rewrites struct {
	list   []string
	old    *draft // nil: not known
	keys   bool   // the keys of old are known
	strict bool   // values that do not fit are errors
	ignore bool   // ALTER IGNORE
	inline bool   // a column's REFERENCES is a foreign key
}

func (r *rewrites) add(format string, args ...any) {
	r.list = append(r.list, fmt.Sprintf(format, args...))
}

// rewrites lists what an alteration does to a table that was old, for people.
//
//	columns renamed                       rows have other values under the names
//	a column dropped and added            the same
//	a generated column's expression       values are computed anew
//	to or from generated                  the same
//	a column made AUTO_INCREMENT          rows with 0 or NULL get numbers
//	a smaller TEXT, a rounder FLOAT       values are cut, where that is no error
//	ALTER IGNORE with keys or partitions  rows that do not fit go
//	ENGINE=BLACKHOLE                      all rows go
//	keys, where they are not known        no row shows them
func (p *parser) rewrites(old *draft, a *alteration) []string {
	r := &rewrites{
		old: old, keys: old != nil && old.known, ignore: p.ignore, inline: p.cat.honoursInline(),
		strict: p.st.SQLMode&(strictTrans|strictAll) != 0 && !p.ignore,
	}
	if a.blackhole {
		r.add("engine BLACKHOLE keeps no rows")
	}
	if r.ignore && a.partitions {
		r.add("rows outside of all partitions dropped (ALTER IGNORE)")
	}
	r.renames(a)
	for _, x := range a.adds {
		switch {
		case x.def.what == defColumn && x.old == "":
			r.added(a, x.def)
		case x.def.what == defColumn:
			r.changed(x)
		case x.def.what == defKey:
			r.key(x.def)
		}
	}
	for _, x := range a.drops {
		if !r.keys && (x.what == "FOREIGN" || x.what == "CONSTRAINT") {
			r.add("constraint %s dropped", x.name)
		}
	}
	return r.list
}

// renames counts names that mean another column than before.
func (r *rewrites) renames(a *alteration) {
	for _, n := range a.renamed {
		from, to := n[0], n[1]
		if r.old != nil {
			i := r.old.column(from)
			if i < 0 {
				continue // IF EXISTS
			}
			from = r.old.columns[i].Name
		}
		if from != to {
			r.add("column %s renamed to %s", from, to)
		}
	}
}

// added counts a new column that takes the place of one.
func (r *rewrites) added(a *alteration, def *definition) {
	for _, x := range a.drops {
		if x.what == "COLUMN" && strings.EqualFold(x.name, def.name) && (r.old == nil || r.old.column(x.name) >= 0) {
			r.add("column %s dropped and added", def.name)
		}
	}
	r.columnKeys(def)
}

// changed counts a column that is defined anew.
func (r *rewrites) changed(x *addition) {
	name, now, was := x.def.name, specOf(x.def), spec{size: 5, decimals: -1}
	var col *schema.Column // nil: it is not known whether it was generated or numbered
	if r.old != nil {
		i := r.old.column(x.old)
		if i < 0 {
			return // IF EXISTS
		}
		s, known := r.old.specs[strings.ToLower(x.old)]
		if known {
			was = s
		}
		if known || r.keys {
			col = &r.old.columns[i]
		}
	}
	r.columnKeys(x.def)
	generated := x.def.column.generated != schema.NotGenerated
	switch had := col != nil && col.Generated != schema.NotGenerated; {
	case generated && col != nil && !had:
		r.add("column %s became generated", name)
	case had && !generated:
		r.add("column %s is not generated any more", name)
	case generated && now.expression != was.expression:
		r.add("the expression of column %s changed", name)
	}
	if hasOption(x.def, ast.ColumnOptionAutoIncrement) && (col == nil || !col.AutoIncrement) {
		r.add("column %s became AUTO_INCREMENT", name)
	}
	if now.cuts(was, r.strict) {
		r.add("column %s holds less", name)
	}
}

// columnKeys counts the keys that a column's own attributes make.
func (r *rewrites) columnKeys(def *definition) {
	unique := hasOption(def, ast.ColumnOptionUniqKey)
	if unique && !r.keys {
		r.add("unique key over %s added", def.name)
	}
	if r.ignore && (unique || hasOption(def, ast.ColumnOptionPrimaryKey)) {
		r.add("rows that repeat a key dropped (ALTER IGNORE)")
	}
	if r.inline && !r.keys && hasOption(def, ast.ColumnOptionReference) {
		r.add("foreign key over %s added", def.name)
	}
}

// key counts a key that stands on its own.
func (r *rewrites) key(def *definition) {
	switch def.key.kind {
	case uniqueKey, primaryKey:
		if r.ignore {
			r.add("rows that repeat a key dropped (ALTER IGNORE)")
		}
		if !r.keys && def.key.kind == uniqueKey {
			r.add("unique key added")
		}
	case foreignKey:
		if !r.keys {
			r.add("foreign key to %s added", def.cons.Refer.Table.Name.O)
		}
	case plainKey, otherKey: // change nothing
	}
}

func hasOption(def *definition, want ast.ColumnOptionType) bool {
	for _, o := range def.col.Options {
		if o.Tp == want {
			return true
		}
	}
	return false
}

// namesBlackhole reports whether table options have ENGINE=BLACKHOLE.
func (c *cursor) namesBlackhole() bool {
	for n := range len(c.tokens) - c.i {
		at := n + 1
		if c.isPunct(at, '=') {
			at++
		}
		if c.wordAt(n) == "ENGINE" && strings.EqualFold(c.text(c.peek(at)), "BLACKHOLE") {
			return true
		}
	}
	return false
}

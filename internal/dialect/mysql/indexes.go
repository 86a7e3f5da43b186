package mysql

import (
	"slices"
	"strings"

	"github.com/rowferry/rowferry/schema"
)

// changeIndex reads CREATE INDEX and DROP INDEX from after those words, as the
// clauses of ALTER TABLE that they are. Without a unique key in it, the statement
// has no effect on rows, and so none that is told.
func (p *parser) changeIndex(verb string, replace bool, kind keyKind) ([]Effect, error) {
	ifThem := p.accept("IF", "NOT", "EXISTS") || p.accept("IF", "EXISTS")
	name, err := p.ident()
	if err != nil {
		return nil, err
	}
	if p.isUsing() {
		p.skip(2)
	}
	if !p.accept("ON") {
		return nil, syntaxError(p.cursor, "ON")
	}
	n, err := p.named()
	if err != nil {
		return nil, err
	}
	a := newAlteration(n)
	if verb == "DROP" {
		a.drops = []drop{{what: "KEY", name: name, ifExists: ifThem}}
	} else {
		if p.acceptAny("WAIT", "NOWAIT") == "WAIT" {
			p.skip(1)
		}
		rest, err := p.split(true)
		if err != nil {
			return nil, err
		}
		def := &definition{what: defKey, name: name, key: keyNote{kind: kind, ifNotExists: ifThem}}
		if err := p.defineParts(rest[0], def); err != nil {
			return nil, err
		}
		def.name = name
		a.adds = []*addition{{def: def}}
		if replace {
			a.drops = []drop{{what: "KEY", name: name, ifExists: true}}
		}
	}
	effects, err := p.alterWhose(a, verb+" INDEX")
	if err != nil {
		return nil, err
	}
	if e := effects[0]; len(effects) == 1 && (e.After != nil && e.Before != nil && same(e.After.WithoutIndexes(), e.Before.WithoutIndexes()) && len(e.Rewrites) == 0 || verb == "CREATE" && kind != uniqueKey && e.Before == nil) {
		return one(Nothing), nil
	}
	return effects, nil
}

// plainIndexes returns the keys that refuse no row: those that any target can have,
// and what the others are. A key that a server made for a foreign key is that
// server's own.
func (d *draft) plainIndexes() (plain []schema.Index, others []string) {
	others = slices.Clone(d.others)
	for _, k := range d.keys {
		if k.kind != plainKey && k.kind != otherKey || k.generated {
			continue
		}
		x, why := d.plainIndex(k)
		if why != "" {
			others = append(others, "index "+k.name+", which "+why)
			continue
		}
		plain = append(plain, x)
	}
	return plain, others
}

// plainIndex returns a key that is not unique, or why it is none that any target
// can have.
func (d *draft) plainIndex(k key) (x schema.Index, why string) {
	x = schema.Index{Name: k.name, Columns: make([]int, len(k.parts)), Prefix: make([]int, len(k.parts)), Descending: make([]bool, len(k.parts))}
	switch {
	case k.other != "":
		return x, "is a " + k.other + " index"
	case k.kind != plainKey:
		return x, "is not sorted"
	case k.unused != "":
		return x, "is " + k.unused
	}
	for i, p := range k.parts {
		x.Columns[i], x.Prefix[i], x.Descending[i] = d.column(p.column), p.prefix, p.descending
		if x.Columns[i] < 0 {
			return x, "is over an expression"
		}
	}
	if slices.Max(x.Prefix) == 0 {
		x.Prefix = nil
	}
	if !slices.Contains(x.Descending, true) {
		x.Descending = nil
	}
	return x, ""
}

// alterIndexClause reads ALTER INDEX from after those words: only whether queries
// use it matters.
func (p *parser) alterIndexClause(a *alteration, c *cursor) error {
	c.accept("IF", "EXISTS")
	name, err := c.ident()
	if err == nil {
		a.unused[strings.ToLower(name)] = c.unusedOption()
	}
	return err
}

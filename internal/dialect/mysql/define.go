package mysql

import (
	"fmt"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"github.com/rowferry/rowferry/schema"
)

// definition is one element of a table's body: a column, a key, or something
// that has no place in a shape. The library reads sql; the notes are what it
// could not have read, or need not.
type definition struct {
	what definitionKind
	name string // of the column; of the key as given, or ""
	sql  string // what the library is given, "" for nothing

	column columnNote
	key    keyNote

	col  *ast.ColumnDef  // sql, read
	cons *ast.Constraint // sql, read
}

type definitionKind uint8

const (
	defColumn definitionKind = iota
	defKey
	defPeriod // PERIOD FOR name (start, end)
	defCheck
)

// columnNote is what is known of a column beside what the library reads.
type columnNote struct {
	kind      schema.Kind // a type the library does not know
	length    int         // of a Vector
	labels    []string    // of an ENUM or SET
	rawLabels bool        // the labels are binary literals
	charset   string
	collate   string
	bin       bool // the BINARY attribute
	generated schema.Generation
	// expression is that of a generated column, token by token.
	expression string
	invisible  bool
	json       bool // MariaDB: CHECK (json_valid(column))
	rowStart   bool // MariaDB: system versioning
	rowEnd     bool
}

// keyNote is what is known of a key beside what the library reads.
type keyNote struct {
	kind        keyKind
	constraint  string
	ifNotExists bool
	overlaps    bool   // MariaDB: the last part is a period, WITHOUT OVERLAPS
	other       string // FULLTEXT, SPATIAL, VECTOR
	unused      string // INVISIBLE, IGNORED
	start, end  string
}

// define reads one element of a table's body.
func (p *parser) define(c *cursor) (*definition, error) {
	d := &definition{}
	var err error
	if p.isKey(c) {
		err = p.defineKey(c, d)
	} else {
		err = p.defineColumn(c, d)
	}
	if err == nil && !c.end() {
		err = syntaxError(c, "the end of the definition")
	}
	return d, err
}

// isKey reports whether an element is something else than a column. Words that
// are not reserved are columns unless what follows says otherwise.
func (p *parser) isKey(c *cursor) bool {
	switch c.wordAt(0) {
	case "PRIMARY", "KEY", "INDEX", "UNIQUE", "FULLTEXT", "SPATIAL", "FOREIGN", "CONSTRAINT", "CHECK":
		return true
	case "PERIOD":
		return c.wordAt(1) == "FOR"
	case "VECTOR":
		return c.wordAt(1) == "KEY" || c.wordAt(1) == "INDEX" || c.isPunct(1, '(')
	default:
		return false
	}
}

func (p *parser) defineKey(c *cursor, d *definition) error {
	d.what = defKey
	if c.accept("CONSTRAINT") {
		d.key.ifNotExists = c.accept("IF", "NOT", "EXISTS")
		if t := c.peek(0); t.kind == tokIdent || t.kind == tokWord && !p.isKey(c) {
			d.key.constraint = c.text(c.take())
		}
	}
	switch w := c.wordAt(0); w {
	case "CHECK":
		d.what = defCheck
		return p.skipCheck(c)
	case "PERIOD":
		return p.definePeriod(c, d)
	case "PRIMARY":
		c.i++
		d.key.kind = primaryKey
	case "UNIQUE", "FULLTEXT", "SPATIAL", "VECTOR":
		c.i++
		d.key.kind = otherKey
		if w == "UNIQUE" {
			d.key.kind = uniqueKey
		} else {
			d.key.other = w
		}
	case "FOREIGN":
		c.i++
		d.key.kind = foreignKey
	case "KEY", "INDEX":
		d.key.kind = plainKey
	default:
		return syntaxError(c, "a kind of key")
	}
	return p.defineParts(c, d)
}

// defineParts reads a key from after its kind: [KEY] [IF NOT EXISTS] [name]
// [USING x] (parts) and, for a foreign key, the reference. Of the options after
// the parts only those matter that keep queries from using it.
func (p *parser) defineParts(c *cursor, d *definition) error {
	c.acceptAny("KEY", "INDEX")
	if c.accept("IF", "NOT", "EXISTS") {
		d.key.ifNotExists = true
	}
	if !c.isPunct(0, '(') && !(c.isUsing() && !c.isPunct(1, '(')) {
		name, err := c.ident()
		if err != nil {
			return err
		}
		d.name = name
	}
	if c.isUsing() {
		c.i += 2
	}
	var b strings.Builder
	b.WriteString(map[keyKind]string{
		primaryKey: "PRIMARY KEY (", uniqueKey: "UNIQUE KEY (", plainKey: "KEY (", otherKey: "KEY (", foreignKey: "FOREIGN KEY (",
	}[d.key.kind])
	if err := p.copyParts(c, d, &b); err != nil {
		return err
	}
	if d.key.kind == foreignKey {
		if !c.accept("REFERENCES") {
			return syntaxError(c, "REFERENCES")
		}
		if err := p.copyReference(c, &b); err != nil {
			return err
		}
	}
	d.key.unused = c.unusedOption()
	d.sql = b.String()
	return nil
}

// unusedOption passes a key's options and returns the one that keeps queries from
// using it, or "".
func (c *cursor) unusedOption() (unused string) {
	for !c.end() {
		switch {
		case c.accept("NOT", "IGNORED"), c.accept("VISIBLE"):
			unused = ""
		case c.accept("COMMENT"):
			c.skip(1) // whatever it says
		default:
			if w := c.acceptAny("IGNORED", "INVISIBLE"); w != "" {
				unused = w
			} else {
				c.skip(1)
			}
		}
	}
	return unused
}

// isUsing reports whether USING or TYPE with an index algorithm comes next.
func (c *cursor) isUsing() bool {
	if w := c.wordAt(0); w != "USING" && w != "TYPE" {
		return false
	}
	switch c.wordAt(1) {
	case "BTREE", "HASH", "RTREE":
		return true
	default:
		return false
	}
}

// copyParts copies a list of key parts and its closing parenthesis. An
// expression becomes 1.
func (p *parser) copyParts(c *cursor, d *definition, b *strings.Builder) error {
	if !c.acceptPunct('(') {
		return syntaxError(c, "(")
	}
	parts, err := c.split(false)
	if err != nil {
		return err
	}
	for n, part := range parts {
		if n > 0 {
			b.WriteString(", ")
		}
		if part.isPunct(0, '(') {
			if err := part.skipParens(); err != nil {
				return err
			}
			b.WriteString("(1)")
		} else {
			name, err := part.ident()
			if err != nil {
				return err
			}
			quoteTo(b, name)
		}
		if part.accept("WITHOUT", "OVERLAPS") {
			d.key.overlaps = true
		}
		copyRest(part, b)
	}
	b.WriteByte(')')
	return nil
}

// copyReference copies what follows REFERENCES as far as it belongs to it.
func (p *parser) copyReference(c *cursor, b *strings.Builder) error {
	db := c.db
	c.db = "" // a parent without a database is in the child's, not in the default one
	parent, err := c.tableName()
	c.db = db
	if err != nil {
		return err
	}
	b.WriteString(" REFERENCES ")
	if parent.Schema != "" {
		quoteTo(b, parent.Schema)
		b.WriteByte('.')
	}
	quoteTo(b, parent.Table)
	if c.isPunct(0, '(') {
		b.WriteString(" (")
		if err := p.copyParts(c, &definition{}, b); err != nil {
			return err
		}
	}
	for {
		switch {
		case c.accept("MATCH"):
			c.skip(1)
		case c.wordAt(0) == "ON" && (c.wordAt(1) == "DELETE" || c.wordAt(1) == "UPDATE"):
			words := 3
			if w := c.wordAt(2); w == "SET" || w == "NO" {
				words = 4
			}
			for range words {
				b.WriteByte(' ')
				b.WriteString(c.raw(c.take()))
			}
		default:
			return nil
		}
	}
}

// definePeriod reads PERIOD FOR name (start, end).
func (p *parser) definePeriod(c *cursor, d *definition) error {
	d.what = defPeriod
	c.i += 2
	d.key.ifNotExists = c.accept("IF", "NOT", "EXISTS")
	var err error
	if d.name, err = c.ident(); err != nil {
		return err
	}
	if !c.acceptPunct('(') {
		return syntaxError(c, "(")
	}
	if d.key.start, err = c.ident(); err != nil {
		return err
	}
	if !c.acceptPunct(',') {
		return syntaxError(c, "a comma")
	}
	if d.key.end, err = c.ident(); err != nil {
		return err
	}
	if !c.acceptPunct(')') {
		return syntaxError(c, ")")
	}
	return nil
}

// skipCheck passes CHECK (expression) [[NOT] ENFORCED].
func (p *parser) skipCheck(c *cursor) error {
	if !c.accept("CHECK") {
		return syntaxError(c, "CHECK")
	}
	if err := c.skipParens(); err != nil {
		return err
	}
	if !c.accept("NOT", "ENFORCED") {
		c.accept("ENFORCED")
	}
	return nil
}

// copyRest copies the remaining tokens as they are.
func copyRest(c *cursor, b *strings.Builder) {
	for !c.end() {
		b.WriteByte(' ')
		b.WriteString(c.raw(c.take()))
	}
}

// quoteTo writes a name for the library.
func quoteTo(b *strings.Builder, name string) {
	fmt.Fprintf(b, "`%s`", strings.ReplaceAll(name, "`", "``"))
}

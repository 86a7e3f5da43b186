package mysql

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/rowferry/rowferry/schema"
)

// defineColumn reads a column: its name, its type and its attributes.
func (p *parser) defineColumn(c *cursor, d *definition) error {
	var err error
	for {
		if d.name, err = c.ident(); err != nil {
			return err
		}
		if !c.acceptPunct('.') { // the column may be given as t.c
			break
		}
	}
	var b strings.Builder
	quoteTo(&b, d.name)
	if err := p.columnType(c, d, &b); err != nil {
		return err
	}
	for !c.end() {
		if err := p.columnAttribute(c, d, &b); err != nil {
			return err
		}
	}
	d.sql = b.String()
	return nil
}

// columnType copies a type's first word, or its counterpart where the library
// does not know the type.
func (p *parser) columnType(c *cursor, d *definition, b *strings.Builder) error {
	if c.wordAt(0) == "MARIADB_SCHEMA" && c.isPunct(1, '.') {
		c.i += 2
	}
	if c.peek(0).kind != tokWord {
		return syntaxError(c, "a type")
	}
	if p.st.SQLMode&(Oracle|MaxDB) != 0 {
		return fmt.Errorf("types mean other things in sql_mode ORACLE and MAXDB, which are not understood")
	}
	note := &d.column
	w := c.wordAt(0)
	c.i++
	switch {
	case w == "GEOMETRY", w == "POINT", w == "LINESTRING", w == "POLYGON", w == "MULTIPOINT",
		w == "MULTILINESTRING", w == "MULTIPOLYGON", w == "GEOMETRYCOLLECTION", w == "GEOMCOLLECTION":
		note.kind = schema.Geometry
		w = "BLOB"
	case w == "VECTOR":
		note.kind = schema.Vector
		note.length = 2048 // MySQL's default; MariaDB has none
		w = "BLOB"
		if c.isPunct(0, '(') {
			n, err := strconv.Atoi(c.raw(c.peek(1)))
			if err != nil {
				return syntaxError(c, "a number of dimensions")
			}
			note.length = n
			if err := c.skipParens(); err != nil {
				return err
			}
		}
	case p.cat.flavor == MariaDB && mariadbKinds[w] != schema.Invalid:
		note.kind = mariadbKinds[w]
		w = "BLOB"
	case w == "JSON" && p.cat.flavor == MariaDB:
		note.json, note.charset, note.collate = true, "utf8mb4", "utf8mb4_bin"
		w = "LONGTEXT"
	case w == "ENUM", w == "SET":
		b.WriteString(" " + w + "('')")
		return p.labels(c, d)
	case w == "NATIONAL":
		note.charset = "utf8mb3"
		w = c.wordAt(0)
		c.i++
	case w == "NCHAR", w == "NVARCHAR":
		note.charset = "utf8mb3"
		w = w[1:]
		if c.acceptAny("VARCHAR", "VARCHARACTER") != "" {
			w = "VARCHAR"
		}
	case w == "YEAR" && c.isPunct(0, '('): // YEAR(2) is printed otherwise, not logged otherwise
		if err := c.skipParens(); err != nil {
			return err
		}
	}
	b.WriteByte(' ')
	b.WriteString(w)
	return nil
}

var mariadbKinds = map[string]schema.Kind{"UUID": schema.UUID, "INET4": schema.Inet4, "INET6": schema.Inet6}

// labels reads the labels of an ENUM or SET. They must be UTF-8.
func (p *parser) labels(c *cursor, d *definition) error {
	if !c.acceptPunct('(') {
		return syntaxError(c, "(")
	}
	labels, err := c.split(false)
	if err != nil {
		return err
	}
	for _, l := range labels {
		var s string
		switch t := l.take(); t.kind {
		case tokString:
			s = l.text(t)
		case tokHex:
			d.column.rawLabels = true
			if s, err = l.binary(t); err != nil {
				return err
			}
		default:
			return syntaxError(l, "a label")
		}
		if !l.end() || !utf8.ValidString(s) {
			return syntaxError(l, "one label of valid UTF-8")
		}
		d.column.labels = append(d.column.labels, s)
	}
	return nil
}

// columnAttribute reads one attribute: notes it, leaves it out, or copies it.
// What is not known here is copied, for the library to read or refuse.
func (p *parser) columnAttribute(c *cursor, d *definition, b *strings.Builder) error {
	note := &d.column
	switch w := c.wordAt(0); w {
	case "CHARACTER", "CHARSET", "CHAR", "COLLATE", "BINARY", "ASCII", "UNICODE", "BYTE":
		return p.characterAttribute(c, note, b)
	case "DEFAULT":
		c.i++
		return p.skipDefault(c)
	case "CONSTRAINT", "CHECK":
		return p.columnCheck(c, d)
	case "GENERATED", "AS":
		return p.generated(c, note)
	case "REFERENCES":
		c.i++
		return p.copyReference(c, b)
	case "ON": // ON UPDATE CURRENT_TIMESTAMP[(n)]
		c.skip(3)
		if c.isPunct(0, '(') {
			return c.skipParens()
		}
	case "SERIAL": // DEFAULT VALUE
		c.skip(3)
		b.WriteString(" SERIAL DEFAULT VALUE")
	case "INVISIBLE":
		c.skip(1)
		note.invisible = true
	case "VISIBLE", "COMPRESSED":
		c.skip(1)
		if c.acceptPunct('=') {
			c.skip(1)
		}
	case "WITH", "WITHOUT": // SYSTEM VERSIONING: what a column's changes add to the history
		c.skip(3)
	case "COMMENT", "COLUMN_FORMAT", "STORAGE", "SRID", "ENGINE_ATTRIBUTE", "SECONDARY_ENGINE_ATTRIBUTE":
		c.skip(1)
		c.acceptPunct('=')
		c.skip(1)
	default:
		return p.otherAttribute(c, b)
	}
	return nil
}

// otherAttribute leaves out NOT SECONDARY and engine attributes (name=value),
// and copies the rest.
func (p *parser) otherAttribute(c *cursor, b *strings.Builder) error {
	if c.accept("NOT", "SECONDARY") {
		return nil
	}
	t := c.peek(0)
	if (t.kind == tokWord || t.kind == tokIdent) && c.isPunct(1, '=') {
		c.skip(3)
		return nil
	}
	if t.kind != tokWord && t.kind != tokNumber && t.kind != tokPunct {
		return syntaxError(c, "a column attribute")
	}
	b.WriteByte(' ')
	b.WriteString(c.raw(c.take()))
	return nil
}

// characterAttribute notes character set, collation and their short forms.
func (p *parser) characterAttribute(c *cursor, note *columnNote, b *strings.Builder) error {
	switch w := c.wordAt(0); {
	case c.accept("CHARACTER", "SET"), c.accept("CHAR", "SET"), c.accept("CHARSET"):
		name, err := c.optionValue()
		note.charset = foldCharset(name)
		return err
	case c.accept("COLLATE"):
		name, err := c.optionValue()
		if strings.EqualFold(name, "DEFAULT") {
			name = ""
		}
		note.collate = name
		return err
	case c.accept("BINARY"):
		note.bin = true
	case c.accept("ASCII"):
		note.charset = "latin1"
	case c.accept("UNICODE"):
		note.charset = "ucs2"
	case c.accept("BYTE"):
		note.charset = "binary"
	default: // the second word of a type: LONG CHAR VARYING, NATIONAL CHARACTER
		b.WriteString(" " + w)
		c.i++
	}
	return nil
}

// optionValue passes [=] value and returns the value: a word, a quoted name or
// a string.
func (c *cursor) optionValue() (string, error) {
	c.acceptPunct('=')
	t := c.peek(0)
	if t.kind != tokWord && t.kind != tokIdent && t.kind != tokString {
		return "", syntaxError(c, "a value")
	}
	return c.text(c.take()), nil
}

// columnCheck passes [CONSTRAINT [name]] CHECK (…) and notes whether it is what
// MariaDB makes of the type JSON: json_valid(column).
func (p *parser) columnCheck(c *cursor, d *definition) error {
	if c.accept("CONSTRAINT") && c.wordAt(0) != "CHECK" {
		c.take()
	}
	start := c.i + 2
	if err := p.skipCheck(c); err != nil {
		return err
	}
	body := *c
	body.i = start
	d.column.json = false // a check of its own keeps JSON from adding the other
	if body.accept("JSON_VALID") && body.acceptPunct('(') {
		name, err := body.ident()
		d.column.json = err == nil && strings.EqualFold(name, d.name) && body.acceptPunct(')') && body.isPunct(0, ')') &&
			p.cat.flavor == MariaDB
	}
	return nil
}

// generated passes [GENERATED ALWAYS] AS (…) [VIRTUAL|STORED|PERSISTENT] or AS
// ROW START|END.
func (p *parser) generated(c *cursor, note *columnNote) error {
	c.accept("GENERATED", "ALWAYS")
	switch {
	case c.accept("AS", "ROW", "START"):
		note.rowStart = true
		return nil
	case c.accept("AS", "ROW", "END"):
		note.rowEnd = true
		return nil
	case c.accept("AS"):
		start := c.i
		if err := c.skipParens(); err != nil {
			return err
		}
		var b strings.Builder
		for _, t := range c.tokens[start:c.i] {
			b.WriteString(c.raw(t))
			b.WriteByte(' ')
		}
		note.expression = b.String()
		note.generated = schema.Virtual
		if w := c.acceptAny("VIRTUAL", "STORED", "PERSISTENT"); w != "" && w != "VIRTUAL" {
			note.generated = schema.Stored
		}
		return nil
	default:
		return syntaxError(c, "AS (expression)")
	}
}

// skipDefault passes a default: a parenthesised expression, or a literal or
// function call without operators around it.
func (p *parser) skipDefault(c *cursor) error {
	if c.isPunct(0, '(') {
		return c.skipParens()
	}
	if !c.acceptPunct('-') {
		c.acceptPunct('+')
	}
	if c.accept("NEXT", "VALUE", "FOR") {
		_, err := c.tableName()
		return err
	}
	switch t := c.take(); t.kind {
	case tokString, tokHex, tokNumber:
	case tokWord, tokIdent:
		for c.acceptPunct('.') { // s.nextval, db.f()
			c.take()
		}
		if c.isPunct(0, '(') {
			return c.skipParens()
		}
		if k := c.peek(0).kind; k == tokHex { // _utf8mb4 0x61
			c.take()
		}
	default:
		return syntaxError(c, "a default")
	}
	for c.peek(0).kind == tokString || c.peek(0).kind == tokHex && c.src[c.peek(0).off] != '0' {
		c.take() // _utf8mb4'a' 'b', DATE '…'
	}
	if c.isPunct(0, '.') { // 1.
		c.take()
	}
	return nil
}

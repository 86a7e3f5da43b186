package mysql

import (
	"fmt"
	"strings"

	"github.com/rowferry/rowferry/schema"
)

// alteration is what the clauses of an ALTER TABLE ask for.
type alteration struct {
	table   schema.Name
	to      schema.Name // RENAME TO; empty without
	drops   []drop
	adds    []*addition
	renames map[string]string // columns: old name, folded, to new
	renamed [][2]string       // columns: old and new name as they stand, in order
	indexes [][2]string       // RENAME INDEX
	hidden  map[string]bool   // ALTER COLUMN SET [IN]VISIBLE, by folded name
	unused  map[string]string // ALTER INDEX, by folded name: INVISIBLE, IGNORED or ""
	options tableOptions
	convert *tableOptions // CONVERT TO CHARACTER SET

	version, unversion bool        // ADD, DROP SYSTEM VERSIONING
	rows               string      // what a clause does to rows and the log does not carry
	with               schema.Name // the other table whose rows that concerns
	makes, takes       bool        // CONVERT PARTITION: the other table is new, or gone
	partitions         bool        // PARTITION BY was seen
	blackhole          bool        // ENGINE=BLACKHOLE
	ordering           bool        // ORDER BY was seen: its columns look like clauses
}

// drop is what a DROP clause names.
type drop struct {
	what     string // COLUMN, PRIMARY, KEY, FOREIGN, CONSTRAINT, PERIOD
	name     string
	ifExists bool
}

// addition is a column or key that is added, or a column defined anew.
type addition struct {
	def    *definition
	old    string // the column it replaces
	at     *position
	ifThem bool // IF EXISTS for a replacement, IF NOT EXISTS for an addition
	void   bool // because of that
}

// clause reads one clause. It returns true if the clauses after it are its own
// (a list of partitions).
func (p *parser) clause(a *alteration, c *cursor) (last bool, err error) {
	last = c.cutPartitions()
	a.partitions = a.partitions || last
	if last && c.end() {
		return true, nil
	}
	if w := c.wordAt(0); c.wordAt(1) == "PARTITION" || c.wordAt(1) == "TABLE" {
		if done, err := p.partitionClause(a, c, w); done || err != nil {
			return true, err
		}
	}
	switch w := c.wordAt(0); w {
	case "ADD":
		c.take()
		err = p.addClause(a, c)
	case "DROP":
		c.take()
		err = p.dropClause(a, c)
	case "MODIFY", "CHANGE":
		c.take()
		err = p.changeClause(a, c, w == "CHANGE")
	case "RENAME":
		c.take()
		err = p.renameClause(a, c)
	case "ALTER":
		c.take()
		err = p.alterClause(a, c)
	case "CONVERT":
		if !c.accept("CONVERT", "TO") {
			return last, syntaxError(c, "CONVERT TO")
		}
		o, err := (&parser{cursor: c}).tableOptions()
		a.convert = &o
		return last, err
	case "ORDER":
		a.ordering = true
		return last, nil
	case "DISCARD", "IMPORT":
		a.rows = w + " TABLESPACE"
		return last, nil
	case "ENABLE", "DISABLE", "FORCE", "LOCK", "ALGORITHM", "WITHOUT", "WITH", "REMOVE", "UPGRADE", "SECONDARY_LOAD", "SECONDARY_UNLOAD":
		return last, nil
	default:
		return last, p.optionClause(a, c)
	}
	if err == nil && !c.end() {
		err = syntaxError(c, "the end of the clause")
	}
	return last, err
}

// cutPartitions cuts PARTITION BY off a clause, which may follow it without a
// comma, and reports whether it was there: only partitions come after it.
func (c *cursor) cutPartitions() bool {
	depth := 0
	for n := c.i; n < len(c.tokens)-1; n++ {
		t := c.tokens[n]
		switch {
		case t.kind == tokPunct && c.src[t.off] == '(':
			depth++
		case t.kind == tokPunct && c.src[t.off] == ')':
			depth--
		case depth == 0 && t.kind == tokWord && strings.EqualFold(c.raw(t), "PARTITION") &&
			strings.EqualFold(c.raw(c.tokens[n+1]), "BY"):
			c.tokens = append(c.tokens[:n:n], token{tokEOF, t.off, t.off})
			return true
		}
	}
	return false
}

// partitionClause reads clauses on partitions. They stand alone in a statement.
func (p *parser) partitionClause(a *alteration, c *cursor, verb string) (done bool, err error) {
	switch {
	case verb == "EXCHANGE":
		for !c.end() && !c.accept("WITH", "TABLE") {
			c.take()
		}
		a.rows = "EXCHANGE PARTITION"
		a.with, err = c.tableName()
	case verb == "CONVERT":
		a.rows = "CONVERT PARTITION"
		if a.takes = c.wordAt(1) == "TABLE"; a.takes {
			c.skip(2)
		} else {
			a.makes = true
			for !c.end() && !c.accept("TO", "TABLE") {
				c.take()
			}
		}
		a.with, err = c.tableName()
	case c.wordAt(1) != "PARTITION":
		return false, nil
	case verb == "DROP", verb == "TRUNCATE", verb == "DISCARD", verb == "IMPORT":
		a.rows = verb + " PARTITION"
	case verb == "ADD", verb == "REORGANIZE", verb == "COALESCE", verb == "ANALYZE", verb == "CHECK",
		verb == "OPTIMIZE", verb == "REBUILD", verb == "REPAIR":
	default:
		err = syntaxError(c, "a clause on partitions")
	}
	if a.with.Table != "" {
		p.names = append(p.names, a.with)
	}
	return true, err
}

// optionClause reads table options. A word that is none is refused.
func (p *parser) optionClause(a *alteration, c *cursor) error {
	if a.ordering {
		return nil
	}
	a.blackhole = a.blackhole || c.namesBlackhole()
	w := c.wordAt(0)
	if !alterOptions[w] && !c.isPunct(1, '=') {
		return syntaxError(c, "a clause of ALTER TABLE")
	}
	o, err := (&parser{cursor: c}).tableOptions()
	if o.query {
		return syntaxError(c, "a table option")
	}
	if o.charset != "" {
		a.options.charset = o.charset
	}
	if o.collate != "" {
		a.options.collate = o.collate
	}
	return err
}

var alterOptions = func() map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(`ENGINE TYPE AUTO_INCREMENT AVG_ROW_LENGTH CHECKSUM TABLE_CHECKSUM PAGE_CHECKSUM
		COMMENT COMPRESSION CONNECTION DATA INDEX DELAY_KEY_WRITE ENCRYPTION ENGINE_ATTRIBUTE SECONDARY_ENGINE
		SECONDARY_ENGINE_ATTRIBUTE INSERT_METHOD KEY_BLOCK_SIZE MAX_ROWS MIN_ROWS PACK_KEYS PASSWORD ROW_FORMAT
		STATS_AUTO_RECALC STATS_PERSISTENT STATS_SAMPLE_PAGES TABLESPACE STORAGE UNION TRANSACTIONAL
		AUTOEXTEND_SIZE SEQUENCE START DEFAULT CHARSET CHARACTER CHAR COLLATE IETF_QUOTES NODEGROUP`) {
		m[w] = true
	}
	return m
}()

// addClause reads ADD from after that word.
func (p *parser) addClause(a *alteration, c *cursor) error {
	if c.accept("SYSTEM", "VERSIONING") {
		a.version = true
		return nil
	}
	if p.isKey(c) {
		return p.addition(a, c, &addition{})
	}
	c.accept("COLUMN")
	ifNot := c.accept("IF", "NOT", "EXISTS")
	if !c.acceptPunct('(') {
		return p.addition(a, c, &addition{ifThem: ifNot})
	}
	parts, err := c.split(false)
	if err != nil {
		return err
	}
	for _, part := range parts {
		if err := p.addition(a, part, &addition{ifThem: ifNot}); err != nil {
			return err
		}
	}
	return nil
}

// addition reads a definition with its position.
func (p *parser) addition(a *alteration, c *cursor, x *addition) error {
	if !p.isKey(c) {
		x.at = c.cutPosition()
	}
	var err error
	if x.def, err = p.define(c); err != nil {
		return err
	}
	a.adds = append(a.adds, x)
	return nil
}

// cutPosition cuts FIRST or AFTER column off the end of a column's definition.
func (c *cursor) cutPosition() *position {
	n := len(c.tokens) - 1 // the end
	cut := func(k int) {
		c.tokens = append(c.tokens[:k:k], token{tokEOF, c.tokens[k].off, c.tokens[k].off})
	}
	is := func(k int, word string) bool {
		return k >= c.i+2 && c.tokens[k].kind == tokWord && strings.EqualFold(c.raw(c.tokens[k]), word)
	}
	switch {
	case is(n-2, "AFTER"):
		at := &position{after: c.text(c.tokens[n-1])}
		cut(n - 2)
		return at
	case is(n-1, "FIRST"):
		cut(n - 1)
		return &position{first: true}
	default:
		return nil
	}
}

// changeClause reads CHANGE and MODIFY from after those words.
func (p *parser) changeClause(a *alteration, c *cursor, named bool) error {
	c.accept("COLUMN")
	x := &addition{ifThem: c.accept("IF", "EXISTS")}
	if named {
		var err error
		if x.old, err = c.ident(); err != nil {
			return err
		}
	}
	if err := p.addition(a, c, x); err != nil {
		return err
	}
	if x.def.what != defColumn {
		return syntaxError(c, "a column")
	}
	if named {
		a.renamed = append(a.renamed, [2]string{x.old, x.def.name})
	} else {
		x.old = x.def.name
	}
	a.renames[strings.ToLower(x.old)] = x.def.name
	return nil
}

// dropClause reads DROP from after that word.
func (p *parser) dropClause(a *alteration, c *cursor) error {
	var x drop
	switch {
	case c.accept("SYSTEM", "VERSIONING"):
		a.unversion = true
		return nil
	case c.accept("PRIMARY", "KEY"):
		a.drops = append(a.drops, drop{what: "PRIMARY", name: "PRIMARY"})
		return nil
	case c.accept("FOREIGN", "KEY"):
		x.what = "FOREIGN"
	case c.acceptAny("INDEX", "KEY") != "":
		x.what = "KEY"
	case c.accept("CONSTRAINT"):
		x.what = "CONSTRAINT"
	case c.accept("CHECK"):
		x.what = "CHECK"
	case c.wordAt(0) == "PERIOD" && (c.wordAt(1) == "FOR" || c.wordAt(1) == "IF"):
		c.take()
		x.what = "PERIOD"
	default:
		c.accept("COLUMN")
		x.what = "COLUMN"
	}
	x.ifExists = c.accept("IF", "EXISTS")
	if x.what == "PERIOD" && !c.accept("FOR") {
		return syntaxError(c, "FOR")
	}
	var err error
	if x.name, err = c.ident(); err != nil {
		return err
	}
	c.acceptAny("RESTRICT", "CASCADE")
	if x.what != "CHECK" {
		a.drops = append(a.drops, x)
	}
	return nil
}

// renameClause reads RENAME from after that word.
func (p *parser) renameClause(a *alteration, c *cursor) (err error) {
	what := c.acceptAny("COLUMN", "INDEX", "KEY", "TO", "AS")
	if what == "" || what == "TO" || what == "AS" {
		c.acceptPunct('=')
		a.to, err = c.tableName()
		p.names = append(p.names, a.to)
		return err
	}
	c.accept("IF", "EXISTS")
	from, err := c.ident()
	if err != nil {
		return err
	}
	if !c.accept("TO") {
		return syntaxError(c, "TO")
	}
	to, err := c.ident()
	if err != nil {
		return err
	}
	if what == "COLUMN" {
		a.renames[strings.ToLower(from)] = to
		a.renamed = append(a.renamed, [2]string{from, to})
		return nil
	}
	a.indexes = append(a.indexes, [2]string{from, to})
	return nil
}

// alterClause reads ALTER COLUMN and the like from after ALTER: only visibility
// matters.
func (p *parser) alterClause(a *alteration, c *cursor) error {
	if c.acceptAny("INDEX", "KEY") != "" {
		return p.alterIndexClause(a, c)
	}
	if c.acceptAny("CHECK", "CONSTRAINT") != "" {
		c.i = len(c.tokens) - 1
		return nil
	}
	c.accept("COLUMN")
	c.accept("IF", "EXISTS")
	name, err := c.ident()
	if err != nil {
		return err
	}
	if w := c.wordAt(1); c.wordAt(0) == "SET" && (w == "INVISIBLE" || w == "VISIBLE") {
		a.hidden[strings.ToLower(name)] = w == "INVISIBLE"
	} else if w := c.wordAt(0); w != "SET" && w != "DROP" {
		return fmt.Errorf("%w: ALTER COLUMN %s", errSyntax, name)
	}
	c.i = len(c.tokens) - 1
	return nil
}

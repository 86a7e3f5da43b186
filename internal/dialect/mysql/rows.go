package mysql

import "github.com/rowferry/rowferry/schema"

// rows reads a statement that changes rows, far enough to tell which tables.
// Where that is not sure, one effect has no table. Triggers and functions may
// change more: the log does not say.
func (p *parser) rows(verb string) []Effect {
	var names []schema.Name
	var err error
	switch verb {
	case "INSERT", "REPLACE":
		p.modifiers()
		p.accept("INTO")
		names, err = p.oneTable()
	case "LOAD":
		names, err = p.loadTarget()
	case "UPDATE":
		p.modifiers()
		names, err = p.tableReferences("SET")
	case "DELETE":
		p.modifiers()
		names, err = p.deleteTargets()
	default: // SELECT and the like: a function changes rows
		names = []schema.Name{{}}
	}
	if err != nil || len(names) == 0 {
		names = []schema.Name{{}}
	}
	var effects []Effect
	for _, n := range names {
		w := tables
		if n.Table != "" {
			w = p.whose(n, verb)
		}
		if w != sessions {
			effects = append(effects, Effect{Kind: RowsChanged, Table: n, Detail: verb, Unsure: w == unsaid})
		}
	}
	if len(effects) == 0 {
		return one(Nothing)
	}
	return effects
}

func (p *parser) modifiers() {
	for p.acceptAny("LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED", "QUICK", "IGNORE") != "" {
	}
}

func (p *parser) oneTable() ([]schema.Name, error) {
	n, err := p.tableName()
	return []schema.Name{n}, err
}

// loadTarget finds INTO TABLE of LOAD DATA or LOAD XML; the file's name comes
// before it.
func (p *parser) loadTarget() ([]schema.Name, error) {
	for !p.end() {
		if p.accept("INTO", "TABLE") {
			return p.oneTable()
		}
		p.take()
	}
	return nil, syntaxError(p.cursor, "INTO TABLE")
}

// deleteTargets reads DELETE FROM t, DELETE a, b FROM … and DELETE FROM a USING
// …: in the last two, targets may be aliases, so every table counts.
func (p *parser) deleteTargets() ([]schema.Name, error) {
	if p.accept("FROM") {
		names, err := p.tableNames()
		if err != nil {
			return nil, err
		}
		if len(names) == 1 && !p.isPunct(0, '.') && p.wordAt(0) != "USING" {
			return names, nil
		}
	}
	for !p.end() {
		if p.acceptAny("FROM", "USING") != "" {
			return p.tableReferences("WHERE")
		}
		p.take()
	}
	return nil, syntaxError(p.cursor, "FROM")
}

// tableReferences collects the tables of joins up to a keyword or the end. It
// gives up where parentheses may hold a query.
func (p *parser) tableReferences(until string) ([]schema.Name, error) {
	var names []schema.Name
	expect := true // a table comes next
	for !p.end() && p.wordAt(0) != until {
		switch {
		case expect:
			n, err := p.tableName()
			if err != nil {
				return nil, err
			}
			names = append(names, n)
			expect = false
		case p.isPunct(0, '('):
			if err := p.skipParens(); err != nil {
				return nil, err
			}
		default:
			w := p.wordAt(0)
			expect = w == "JOIN" || w == "STRAIGHT_JOIN" || p.isPunct(0, ',')
			p.take()
		}
	}
	return names, nil
}

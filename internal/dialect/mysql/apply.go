package mysql

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// maxStatement is the longest statement that is read for its shape, in bytes.
// The longest table has 4,096 columns; reading takes some ten times the text.
const maxStatement = 4 << 20

// parser reads one statement for a catalog.
type parser struct {
	*cursor
	cat   *Catalog
	st    *Statement
	dump  bool
	names []schema.Name // the tables named so far

	ignore bool // ALTER IGNORE
}

// What the commonest statements do. Callers get a copy of the slice header
// only, so they must not write to it.
var (
	begin  = []Effect{{Kind: Begin}}
	commit = []Effect{{Kind: Commit}}
)

// Apply brings the catalog past one statement of the log and says what it did:
// at least one effect, not to be written to. The error is a *StatementError.
func (c *Catalog) Apply(st Statement) ([]Effect, error) {
	switch st.SQL {
	case "BEGIN":
		return begin, nil
	case "COMMIT":
		return commit, nil
	}
	return c.apply(&st, false)
}

func (c *Catalog) apply(st *Statement, dump bool) ([]Effect, error) {
	p := &parser{cat: c, st: st, dump: dump, cursor: &cursor{db: st.Database,
		lexer: lexer{src: st.SQL, mode: st.SQLMode, flavor: c.flavor, version: c.version}}}
	effects, err := p.statement()
	if err == nil {
		return effects, nil
	}
	e := rowferry.Errorf(rowferry.CodeBadStatement, "a statement of the log cannot be read: %w", err)
	for i, n := range p.names {
		if slices.Index(p.names, n) == i {
			c.forget(n)
			e.Fact("table", "%s", n)
		}
	}
	return nil, &StatementError{Tables: p.names, Err: e.Fact("statement", "%s", clip(st.SQL))}
}

// named passes a table's name and notes it for the error, if there is one.
func (p *parser) named() (schema.Name, error) {
	n, err := p.tableName()
	if err == nil {
		p.names = append(p.names, n)
	}
	return n, err
}

// statement tells statements by their first keywords.
//
//	control of transactions      an effect each
//	SELECT, DO, CALL, INSERT …   RowsChanged, with the tables that can be told
//	CREATE, ALTER, DROP, RENAME, TRUNCATE of tables, databases, indexes, sequences
//	the same of anything else, and statements on accounts, sessions, storage: Nothing
//	the rest                     Unknown
func (p *parser) statement() ([]Effect, error) {
	if p.end() {
		return one(Nothing), nil
	}
	if p.isPunct(0, '(') {
		return []Effect{{Kind: RowsChanged, Detail: "SELECT"}}, nil
	}
	for p.accept("SET", "STATEMENT") { // MariaDB: SET STATEMENT variable=value, … FOR statement
		for !p.end() && !p.accept("FOR") {
			p.take()
		}
	}
	verb := p.wordAt(0)
	p.take()
	switch verb {
	case "BEGIN", "START", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "XA":
		return p.transaction(verb), nil
	case "INSERT", "REPLACE", "UPDATE", "DELETE", "LOAD", "SELECT", "DO", "CALL", "VALUES", "WITH", "TABLE", "HANDLER":
		return p.rows(verb), nil
	case "CREATE", "ALTER", "DROP", "RENAME", "TRUNCATE", "IMPORT":
		return p.shape(verb)
	case "GRANT", "REVOKE", "SET", "FLUSH", "ANALYZE", "OPTIMIZE", "REPAIR", "CHECK", "CHECKSUM", "INSTALL",
		"UNINSTALL", "LOCK", "UNLOCK", "KILL", "RESET", "PURGE", "CHANGE", "STOP", "SHOW", "USE", "CACHE",
		"DESCRIBE", "DESC", "EXPLAIN", "HELP", "PREPARE", "DEALLOCATE", "BACKUP", "SHUTDOWN", "RESTART", "CLONE", "SIGNAL":
		return one(Nothing), nil
	default:
		return p.unknown(verb), nil
	}
}

func one(k EffectKind) []Effect { return []Effect{{Kind: k}} }

func (p *parser) unknown(words ...string) []Effect {
	d := ""
	for _, w := range words {
		if w != "" {
			d += w + " "
		}
	}
	return []Effect{{Kind: Unknown, Detail: d + clip(p.rest())}}
}

// transaction reads statements that control transactions.
func (p *parser) transaction(verb string) []Effect {
	var e Effect
	switch {
	case verb == "BEGIN":
		p.accept("WORK")
		e.Kind = Begin
		if !p.end() { // BEGIN NOT ATOMIC is a block of statements
			return p.unknown(verb)
		}
	case verb == "START" && p.accept("TRANSACTION"):
		e.Kind = Begin
	case verb == "START" && p.acceptAny("SLAVE", "REPLICA", "ALL", "GROUP_REPLICATION") != "":
		e.Kind = Nothing
	case verb == "COMMIT":
		e.Kind = Commit
	case verb == "ROLLBACK":
		p.accept("WORK")
		e.Kind = Rollback
		if p.accept("TO") {
			p.accept("SAVEPOINT")
			e.Kind = RollbackTo
		}
	case verb == "SAVEPOINT":
		e.Kind = Savepoint
	case verb == "RELEASE" && p.accept("SAVEPOINT"):
		e.Kind = ReleaseSavepoint
	case verb == "XA":
		return []Effect{{Kind: XA, Detail: p.wordAt(0)}}
	default:
		return p.unknown(verb)
	}
	if e.Kind == Savepoint || e.Kind == RollbackTo || e.Kind == ReleaseSavepoint {
		name, err := p.ident()
		if err != nil {
			return p.unknown(verb)
		}
		e.Detail = name
	}
	return []Effect{e}
}

// shape reads statements that may change shapes, from after the verb.
func (p *parser) shape(verb string) ([]Effect, error) {
	if verb == "IMPORT" { // IMPORT TABLE FROM: tables out of files
		return []Effect{{Kind: Unsupported, Detail: "IMPORT TABLE"}}, nil
	}
	replace := p.accept("OR", "REPLACE")
	unique, temporary := false, false
	for {
		switch p.acceptAny("ONLINE", "OFFLINE", "IGNORE", "UNIQUE", "TEMPORARY") {
		case "":
			return p.object(verb, replace, unique, temporary)
		case "UNIQUE":
			unique = true
		case "TEMPORARY":
			temporary = true
		case "IGNORE":
			p.ignore = true
		}
	}
}

func (p *parser) object(verb string, replace, unique, temporary bool) ([]Effect, error) {
	object := p.wordAt(0)
	if verb == "TRUNCATE" {
		p.accept("TABLE")
		object = "TABLE"
	} else {
		p.take()
	}
	kind := plainKey
	if unique {
		kind = uniqueKey
	}
	if (object == "SPATIAL" || object == "FULLTEXT" || object == "VECTOR") && p.accept("INDEX") {
		object, kind = "INDEX", otherKey
	}
	switch object {
	case "TABLE", "TABLES", "DATABASE", "SCHEMA", "INDEX", "SEQUENCE":
		if err := p.readable(); err != nil && temporary {
			p.cat.MissedStatements()
			return one(Nothing), nil
		} else if err != nil {
			return nil, err
		}
		if temporary && object != "INDEX" {
			return p.temporary(verb)
		}
		return p.change(verb, object, replace, kind)
	case "VIEW", "TRIGGER", "PROCEDURE", "FUNCTION", "EVENT", "USER", "ROLE", "SERVER", "TABLESPACE", "UNDO",
		"LOGFILE", "RESOURCE", "LIBRARY", "PACKAGE", "DEFINER", "ALGORITHM", "SQL", "AGGREGATE", "INSTANCE",
		"SPATIAL", "PREPARE", "JSON", "MATERIALIZED", "CATALOG", "MASKING":
		return one(Nothing), nil // SPATIAL REFERENCE SYSTEM, JSON DUALITY VIEW
	default:
		return p.unknown(verb, object), nil
	}
}

// readable refuses text that cannot be read for its shape.
func (p *parser) readable() error {
	if len(p.src) > maxStatement {
		return fmt.Errorf("it has %d bytes, more than %d", len(p.src), maxStatement)
	}
	if !utf8.ValidString(p.src) {
		return fmt.Errorf("it is not valid UTF-8")
	}
	return nil
}

func (p *parser) change(verb, object string, replace bool, kind keyKind) ([]Effect, error) {
	switch {
	case object == "DATABASE" || object == "SCHEMA":
		return p.database(verb, replace)
	case object == "SEQUENCE":
		return p.sequence(verb)
	case object == "INDEX" && verb != "ALTER":
		return p.changeIndex(verb, replace, kind)
	case verb == "CREATE":
		return p.createTable(replace)
	case verb == "ALTER":
		return p.alterTable()
	case verb == "DROP":
		return p.dropTables()
	case verb == "RENAME":
		return p.renameTables()
	case verb == "TRUNCATE":
		return p.truncate()
	default:
		return p.unknown(verb, object), nil
	}
}

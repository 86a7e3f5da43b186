package mysql

import (
	"bytes"
	"strings"
	"time"

	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/rowferry/rowferry"
)

// verb is what a statement means for the transaction it is in. The servers
// write these statements themselves, so that their spelling is known; DDL and
// everything else is verbOther.
type verb uint8

const (
	verbOther verb = iota
	verbBegin
	verbCommit
	verbRollback
	verbSavepoint
	verbRollbackTo
	verbRelease
	verbXAStart
	verbXAEnd
	verbXAPrepare
	verbXACommit
	verbXARollback
)

// verbs are in the order in which they have to be tried.
var verbs = []struct {
	text []byte
	verb verb
}{
	{[]byte("BEGIN"), verbBegin}, {[]byte("START TRANSACTION"), verbBegin},
	{[]byte("COMMIT"), verbCommit},
	{[]byte("ROLLBACK TO "), verbRollbackTo}, {[]byte("ROLLBACK"), verbRollback},
	{[]byte("SAVEPOINT "), verbSavepoint}, {[]byte("RELEASE SAVEPOINT "), verbRelease},
	{[]byte("XA START "), verbXAStart}, {[]byte("XA BEGIN "), verbXAStart}, {[]byte("XA END "), verbXAEnd},
	{[]byte("XA PREPARE "), verbXAPrepare}, {[]byte("XA COMMIT "), verbXACommit}, {[]byte("XA ROLLBACK "), verbXARollback},
}

// parseVerb returns a statement's verb and what follows it.
func parseVerb(text []byte) (v verb, rest string) {
	if string(text) == "BEGIN" {
		return verbBegin, "" // as it is mostly written
	}
	t := bytes.TrimSpace(text)
	for _, x := range verbs {
		if len(t) < len(x.text) || !bytes.EqualFold(t[:len(x.text)], x.text) {
			continue
		}
		rest = strings.TrimSpace(string(t[len(x.text):]))
		if rest != "" && x.text[len(x.text)-1] != ' ' {
			continue // "BEGINNING", and whatever else is not the plain word
		}
		return x.verb, rest
	}
	return verbOther, ""
}

// savepointName takes a savepoint's name out of its quotes and folds its
// case, since savepoints are compared without it. "ROLLBACK TO" may be
// followed by the word SAVEPOINT.
func savepointName(rest string) string {
	if len(rest) > 10 && strings.EqualFold(rest[:10], "SAVEPOINT ") {
		rest = strings.TrimSpace(rest[10:])
	}
	if n := len(rest); n >= 2 && rest[0] == '`' && rest[n-1] == '`' {
		rest = strings.ReplaceAll(rest[1:n-1], "``", "`")
	}
	return strings.ToLower(rest)
}

// ending is how an event ends the transaction it is in.
type ending uint8

const (
	goesOn ending = iota
	commits
	rollsBack
	prepares // XA: neither yet
)

// group follows where transactions begin and end, from event types and a few
// statements alone:
//
//	MySQL     GTID, QUERY BEGIN, …, XID or QUERY COMMIT or ROLLBACK
//	          GTID, QUERY (DDL, XA COMMIT, XA ROLLBACK)
//	          GTID, QUERY XA START, …, QUERY XA END, XA_PREPARE (one phase: a commit)
//	          the same without GTID before 5.6, with ANONYMOUS_GTID where GTIDs are off
//	MariaDB   GTID, …, XID or QUERY COMMIT or ROLLBACK
//	          GTID (standalone), QUERY
//	          GTID (prepared), …, QUERY XA END, XA_PREPARE
type group struct {
	open   bool
	begun  bool // until an end: otherwise the next statement is all of it
	xa     bool // begun by XA START, or marked as prepared
	name   txName
	start  place
	commit time.Time // zero until it is known
	// last is the end of the last transaction, or of the last event outside
	// of any: the newest place between two transactions.
	last place
}

// begin opens a transaction.
func (g *group) begin(e *event, name txName, begun bool) {
	*g = group{open: true, begun: begun, xa: name.prepares, name: name, start: e.start, commit: name.commit, last: g.last}
}

// step takes the next event, for a QUERY with its verb, and says whether it
// ends the open transaction. An event that cannot stand where it stands is an
// error.
func (g *group) step(e *event, v verb) (ending, error) {
	switch e.typ {
	case replication.GTID_EVENT, replication.ANONYMOUS_GTID_EVENT, replication.GTID_TAGGED_LOG_EVENT, replication.MARIADB_GTID_EVENT:
		return goesOn, g.named(e)
	case replication.QUERY_EVENT, replication.MARIADB_QUERY_COMPRESSED_EVENT:
		return g.query(e, v)
	case replication.XID_EVENT:
		if !g.open {
			return goesOn, e.corrupt("it ends a transaction that has not begun")
		}
		return g.end(e, commits), nil
	case replication.XA_PREPARE_LOG_EVENT:
		return g.prepare(e)
	case replication.EXECUTE_LOAD_QUERY_EVENT:
		return g.statement(e), nil
	case replication.FORMAT_DESCRIPTION_EVENT, replication.ROTATE_EVENT, replication.STOP_EVENT,
		replication.PREVIOUS_GTIDS_EVENT, replication.MARIADB_GTID_LIST_EVENT:
		if g.open {
			return goesOn, rowferry.Errorf(rowferry.CodeTruncatedLog, "%s ends inside a transaction, and more follows it", g.start.name).
				Fact("open since", "%s", g.start)
		}
		g.last = e.end
		return goesOn, nil
	case replication.INTVAR_EVENT, replication.RAND_EVENT, replication.USER_VAR_EVENT,
		replication.ROWS_QUERY_EVENT, replication.MARIADB_ANNOTATE_ROWS_EVENT, replication.TABLE_MAP_EVENT,
		replication.BEGIN_LOAD_QUERY_EVENT, replication.APPEND_BLOCK_EVENT, replication.DELETE_FILE_EVENT:
		if !g.open {
			g.begin(e, txName{}, false)
		}
		return goesOn, nil
	default:
		if !g.open {
			g.last = e.end
		}
		return goesOn, nil
	}
}

func (g *group) named(e *event) error {
	if g.open {
		return e.corrupt("a transaction begins inside the one that began at %s", g.start)
	}
	var name txName
	var err error
	switch e.typ {
	case replication.MARIADB_GTID_EVENT:
		name, err = parseDomainEvent(e)
		// It is written at the commit, and has the commit's time.
		name.commit = time.Unix(int64(e.time), 0).UTC()
	case replication.GTID_TAGGED_LOG_EVENT:
		name, err = parseTaggedGTID(e)
	default:
		if name, err = parseGTID(e); err == nil && e.typ == replication.GTID_EVENT {
			err = name.name(e)
		}
	}
	if err != nil {
		return err
	}
	g.begin(e, name, e.typ == replication.MARIADB_GTID_EVENT && !name.standalone)
	return nil
}

func (g *group) query(e *event, v verb) (ending, error) {
	switch v {
	case verbBegin, verbXAStart:
		if g.open && g.begun && g.name.domain == (domainGTID{}) {
			return goesOn, e.corrupt("a transaction begins inside the one that began at %s", g.start)
		}
		if !g.open {
			g.begin(e, txName{}, true)
		}
		g.begun, g.xa = true, g.xa || v == verbXAStart
		return goesOn, nil
	case verbCommit:
		return g.outside(e, commits), nil
	case verbRollback:
		return g.outside(e, rollsBack), nil
	case verbSavepoint, verbRollbackTo, verbRelease, verbXAEnd:
		if !g.open {
			return goesOn, e.corrupt("it is outside of a transaction")
		}
		return goesOn, nil
	default:
		return g.statement(e), nil
	}
}

// outside ends the open transaction; a lone COMMIT is one of its own.
func (g *group) outside(e *event, how ending) ending {
	if !g.open {
		g.begin(e, txName{}, false)
	}
	return g.end(e, how)
}

// statement takes a statement that is a whole transaction unless one has
// begun.
func (g *group) statement(e *event) ending {
	if !g.open {
		g.begin(e, txName{}, false)
	}
	if g.begun {
		return goesOn
	}
	return g.end(e, commits)
}

func (g *group) prepare(e *event) (ending, error) {
	if !g.open {
		return goesOn, e.corrupt("it ends a transaction that has not begun")
	}
	if len(e.body()) < 1 {
		return goesOn, e.corrupt("%v", errShort)
	}
	if onePhase := e.body()[0] != 0; onePhase {
		return g.end(e, commits), nil
	}
	return g.end(e, prepares), nil
}

func (g *group) end(e *event, how ending) ending {
	g.open = false
	g.last = e.end
	if g.commit.IsZero() {
		g.commit = time.Unix(int64(e.time), 0).UTC()
	}
	return how
}

// id is the transaction's name: its GTID, or where it starts.
func (g *group) id() string { return string(g.appendID(nil)) }

func (g *group) appendID(dst []byte) []byte {
	if g.name.named {
		return g.name.append(dst)
	}
	return g.start.append(dst)
}

// mixed is the error for a transaction of the other kind.
func mixed(e place, id string, wants bool) error {
	what := "a transaction without a GTID follows ones with"
	if !wants {
		what = "a transaction with a GTID follows ones without"
	}
	return rowferry.Errorf(rowferry.CodeMixedGTID, "%s", what).Fact("transaction", "%s", id).Fact("at", "%s", e)
}

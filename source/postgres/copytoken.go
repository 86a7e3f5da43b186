package postgres

import (
	"cmp"
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"sync"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/internal/failpoint"
)

// tokenPrefix is the prefix of the logical messages that are ours.
const tokenPrefix = "rowferry"

// token is a logical message of ours, in a transaction of its own, that was
// committed behind everything that a snapshot saw. Whoever meets it in the log has
// met all of that. A server whose disk was put back, so that it lacks some of it,
// lacks the token as well, however long its log has become since.
//
// Its text is "LSN:ID:LSN": at, id and said.
type token struct {
	at   lsn    // its commit ends there, or before
	id   string // random, and what the message says
	said lsn    // the message ends there: a log that was read so far has all that the snapshot saw
	// fetched says that it is of rows which were read while merging: no chunk's note
	// has it, so marks have.
	fetched bool
}

func (t token) String() string { return t.at.String() + ":" + t.id + ":" + t.said.String() }

func (t token) compare(u token) int { return cmp.Or(cmp.Compare(t.at, u.at), cmp.Compare(t.id, u.id)) }

// parseToken reads what String wrote, and what earlier versions did, who noted at alone.
func parseToken(text string) (token, error) {
	place, rest, ok := strings.Cut(text, ":")
	id, said, told := strings.Cut(rest, ":")
	if !told {
		said = place
	}
	at, err := parseLSN(place)
	from, errSaid := parseLSN(said)
	if !ok || cmp.Or(err, errSaid) != nil || id == "" {
		return token{}, rowferry.Errorf(rowferry.CodeBadPosition, "%q is not what a copy noted of PostgreSQL's log", shorten(text))
	}
	return token{at: at, id: id, said: from}, nil
}

const (
	tokenQuery   = "SELECT pg_logical_emit_message(true, '" + tokenPrefix + "', $1)"
	flushedQuery = "SELECT pg_current_wal_flush_lsn()"
)

// sign leaves a token behind what the session's snapshots saw. The session has
// synchronous_commit on, or local: what it commits is flushed.
func (s *session) sign(ctx context.Context) (token, error) {
	t := token{id: rand.Text()}
	place := func(of *lsn) func(dialect.Row) error {
		return func(r dialect.Row) (err error) {
			*of, err = parseLSN(r.Text(0))
			return err
		}
	}
	if err := s.query(ctx, tokenQuery, place(&t.said), t.id); err != nil {
		return token{}, err
	}
	return t, s.query(ctx, flushedQuery, place(&t.at))
}

// tokens are those that the log has to have. Safe for concurrent use.
type tokens struct {
	mu   sync.Mutex
	on   bool    // a copy goes on: the log is asked for messages
	all  []token // by place
	due  []token // of all: those that are ahead of where the Reader is
	from lsn     // where it began
	came map[string]bool
}

// set says whether a copy goes on.
func (s *tokens) set(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.on = on
	if !on {
		s.all, s.due = nil, nil
	}
}

func (s *tokens) asked() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.on
}

// expect adds tokens.
func (s *tokens) expect(more ...token) {
	if failpoint.On("forget-tokens") {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range more {
		i, found := slices.BinarySearchFunc(s.all, t, token.compare)
		if found {
			continue
		}
		s.all = slices.Insert(s.all, i, t)
		if t.said <= s.from {
			continue
		}
		i, _ = slices.BinarySearchFunc(s.due, t, token.compare)
		s.due = slices.Insert(s.due, i, t)
	}
}

// begin begins with a Reader that tells what is behind a place. What an earlier one
// met beyond it may not come again, where the server was put back in between. A token
// whose message is before the place may be: others' commits are between that and at.
func (s *tokens) begin(at lsn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.from, s.came = at, map[string]bool{}
	s.due = slices.DeleteFunc(slices.Clone(s.all), func(t token) bool { return t.said <= at })
}

// meets takes a message with a token, expected or not.
func (s *tokens) meets(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.came != nil {
		s.came[id] = true
	}
}

// missed returns a token that had to come before a place, and did not.
func (s *tokens) missed(at lsn) (token, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.due) > 0 && s.due[0].at <= at {
		if !s.came[s.due[0].id] {
			return s.due[0], true
		}
		delete(s.came, s.due[0].id)
		s.due = s.due[1:]
	}
	return token{}, false
}

// fetched are those of rows that were fetched and are not in the log yet.
func (s *tokens) fetched() []token {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.due), func(t token) bool { return !t.fetched })
}

// last is the one with the last place, or the zero token.
func (s *tokens) last() token {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.all); n > 0 {
		return s.all[n-1]
	}
	return token{}
}

// Expect has Readers stop where the log does not have what snapshots saw. See
// rowferry.Copier.
func (s *Source) Expect(saw []rowferry.Snapshot) error {
	for _, snapshot := range saw {
		_, text, signed := strings.Cut(string(snapshot), "@")
		if !signed { // by an earlier version
			continue
		}
		t, err := parseToken(text)
		if err != nil {
			return err
		}
		s.tokens.expect(t)
	}
	return nil
}

// whole refuses a place in the log, of a server, that does not have every token
// before it.
func (r *reader) whole(at lsn) error {
	t, missed := r.opened.tokens.missed(at)
	if !missed {
		return nil
	}
	return lacksCopied(t, r.opened.lineage(), "there is something else in its log up to %s", at)
}

// reachable refuses a server whose log ends before a token that it has to have: the
// last one from before it was asked, since chunks may be read meanwhile.
func reachable(t token, now lineage, flushed lsn) error {
	if t.at <= flushed {
		return nil
	}
	return lacksCopied(t, now, "its log ends at %s", flushed)
}

// lacksCopied is the error of a server that does not have a token.
func lacksCopied(t token, server lineage, why string, args ...any) *rowferry.Error {
	return rowferry.Errorf(rowferry.CodeLineageBroken, "the source does not have all that was copied: it was put back to an earlier state").
		Fact("copied up to", "%s", t.at).Fact("reason", why, args...).Fact("server", "%s", server).
		Remedy("start over", "rowferry destroy, then run again into empty tables")
}

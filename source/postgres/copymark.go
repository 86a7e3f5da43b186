package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
)

// mark is a place in the log of a timeline, with tokens that have to come before it.
// Its text is "LSN TIMELINE/SYSTEMID", and behind it a space and the token for each.
type mark struct {
	at      lsn
	lineage lineage
	tokens  []token
}

func (m mark) String() string {
	text := m.at.String() + " " + m.lineage.String()
	for _, t := range m.tokens {
		text += " " + t.String()
	}
	return text
}

// parseMark reads what String wrote.
func parseMark(text rowferry.Mark) (m mark, err error) {
	words := strings.Split(string(text), " ")
	if m.at, err = parseLSN(words[0]); err != nil || len(words) < 2 {
		return m, rowferry.Errorf(rowferry.CodeBadPosition, "%q is no mark in PostgreSQL's log", shorten(string(text)))
	}
	if m.lineage, err = parseLineage(words[1]); err != nil {
		return m, err
	}
	for _, word := range words[2:] {
		t, err := parseToken(word)
		if err != nil {
			return m, err
		}
		t.fetched = true
		m.tokens = append(m.tokens, t)
	}
	return m, nil
}

// whereQuery: the first eight digits of a file's name are its timeline, which a
// server that was promoted just now has there first.
const whereQuery = `SELECT (SELECT system_identifier FROM pg_control_system())::text, left(pg_walfile_name(pg_current_wal_insert_lsn()), 8),
  pg_current_wal_insert_lsn()::text, current_setting('wal_block_size'), (SELECT s.setting FROM pg_settings s WHERE s.name = 'wal_segment_size')`

// where is where a server's log ends, what was written and not yet flushed
// included: a commit may be seen before it is on disk.
func (s *session) where(ctx context.Context) (m mark, err error) {
	err = s.query(ctx, whereQuery, func(r dialect.Row) error {
		timeline, err := strconv.ParseUint(r.Text(1), 16, 32)
		if err != nil {
			return fmt.Errorf("the server is on a timeline %q", r.Text(1))
		}
		at, err := parseLSN(r.Text(2))
		if err != nil {
			return err
		}
		var sizes [2]int64
		for i := range sizes {
			if sizes[i], err = r.Int(3 + i); err != nil {
				return err
			}
		}
		m = mark{atRecord(at, lsn(sizes[0]), lsn(sizes[1])), lineage{uint32(timeline), r.Text(0)}, nil}
		return nil
	})
	return m, err
}

// The sizes of the headers that a page of the log begins with: the first one of a
// file has a longer one (src/include/access/xlog_internal.h).
const (
	pageHeader = 24
	fileHeader = 40
)

// atRecord returns where the last record before a place ends. Behind a record that
// fills its page, the place to insert is behind the next page's header, which the
// end of no record is, so that a log which goes no further would never reach it.
func atRecord(at, block, file lsn) lsn {
	header := lsn(pageHeader)
	if at%file < block {
		header = fileHeader
	}
	if at%block == header {
		return at - header
	}
	return at
}

// same refuses a session with another server, or with one that has become
// another: what is read there would not go with what was read before.
func (c *copying) same(ctx context.Context, s *session) error {
	v, err := s.look(ctx)
	if err != nil {
		return err
	}
	for _, f := range v.findings() {
		if err := f.Err(); err != nil {
			return err
		}
	}
	last := c.source.tokens.last()
	m, err := s.where(ctx)
	if err == nil {
		err = c.descended(m.lineage)
	}
	if err != nil {
		return err
	}
	return reachable(last, m.lineage, m.at)
}

func (c *copying) descended(l lineage) error {
	if l == c.lineage {
		return nil
	}
	return rowferry.Errorf(rowferry.CodeLineageBroken, "the source is another server than the one whose tables are being copied, or failed over").
		Fact("began with", "%s", c.lineage).Fact("server", "%s", l).
		Remedy("start over", "rowferry destroy, then run again into empty tables")
}

// End returns where the log ends now, which is behind the commit of everything
// that was seen so far. See rowferry.Copy.
func (c *copying) End(ctx context.Context) (rowferry.Mark, error) {
	s, err := openSession(ctx, c.options.Endpoint)
	if err != nil {
		return "", err
	}
	defer s.close()
	m, err := s.where(ctx)
	if err == nil {
		err = c.descended(m.lineage)
	}
	if err != nil {
		return "", err
	}
	m.tokens = c.source.tokens.fetched()
	c.source.awaited.Store(uint64(m.at))
	return rowferry.Mark(m.String()), nil
}

// Passed reports whether a transaction that ended at p is behind the mark. A mark
// of a timeline that the source has left before it is CodeLineageBroken: what was
// seen there is not in the log. See rowferry.Copier.
func (s *Source) Passed(p rowferry.Position, _ string, m rowferry.Mark) (bool, error) {
	want, err := parseMark(m)
	if err != nil {
		return false, err
	}
	at, err := parseLSN(string(p))
	if err != nil {
		return false, err
	}
	s.mu.Lock()
	now, branches := s.lineage, s.branches
	s.mu.Unlock()
	if now != want.lineage && now.timeline != 0 {
		ok, why := now.system == want.lineage.system, "it is another database cluster"
		if ok {
			ok, why = descends(want.lineage.timeline, want.at, branches)
		}
		if !ok {
			return false, rowferry.Errorf(rowferry.CodeLineageBroken, "the source does not have all that was copied").
				Fact("mark", "%s", want).Fact("reason", "%s", why).Fact("server", "%s", now).
				Remedy("start over", "rowferry destroy, then run again into empty tables")
		}
	}
	s.tokens.expect(want.tokens...)
	want.at = max(want.at, s.tokens.last().at)
	s.awaited.Store(uint64(want.at))
	return at >= want.at, nil
}

package mysql

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/rowferry/rowferry"
)

// Where a copy begins and ends in the log.
//
// A transaction is in the log before any snapshot sees it, and on MySQL in
// gtid_executed only when every new one does. So the set that was read before a
// snapshot was opened names nothing that the snapshot does not see, and the end of
// the log that was read after a snapshot was opened is behind all that it sees.
//
// MariaDB has no such set, but tells where in its log a consistent snapshot is:
// exactly, as long as it is commits that move that place, each when it is seen. A
// new file moves it too, to its own beginning, and so does what is written there
// behind a file's first lines, while commits of the file before may wait to be seen,
// for a replica's word above all. So a place before which its file has no
// transaction does not do while commits wait. And nothing is read until a place
// is some time old: what moves it besides is done in that time (a commit in
// one phase, as beside a table of Aria; every commit of a group where
// binlog_optimize_thread_scheduling=OFF). The second phase of an
// XA transaction may be before that place and not be seen yet. It is among those
// that XA RECOVER lists until it is seen, so that there has to be none behind the
// snapshot that gives the place; that snapshot itself is not read.

// begin returns a position of which every snapshot that is opened later sees
// everything before; "" where nothing was logged yet.
func (k *tableCopy) begin(ctx context.Context, c *conn) (rowferry.Position, error) {
	if k.srv.mariadb {
		return k.beginSnapshot(ctx, c)
	}
	is, err := c.first(ctx, 2, "SELECT @@global.gtid_executed, @@global.gtid_mode")
	if err != nil {
		return "", err
	}
	if is[1] != "ON" {
		return "", rowferry.Errorf(rowferry.CodeCopyRefused, "without GTIDs it cannot be told what of the log a snapshot sees").
			Fact("gtid_mode", "%s", is[1]).
			Remedy("turn them on", "gtid_mode=ON on the source, by way of OFF_PERMISSIVE and ON_PERMISSIVE, with enforce_gtid_consistency=ON").
			Remedy("bring it yourself", "by another way, and follow with --from")
	}
	set, err := parseGTIDSet(is[0])
	if strings.TrimSpace(is[0]) == "" || err == nil && set.empty() {
		return "", nil
	}
	if err != nil {
		return "", rowferry.Errorf(rowferry.CodeSourceAway, "the source's gtid_executed cannot be read: %w", err)
	}
	return rowferry.Position(set.String()), nil
}

// How often, and with which pause between, a copy looks for a moment without XA
// transactions in their second phase.
const (
	xaLooks = 20
	xaPause = 100 * time.Millisecond
)

// placeAge is how old a place is before a snapshot is opened that is to see
// everything before it.
const placeAge = 500 * time.Millisecond

// beginSnapshot is begin for MariaDB.
func (k *tableCopy) beginSnapshot(ctx context.Context, c *conn) (rowferry.Position, error) {
	for look := 1; ; look++ {
		pos, fresh, err := k.snapshot(ctx, c)
		if err != nil {
			return "", err
		}
		prepared, err := c.query(ctx, "XA RECOVER")
		if err != nil {
			return "", err
		}
		waiting := false
		if fresh {
			if waiting, err = c.commitsWait(ctx); err != nil {
				return "", err
			}
		}
		switch {
		case len(prepared) == 0 && !waiting:
			return pos, nil
		case look < xaLooks:
		case waiting:
			return "", rowferry.Errorf(rowferry.CodeSourceAway, "commits that are in the source's log already wait for its replicas, and where they are seen cannot be told").
				Remedy("begin again", "when its replicas answer (Rpl_semi_sync_master_wait_sessions is 0)")
		default:
			return "", refusePrepared(prepared)
		}
		if err := pause(ctx, xaPause); err != nil {
			return "", err
		}
	}
}

// commitsWait reports whether commits wait for a replica's word.
func (c *conn) commitsWait(ctx context.Context) (bool, error) {
	says, err := c.query(ctx, "SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_master_wait_sessions'")
	return len(says) > 0 && says[0][1] != "0", err
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// refusePrepared refuses to begin beside XA transactions that are in their second
// phase.
func refusePrepared(prepared answer) error {
	names := make([]string, len(prepared))
	for i, row := range prepared {
		names[i] = row[len(row)-1]
	}
	return rowferry.Errorf(rowferry.CodeXA, "XA transactions are prepared on the source, and whether a snapshot sees them cannot be told").
		Fact("prepared", "%s", shorten(strings.Join(names, ", "))).
		Remedy("end them", "XA COMMIT or XA ROLLBACK, and the same command again")
}

// snapshot opens a snapshot, and returns where in the log it is, and whether its
// file has no transaction before that.
func (k *tableCopy) snapshot(ctx context.Context, c *conn) (at rowferry.Position, fresh bool, err error) {
	for range 10 { // until the log's oldest file is not removed in between
		for _, sql := range []string{"SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"} {
			if _, err := c.query(ctx, sql); err != nil {
				return "", false, err
			}
		}
		says, err := c.query(ctx, "SHOW SESSION STATUS LIKE 'binlog_snapshot_%'")
		if err != nil {
			return "", false, err
		}
		if _, err := c.query(ctx, "COMMIT"); err != nil {
			return "", false, err
		}
		place := map[string]string{}
		for _, row := range says {
			place[strings.ToLower(row[0])] = row[1]
		}
		file, offset := place["binlog_snapshot_file"], place["binlog_snapshot_position"]
		if file == "" || offset == "" {
			return "", false, rowferry.Errorf(rowferry.CodeCopyRefused, "the source does not tell where in its log a snapshot is").
				Fact("binlog_snapshot_file", "%q", file)
		}
		pos, known, err := c.gtidOf(ctx, file, offset)
		if err != nil {
			return "", false, err
		}
		before, there, err := c.gtidOf(ctx, file, fileStart)
		if err != nil || known && there {
			k.place = file + ":" + offset
			return rowferry.Position(pos), pos == before, err
		}
	}
	return "", false, rowferry.Errorf(rowferry.CodeSourceAway, "the source removes files of its log faster than a place in them can be told")
}

// fileStart is where the events of a file begin, behind its magic number.
const fileStart = "4"

// gtidOf returns the GTIDs of a place in MariaDB's log, "" where none is before
// it; known is false where the file is not there.
func (c *conn) gtidOf(ctx context.Context, file, offset string) (gtids string, known bool, err error) {
	is, err := c.first(ctx, 2, "SELECT BINLOG_GTID_POS("+textLiteral(file)+", "+offset+") p, ISNULL(BINLOG_GTID_POS("+textLiteral(file)+", "+offset+"))")
	if err != nil {
		return "", false, err
	}
	if is[1] != "0" {
		return "", false, nil
	}
	if strings.TrimSpace(is[0]) == "" {
		return "", true, nil
	}
	d, err := parseDomains(is[0])
	if err != nil {
		return "", false, rowferry.Errorf(rowferry.CodeSourceAway, "the source's position cannot be read: %w", err)
	}
	return d.String(), true, nil
}

// A Mark is the server, the transactions that were logged ("-" where that is not
// known) and the place where its log ended, with spaces between. The second is
// what tells that nothing is missing where the log goes on without transactions,
// as in a new file, and where another server goes on with it.

// End returns where the log ends now. See rowferry.Copy.
func (k *tableCopy) End(ctx context.Context) (rowferry.Mark, error) {
	c, err := dial(ctx, ctx, k.src.opt.Endpoint)
	if err != nil {
		return "", err
	}
	defer c.close()
	if err := k.same(ctx, c); err != nil {
		return "", err
	}
	status := []string{"SHOW BINARY LOG STATUS", "SHOW MASTER STATUS"}
	if k.srv.mariadb {
		status = status[1:]
	}
	end, err := c.anyOf(ctx, status...)
	if err != nil {
		return "", err
	}
	if len(end) == 0 || len(end[0]) < 2 {
		return "", rowferry.Errorf(rowferry.CodeSourceUnfit, "the source keeps no log")
	}
	gtids, err := k.logged(ctx, c, end[0][0], end[0][1])
	if err != nil {
		return "", err
	}
	return rowferry.Mark(k.self + " " + gtids + " " + end[0][0] + ":" + end[0][1]), nil
}

// logged returns a GTID set with all that was logged before a place that was the
// log's end just now, or "-". On MySQL what is logged has an owner until it is in
// gtid_executed.
func (k *tableCopy) logged(ctx context.Context, c *conn, file, offset string) (string, error) {
	if k.srv.mariadb {
		gtids, known, err := c.gtidOf(ctx, file, offset)
		if !known || gtids == "" {
			gtids = "-"
		}
		return gtids, err
	}
	owned, err := c.first(ctx, 1, "SELECT @@global.gtid_owned")
	if err != nil || strings.TrimSpace(owned[0]) != "" {
		return "-", err
	}
	is, err := c.first(ctx, 1, "SELECT @@global.gtid_executed")
	if err != nil {
		return "-", err
	}
	set, err := parseGTIDSet(is[0])
	if err != nil || set.empty() {
		return "-", nil //nolint:nilerr // it is a help only, and empty at first
	}
	return set.String(), nil
}

// Passed reports whether a mark is behind a transaction. See rowferry.Copier. log
// may be "", where it is p alone that tells.
func (s *liveSource) Passed(p rowferry.Position, log string, m rowferry.Mark) (bool, error) {
	parts := strings.SplitN(string(m), " ", 3)
	if len(parts) != 3 {
		return false, rowferry.Errorf(rowferry.CodeBadPosition, "%q is not a mark in a source's log", m)
	}
	at, err := ParsePosition(string(p))
	if err != nil {
		return false, err
	}
	if parts[1] != "-" {
		all, err := ParsePosition(parts[1])
		if err != nil {
			return false, err
		}
		if at.covers(all) {
			return true, nil
		}
	}
	s.mu.Lock()
	same := s.self == parts[0]
	s.mu.Unlock()
	if !same || log == "" {
		return false, nil
	}
	order, known, err := logOrder(log, parts[2])
	return known && order >= 0, err
}

// logOrder compares two places of one server's log, "file:offset". known is false
// where the files' names do not tell which is first.
func logOrder(a, b string) (order int, known bool, err error) {
	var places [2]Parsed
	for i, text := range []string{a, b} {
		places[i], err = parseFilePosition(text, func(error) (Parsed, error) {
			return Parsed{}, rowferry.Errorf(rowferry.CodeBadPosition, "%q is not a place in a source's log", text)
		})
		if err != nil {
			return 0, false, err
		}
	}
	here, there := newLogFile(places[0].File), newLogFile(places[1].File)
	switch {
	case here.name == there.name:
		return cmp.Compare(places[0].Offset, places[1].Offset), true, nil
	case !here.numbered || !there.numbered || here.prefix != there.prefix:
		return 0, false, nil
	default:
		return cmp.Compare(here.number, there.number), true, nil
	}
}

// covers reports whether a position surely stands for all that another does.
func (p Parsed) covers(o Parsed) bool {
	switch {
	case p.Kind != o.Kind:
		return false
	case p.Kind == AtGTID:
		return o.gtids.subsetOf(&p.gtids)
	case p.Kind == AtDomains:
		return p.String() == o.String() // only the same GTIDs tell the same place
	default:
		return false
	}
}

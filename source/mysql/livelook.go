package mysql

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rowferry/rowferry"
)

// ask returns the connection for questions, opening it where none is.
func (l *liveLog) ask(ctx context.Context) (*conn, error) {
	if l.control == nil {
		c, err := dial(ctx, l.life, l.opt.Endpoint)
		if err != nil {
			return nil, err
		}
		l.control = c
	}
	return l.control, nil
}

// hangUp closes the connection for questions until there are more.
func (l *liveLog) hangUp() {
	if l.control != nil {
		l.control.close()
		l.control = nil
	}
}

// look learns what the server is, which files its log has and where it ends.
func (l *liveLog) look(ctx context.Context, src *Source) error {
	c, err := l.ask(ctx)
	if err != nil {
		return err
	}
	is, err := c.first(ctx, 3, "SELECT @@global.version, @@global.log_bin, UNIX_TIMESTAMP(SYSDATE(6))")
	if err != nil {
		return err
	}
	l.srv = parseServer(is[0])
	if is[1] != "1" {
		return rowferry.Errorf(rowferry.CodeSourceUnfit, "the source keeps no log").
			Fact("log_bin", "OFF").Remedy("keep one", "log_bin on the source, which needs a restart")
	}
	if l.self, err = c.self(ctx, l.srv); err != nil {
		return err
	}
	seconds, err := strconv.ParseFloat(is[2], 64)
	if err != nil {
		return rowferry.Errorf(rowferry.CodeSourceAway, "the source tells no time: %w", err)
	}
	l.skew = time.Until(time.Unix(0, int64(seconds*1e9)))
	now, err := l.list(ctx, c)
	if err != nil {
		return err
	}
	src.files, src.sizes, l.end = now.files, now.sizes, now.end
	return l.history(ctx, c)
}

// listing is what SHOW BINARY LOGS says, and where the last file ends.
type listing struct {
	files []logFile
	sizes []int64
	end   place
}

// list asks for the log's files.
func (l *liveLog) list(ctx context.Context, c *conn) (*listing, error) {
	status := []string{"SHOW BINARY LOG STATUS", "SHOW MASTER STATUS"}
	if l.srv.mariadb {
		status = []string{"SHOW MASTER STATUS"}
	}
	for range 10 { // until the log is not rotated in between
		files, err := c.query(ctx, "SHOW BINARY LOGS")
		if err != nil {
			return nil, err
		}
		end, err := c.anyOf(ctx, status...)
		if err != nil {
			return nil, err
		}
		if len(files) == 0 || len(end) == 0 || len(end[0]) < 2 {
			return nil, rowferry.Errorf(rowferry.CodeSourceUnfit, "the source keeps no log")
		}
		now := &listing{}
		for _, f := range files {
			size, err := strconv.ParseInt(f[1], 10, 64)
			if err != nil {
				return nil, rowferry.Errorf(rowferry.CodeSourceAway, "the source tells no size of %s: %w", f[0], err)
			}
			now.files, now.sizes = append(now.files, newLogFile(f[0])), append(now.sizes, size)
		}
		last := len(now.files) - 1
		if now.files[last].name != end[0][0] {
			continue
		}
		off, err := strconv.ParseUint(end[0][1], 10, 64)
		if err != nil {
			return nil, rowferry.Errorf(rowferry.CodeSourceAway, "the source does not tell where its log ends: %w", err)
		}
		now.end = place{last, end[0][0], off}
		return now, nil
	}
	return nil, rowferry.Errorf(rowferry.CodeSourceAway, "the source begins new files of its log faster than they can be listed")
}

// refresh adds the files that were begun since to the source's, and returns
// where the log ends now.
func (s *Source) refresh(ctx context.Context, c *conn) (place, error) {
	now, err := s.live.list(ctx, c)
	if err != nil {
		return place{}, err
	}
	if n := slices.IndexFunc(s.files, func(f logFile) bool { return f.name == now.files[0].name }); n > 0 {
		s.oldest = n
	}
	last := s.files[len(s.files)-1].name
	i := slices.IndexFunc(now.files, func(f logFile) bool { return f.name == last })
	if i < 0 {
		return place{}, rowferry.Errorf(rowferry.CodeLogMissing, "the source's log no longer has %s", last).Fact("need", "%s", last)
	}
	s.files = append(s.files, now.files[i+1:]...)
	s.sizes = append(s.sizes, now.sizes[i+1:]...)
	now.end.file = len(s.files) - 1
	return now.end, nil
}

// history reads what was in the log ever.
func (l *liveLog) history(ctx context.Context, c *conn) error {
	if l.srv.mariadb {
		is, err := c.first(ctx, 1, "SELECT @@global.gtid_binlog_state")
		if err != nil {
			return err
		}
		l.states = newLogState()
		for part := range strings.SplitSeq(is[0], ",") {
			if part = strings.TrimSpace(part); part == "" {
				continue
			}
			g, err := parseDomainGTID(part)
			if err != nil {
				return rowferry.Errorf(rowferry.CodeSourceAway, "the source's gtid_binlog_state cannot be read: %w", err)
			}
			l.states.add(g)
		}
		return nil
	}
	is, err := c.first(ctx, 1, "SELECT @@global.gtid_executed")
	if err != nil || strings.TrimSpace(is[0]) == "" {
		return err
	}
	if l.executed, err = parseGTIDSet(is[0]); err != nil {
		return rowferry.Errorf(rowferry.CodeSourceAway, "the source's gtid_executed cannot be read: %w", err)
	}
	return nil
}

// replicas returns the ids of the server and its replicas. Where we may not list
// them, which MariaDB wants an administrator for, chance has to do.
func (l *liveLog) replicas(ctx context.Context) (map[uint32]bool, error) {
	c, err := l.ask(ctx)
	if err != nil {
		return nil, err
	}
	list := []string{"SHOW REPLICAS", "SHOW SLAVE HOSTS"}
	if l.srv.mariadb {
		list = list[1:]
	}
	all, err := c.anyOf(ctx, list...)
	if err != nil && rowferry.CodeOf(err) != rowferry.CodeSourceDenied {
		return nil, err
	}
	self, err := c.query(ctx, "SELECT @@global.server_id")
	if err != nil {
		return nil, err
	}
	taken := map[uint32]bool{}
	for _, row := range append(all, self...) {
		id, err := strconv.ParseUint(row[0], 10, 32)
		if err != nil {
			return nil, rowferry.Errorf(rowferry.CodeSourceAway, "the source names a server id that is none: %w", err)
		}
		taken[uint32(id)] = true
	}
	return taken, nil
}

// covers checks that everything a position stands for has been in the server's
// log (M9): a server that was reset or restored, another one behind the same
// address, and a replica that is behind are not gone on with. What is in the
// log and not yet in the set that the server tells (M46) counts.
func (s *Source) covers(ctx context.Context, pos Parsed, file int) error {
	l := s.live
	var missing string
	switch pos.Kind {
	case AtDomains:
		ahead := domains{}
		for k, g := range pos.domains {
			if !l.states.passed(g) {
				ahead[k] = g
			}
		}
		missing = ahead.String()
	case AtGTID:
		left := pos.gtids.minus(&l.executed)
		if left.empty() {
			return nil
		}
		p := newProgress()
		err := s.scan(ctx, file, p, func(seen) (bool, error) { return false, nil })
		if err != nil {
			return err
		}
		left = left.minus(&p.logged)
		missing = left.String()
	default:
		return nil
	}
	if missing == "" {
		return nil
	}
	return rowferry.Errorf(rowferry.CodeLineageBroken, "the source does not have all that the position stands for").
		Fact("position", "%s", shorten(pos.String())).Fact("never logged there", "%s", shorten(missing)).
		Remedy("go on", "with the server the pipeline was reading, or a replica of it that has caught up")
}

// explain says of an error about files that are not there what it means for a
// server.
func (l *liveLog) explain(src *Source, err error) error {
	var e *rowferry.Error
	if !errors.As(err, &e) || e.Code != rowferry.CodeLogMissing || len(src.files) == 0 {
		return err
	}
	x := &rowferry.Error{Code: e.Code, What: "the source no longer has the log that the position needs", Err: err}
	x.Facts = append(e.Facts, rowferry.Fact{Name: "oldest", Value: src.files[0].name})
	if len(e.Facts) == 0 {
		x.Facts = append(x.Facts, rowferry.Fact{Name: "reason", Value: e.What})
	}
	return x.Remedy("start over", "with a new copy, under another --name and into another target").
		Remedy("prevent", "a longer binlog_expire_logs_seconds on the source")
}

package postgres

import (
	"bufio"
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
)

// lineage is where a position comes from: which database cluster, by the
// identifier that it was given when it was made, and on which of its timelines.
// Its text is "TIMELINE/SYSTEMID"; that of a transaction has an anchor behind it.
type lineage struct {
	timeline uint32
	system   string
}

func (l lineage) String() string { return fmt.Sprintf("%d/%s", l.timeline, l.system) }

// parseLineage reads what String wrote.
func parseLineage(text string) (lineage, error) {
	number, system, ok := strings.Cut(text, "/")
	timeline, err := strconv.ParseUint(number, 10, 32)
	if !ok || err != nil || timeline == 0 || system == "" {
		return lineage{}, rowferry.Errorf(rowferry.CodeLineageBroken, "the checkpoint is of another kind of source").Fact("lineage", "%s", text)
	}
	return lineage{uint32(timeline), system}, nil
}

// branch is the end of a timeline: where the server left it for a later one.
type branch struct {
	timeline uint32
	at       lsn
}

// parseHistory reads a timeline history file: a line for each timeline that the
// server came from, with its number and the position at which it was left,
// separated by a tab, and a reason that is for people. Empty lines and those that
// begin with # say nothing
// (https://www.postgresql.org/docs/current/continuous-archiving.html#BACKUP-TIMELINES).
func parseHistory(content string) ([]branch, error) {
	var all []branch
	lines := bufio.NewScanner(strings.NewReader(content))
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if len(fields) < 2 {
			return nil, fmt.Errorf("a timeline's history has the line %q", lines.Text())
		}
		timeline, err := strconv.ParseUint(fields[0], 10, 32)
		if err != nil {
			return nil, fmt.Errorf("a timeline's history has the line %q", lines.Text())
		}
		at, err := parseLSN(fields[1])
		if err != nil {
			return nil, err
		}
		all = append(all, branch{uint32(timeline), at})
	}
	return all, lines.Err()
}

// descends reports whether what was at a position of one timeline is in a server
// with that history, which is on another timeline now, and says otherwise why not.
func descends(timeline uint32, at lsn, history []branch) (bool, string) {
	for _, b := range history {
		if b.timeline != timeline {
			continue
		}
		if b.at < at {
			return false, fmt.Sprintf("the server left timeline %d at %s, before the position", timeline, b.at)
		}
		return true, ""
	}
	return false, fmt.Sprintf("the server's history has no timeline %d", timeline)
}

// identity is what IDENTIFY_SYSTEM says of the server.
type identity struct {
	lineage
	flushed lsn // how far its log is on disk
}

// identify asks the server for its lineage.
func (o *opening) identify(ctx context.Context) error {
	return command(ctx, o.endpoint(), o.stream, "IDENTIFY_SYSTEM", func(r dialect.Row) error {
		timeline, err := strconv.ParseUint(r.Text(1), 10, 32)
		if err != nil {
			return fmt.Errorf("the server is on a timeline %q", r.Text(1))
		}
		at, err := parseLSN(r.Text(2))
		if err != nil {
			return err
		}
		o.identity = identity{lineage{uint32(timeline), r.Text(0)}, at}
		return nil
	})
}

// checkLineage compares where a position comes from with the server: the same
// cluster, on a timeline that branched off at or after the position, and with a
// log that reaches it. So another server behind the address, a backup that was
// restored and a standby that was behind when it was promoted are refused.
//
// What it cannot tell is left to the reader: whether the log has the anchor. See
// passage.
func (o *opening) checkLineage(ctx context.Context, text string, at lsn) error {
	now, from := o.identity, ""
	if text != "" {
		was, last, err := anchored(text, at)
		if err != nil {
			return err
		}
		o.anchor, from = last, was.String()
		switch {
		case was.system != now.system:
			return broken(at, from, now.lineage, "it is another database cluster")
		case was.timeline > now.timeline:
			return broken(at, from, now.lineage, "the server is on timeline %d, and the position on a later one, %d", now.timeline, was.timeline)
		case was.timeline < now.timeline:
			history, err := o.history(ctx)
			if err != nil {
				return err
			}
			if ok, why := descends(was.timeline, at, history); !ok {
				return broken(at, from, now.lineage, "%s", why)
			}
		}
	}
	if at > now.flushed {
		return broken(at, from, now.lineage, "the server's log ends at %s, before the position", now.flushed)
	}
	return nil
}

// broken is the error of a server that lacks what comes before a position, which
// is from another lineage, "" where that is not known.
func broken(at lsn, from string, server lineage, reason string, args ...any) *rowferry.Error {
	e := rowferry.Errorf(rowferry.CodeLineageBroken, "the source does not have all that the position stands for").
		Fact("position", "%s", at).Fact("reason", reason, args...).Fact("server", "%s", server)
	if from != "" {
		e.Fact("applied from", "%s", from)
	}
	return e.Remedy("go on", "with the server the pipeline was reading, or a standby of it that had caught up").
		Remedy("start over", "rowferry destroy, then run again into empty tables")
}

// history asks for the history of the server's timeline.
func (o *opening) history(ctx context.Context) (all []branch, err error) {
	err = command(ctx, o.endpoint(), o.stream, fmt.Sprintf("TIMELINE_HISTORY %d", o.identity.timeline), func(r dialect.Row) error {
		all, err = parseHistory(r.Text(1))
		return err
	})
	return all, err
}

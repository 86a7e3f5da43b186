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
// Its text is "TIMELINE/SYSTEMID".
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
func (o *opening) checkLineage(ctx context.Context, text string, at lsn) error {
	broken := func(format string, args ...any) error {
		e := rowferry.Errorf(rowferry.CodeLineageBroken, "the source does not have all that the position stands for").
			Fact("position", "%s", at).Fact("reason", format, args...).Fact("server", "%s", o.identity.lineage)
		if text != "" {
			e.Fact("applied from", "%s", text)
		}
		return e.Remedy("go on", "with the server the pipeline was reading, or a standby of it that had caught up").
			Remedy("start over", "rowferry destroy, then run again into empty tables")
	}
	if text != "" {
		was, err := parseLineage(text)
		if err != nil {
			return err
		}
		switch {
		case was.system != o.identity.system:
			return broken("it is another database cluster")
		case was.timeline > o.identity.timeline:
			return broken("the server is on timeline %d, and the position on a later one, %d", o.identity.timeline, was.timeline)
		case was.timeline < o.identity.timeline:
			history, err := o.history(ctx)
			if err != nil {
				return err
			}
			if ok, why := descends(was.timeline, at, history); !ok {
				return broken("%s", why)
			}
		}
	}
	if at > o.identity.flushed {
		return broken("the server's log ends at %s, before the position", o.identity.flushed)
	}
	return nil
}

// history asks for the history of the server's timeline.
func (o *opening) history(ctx context.Context) (all []branch, err error) {
	err = command(ctx, o.endpoint(), o.stream, fmt.Sprintf("TIMELINE_HISTORY %d", o.identity.timeline), func(r dialect.Row) error {
		all, err = parseHistory(r.Text(1))
		return err
	})
	return all, err
}

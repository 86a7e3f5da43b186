package mysql

import (
	"context"
	"strings"

	"github.com/rowferry/rowferry"
)

var _ rowferry.Recopier = (*liveSource)(nil)

// visibleLooks is how often it is looked whether all that was logged before a
// position can be seen, with xaPause between.
const visibleLooks = 100

// Recopy is Copy for a pipeline that follows: what it has applied was in the log,
// and need not be seen yet. See rowferry.Recopier. A table that is new in scope needs
// nothing: the log tells of all.
func (s *liveSource) Recopy(ctx context.Context, from rowferry.Position, lineage string) (rowferry.Copy, error) {
	return s.copy(ctx, rowferry.Start{Position: from, Lineage: lineage}, true)
}

// visible waits until every new snapshot sees all that was logged before From.
func (k *tableCopy) visible(ctx context.Context, c *conn) error {
	see := k.seesSet
	if k.srv.mariadb {
		end, err := k.End(ctx)
		if err != nil {
			return err
		}
		see = func(ctx context.Context, c *conn) (bool, error) { return k.seesPlace(ctx, c, end) }
	}
	for range visibleLooks {
		seen, err := see(ctx, c)
		if err != nil || seen {
			return err
		}
		if err := pause(ctx, xaPause); err != nil {
			return err
		}
	}
	return rowferry.Errorf(rowferry.CodeSourceAway, "commits that are in the source's log already are not to be seen yet").
		Fact("position", "%s", k.from).
		Remedy("begin again", "when its replicas answer")
}

// seesSet asks MySQL.
func (k *tableCopy) seesSet(ctx context.Context, c *conn) (bool, error) {
	now, err := k.begin(ctx, c) // which refuses a server without GTIDs
	if err != nil || now == "" {
		return false, err
	}
	executed, err := ParsePosition(string(now))
	if err != nil {
		return false, err
	}
	from, err := ParsePosition(string(k.from))
	if err != nil {
		return false, err
	}
	if from.Kind != AtGTID {
		return false, rowferry.Errorf(rowferry.CodeCopyRefused, "the pipeline follows files and places in them, of which it cannot be told what a snapshot sees").
			Fact("position", "%s", k.from).
			Remedy("start over", "rowferry destroy, then run again into empty tables")
	}
	return executed.covers(from), nil
}

// seesPlace asks MariaDB whether its snapshots see all before a mark, which is
// behind From.
func (k *tableCopy) seesPlace(ctx context.Context, c *conn, end rowferry.Mark) (bool, error) {
	parts := strings.SplitN(string(end), " ", 3)
	at, place, err := k.beginSnapshot(ctx, c)
	if err != nil || string(at) == parts[1] {
		return err == nil, err
	}
	order, known, err := logOrder(place, parts[2])
	return known && order >= 0, err
}

package mysql

import (
	"context"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/failpoint"
)

// reachPause is how long it takes about until a transaction that is in the log is
// seen, where it does not wait for a replica's word.
const reachPause = 10 * time.Millisecond

// reach waits until every snapshot sees what was logged before From. Where a copy began
// by itself it does; but the log may have told the position, and tells of transactions
// that are not seen yet, as while they wait for a replica's word: no chunk would have
// them, and they would not be told again.
func (k *tableCopy) reach(ctx context.Context, c *conn) error {
	if failpoint.On("copy-early") {
		return nil
	}
	from, err := ParsePosition(string(k.from))
	if err != nil {
		return err
	}
	err = k.awaitSeen(ctx, from.String(), func() (bool, error) { return k.sees(ctx, c, from) })
	k.known = time.Now()
	return err
}

// sees reports whether every snapshot that is opened from now on, on MariaDB when that is
// placeAge ago, sees what was logged before p.
func (k *tableCopy) sees(ctx context.Context, c *conn, p Parsed) (bool, error) {
	begin, err := k.begin(ctx, c)
	if err != nil || begin == "" {
		return false, err
	}
	now, err := ParsePosition(string(begin))
	switch {
	case err != nil:
		return false, err
	case p.Kind == AtGTID && now.Kind == AtGTID:
		return p.gtids.subsetOf(&now.gtids), nil
	case p.Kind == AtDomains && now.Kind == AtDomains:
		return now.domains.reaches(p.domains), nil
	default:
		return false, rowferry.Errorf(rowferry.CodeCopyRefused, "of a position without GTIDs it cannot be told whether a snapshot sees all before it").
			Fact("position", "%s", p).Remedy("first", "follow the log until a change is applied")
	}
}

// awaitSeen waits until what is in the log before a place is reached.
func (k *tableCopy) awaitSeen(ctx context.Context, place string, reached func() (bool, error)) error {
	for begun := time.Now(); ; {
		there, err := reached()
		if there || err != nil {
			return err
		}
		if time.Since(begun) > k.src.opt.Endpoint.Wait() {
			return rowferry.Errorf(rowferry.CodeSourceAway, "transactions that are in the source's log already cannot be seen yet, as while they wait for a replica's word").
				Fact("log", "%s", place)
		}
		if err := pause(ctx, reachPause); err != nil {
			return err
		}
	}
}

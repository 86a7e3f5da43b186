package mysql

import (
	"context"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/failpoint"
)

var _ rowferry.Fetcher = (*liveSource)(nil)

// rowsNow is what rows are fetched from while the log is followed.
type rowsNow struct {
	*tableCopy
	seen gtidSet // of MySQL: what every snapshot from now on sees
}

// Rows looks at the tables as they are now. See rowferry.Fetcher.
func (s *liveSource) Rows(ctx context.Context) (rowferry.RowCopy, error) {
	k, err := s.now(ctx)
	if err != nil {
		return nil, err
	}
	return &rowsNow{tableCopy: k}, nil
}

// now is a copy's view of the tables as they are, without a place in the log.
func (s *liveSource) now(ctx context.Context) (*tableCopy, error) {
	c, err := dial(ctx, ctx, s.opt.Endpoint)
	if err != nil {
		return nil, err
	}
	defer c.close()
	is, err := c.first(ctx, 1, "SELECT @@global.version")
	if err != nil {
		return nil, err
	}
	k := &tableCopy{src: s, srv: parseServer(is[0])}
	if k.self, err = c.self(ctx, k.srv); err != nil {
		return nil, err
	}
	found, err := s.surveyTables(ctx, c, k.srv)
	if err != nil {
		return nil, err
	}
	for _, t := range found.found.Tables {
		if t.Refused != nil {
			return nil, t.Refused
		}
		k.tables = append(k.tables, t.CopyTable)
	}
	return k, nil
}

// Reach waits until what was logged before a place is seen. See rowferry.RowCopy.
func (k *rowsNow) Reach(ctx context.Context, p rowferry.Position, log string) error {
	if failpoint.On("fetch-early") {
		return nil
	}
	if k.place != "" {
		if order, known, err := logOrder(k.place, log); err != nil || known && order >= 0 {
			return err // Open waits until the place is old enough
		}
	}
	at, err := ParsePosition(string(p))
	if err != nil || at.Kind == AtGTID && at.gtids.subsetOf(&k.seen) {
		return err
	}
	c, err := dial(ctx, ctx, k.src.opt.Endpoint)
	if err != nil {
		return err
	}
	defer c.close()
	if err := k.same(ctx, c); err != nil {
		return err
	}
	return k.awaitSeen(ctx, log, func() (bool, error) { return k.reached(ctx, c, at, log) })
}

func (k *rowsNow) reached(ctx context.Context, c *conn, p Parsed, log string) (bool, error) {
	begin, err := k.begin(ctx, c)
	if err != nil {
		return false, err
	}
	if k.srv.mariadb {
		k.known = time.Now()
		order, known, err := logOrder(k.place, log)
		return known && order >= 0, err
	}
	if p.Kind != AtGTID {
		return false, rowferry.Errorf(rowferry.CodeCopyRefused, "without GTIDs it cannot be told what of the log a snapshot sees").
			Fact("position", "%s", p).Remedy("turn them on", "gtid_mode=ON on the source")
	}
	seen, err := ParsePosition(string(begin))
	if err != nil || seen.Kind != AtGTID {
		return false, err
	}
	k.seen = seen.gtids
	return p.gtids.subsetOf(&k.seen), nil
}

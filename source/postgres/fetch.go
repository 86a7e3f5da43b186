package postgres

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/internal/failpoint"
	"github.com/rowferry/rowferry/schema"
)

var _ rowferry.Fetcher = (*Source)(nil)

// rowsNow is what rows are fetched from while the log is followed.
type rowsNow struct {
	*copying
	opening *opening
	settled bool // what was logged before this Source was made is seen
}

// Rows looks at the tables as they are now. See rowferry.Fetcher.
func (s *Source) Rows(ctx context.Context) (rowferry.RowCopy, error) {
	o := &opening{source: s, options: s.options, copies: true}
	if err := o.settle(); err != nil {
		return nil, err
	}
	if err := o.copyable(); err != nil {
		return nil, err
	}
	k := &rowsNow{copying: &copying{source: s, options: o.options, find: map[schema.Name]*copyTable{}, gauge: &loadGauge{}}, opening: o}
	err := k.within(ctx, func() (err error) {
		if o.server, err = o.session.look(ctx); err != nil {
			return err
		}
		m, err := o.session.where(ctx)
		if err != nil {
			return err
		}
		k.lineage = m.lineage
		return k.look(ctx, o)
	})
	if err != nil {
		return nil, err
	}
	return k, nil
}

// within calls do with a session.
func (k *rowsNow) within(ctx context.Context, do func() error) (err error) {
	if k.opening.session, err = openSession(ctx, k.opening.endpoint()); err != nil {
		return err
	}
	defer k.opening.session.close()
	return do()
}

// Open opens a connection. See rowferry.Copy.
func (k *rowsNow) Open(ctx context.Context) (rowferry.ChunkReader, error) {
	r := &chunkReader{copy: k.copying, unsigned: true}
	return r, r.connect(ctx)
}

// Close releases what is its own. See rowferry.Copy.
func (k *rowsNow) Close() error {
	k.gauge.close()
	return nil
}

// Reach waits until what was logged is seen: of the transactions that were told, those
// that a snapshot takes for open. See rowferry.RowCopy.
func (k *rowsNow) Reach(ctx context.Context, _ rowferry.Position, _ string) error {
	if failpoint.On("fetch-early") {
		return nil
	}
	limit := k.options.Endpoint.Wait()
	slow := rowferry.Errorf(rowferry.CodeSourceAway, "transactions that are in the source's log already, or were open when the first row was fetched, cannot be seen yet")
	ctx, cancel := context.WithTimeoutCause(ctx, limit, slow)
	defer cancel()
	return k.within(ctx, func() error {
		if !k.settled {
			if err := k.opening.visible(ctx); err != nil {
				return cmp.Or(context.Cause(ctx), err)
			}
			k.settled = true
		}
		for pause := visiblePause; ; pause = min(2*pause, longestPause) {
			var now snapshot
			err := k.opening.session.query(ctx, snapshotQuery, func(r dialect.Row) (err error) {
				now, err = parseSnapshot(r.Text(0))
				return err
			})
			if err != nil || k.source.told.seen(now) {
				return err
			}
			timer := time.NewTimer(pause)
			select {
			case <-timer.C:
			case <-ctx.Done():
				timer.Stop()
				return context.Cause(ctx)
			}
		}
	})
}

// mostTold is how many transactions are noted that may not be seen yet. Each process
// of the server has one such at most.
const mostTold = 1 << 16

// toldXIDs is the transactions that readers have told of and that may not be seen yet.
type toldXIDs struct {
	mu   sync.Mutex
	xids []uint32
}

func (t *toldXIDs) add(xid uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.xids) == mostTold {
		t.xids = append(t.xids[:0], t.xids[mostTold/2:]...)
	}
	t.xids = append(t.xids, xid)
}

// seen forgets those that a snapshot sees, and reports whether none is left.
func (t *toldXIDs) seen(s snapshot) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.xids = slices.DeleteFunc(t.xids, s.sees)
	return len(t.xids) == 0
}

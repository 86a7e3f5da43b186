package postgres

import (
	"context"
	"fmt"
	"strconv"
	"time"

	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
)

// A transaction is in the log before it can be seen: it waits for a standby, or
// is between the two. A snapshot that is taken then, after From is known, lacks
// what is logged before From. So before the first snapshot, every transaction
// that has a number by then is waited for.

// nextQuery is the number of the next transaction. A snapshot's xmax does not do:
// it is behind the last one that has ended, and those that are open may be beyond
// it. age counts from the given one to the next.
const nextQuery = `SELECT pg_snapshot_xmax(s)::text, age(pg_snapshot_xmax(s)::xid) FROM pg_current_snapshot() s`

const oldestQuery = `SELECT pg_snapshot_xmin(pg_current_snapshot())::text`

const (
	visiblePause  = 10 * time.Millisecond
	longestPause  = 500 * time.Millisecond
	visibleNotice = time.Second
	noticeAgain   = 30 * time.Second
)

// visible waits until everything that was logged before can be seen.
func (o *opening) visible(ctx context.Context) error {
	var next uint64
	err := o.session.query(ctx, nextQuery, func(r dialect.Row) error {
		most, err := strconv.ParseUint(r.Text(0), 10, 64)
		if err != nil {
			return err
		}
		more, err := r.Int(1)
		next = most + uint64(max(more, 0))
		return err
	})
	if err != nil {
		return err
	}
	told := time.Now().Add(visibleNotice - noticeAgain)
	for pause := visiblePause; ; pause = min(2*pause, longestPause) {
		oldest, err := o.oldest(ctx)
		if err != nil || oldest >= next {
			return err
		}
		if time.Since(told) >= noticeAgain {
			told = time.Now()
			who, err := o.whose(ctx, oldest)
			if err != nil {
				return err
			}
			o.options.Log.Warn("the copy waits for a transaction that was open before it", "transaction", oldest, "of", who)
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// oldest is the number of the oldest transaction that is open, or the next one.
func (o *opening) oldest(ctx context.Context) (oldest uint64, err error) {
	err = o.session.query(ctx, oldestQuery, func(r dialect.Row) error {
		oldest, err = strconv.ParseUint(r.Text(0), 10, 64)
		return err
	})
	return oldest, err
}

// whoseQuery: prepared transactions belong to no process. Of the processes of
// others, a role without pg_read_all_stats does not see which transaction they
// are in.
const whoseQuery = `SELECT format('process %s of %s in %s, %s since %s', a.pid, a.usename, a.datname, a.state, to_char(a.xact_start, 'YYYY-MM-DD HH24:MI:SS TZ'))
  FROM pg_stat_activity a WHERE a.backend_xid = $1::xid
  UNION ALL SELECT format('the prepared transaction %L of %s in %s, since %s', p.gid, p.owner, p.database, to_char(p.prepared, 'YYYY-MM-DD HH24:MI:SS TZ'))
  FROM pg_prepared_xacts p WHERE p.transaction = $1::xid`

// whose says for people to whom a transaction belongs.
func (o *opening) whose(ctx context.Context, number uint64) (who string, err error) {
	who = "a process that this role may not see"
	err = o.session.query(ctx, whoseQuery, func(r dialect.Row) error {
		who = r.Text(0)
		return nil
	}, fmt.Sprint(uint32(number)))
	return who, err
}

package mysql

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/mysqlwire"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

var _ rowferry.Reserver = (*Sink)(nil)

// reserveWait is how long Reserve waits for those who use the table. Others wait
// behind it meanwhile.
const reserveWait = time.Second

// Reserve moves the table's counter past n keys that are above it, and above all
// rows. The table is locked for the moment, so that nobody is given a key between
// the look at the counter and its move, which could also set it back.
// CodeTargetConflict where others keep the table in use.
//
// The session is one of its own: its settings and locks end with it.
func (s *Sink) Reserve(ctx context.Context, table schema.Name, column string, n int) (ranges []rowferry.KeyRange, err error) {
	if s.options.ReadOnly {
		return nil, rowferry.Errorf(rowferry.CodeInternal, "the MySQL target was opened for reading only")
	}
	if err := s.idle(ctx); err != nil { // with autocommit it keeps no table in use
		return nil, err
	}
	se, err := s.dialer.session(ctx)
	if err != nil {
		return nil, s.translate(err)
	}
	defer se.close()
	r := &reservation{sink: s, session: se, table: table, column: column}
	if ranges, err = r.take(ctx, n); err != nil {
		return nil, s.translate(r.denied(ctx, err))
	}
	return ranges, nil
}

// reservation is one Reserve on its way.
type reservation struct {
	sink    *Sink
	session *session
	table   schema.Name // as it was asked for
	column  string
	at      schema.Name // where the table is
}

func (r *reservation) take(ctx context.Context, n int) (ranges []rowferry.KeyRange, err error) {
	if _, err := r.counting(ctx); err != nil || n < 1 {
		return nil, err
	}
	settings := []string{fmt.Sprintf("SET SESSION lock_wait_timeout = %d", reserveWait/time.Second)}
	if !r.sink.server.MariaDB { // which else tells a counter of up to a day ago
		settings = append(settings, "SET SESSION information_schema_stats_expiry = 0")
	}
	if err := r.session.set(ctx, append(settings, "LOCK TABLES "+quoteName(r.at)+" WRITE")); err != nil {
		return nil, err
	}
	defer func() {
		if !r.session.broken { // which unlocks too, but not before the server has noticed
			err = errors.Join(err, r.session.exec(ctx, "UNLOCK TABLES"))
		}
	}()
	most, err := r.counting(ctx) // nobody alters it any more
	if err != nil {
		return nil, err
	}
	next, err := r.next(ctx)
	if err != nil {
		return nil, err
	}
	if next >= most { // the counter stops at the largest, which would be given twice
		return nil, r.refused("the counter is at its end").Fact("counter", "%d", next)
	}
	n = sqlsink.Share(n, most-next)
	if err := r.sink.setCounter(ctx, r.session, r.at, next+uint64(n)); err != nil {
		return nil, err
	}
	if after, err := r.next(ctx); err != nil || after != next+uint64(n) {
		return nil, errors.Join(err, rowferry.Errorf(rowferry.CodeTarget, "the target did not move a counter").
			Fact("table", "%s", r.table).Fact("counter", "%d", after).Fact("wanted", "%d", next+uint64(n)))
	}
	return []rowferry.KeyRange{{First: int64(next), Last: int64(next) + int64(n) - 1}}, nil
}

// next returns the next key: that of the counter, or past all rows.
func (r *reservation) next(ctx context.Context) (uint64, error) {
	q, err := r.sink.sequence(ctx, r.session, r.table)
	switch {
	case err != nil:
		return 0, err
	case q == nil || q.Last == math.MaxUint64:
		return math.MaxUint64, nil
	default:
		return max(q.Next, q.Last+1), nil
	}
}

func (r *reservation) refused(why string) *rowferry.Error {
	return sqlsink.Uncounted(r.table, r.column, why).Remedy("or let rows have the source's keys", sqlsink.OtherStrategy)
}

// counting looks whether the column counts, and returns the largest key that it
// can hold and that a KeyRange can.
func (r *reservation) counting(ctx context.Context) (most uint64, err error) {
	x, err := r.sink.inspect(ctx, r.session, r.sink.place(r.table))
	if err != nil {
		return 0, err
	}
	var why string
	switch {
	case x == nil:
		why = "the table does not exist"
	case x.kind != "BASE TABLE":
		why = "it is no table"
	case x.ordinal(r.column) < 0:
		why = "the table has no such column"
	case !x.shape.Columns[x.ordinal(r.column)].AutoIncrement:
		why = "the column does not count"
	case !strings.EqualFold(x.engine, "InnoDB"):
		return 0, r.refused("the counter of this storage engine is not known to stay where it was set").Fact("engine", "%s", x.engine).
			Remedy("use InnoDB", "ALTER TABLE %s ENGINE = InnoDB", quoteName(x.shape.Name))
	default:
		r.at = x.shape.Name
		return largest(x.shape.Columns[x.ordinal(r.column)].Type), nil
	}
	e := sqlsink.Uncounted(r.table, r.column, why)
	return 0, e.Remedy("make it count", "ALTER TABLE %s MODIFY %s BIGINT NOT NULL AUTO_INCREMENT", quoteName(r.sink.place(r.table)), quote(r.column)).
		Remedy("or let rows have the source's keys", sqlsink.OtherStrategy)
}

// largest returns the largest integer that a column counts to. One of a
// floating-point type counts as far as it tells integers apart.
func largest(t schema.Type) uint64 {
	switch {
	case t.Kind == schema.Float32:
		return 1 << 24
	case t.Kind != schema.Int:
		return 1 << 53
	case t.Unsigned:
		return min(uint64(1)<<t.Bits-1, math.MaxInt64)
	default:
		return uint64(1)<<(t.Bits-1) - 1
	}
}

// denied adds to the error of a user who may not lock or alter the table what
// would mend it.
func (r *reservation) denied(ctx context.Context, err error) error {
	var refused *mysqlwire.ServerError
	if !errors.As(err, &refused) || r.session.broken || r.at.Table == "" {
		return err
	}
	if code, _ := classify(refused); code != rowferry.CodeTargetDenied {
		return err
	}
	users, uerr := r.session.strings(ctx, "SELECT CURRENT_USER()")
	lines, gerr := r.session.strings(ctx, "SHOW GRANTS")
	if uerr != nil || gerr != nil {
		return err // the first is the one to tell
	}
	given, database := parseGrants(lines), schema.Name{Schema: r.at.Schema}
	e := rowferry.Errorf(rowferry.CodeTargetDenied, "the user may not lock a table of the target and move its counter: %w", err).Fact("table", "%s", r.table)
	for _, n := range []need{{[]string{"LOCK TABLES"}, database}, {[]string{"SELECT", "INSERT", "CREATE", "ALTER"}, r.at}} {
		lacks := without(slices.Clone(n.privileges), func(p string) bool { return granted(given, p, r.sink.server.foldName(n.on)) })
		if len(lacks) > 0 {
			e.Remedy("grant", "GRANT %s ON %s TO %s", strings.Join(lacks, ", "), grantable(given, n.on), quoteUser(users[0]))
		}
	}
	return e
}

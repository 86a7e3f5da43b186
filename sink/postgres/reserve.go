package postgres

import (
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

var _ rowferry.Reserver = (*Sink)(nil)

// waitForLog has the commit wait until the log is on disk. One without anything
// in the log is not waited for: see flush.
const waitForLog = `SELECT pg_catalog.set_config('synchronous_commit', coalesce(nullif(pg_catalog.current_setting('synchronous_commit'), 'off'), 'local'), true),
  pg_catalog.pg_logical_emit_message(true, 'rowferry', '')`

// mostTaken is how many values one statement takes of a sequence.
const mostTaken = 1 << 16

// Reserve takes values of the sequence that fills the column. Those that rows
// have, which were inserted with their keys, are left out. What is returned is on
// the server's disk: a sequence goes back in a crash to what was not.
func (s *Sink) Reserve(ctx context.Context, table schema.Name, column string, n int) ([]rowferry.KeyRange, error) {
	if err := s.idle(ctx); err != nil {
		return nil, err
	}
	o, err := s.origin(ctx, table, column)
	if err != nil || n < 1 {
		return nil, err
	}
	var free []int64
	err = s.within(ctx, func() error {
		left, err := s.left(ctx, o)
		n = max(1, sqlsink.Share(n, left))
		for take := n; len(free) < n && err == nil; take *= 2 { // the sequence may be far behind the rows
			if left == 0 && len(free) > 0 {
				break
			}
			var some []int64
			if some, err = s.values(ctx, o, max(1, sqlsink.Share(min(max(take, n-len(free)), mostTaken), left))); err == nil {
				free = append(free, some...)
				left, err = s.left(ctx, o)
			}
		}
		if err != nil {
			return err
		}
		_, err = s.exec(ctx, waitForLog)
		return err
	})
	if err != nil {
		return nil, err
	}
	return sqlsink.Ranges(free[:min(n, len(free))]), nil
}

// left returns how many values the sequence has left for the column, as far as the user
// may know. One that is asked for more than that gives none back.
func (s *Sink) left(ctx context.Context, o *origin) (left uint64, err error) {
	const q = `SELECT CASE WHEN has_sequence_privilege(p.seqrelid, 'SELECT, USAGE') THEN
    greatest(0, least($2::numeric, trunc((CASE WHEN p.seqincrement > 0 THEN least(p.seqmax, $3) ELSE p.seqmin END
      - coalesce(pg_sequence_last_value(p.seqrelid)::numeric, p.seqstart::numeric - p.seqincrement)) / p.seqincrement)))
    ELSE $2::numeric END::bigint FROM pg_sequence p WHERE p.seqrelid = $1`
	err = s.query(ctx, q, func(r dialect.Row) error {
		n, err := r.Int(0)
		left = uint64(n)
		return err
	}, o.oid, int64(math.MaxInt64), o.most)
	return left, err
}

// values takes values of the sequence, and returns those that no row has.
func (s *Sink) values(ctx context.Context, o *origin, n int) ([]int64, error) {
	const take = "SELECT pg_catalog.nextval($1::pg_catalog.regclass) FROM pg_catalog.generate_series(1, $2::bigint)"
	if s.options.Trace != nil {
		s.options.Trace(take, []string{o.sequence, strconv.Itoa(n)})
	}
	var all []int64
	var list []string
	err := s.query(ctx, take, func(r dialect.Row) error {
		v, err := r.Int(0)
		all, list = append(all, v), append(list, r.Text(0))
		return err
	}, o.oid, int64(n))
	if err != nil {
		if end := new(pgconn.PgError); errors.As(err, &end) && end.Code == "2200H" { // sequence_generator_limit_exceeded
			return nil, o.refused("the sequence is at its end").Fact("reason", "%s", end.Message)
		}
		return nil, err
	}
	if slices.Max(all) > o.most {
		return nil, o.refused("the sequence is past what the column's type can hold").Fact("type", "%s", o.typ)
	}
	// The statement is another one, to see what was committed until now.
	found := "SELECT " + o.quoted + "::bigint FROM " + dialect.QuoteTable(o.table) + " WHERE " + o.quoted + " = ANY($1::" + o.typ + "[])"
	taken := map[int64]bool{}
	err = s.query(ctx, found, func(r dialect.Row) error {
		v, err := r.Int(0)
		taken[v] = true
		return err
	}, "{"+strings.Join(list, ",")+"}")
	return slices.DeleteFunc(all, func(v int64) bool { return taken[v] }), err
}

// origin is where a column's values come from.
type origin struct {
	table    schema.Name
	column   string
	quoted   string // the column
	typ      string
	most     int64 // the largest value of the type
	sequence string
	oid      string // of the sequence
}

func (o *origin) refused(why string) *rowferry.Error {
	e := sqlsink.Uncounted(o.table, o.column, why)
	if o.sequence != "" {
		e.Fact("sequence", "%s", o.sequence)
	}
	return e
}

// originQuery finds the sequence of an identity, or that of a default which is
// nextval of one and nothing else.
const originQuery = `SELECT c.relkind, format_type(coalesce(nullif(t.typbasetype, 0), t.oid), NULL), a.attnum IS NOT NULL,
  a.attidentity <> '', coalesce(pg_get_expr(f.adbin, f.adrelid), ''), q.oid, qn.nspname, q.relname, q.relpersistence = 'p', p.seqcycle,
  has_sequence_privilege(q.oid, 'USAGE') OR has_sequence_privilege(q.oid, 'UPDATE'), current_user
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = $3 AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_attrdef f ON f.adrelid = c.oid AND f.adnum = a.attnum AND a.attgenerated = ''
  LEFT JOIN LATERAL (
    SELECT d.objid AS id FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
      AND d.refobjid = c.oid AND d.refobjsubid = a.attnum AND d.deptype = 'i'
    UNION SELECT d.refobjid FROM pg_depend d WHERE d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid
      AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'n') d ON true
  LEFT JOIN pg_class q ON q.oid = d.id AND q.relkind = 'S'
  LEFT JOIN pg_namespace qn ON qn.oid = q.relnamespace LEFT JOIN pg_sequence p ON p.seqrelid = q.oid
  WHERE n.nspname = $1 AND c.relname = $2 ORDER BY q.oid NULLS LAST LIMIT 1`

// countingTypes are those of which values are set aside, and the largest value
// of each.
var countingTypes = map[string]int64{"smallint": math.MaxInt16, "integer": math.MaxInt32, "bigint": math.MaxInt64, "numeric": math.MaxInt64}

// origin returns where the column's values come from.
func (s *Sink) origin(ctx context.Context, table schema.Name, column string) (*origin, error) {
	o := &origin{table: table, column: column, quoted: dialect.Quote(column)}
	refused := o.refused("the table does not exist")
	err := s.query(ctx, originQuery, func(r dialect.Row) error {
		o.typ = r.Text(1)
		most, counts := countingTypes[o.typ]
		o.most, o.oid = most, r.Text(5)
		if !r.Null(5) {
			o.sequence = dialect.Quote(r.Text(6)) + "." + dialect.Quote(r.Text(7))
		}
		refused = nil
		switch {
		case r.Text(0) != "r" && r.Text(0) != "p":
			refused = o.refused("it is no table")
		case !r.Bool(2):
			refused = o.refused("the table has no such column")
		case r.Null(5), !r.Bool(3) && !plainNext(r.Text(4)):
			refused = o.refused("the column does not count: it is no identity, and its default is not the next value of a sequence").Fact("default", "%s", r.Text(4))
		case !counts:
			refused = o.refused("the column counts in values that are no integers").Fact("type", "%s", o.typ)
		case r.Bool(9):
			refused = o.refused("the sequence begins again at its end").Remedy("count on", "ALTER SEQUENCE %s NO CYCLE", o.sequence)
		case !r.Bool(8):
			refused = o.refused("the sequence is not in the server's log: a crash sets it back").Remedy("log it", "ALTER TABLE %s SET LOGGED", dialect.QuoteTable(table))
		case !r.Bool(10):
			return rowferry.Errorf(rowferry.CodeTargetDenied, "the user may not take values of a sequence of the target").
				Fact("table", "%s", table).Fact("column", "%s", column).
				Remedy("grant", "GRANT USAGE ON SEQUENCE %s TO %s", o.sequence, dialect.Quote(r.Text(11)))
		}
		return nil
	}, dialect.Namespace(table), table.Table, column)
	if err != nil {
		return nil, err
	}
	if refused != nil {
		if len(refused.Remedies) == 0 {
			refused.Remedy("make it count", "ALTER TABLE %s ALTER COLUMN %s ADD GENERATED BY DEFAULT AS IDENTITY", dialect.QuoteTable(table), o.quoted)
		}
		return nil, refused.Remedy("or let rows have the source's keys", sqlsink.OtherStrategy)
	}
	return o, nil
}

// plainNext reports whether a default, as the server prints it, is the next value
// of a sequence as it is, or as another type.
func plainNext(expression string) bool {
	rest, ok := strings.CutPrefix(expression, "nextval('")
	if !ok {
		return false
	}
	end := strings.LastIndex(rest, "'::regclass)")
	if end < 0 || strings.Contains(strings.ReplaceAll(rest[:end], "''", ""), "'") {
		return false
	}
	cast := rest[end+len("'::regclass)"):]
	return cast == "" || cast == "::bigint" || cast == "::integer" || cast == "::smallint" || cast == "::numeric"
}

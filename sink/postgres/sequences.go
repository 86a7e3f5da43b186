package postgres

import (
	"context"
	"strconv"
	"strings"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/schema"
)

// counter is a sequence that fills a column.
type counter struct {
	table    schema.Name
	column   string
	sequence string // quoted
	step     int64
	read     bool // the user may
	set      bool
	user     string
}

// Sequences returns the columns that count by themselves: identities, and those
// whose sequence belongs to them. With advance each is set past the table's
// rows, in one transaction that keeps other writers of the tables out; none is
// ever set back. A table that does not exist has none.
func (s *Sink) Sequences(ctx context.Context, tables []schema.Name, advance bool) ([]rowferry.Sequence, error) {
	if err := s.idle(ctx); err != nil {
		return nil, err
	}
	var all []rowferry.Sequence
	read := func() error {
		for _, name := range tables {
			counters, err := s.counters(ctx, name)
			if err != nil {
				return err
			}
			if advance && len(counters) > 0 {
				// What comes after this lock sees the sequence advanced.
				if err := s.run(ctx, "LOCK TABLE "+dialect.QuoteTable(name)+" IN SHARE ROW EXCLUSIVE MODE"); err != nil {
					return err
				}
			}
			for _, c := range counters {
				if !c.read || advance && !c.set {
					return c.denied()
				}
				q, err := s.sequence(ctx, c, advance)
				if err != nil {
					return err
				}
				all = append(all, q)
			}
		}
		return nil
	}
	var err error
	if advance {
		err = s.within(ctx, read)
	} else {
		err = read()
	}
	if err != nil {
		return nil, err
	}
	return all, nil
}

const counterQuery = `SELECT a.attname, qn.nspname, q.relname, p.seqincrement,
  has_sequence_privilege(q.oid, 'SELECT'), has_sequence_privilege(q.oid, 'UPDATE'), current_user
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid AND NOT a.attisdropped
  JOIN pg_class q ON q.oid = d.objid AND q.relkind = 'S' JOIN pg_namespace qn ON qn.oid = q.relnamespace
  JOIN pg_sequence p ON p.seqrelid = q.oid
  WHERE n.nspname = $1 AND c.relname = $2 ORDER BY a.attnum`

// counters returns the sequences that belong to columns of the table.
func (s *Sink) counters(ctx context.Context, name schema.Name) ([]counter, error) {
	var all []counter
	err := s.query(ctx, counterQuery, func(r dialect.Row) error {
		step, err := r.Int(3)
		all = append(all, counter{table: name, column: r.Text(0), sequence: dialect.Quote(r.Text(1)) + "." + dialect.Quote(r.Text(2)), step: step,
			read: r.Bool(4), set: r.Bool(5), user: dialect.Quote(r.Text(6))})
		if err == nil && step < 1 {
			err = rowferry.Errorf(rowferry.CodeTargetUnfit, "a sequence of the target counts down, so its place among the rows is not known").
				Fact("table", "%s", name).Fact("column", "%s", r.Text(0))
		}
		return err
	}, dialect.Namespace(name), name.Table)
	return all, err
}

// denied is the error of a user who may not read the sequence, or not set it.
func (c *counter) denied() error {
	var lacks []string
	if !c.read {
		lacks = append(lacks, "SELECT")
	}
	if !c.set {
		lacks = append(lacks, "UPDATE")
	}
	return rowferry.Errorf(rowferry.CodeTargetDenied, "the user may not read and set a sequence of the target").
		Fact("table", "%s", c.table).Fact("column", "%s", c.column).
		Remedy("grant", "GRANT %s ON SEQUENCE %s TO %s", strings.Join(lacks, ", "), c.sequence, c.user)
}

// sequence reads one counter and, with advance, moves it on.
func (s *Sink) sequence(ctx context.Context, c counter, advance bool) (rowferry.Sequence, error) {
	q := rowferry.Sequence{Table: c.table, Column: c.column}
	err := s.query(ctx, "SELECT coalesce(max("+dialect.Quote(c.column)+"), 0)::text FROM "+dialect.QuoteTable(c.table), func(r dialect.Row) error {
		var err error
		q.Last, err = natural(r.Text(0))
		return err
	})
	if err != nil {
		return q, err
	}
	err = s.query(ctx, "SELECT last_value + CASE WHEN is_called THEN $1::bigint ELSE 0 END FROM "+c.sequence, func(r dialect.Row) error {
		var err error
		q.Next, err = natural(r.Text(0))
		return err
	}, c.step)
	if err != nil || !advance || q.Next > q.Last {
		return q, err
	}
	if s.options.Trace != nil {
		s.options.Trace("SELECT setval", []string{c.sequence, strconv.FormatUint(q.Last, 10)})
	}
	// Somebody may have taken values since: the larger one counts.
	_, err = s.exec(ctx, "SELECT setval($1::regclass, greatest($2::bigint, last_value)) FROM "+c.sequence, c.sequence, strconv.FormatUint(q.Last, 10))
	return q, err
}

// natural reads a whole number; below zero counts as zero, since no counter
// counts there.
func natural(s string) (uint64, error) {
	if len(s) > 0 && s[0] == '-' {
		return 0, nil
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, rowferry.Errorf(rowferry.CodeTarget, "a counting column of the target holds %s, which is no whole number", s)
	}
	return n, nil
}

package mysql

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

// Occupied returns which of the tables exist and hold at least one row.
func (s *Sink) Occupied(ctx context.Context, tables []schema.Name) (occupied []schema.Name, err error) {
	err = s.afresh(ctx, func() error {
		occupied = nil
		for _, name := range tables {
			x, err := s.inspectHead(ctx, s.session, s.place(name))
			if err != nil {
				return err
			}
			if x == nil {
				continue
			}
			rows, err := s.session.strings(ctx, "SELECT 1 FROM "+quoteName(x.shape.Name)+" LIMIT 1")
			if err != nil {
				return err
			}
			if len(rows) > 0 {
				occupied = append(occupied, name)
			}
		}
		return nil
	})
	return occupied, err
}

// systemDatabases belong to the server.
var systemDatabases = []string{"mysql", "information_schema", "performance_schema", "sys"}

// Tables returns the shapes of the existing tables, without Rowferry's own:
// those of the URL's database or, where it names none, of all databases.
func (s *Sink) Tables(ctx context.Context) (shapes []*schema.Table, err error) {
	err = s.afresh(ctx, func() error {
		shapes = nil
		names, err := s.tableNames(ctx)
		if err != nil {
			return err
		}
		for _, name := range names {
			x, err := s.inspect(ctx, s.session, name)
			if err != nil {
				return err
			}
			if x != nil && len(x.shape.Columns) > 0 {
				shapes = append(shapes, x.shape)
			}
		}
		return nil
	})
	return shapes, err
}

func (s *Sink) tableNames(ctx context.Context) ([]schema.Name, error) {
	query, args := "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES WHERE TABLE_TYPE = 'BASE TABLE'", []any{}
	if db := s.options.Endpoint.Database; db != "" {
		query, args = query+" AND TABLE_SCHEMA = ?", []any{db}
	}
	var names []schema.Name
	err := s.session.query(ctx, query+" ORDER BY TABLE_SCHEMA, TABLE_NAME", func(scan func(...any) error) error {
		var n schema.Name
		err := scan(&n.Schema, &n.Table)
		if err == nil && !slices.Contains(systemDatabases, strings.ToLower(n.Schema)) && !(s.server.foldName(n).Schema == s.server.foldName(s.chunkName()).Schema && sqlsink.Own(n.Table)) {
			names = append(names, n)
		}
		return err
	}, args...)
	return names, err
}

// Sequences returns the AUTO_INCREMENT columns of the existing tables, and with
// advance sets each past the table's rows. The InnoDB of today keeps its counters
// there by itself; what is looked at is what counts.
func (s *Sink) Sequences(ctx context.Context, tables []schema.Name, advance bool) (all []rowferry.Sequence, err error) {
	if advance && s.options.ReadOnly {
		return nil, rowferry.Errorf(rowferry.CodeInternal, "the MySQL target was opened for reading only")
	}
	err = s.afresh(ctx, func() error {
		all = nil
		if !s.server.MariaDB { // which else tells a counter of up to a day ago
			if err := s.session.exec(ctx, "SET SESSION information_schema_stats_expiry = 0"); err != nil {
				return err
			}
		}
		for _, name := range tables {
			q, err := s.sequence(ctx, s.session, name)
			if err != nil {
				return err
			}
			if q == nil {
				continue
			}
			all = append(all, *q)
			if advance && q.Next <= q.Last && q.Last+1 != 0 {
				if err := s.setCounter(ctx, s.session, s.place(name), q.Last+1); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return all, err
}

// sequence returns what the table counts from, or nil where it counts nothing
// or does not exist.
func (s *Sink) sequence(ctx context.Context, se *session, name schema.Name) (*rowferry.Sequence, error) {
	x, err := s.inspect(ctx, se, s.place(name))
	if err != nil || x == nil || x.kind != "BASE TABLE" {
		return nil, err
	}
	o := slices.IndexFunc(x.shape.Columns, func(c schema.Column) bool { return c.AutoIncrement })
	if o < 0 {
		return nil, nil
	}
	q := &rowferry.Sequence{Table: name, Column: x.shape.Columns[o].Name}
	column := quote(q.Column)
	err = se.query(ctx, "SELECT CAST(COALESCE(MAX("+column+"), 0) AS UNSIGNED) FROM "+quoteName(x.shape.Name)+" WHERE "+column+" > 0",
		func(scan func(...any) error) error { return scan(&q.Last) })
	if err != nil {
		return nil, err
	}
	err = se.query(ctx, "SELECT TABLE_SCHEMA, TABLE_NAME, AUTO_INCREMENT FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?",
		func(scan func(...any) error) error {
			var at schema.Name
			var next sql.Null[uint64]
			err := scan(&at.Schema, &at.Table, &next)
			if at == x.shape.Name {
				q.Next = max(next.V, 1)
			}
			return err
		}, x.shape.Name.Schema, x.shape.Name.Table)
	return q, err
}

// setCounter sets a table's counter. It ends an open transaction, of which
// there is none.
func (s *Sink) setCounter(ctx context.Context, se *session, table schema.Name, next uint64) error {
	sql := "ALTER TABLE " + quoteName(table) + " AUTO_INCREMENT = " + uintText(next)
	s.trace(sql, nil)
	return se.exec(ctx, sql)
}

package mysql

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

var _ rowferry.PartSource = (*liveSource)(nil)

// partReader reads in one snapshot.
type partReader struct {
	*chunkReader
	tables []rowferry.CopyTable
}

// Part looks at the tables and opens a snapshot. It asks for nothing of the log. See
// rowferry.PartSource.
func (s *liveSource) Part(ctx context.Context) (rowferry.PartReader, error) {
	k, err := s.now(ctx)
	if err != nil {
		return nil, err
	}
	p := &partReader{tables: k.tables}
	r, err := k.Open(ctx)
	if err != nil {
		return nil, err
	}
	p.chunkReader = r.(*chunkReader)
	if err := p.begin(ctx); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	p.held = true
	return p, nil
}

// Tables returns those in scope.
func (p *partReader) Tables() []rowferry.CopyTable { return p.tables }

// Pick reads rows of a table. See rowferry.PartReader.
func (p *partReader) Pick(ctx context.Context, t *rowferry.CopyTable, pick rowferry.Pick, each func([]rowferry.Row) error) error {
	if err := p.table(t); err != nil {
		return err
	}
	sql, err := p.query.pick(pick)
	if err != nil {
		return err
	}
	return p.snapshot(ctx, []string{sql}, each)
}

// pick selects the rows that are asked for.
func (q *copySQL) pick(p rowferry.Pick) (string, error) {
	var where []string
	if p.Since != nil {
		b, err := q.bound(p.Since.Column, p.Since.Value)
		if err != nil {
			return "", err
		}
		where = append(where, b.expr+" >= "+b.text)
	}
	var among []string
	for _, key := range p.Keys {
		same := make([]string, len(p.By))
		for i, o := range p.By {
			b, err := q.bound(o, key[i])
			if err != nil {
				return "", err
			}
			same[i] = b.equal()
		}
		among = append(among, "("+strings.Join(same, " AND ")+")")
	}
	if among != nil {
		where = append(where, "("+strings.Join(among, " OR ")+")")
	}
	sql := "SELECT " + q.expressions(ordinals(len(q.columns))) + " FROM "
	if where == nil {
		sql += q.table // in the order of its key
	} else {
		sql += quoted(q.shape.Name.Schema) + "." + quoted(q.shape.Name.Table) + " WHERE " + strings.Join(where, " AND ")
	}
	if p.Limit > 0 {
		sql += q.order() + " LIMIT " + strconv.Itoa(p.Limit)
	}
	return sql, nil
}

// bound is what a column is compared with.
func (q *copySQL) bound(o int, v rowferry.Value) (bound, error) {
	c := q.shape.Columns[o]
	if (c.Type.Kind == schema.Float32 || c.Type.Kind == schema.Float64) && v.Kind() == rowferry.Float {
		return bound{expr: quoted(c.Name), text: strconv.FormatFloat(v.Float(), 'e', -1, 64)}, nil
	}
	b, ok := newBound(c.Type, v)
	if !ok {
		return b, rowferry.Errorf(rowferry.CodeCopyRefused, "a column of table %s cannot be compared with a value of what refers to it", q.shape.Name).
			Fact("column", "%s", c.Name).Fact("type", "%s", c.Type)
	}
	b.expr = quoted(c.Name)
	return b, nil
}

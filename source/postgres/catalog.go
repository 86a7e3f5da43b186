package postgres

import (
	"context"
	"fmt"
	"slices"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/schema"
)

// catalog answers questions about tables while the log is read.
type catalog struct {
	session   *session
	lists     bool // the server knows column lists
	name      string
	generated bool // the publication has stored generated columns
}

// withColumnLists is the version from which publications have lists of columns.
const withColumnLists = 150000

// newCatalog looks at the publication.
func newCatalog(ctx context.Context, o *opened) (*catalog, error) {
	c := &catalog{
		session: &session{o.queries, o.options.Endpoint}, name: o.publication, lists: o.version >= withColumnLists,
	}
	p, err := c.session.readPublication(ctx, o.publication)
	if p != nil {
		c.generated = p.generated
	}
	return c, err
}

// ask runs a question to its end: a context that ended in the middle of it would
// cost the session. It has the endpoint's timeout.
func (c *catalog) ask(ctx context.Context, fn func(context.Context, *session) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.session.endpoint.Wait())
	defer cancel()
	err := fn(ctx, c.session)
	if ctx.Err() != nil {
		return rowferry.Errorf(rowferry.CodeSourceAway, "the source does not answer in time").Fact("source", "%s", c.session.endpoint)
	}
	return err
}

// table returns a table as the catalog has it now, with the columns that are
// published, or nil.
func (c *catalog) table(ctx context.Context, oid uint32) (found *dialect.SourceTable, err error) {
	err = c.ask(ctx, func(ctx context.Context, s *session) error {
		tables, err := dialect.ReadSource(ctx, s.conn, []uint32{oid}, dialect.SourceOptions{PublishGenerated: c.generated})
		if err != nil || len(tables) == 0 {
			return translate(ctx, s.endpoint, err)
		}
		if err := c.narrow(ctx, tables); err != nil {
			return err
		}
		found = tables[0]
		return nil
	})
	return found, err
}

// typeOf returns the type of a column that the catalog no longer has.
func (c *catalog) typeOf(ctx context.Context, col describedColumn) (t schema.Type, err error) {
	err = c.ask(ctx, func(ctx context.Context, s *session) error {
		t, err = dialect.SourceType(ctx, s.conn, col.oid, int(col.mod))
		return err
	})
	if err != nil {
		return t, rowferry.Errorf(rowferry.CodeShapeUnknown, "the log has a column of a type that the source no longer knows: %w", err).
			Fact("column", "%s", col.name)
	}
	return t, nil
}

// narrow leaves each table the columns that its publication lists.
func (c *catalog) narrow(ctx context.Context, tables []*dialect.SourceTable) error {
	if !c.lists || len(tables) == 0 {
		return nil
	}
	lists := map[uint32][]int{}
	err := c.session.query(ctx, "SELECT t.relid::bigint, t.attrs::text FROM pg_get_publication_tables($1) t WHERE t.attrs IS NOT NULL", func(r dialect.Row) error {
		oid, err := r.Int(0)
		if err != nil {
			return err
		}
		lists[uint32(oid)], err = r.Ints(1)
		return err
	}, c.name)
	if err != nil {
		return err
	}
	for i, t := range tables {
		if list, ok := lists[t.OID]; ok {
			tables[i] = narrowed(t, list)
		}
	}
	return nil
}

// narrowed returns a table without the columns that are not in the list of
// attribute numbers, nor the keys that have one of them.
func narrowed(t *dialect.SourceTable, list []int) *dialect.SourceTable {
	out, shape := *t, *t.Table
	out.Columns, shape.Columns = nil, nil
	to := make([]int, len(t.Columns))
	for i, c := range t.Columns {
		if to[i] = -1; slices.Contains(list, c.Number) {
			to[i] = len(out.Columns)
			out.Columns, shape.Columns = append(out.Columns, c), append(shape.Columns, t.Table.Columns[i])
		}
	}
	if len(out.Columns) == len(t.Columns) {
		return t
	}
	shape.Unsupported = append(slices.Clip(shape.Unsupported), fmt.Sprintf("%d columns that are not published", len(t.Columns)-len(out.Columns)))
	kept := func(ordinals []int) []int {
		var k []int
		for _, o := range ordinals {
			if to[o] < 0 {
				return nil
			}
			k = append(k, to[o])
		}
		return k
	}
	shape.PrimaryKey, out.IdentityColumns = kept(t.Table.PrimaryKey), kept(t.IdentityColumns)
	shape.Uniques, shape.ForeignKeys = nil, nil
	for _, u := range t.Table.Uniques {
		if u.Columns = kept(u.Columns); u.Columns != nil {
			shape.Uniques = append(shape.Uniques, u)
		}
	}
	shape.Indexes, shape.OtherIndexes = nil, slices.Clip(shape.OtherIndexes)
	for _, x := range t.Table.Indexes {
		if x.Columns = kept(x.Columns); x.Columns != nil {
			shape.Indexes = append(shape.Indexes, x)
		} else {
			shape.OtherIndexes = append(shape.OtherIndexes, fmt.Sprintf("index %s, whose columns are not all published", x.Name))
		}
	}
	for _, f := range t.Table.ForeignKeys {
		if f.Columns = kept(f.Columns); f.Columns != nil {
			shape.ForeignKeys = append(shape.ForeignKeys, f)
		} else {
			out.Unlisted = true
		}
	}
	out.Table = &shape
	return &out
}

package postgres

import (
	"context"
	"slices"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/schema"
)

var _ rowferry.Copier = (*Source)(nil)

// Copy sees to publication and slot as Open does, and looks at the tables in
// scope. Where from is empty, the slot is made, or gone on with if it is there;
// else it has to be there, with all that came after from. It waits until
// everything that was logged before From can be seen: for every transaction that
// was open by then. Where that takes more than a second, Options.Log has a warning
// that names the oldest. Errors are those of Open, and CodeCopyRefused where the
// log does not tell of every change to what a snapshot sees.
func (s *Source) Copy(ctx context.Context, from rowferry.Position) (_ rowferry.Copy, err error) {
	o := &opening{source: s, options: s.options, start: rowferry.Start{Position: from}, copies: true}
	if err := o.settle(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			o.abandon(ctx)
		}
	}()
	c, err := o.copying(ctx)
	if err != nil {
		return nil, err
	}
	if err := o.visible(ctx); err != nil {
		return nil, err
	}
	hangUp(o.stream)
	o.session.close()
	s.tokens.set(true)
	return c, nil
}

// copying is a copy under way. It holds nothing of the server but its slot, which
// keeps the log from From on, and the session of its gauge while that is asked.
type copying struct {
	source  *Source
	options Options
	from    lsn
	lineage lineage
	tables  []*copyTable
	find    map[schema.Name]*copyTable
	gauge   *loadGauge
}

// copying does all of Copy but wait.
func (o *opening) copying(ctx context.Context) (*copying, error) {
	if err := o.copyable(); err != nil {
		return nil, err
	}
	if err := o.connect(ctx); err != nil {
		return nil, err
	}
	return o.copyPrepared(ctx)
}

// copyable refuses options that a copy cannot keep to.
func (o *opening) copyable() error {
	if o.options.Temporary {
		return rowferry.Errorf(rowferry.CodeCopyRefused, "a copy needs a slot that stays, which keeps the log until the rows are there")
	}
	if o.options.Origin == OriginNone {
		return rowferry.Errorf(rowferry.CodeCopyRefused, "the source's tables have rows that it received by replication itself, of which the log would not tell what becomes of them").
			Remedy("take them all", "source.origin: any")
	}
	return nil
}

// copyPrepared is copying behind the connections.
func (o *opening) copyPrepared(ctx context.Context) (*copying, error) {
	if err := o.prepare(ctx); err != nil {
		return nil, err
	}
	c := &copying{source: o.source, options: o.options, from: o.begin, lineage: o.identity.lineage, find: map[schema.Name]*copyTable{}, gauge: &loadGauge{}}
	// The catalog is looked at in one snapshot. What changes in it later is in the
	// log after From, or found by those who read.
	if err := o.session.exec(ctx, beginSnapshot); err != nil {
		return nil, err
	}
	var err error
	c.tables, err = o.copyTables(ctx)
	if ended := o.session.exec(ctx, "ROLLBACK"); err == nil {
		err = ended
	}
	for _, t := range c.tables {
		c.find[t.Shape.Name] = t
	}
	return c, err
}

// copyTables reads the tables in scope, as the reader of the log tells them.
func (o *opening) copyTables(ctx context.Context) ([]*copyTable, error) {
	pub, err := o.session.readPublication(ctx, o.options.Publication)
	if err != nil {
		return nil, err
	}
	sc, err := o.session.readScope(ctx, &o.options, o.server, pub)
	if err != nil {
		return nil, err
	}
	if err := sc.check(o.options, pub, false); err != nil {
		return nil, err
	}
	if err := sc.copied(pub); err != nil {
		return nil, err
	}
	names := &catalog{session: o.session, lists: o.server.version >= withColumnLists, name: pub.name, generated: pub.generated}
	if err := names.narrow(ctx, sc.tables); err != nil {
		return nil, err
	}
	in, err := sc.inspected(ctx, o.session, pub)
	return in.all, err
}

// copied refuses what is published in part, so that rows which are read at
// different times would never become those of one time.
func (s *scope) copied(p *publication) error {
	if len(p.lacks) > 0 {
		return rowferry.Errorf(rowferry.CodeCopyRefused, "the publication does not tell of all that becomes of the rows which are copied").
			Fact("publication", "%s", p.name).Fact("not published", "%s", someOf(p.lacks)).
			Remedy("mend", "ALTER PUBLICATION %s SET (publish = 'insert, update, delete, truncate')", dialect.Quote(p.name))
	}
	if !s.root {
		return nil
	}
	var hidden []schema.Name
	for _, f := range s.facts {
		if f.kind == "p" || f.logged || !slices.ContainsFunc(f.above, func(a uint32) bool { return s.inside[a] }) {
			continue
		}
		hidden = append(hidden, f.name)
	}
	if hidden == nil {
		return nil
	}
	slices.SortFunc(hidden, schema.Name.Compare)
	return rowferry.Errorf(rowferry.CodeCopyRefused, "tables in scope have partitions that are not logged, whose rows a query of the table shows").
		Fact("partitions", "%s", names(hidden)).
		Remedy("by their names", "source.partitions: leaf, or ALTER PUBLICATION %s SET (publish_via_partition_root = false)", dialect.Quote(p.name))
}

// From is where the log is to be followed from. See rowferry.Copy.
func (c *copying) From() (rowferry.Position, string) { return c.from.position(), c.lineage.String() }

// Server names the cluster; which timeline it is on is the lineage. See rowferry.Copy.
func (c *copying) Server() string { return c.lineage.system }

// Tables are those in scope, by name. See rowferry.Copy.
func (c *copying) Tables() []rowferry.CopyTable {
	all := make([]rowferry.CopyTable, len(c.tables))
	for i, t := range c.tables {
		all[i] = t.CopyTable
	}
	return all
}

// table returns what is known of a table.
func (c *copying) table(t *rowferry.CopyTable) (*copyTable, error) {
	found := c.find[t.Shape.Name]
	if found == nil || !slices.EqualFunc(found.Shape.Columns, t.Shape.Columns, func(a, b schema.Column) bool { return a.Name == b.Name }) {
		return nil, rowferry.Errorf(rowferry.CodeInternal, "a table is read that is not one of the copy's").Fact("table", "%s", t.Shape.Name)
	}
	return found, nil
}

// Open opens a connection that reads chunks, each in a transaction that cannot
// write and locks nothing but in the mode of a SELECT. See rowferry.Copy.
func (c *copying) Open(ctx context.Context) (rowferry.ChunkReader, error) {
	r := &chunkReader{copy: c}
	return r, r.connect(ctx)
}

// Close releases what is its own: the slot stays for the reader of the log.
func (c *copying) Close() error {
	c.source.tokens.set(false)
	c.gauge.close()
	return nil
}

package postgres

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/schema"
)

var _ rowferry.PartSource = (*Source)(nil)

// partReader reads in one snapshot, on one session.
type partReader struct {
	chunkReader
}

// Part looks at the tables and opens a snapshot. It makes neither publication nor
// slot; what a publication of the pipeline's leaves out is left out. See
// rowferry.PartSource.
func (s *Source) Part(ctx context.Context) (_ rowferry.PartReader, err error) {
	o := &opening{source: s, options: s.options, copies: true}
	if err := o.settle(); err != nil {
		return nil, err
	}
	e := o.endpoint()
	conn, err := dialect.Connect(ctx, e, map[string]string{
		"lock_timeout":                        dialect.Millis(e.Wait() / 2),
		"statement_timeout":                   "0",
		"idle_in_transaction_session_timeout": "0", // while the target takes what was read
		"idle_session_timeout":                "0",
		"default_transaction_read_only":       "on",
	})
	if err != nil {
		return nil, translate(ctx, e, err)
	}
	p := &partReader{chunkReader{copy: &copying{source: s, options: o.options, find: map[schema.Name]*copyTable{}}, session: &session{conn, e}}}
	o.session = p.session
	if err := p.open(ctx, o); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// open finds the tables, and begins the snapshot behind their locks: a table that
// is written anew looks empty to one from before.
func (p *partReader) open(ctx context.Context, o *opening) (err error) {
	s := p.session
	if o.server, err = s.look(ctx); err != nil {
		return err
	}
	if err := p.copy.look(ctx, o); err != nil {
		return err
	}
	if err := s.exec(ctx, beginSnapshot); err != nil {
		return err
	}
	for _, t := range p.copy.tables {
		if err := s.exec(ctx, t.lock()); err != nil {
			return err
		}
	}
	return s.exec(ctx, "SELECT pg_current_snapshot()")
}

// look finds the tables as they are now.
func (c *copying) look(ctx context.Context, o *opening) error {
	if err := o.session.exec(ctx, beginSnapshot); err != nil {
		return err
	}
	err := c.lookWithin(ctx, o)
	if ended := o.session.exec(ctx, "ROLLBACK"); err == nil {
		err = ended
	}
	return err
}

func (c *copying) lookWithin(ctx context.Context, o *opening) error {
	pub, err := o.session.readPublication(ctx, o.options.Publication)
	if err != nil {
		return err
	}
	sc, err := o.session.readScope(ctx, &o.options, o.server, pub)
	if err != nil {
		return err
	}
	if pub == nil {
		pub = &publication{name: o.options.Publication, root: sc.root, generated: o.server.version >= withGenerated}
	} else {
		names := &catalog{session: o.session, lists: o.server.version >= withColumnLists, name: pub.name, generated: pub.generated}
		if err := names.narrow(ctx, sc.tables); err != nil {
			return err
		}
	}
	in, err := sc.inspected(ctx, o.session, pub)
	if err != nil {
		return err
	}
	c.tables = in.all
	for _, t := range in.all {
		c.find[t.Shape.Name] = t
	}
	return nil
}

// Tables returns those in scope.
func (p *partReader) Tables() []rowferry.CopyTable { return p.copy.Tables() }

// Pick reads rows of a table. See rowferry.PartReader.
func (p *partReader) Pick(ctx context.Context, ct *rowferry.CopyTable, pick rowferry.Pick, each func([]rowferry.Row) error) error {
	t, err := p.copy.table(ct)
	if err != nil {
		return err
	}
	q, err := t.pickQuery(pick)
	if err != nil {
		return err
	}
	if err := p.round(ctx, t, nil, q, nil, nil, each); err != nil {
		return p.failed(ctx, t, err)
	}
	return nil
}

// pickQuery asks for the rows of a Pick.
func (t *copyTable) pickQuery(p rowferry.Pick) (*copyQuery, error) {
	q := &copyQuery{}
	t.selects(q)
	and := t.filtered(q)
	if p.Since != nil {
		place, err := q.value(t, p.Since.Column, p.Since.Value)
		if err != nil {
			return nil, err
		}
		q.sql.WriteString(and + dialect.Quote(t.Shape.Columns[p.Since.Column].Name) + " >= " + place)
		and = " AND "
	}
	var among []string
	for _, key := range p.Keys {
		same := make([]string, len(p.By))
		for i, o := range p.By {
			place, err := q.value(t, o, key[i])
			if err != nil {
				return nil, err
			}
			same[i] = dialect.Quote(t.Shape.Columns[o].Name) + " = " + place
		}
		among = append(among, "("+strings.Join(same, " AND ")+")")
	}
	if among != nil {
		q.sql.WriteString(and + "(" + strings.Join(among, " OR ") + ")")
	}
	if p.Limit > 0 {
		t.order(q)
		q.sql.WriteString(" LIMIT " + strconv.Itoa(p.Limit))
	}
	return q, nil
}

// value adds a value of a column as a parameter, and returns its place.
func (q *copyQuery) value(t *copyTable, o int, v rowferry.Value) (string, error) {
	c := &t.Shape.Columns[o]
	text, ok := told(&c.Type, v)
	if v.Kind() == rowferry.Float {
		text, ok = strconv.AppendFloat(nil, v.Float(), 'g', -1, 64), true
	}
	if !ok {
		return "", rowferry.Errorf(rowferry.CodeCopyRefused, "a column cannot be compared with a value of what refers to it").
			Fact("table", "%s", t.Shape.Name).Fact("column", "%s", c.Name)
	}
	q.args = append(q.args, text)
	return "$" + strconv.Itoa(len(q.args)) + "::" + t.natives[o], nil
}

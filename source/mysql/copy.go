package mysql

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/dialect/mysql"
	"github.com/rowferry/rowferry/schema"
)

var (
	_ rowferry.Copier = (*liveSource)(nil)
	_ rowferry.Copy   = (*tableCopy)(nil)
)

// tableCopy is a copy's view of a server. Nothing of it changes but the gauge: each
// of its connections is somebody's own.
type tableCopy struct {
	src     *liveSource
	srv     server
	begins  bool   // and does not go on
	self    string // the server; any other does not have to have seen From
	from    rowferry.Position
	known   time.Time // since when at least from, or place, is known
	place   string    // of MariaDB: where in the log the last snapshot was that told, "file:offset"
	lineage string
	tables  []rowferry.CopyTable
	gauge   loadGauge
}

// Copy looks at the server's tables. See rowferry.Copier. The shapes are those of
// a Reader that begins at From, which is opened for that and closed. What was logged
// before from is waited for, until every snapshot sees it.
func (s *liveSource) Copy(ctx context.Context, from rowferry.Position) (_ rowferry.Copy, err error) {
	c, err := dial(ctx, ctx, s.opt.Endpoint)
	if err != nil {
		return nil, err
	}
	defer c.close()
	is, err := c.first(ctx, 1, "SELECT @@global.version")
	if err != nil {
		return nil, err
	}
	k := &tableCopy{src: s, srv: parseServer(is[0]), begins: from == ""}
	r, err := k.open(ctx, c, from)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return k, k.look(ctx, c, r)
}

// open finds where the copy is followed from, and opens a reader there.
func (k *tableCopy) open(ctx context.Context, c *conn, from rowferry.Position) (r *liveReader, err error) {
	if from == "" {
		if from, err = k.begin(ctx, c); err != nil {
			return nil, err
		}
	}
	k.known = time.Now() // who began may have ended just now
	opt := k.src.opt
	opt.From, opt.Until, opt.Once = "earliest", "", false // where there is nothing that From could name
	if r, err = k.src.open(ctx, opt, rowferry.Start{Position: from}); err != nil {
		return nil, err
	}
	k.from, k.self = r.Begin(), r.src.live.self
	if k.lineage, err = r.Lineage(ctx); err == nil {
		err = k.same(ctx, c)
	}
	if err == nil && !k.begins {
		err = k.reach(ctx, c)
	}
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// self returns which server this is. Of two servers that replicate from each
// other no two have the same.
func (c *conn) self(ctx context.Context, srv server) (string, error) {
	is, err := c.first(ctx, 1, "SELECT @@global."+selfVariable(srv))
	if err != nil {
		return "", err
	}
	return is[0], nil
}

func selfVariable(srv server) string {
	if srv.mariadb {
		return "server_id"
	}
	return "server_uuid"
}

// same checks that a connection is to the server that was looked at: behind one
// address there may be several, of which another may not have all before From.
func (k *tableCopy) same(ctx context.Context, c *conn) error {
	self, err := c.self(ctx, k.srv)
	if err != nil {
		return err
	}
	return k.judge(self)
}

func (k *tableCopy) judge(self string) error {
	if self == k.self {
		return nil
	}
	return rowferry.Errorf(rowferry.CodeSourceAway, "another server answers than the one that the copy began with").
		Fact("began with", "%s", k.self).Fact("answers", "%s", self)
}

// From returns where the log has to be followed from. See rowferry.Copy.
func (k *tableCopy) From() (rowferry.Position, string) { return k.from, k.lineage }

// Server names the server. See rowferry.Copy.
func (k *tableCopy) Server() string { return k.self }

// Tables returns those in scope.
func (k *tableCopy) Tables() []rowferry.CopyTable { return slices.Clone(k.tables) }

// Close ends the copy, of which only the gauge has something to end.
func (k *tableCopy) Close() error {
	k.gauge.close()
	return nil
}

// look lists the tables with the shapes that the reader has. It refuses by name
// those that cannot be read as the log would tell them.
func (k *tableCopy) look(ctx context.Context, c *conn, r *liveReader) error {
	all, err := c.copyTables(ctx, k.srv)
	if err != nil {
		return err
	}
	r.tables.head = &head{srv: k.srv}
	for _, row := range all {
		name := schema.Name{Schema: row[0], Table: row[1]}
		if !r.src.opt.Scope(name) {
			continue
		}
		known := r.tables.catalog.Table(name)
		if known == nil {
			if err := k.readable(ctx, c, r, name); err != nil {
				return err
			}
			if k.begins { // or its shape at From is not known, because it changed since
				return rowferry.Errorf(rowferry.CodeSourceAway, "a table was made or changed just when the copy began").Fact("table", "%s", name).
					Remedy("begin again", "the same command")
			}
			continue // made since From: the log tells of it and of all its rows
		}
		t := r.tables.copyTable(known, row)
		if err := copyable(t.Shape, row[2]); err != nil {
			return err
		}
		k.tables = append(k.tables, t)
	}
	return nil
}

// copyTables lists all tables: database, name, engine, rows and bytes.
func (c *conn) copyTables(ctx context.Context, srv server) (answer, error) {
	if !srv.mariadb && srv.since(8, 0) {
		// Else estimates are a day old.
		if _, err := c.query(ctx, "SET SESSION information_schema_stats_expiry=0"); err != nil {
			return nil, err
		}
	}
	return c.query(ctx, "SELECT table_schema, table_name, engine, table_rows, data_length FROM information_schema.tables "+
		"WHERE table_schema NOT IN ('mysql','sys','performance_schema','information_schema') AND table_type IN ('BASE TABLE','SYSTEM VERSIONED') "+
		"ORDER BY table_schema, table_name")
}

// copyTable is a table with its row of copyTables.
func (t *tables) copyTable(known *schema.Table, row []string) rowferry.CopyTable {
	x := rowferry.CopyTable{Shape: t.published(t.hinted(known))}
	// Of what the server does not know it says nothing.
	x.Rows, _ = strconv.ParseInt(row[3], 10, 64)
	x.Bytes, _ = strconv.ParseInt(row[4], 10, 64)
	return x
}

// readable refuses a table whose definition cannot be had, or understood.
func (k *tableCopy) readable(ctx context.Context, c *conn, r *liveReader, name schema.Name) error {
	return c.readable(ctx, r.src.live.catalog(), name)
}

// readable is that with an empty catalog.
func (c *conn) readable(ctx context.Context, scratch *mysql.Catalog, name schema.Name) error {
	row, err := c.first(ctx, 2, "SHOW CREATE TABLE "+quoted(name.Schema)+"."+quoted(name.Table))
	if err != nil {
		return err
	}
	err = scratch.LoadDump(strings.NewReader("USE "+quoted(name.Schema)+";\n"+row[1]+";\n"), "")
	if err == nil && scratch.Table(name) != nil {
		return nil
	}
	e := rowferry.Errorf(rowferry.CodeShapeUnknown, "the definition of table %s cannot be understood", name).Fact("table", "%s", name)
	if unread := (*mysql.StatementError)(nil); errors.As(err, &unread) {
		e.Fact("reason", "%v", err)
	}
	return e.Remedy("leave it out", "take the table out of 'tables'")
}

// copyable refuses a table whose rows a snapshot cannot be taken of, or of which
// values cannot be carried.
func copyable(t *schema.Table, engine string) error {
	if t.Versioned {
		return rowferry.Errorf(rowferry.CodeTypeRefused, "table %s is system-versioned", t.Name).
			Fact("table", "%s", t.Name).Fact("reason", "its log mixes rows with their history, under keys that include the time").
			Remedy("leave it out", "take the table out of 'tables'")
	}
	if !strings.EqualFold(engine, "InnoDB") {
		// It shows rows before they are logged, and to no snapshot.
		return rowferry.Errorf(rowferry.CodeCopyRefused, "table %s cannot be read in a snapshot", t.Name).
			Fact("table", "%s", t.Name).Fact("engine", "%s", engine).
			Remedy("change it", "ALTER TABLE %s.%s ENGINE=InnoDB on the source", quoted(t.Name.Schema), quoted(t.Name.Table)).
			Remedy("leave it out", "take the table out of 'tables'")
	}
	_, err := newCopyDecoder(t)
	return err
}

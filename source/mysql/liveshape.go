package mysql

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/dialect/mysql"
	"github.com/rowferry/rowferry/schema"
)

// The shapes that the server itself tells are those of now. One is taken for
// the shape at an earlier place of the log only if the log from there to the
// moment after it was asked for has no statement that may have changed it: a
// statement holds a lock on its table until it is in the log, which the
// question waits for.

// beginLive sets the catalog for a reader that begins at emit.
//
//	with recorded shapes      they are all there is; more is asked when it is needed
//	with ShapesFrom           what the dump and the server say of that place, and the log from there on
//	with neither              the server's shapes; for tables that were altered since, what the log
//	                          before says; over both the dump
func (t *tables) beginLive(ctx context.Context, start rowferry.Start, emit place, learn bool) error {
	if !learn {
		t.catalog = t.src.live.catalog()
		return nil
	}
	if start.ShapesFrom == "" {
		if err := t.learnLive(ctx, emit); err != nil {
			return err
		}
		return t.src.loadDump(t.catalog)
	}
	pos, err := ParsePosition(string(start.ShapesFrom))
	if err != nil {
		return err
	}
	from, err := t.src.startAt(ctx, pos, "", false)
	if err != nil {
		return err
	}
	now, err := t.src.shapesNow(ctx, from.emit)
	if err != nil {
		return err
	}
	catalog := t.src.live.catalog()
	now.put(catalog)
	if err := t.src.loadDump(catalog); err != nil {
		return err
	}
	return t.learnFrom(ctx, catalog, from.emit, emit)
}

// learnLive sets the catalog to the shapes at a place: the server's, and what
// the log before says of tables that were altered since.
func (t *tables) learnLive(ctx context.Context, before place) error {
	now, err := t.src.shapesNow(ctx, before)
	if err != nil {
		return err
	}
	t.catalog, t.passed = t.src.live.catalog(), map[schema.Name]*passedMap{}
	if now.uncertain {
		if err := t.learnFrom(ctx, t.catalog, place{t.src.oldest, t.src.files[t.src.oldest].name, magicSize}, before); err != nil {
			return err
		}
	}
	now.put(t.catalog)
	return nil
}

// catalog returns an empty catalog.
func (l *liveLog) catalog() *mysql.Catalog {
	flavor := mysql.MySQL
	if l.srv.mariadb {
		flavor = mysql.MariaDB
	}
	c := mysql.NewCatalog(flavor)
	c.SetVersion(l.srv.version)
	return c
}

// shapesNow is what a server says of its tables, as far as it holds for an
// earlier place.
type shapesNow struct {
	creates   map[schema.Name]string // CREATE TABLE by table
	databases []string               // CREATE DATABASE
	uncertain bool                   // a table in scope was there, and is not among them
}

// put makes the shapes known to a catalog. Statements that it cannot read leave
// their tables unknown.
func (n *shapesNow) put(c *mysql.Catalog) {
	for _, sql := range n.databases {
		_, _ = c.Apply(mysql.Statement{SQL: sql}) // without it a default stays unknown
	}
	for name, sql := range n.creates {
		_ = c.LoadDump(strings.NewReader("USE "+quoted(name.Schema)+";\n"+sql+";\n"), "")
	}
}

// shapesNow asks the server for the shapes of the tables in scope.
func (s *Source) shapesNow(ctx context.Context, at place) (*shapesNow, error) {
	c, err := s.live.ask(ctx)
	if err != nil {
		return nil, err
	}
	n := &shapesNow{creates: map[schema.Name]string{}}
	if err := n.ask(ctx, c, s.opt.Scope); err != nil {
		return nil, err
	}
	end, err := s.refresh(ctx, c)
	if err != nil {
		return nil, err
	}
	s.live.hangUp()
	return n, n.withdraw(ctx, s, at, end)
}

// ask reads the statements that would make the tables and databases.
func (n *shapesNow) ask(ctx context.Context, c *conn, scope func(schema.Name) bool) error {
	tables, err := c.query(ctx, "SELECT table_schema, table_name, table_type FROM information_schema.tables "+
		"WHERE table_schema NOT IN ('mysql','sys','performance_schema','information_schema') AND table_type IN ('BASE TABLE','SYSTEM VERSIONED','SEQUENCE')")
	if err != nil {
		return err
	}
	asked := map[string]bool{}
	for _, row := range tables {
		name := schema.Name{Schema: row[0], Table: row[1]}
		if !scope(name) {
			continue
		}
		if !asked[name.Schema] {
			asked[name.Schema] = true
			sql, err := c.shown(ctx, "SHOW CREATE DATABASE "+quoted(name.Schema))
			if err != nil {
				return err
			}
			if sql != "" {
				n.databases = append(n.databases, sql)
			}
		}
		what := "TABLE "
		if row[2] == "SEQUENCE" {
			what = "SEQUENCE "
		}
		sql, err := c.shown(ctx, "SHOW CREATE "+what+quoted(name.Schema)+"."+quoted(name.Table))
		if err != nil {
			return err
		}
		if sql != "" {
			n.creates[name] = sql
		}
	}
	return nil
}

// shown runs a SHOW CREATE. What the server will not show, since it is gone,
// broken or not for us, is "".
func (c *conn) shown(ctx context.Context, sql string) (string, error) {
	row, err := c.first(ctx, 2, sql)
	switch {
	case err == nil:
		return row[1], nil
	case saidByServer(err):
		return "", nil
	default:
		return "", err
	}
}

// withdraw gives up the shapes of tables that a statement between two places
// of the log may have changed, scanning to the second.
func (n *shapesNow) withdraw(ctx context.Context, s *Source, from, to place) error {
	scratch := s.live.catalog()
	give := func(name schema.Name, existed bool) {
		delete(n.creates, name)
		n.uncertain = n.uncertain || existed && s.opt.Scope(name)
	}
	return s.scanMaps(ctx, from.file, newProgress(), func(x seen) (bool, error) {
		if x.start.before(from) {
			return false, nil
		}
		if x.query != nil && x.verb == verbOther && !x.group.name.alterBegin && !x.group.name.alterUndo {
			st, err := x.query.statement(x.head.srv, x.event)
			if err != nil {
				return true, err
			}
			effects, err := scratch.Apply(st)
			unread := (*mysql.StatementError)(nil)
			switch {
			case errors.As(err, &unread) && len(unread.Tables) == 0:
				clear(n.creates)
				n.uncertain = true
			case errors.As(err, &unread):
				for _, name := range unread.Tables {
					give(name, true)
				}
			case err != nil:
				return true, err
			}
			for i := range effects {
				n.changed(&effects[i], give)
			}
		}
		return !x.end.before(to), nil
	})
}

// changed gives up what a statement changed.
func (n *shapesNow) changed(f *mysql.Effect, give func(name schema.Name, existed bool)) {
	switch f.Kind {
	case mysql.Created:
		give(f.Table, f.Detail == mysql.DetailIfNotExists || f.Detail == mysql.DetailReplace)
	case mysql.Altered, mysql.Dropped, mysql.Unsupported:
		give(f.Table, true)
	case mysql.Renamed:
		give(f.Table, true)
		give(f.To, false)
	case mysql.DatabaseDropped:
		for name := range n.creates {
			if name.Schema == f.Table.Schema {
				give(name, true)
			}
		}
		n.databases = slices.DeleteFunc(n.databases, func(sql string) bool { return strings.Contains(sql, quoted(f.Table.Schema)) })
		n.uncertain = true
	case mysql.Unknown:
		clear(n.creates)
		n.uncertain = true
	default: // shapes stay as they are
	}
}

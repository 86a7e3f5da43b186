package postgres_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/faultproxy"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/sink/postgres"
)

// TestCompleteTakesItsTime: to make a key may take longer than any other answer.
func TestCompleteTakesItsTime(t *testing.T) {
	x := newTarget(t, nil)
	parent, child := related()
	x.must(x.prepareLoad(parent, child))
	x.key(parent)
	x.sink = x.open(func(o *postgres.Options) { o.Endpoint.Timeout = 2 * time.Second })
	x.exec("CREATE FUNCTION shop.slow() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(3); END'",
		"CREATE EVENT TRIGGER slow ON ddl_command_start WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION shop.slow()")
	made, err := x.complete(parent)
	x.must(err)
	if len(made) != 1 {
		t.Errorf("told of %q", made)
	}
}

// TestCompleteNotices: nor is it waited for without end where the server is gone.
func TestCompleteNotices(t *testing.T) {
	x := newTarget(t, nil)
	parent, _ := related()
	x.must(x.prepareLoad(parent))
	x.key(parent)
	proxy := faultproxy.Start(t, x.server, 1)
	x.sink = x.open(func(o *postgres.Options) {
		o.Endpoint.Host, o.Endpoint.Port, o.Endpoint.Socket, o.Endpoint.Timeout = "127.0.0.1", proxy.Port, "", 2*time.Second
		o.Trace = func(sql string, _ []string) {
			if strings.Contains(sql, "ADD CONSTRAINT") {
				proxy.Shape(faultproxy.ToClient, faultproxy.Shape{Stall: true})
			}
		}
	})
	_, err := x.complete(parent)
	wants(t, err, rowferry.CodeTargetAway)
	proxy.Shape(faultproxy.ToClient, faultproxy.Shape{})
	eventually(t, func() error { _, err := x.complete(parent); return err })
	x.is("1", "SELECT count(*) FROM pg_constraint WHERE conrelid = 'shop.parent'::regclass AND contype = 'u'")
}

// TestKeyIsOnTheDisk: what merging relies on is there after a crash, also where
// commits need not be.
func TestKeyIsOnTheDisk(t *testing.T) {
	x := newTarget(t, nil)
	parent, child := related()
	x.must(x.prepareLoad(parent, child))
	x.exec("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database()); END $$",
		"CREATE TABLE shop.noted (setting text)",
		"CREATE FUNCTION shop.note() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO shop.noted VALUES (current_setting(''synchronous_commit'')); END'",
		"CREATE EVENT TRIGGER note ON ddl_command_start WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION shop.note()")
	x.key(parent, child)
	x.is("local local", "SELECT string_agg(setting, ' ') FROM shop.noted")
}

// TestCompleteOnNewest: the statements are those of the newest server, too.
func TestCompleteOnNewest(t *testing.T) {
	x := newTargetOn(t, testdb.Start(t, testdb.PostgresNew), nil)
	parent, child := related()
	x.must(x.prepareLoad(child, parent))
	l := x.load()
	x.must(x.chunk(l, child, false, row(i(1), i(7), txt("one")), row(i(2), i(9), txt("two"))))
	x.must(x.chunk(l, parent, false, row(i(1), i(7))))
	x.must(x.chunk(l, parent, true, row(i(1), i(7)), row(i(2), i(8))))
	_, err := x.complete(child, parent)
	wants(t, err, rowferry.CodeRowRefused, "shop.child", "foreign key (p) to shop.parent (u)", "(p)=(9)")
	x.must(x.merge(deleted(child, i(2), gone, gone)))
	_, err = x.complete(child, parent)
	x.must(err)
	x.must(x.apply(shaped(parent), shaped(child), deleted(parent, i(1), i(7))))
	x.is("0", "SELECT count(*) FROM shop.child")
}

// TestCompleteAtOnce: keys of several tables are made at the same time, and
// foreign keys of one parent one after the other.
func TestCompleteAtOnce(t *testing.T) {
	x := newTarget(t, nil)
	parent, child := related()
	other := keyed("other", col("id", integer, false), col("p", integer, true))
	other.ForeignKeys = child.ForeignKeys
	x.must(x.prepareLoad(parent, child, other))
	l := x.load()
	x.must(x.chunk(l, parent, false, row(i(1), i(7))))
	x.must(x.chunk(l, other, false, row(i(1), i(7))))
	x.must(l.Close())
	x.key(parent, child, other)
	var began sync.WaitGroup
	began.Add(2)
	var most atomic.Int32
	x.sink = x.open(func(o *postgres.Options) {
		o.Trace = func(sql string, _ []string) {
			if !strings.Contains(sql, "FOREIGN KEY") && most.Add(1) <= 2 {
				began.Done()
				began.Wait() // for another to have begun too
			}
		}
	})
	made, err := x.complete(parent, child, other)
	x.must(err)
	if len(made) != 4 {
		t.Errorf("told of %q", made)
	}
	x.is("2", "SELECT count(*) FROM pg_constraint WHERE confrelid = 'shop.parent'::regclass AND convalidated")
}

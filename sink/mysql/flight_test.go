package mysql_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/faultproxy"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/sink/mysql"
)

// bulkFails writes changes in bulk, and returns the error and how it was told.
func (p *pipeline) bulkFails(ms []rowferry.Mutation) error {
	p.t.Helper()
	return p.apply(ms, func(tx rowferry.SinkTx, ctx context.Context, ms []rowferry.Mutation) error {
		return tx.(rowferry.BulkTx).WriteBulk(ctx, ms)
	})
}

// TestBulkRefused: one of many statements under way fails. The error names its
// first change, nothing of the batch is left, and the next one is written.
func TestBulkRefused(t *testing.T) {
	onEach(t, func(t *testing.T, server *testdb.Server) {
		name, db := testdb.NewDatabase(t, server)
		sink := open(t, server, name, nil)
		defer sink.Close()
		table := keyed("t", col("id", integer), col("s", text))
		p := begin(t, sink)
		p.must(shaped(table), inserted(table, i(1), s("a")), inserted(table, i(7), s("a")))
		var inserts, updates []rowferry.Mutation
		for id := range int64(3000) {
			inserts = append(inserts, inserted(table, i(10+id), s("a")))
			updates = append(updates, updated(table, rowferry.Row{i(10 + id), s("a")}, rowferry.Row{i(10 + id), s("b")}))
		}
		with := func(ms []rowferry.Mutation, at int, m rowferry.Mutation) []rowferry.Mutation {
			return append(append(append([]rowferry.Mutation{}, ms[:at]...), m), ms[at:]...)
		}
		change := func(id int64, was string) rowferry.Mutation {
			return updated(table, rowferry.Row{i(id), s(was)}, rowferry.Row{i(id), s("b")})
		}
		const left = "SELECT CONCAT_WS(' ', COUNT(*), SUM(s = 'b')) FROM t"
		for _, c := range []struct {
			name string
			ms   []rowferry.Mutation
			code rowferry.Code
		}{
			{"a key that is taken", with(inserts, 1000, inserted(table, i(7), s("b"))), rowferry.CodeForeignRow},
			{"one at the end", with(inserts, 3000, inserted(table, i(7), s("b"))), rowferry.CodeForeignRow},
			{"a row that is missing", append(with(inserts, 3000, change(5, "a")), updates...), rowferry.CodeRowMissing},
			{"another's row", with(inserts, 1500, change(1, "other")), rowferry.CodeRowDiffers},
			{"a value that does not fit", with(inserts, 2000, inserted(table, i(5), s(strings.Repeat("x", 1000)))), rowferry.CodeOutOfRange},
			{"what is no text", with(inserts, 2000, inserted(table, i(5), s("\xff"))), rowferry.CodeInternal},
		} {
			err := p.bulkFails(c.ms)
			var e *rowferry.Error
			if !errors.As(err, &e) || e.Code != c.code || e.Mutation == nil {
				t.Errorf("%s: %v", c.name, err)
			}
			if got := one(t, db, left); got != "2 0" {
				t.Errorf("%s: left %s", c.name, got)
			}
		}
		p.bulk(inserts)
		p.bulk(updates)
		if got := one(t, db, left); got != "3002 3000" {
			t.Errorf("rows %s", got)
		}
	})
}

// TestBulkDeadlock: a deadlock ends the transaction, and the server goes on with
// what is queued behind: none of it stays.
func TestBulkDeadlock(t *testing.T) {
	onEach(t, func(t *testing.T, server *testdb.Server) {
		name, db := testdb.NewDatabase(t, server)
		sink := open(t, server, name, nil)
		defer sink.Close()
		table := keyed("t", col("id", integer), col("s", text))
		p := begin(t, sink)
		ms := []rowferry.Mutation{shaped(table)}
		for id := range int64(2000) {
			ms = append(ms, inserted(table, i(id), s("a")))
		}
		p.must(ms...)

		// The other has changed more than we, so it is us whom the server ends.
		other := transaction(t, db, "UPDATE t SET s = 'theirs' WHERE id > 1")
		ms = ms[:0]
		for _, id := range []int64{1, 2} {
			ms = append(ms, updated(table, rowferry.Row{i(id), s("a")}, rowferry.Row{i(id), s("ours")}))
		}
		for id := range int64(1000) {
			ms = append(ms, inserted(table, i(5000+id), s("ours")))
		}
		failed := make(chan error, 1)
		go func() { failed <- p.bulkFails(ms) }()
		for one(t, db, "SELECT COUNT(*) FROM information_schema.INNODB_TRX WHERE trx_state = 'LOCK WAIT'") == "0" {
			select {
			case err := <-failed:
				t.Fatalf("it did not wait for the lock: %v", err)
			case <-time.After(150 * time.Millisecond): // what is asked for more often stays as it was
			}
		}
		mustExec(t, other, "UPDATE t SET s = 'theirs' WHERE id = 1")
		if err := other.Commit(); err != nil { // what is behind ours has nothing to wait for
			t.Fatal(err)
		}
		code(t, <-failed, rowferry.CodeTargetConflict)
		if got := one(t, db, "SELECT CONCAT_WS(' ', COUNT(*), SUM(s = 'ours')) FROM t"); got != "2000 0" {
			t.Errorf("left %s", got)
		}
		if got, err := sink.ReadCheckpoint(t.Context(), "p"); err != nil || got.Sequence != p.cp.Sequence {
			t.Errorf("checkpoint %+v, %v", got, err)
		}
		p.bulk(ms[2:])
		if got := one(t, db, "SELECT COUNT(*) FROM t"); got != fmt.Sprint(3000) {
			t.Errorf("%s rows", got)
		}
	})
}

// TestBulkPipelines: the statements of a batch are sent before one of them is
// answered.
func TestBulkPipelines(t *testing.T) {
	onEach(t, func(t *testing.T, server *testdb.Server) {
		name, db := testdb.NewDatabase(t, server)
		proxy := faultproxy.Start(t, server, 1)
		sink := open(t, server, name, func(o *mysql.Options) { o.Endpoint.Port = proxy.Port })
		defer sink.Close()
		table := keyed("t", col("id", integer), col("s", text))
		p := begin(t, sink)
		p.must(shaped(table))
		var inserts, updates []rowferry.Mutation
		for id := range int64(3000) {
			inserts = append(inserts, inserted(table, i(id), s("a")))
			updates = append(updates, updated(table, rowferry.Row{i(id), s("a")}, rowferry.Row{i(id), s("b")}))
		}
		p.bulk(inserts)
		p.bulk(updates) // and the statement is prepared
		for k := range updates {
			updates[k].Before, updates[k].After = updates[k].After, updates[k].Before
		}
		const many = 10
		held := proxy.HoldStatement(many)
		proxy.Shape(faultproxy.ToClient, faultproxy.Shape{Stall: true})
		done := make(chan error, 1)
		go func() { done <- p.bulkFails(updates) }()
		select {
		case <-held.Reached():
		case err := <-done:
			t.Fatalf("fewer than %d statements were sent while none was answered: %v", many, err)
		}
		held.Release()
		proxy.Shape(faultproxy.ToClient, faultproxy.Shape{})
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if got := one(t, db, "SELECT COUNT(*) FROM t WHERE s = 'a'"); got != "3000" {
			t.Errorf("%s rows", got)
		}
	})
}

package mysql

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/internal/testdb/load"
	"github.com/rowferry/rowferry/schema"
	"github.com/rowferry/rowferry/source/sourcetest"
)

// consumer keeps what a pipeline has of a source: where it is, and the shapes.
type consumer struct {
	t      testing.TB
	src    rowferry.Source
	at     rowferry.Start
	shapes map[schema.Name]*schema.Table
	txs    []*rowferry.Tx
	r      rowferry.Reader
}

func newConsumer(t testing.TB, src rowferry.Source) *consumer {
	return &consumer{t: t, src: src, shapes: map[schema.Name]*schema.Table{}}
}

// open opens a reader where the consumer is.
func (c *consumer) open() error {
	c.at.Tables = nil
	for _, x := range c.shapes {
		c.at.Tables = append(c.at.Tables, x)
	}
	r, err := c.src.Open(c.t.Context(), c.at)
	if err != nil {
		return err
	}
	c.r = r
	if c.at.Position == "" {
		c.at.Position = r.Begin()
	}
	return nil
}

func (c *consumer) close() {
	c.t.Helper()
	if c.r != nil {
		must(c.t, c.r.Close())
		c.r = nil
	}
}

// next takes one whole transaction.
func (c *consumer) next() (*rowferry.Tx, error) {
	open := len(c.txs)
	for {
		tx, err := c.r.Next(c.t.Context())
		if err != nil {
			c.txs = c.txs[:open] // it is read again
			return nil, err
		}
		c.txs = append(c.txs, tx)
		if !tx.Last {
			continue
		}
		for _, x := range sourcetest.Join(c.txs[open:], nil)[0].Changes {
			switch x.Op {
			case rowferry.Shape:
				c.shapes[x.Table.Name] = x.Table
			case rowferry.Drop:
				delete(c.shapes, x.Table.Name)
			default: // rows change no shape
			}
		}
		c.at.Position, c.at.Lineage = tx.Position, tx.Lineage
		return tx, nil
	}
}

// until takes transactions up to one that satisfies.
func (c *consumer) until(done func(*rowferry.Tx) bool) {
	c.t.Helper()
	for {
		tx, err := c.next()
		must(c.t, err)
		if done(tx) {
			return
		}
	}
}

// marks reports whether a transaction inserts the text into a table mark.
func marks(what string) func(*rowferry.Tx) bool {
	return func(tx *rowferry.Tx) bool {
		return slices.ContainsFunc(tx.Changes, func(c rowferry.Change) bool {
			return c.Op == rowferry.Insert && c.Table.Name.Table == "mark" && c.After[0].Str() == what
		})
	}
}

const markTable = "CREATE TABLE IF NOT EXISTS test.mark (what VARCHAR(100) PRIMARY KEY)"

func mark(t testing.TB, s *testdb.Server, what string) {
	t.Helper()
	must(t, s.Exec(t.Context(), "INSERT INTO test.mark VALUES ('"+what+"')"))
}

// liveKinds are the servers of most tests here.
func liveKinds() []testdb.Kind {
	if testdb.Soak() {
		return []testdb.Kind{testdb.MySQL97, testdb.MariaDB1011, testdb.MariaDB11}
	}
	return []testdb.Kind{testdb.MySQL97, testdb.MariaDB1011}
}

// TestLiveFollow reads along while writers write and the log is rotated, with a
// new reader every few transactions, and compares with the files: nothing is
// missing, twice or in another order.
func TestLiveFollow(t *testing.T) {
	for _, k := range liveKinds() {
		for _, gtid := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/gtid %v", k, gtid), func(t *testing.T) {
				opts := []testdb.Option{testdb.Private(), testdb.MaxBinlogSize(100 << 10)}
				if !gtid && k.Flavor() == testdb.MariaDB {
					t.Log("MariaDB always writes GTIDs")
					opts = append(opts, testdb.RowMetadata("FULL"), testdb.Compressed())
				} else if !gtid {
					opts = append(opts, testdb.Arg("gtid_mode=OFF"), testdb.Arg("enforce_gtid_consistency=OFF"))
				}
				follow(t, testdb.Start(t, k, opts...))
			})
		}
	}
}

func follow(t *testing.T, s *testdb.Server) {
	must(t, s.Exec(t.Context(), "CREATE DATABASE test", markTable))
	_, db := testdb.NewDatabase(t, s)
	src := Live(LiveOptions{Endpoint: endpoint(t, s, "root"), ChunkBytes: 1 << 10})
	c := newConsumer(t, src)
	must(t, c.open())
	begin := c.at.Position
	written := make(chan error, 1)
	go func() {
		_, err := load.Run(context.Background(), db, load.Options{Seed: 7, Transactions: 600, Flavor: s.Kind.Flavor()})
		if err == nil {
			err = s.Exec(context.Background(), "INSERT INTO test.mark VALUES ('the end')")
		}
		written <- err
	}()
	for n := 1; ; n++ {
		tx, err := c.next()
		must(t, err)
		if marks("the end")(tx) {
			break
		}
		if n%7 == 0 {
			c.close()
			must(t, c.open())
		}
	}
	c.close()
	must(t, <-written)
	paths, err := s.BinlogFiles()
	must(t, err)
	files := readFrom(Files(Options{Paths: paths}), rowferry.Start{Position: begin})
	must(t, files.err)
	if got, want := text(c.txs), text(files.txs); got != want {
		t.Errorf("live and files differ: %s", firstDifference(got, want))
	}
	if len(paths) < 5 {
		t.Errorf("the log has only %d files", len(paths))
	}
}

func firstDifference(a, b string) string {
	i := 0
	for i < min(len(a), len(b)) && a[i] == b[i] {
		i++
	}
	cut := func(s string) string { return s[max(0, i-300):min(len(s), i+300)] }
	return fmt.Sprintf("at %d\n%s\nwant\n%s", i, cut(a), cut(b))
}

// TestLiveIdle says when there is nothing more to read, and that there is again.
func TestLiveIdle(t *testing.T) {
	for _, k := range liveKinds() {
		t.Run(string(k), func(t *testing.T) {
			s := testdb.Start(t, k)
			must(t, s.Exec(t.Context(), "CREATE DATABASE IF NOT EXISTS test", markTable))
			r, err := Live(LiveOptions{Endpoint: endpoint(t, s, "root"), From: "latest"}).Open(t.Context(), rowferry.Start{})
			must(t, err)
			f := r.(rowferry.Follower)
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() {
				_, err := f.Next(ctx)
				ended <- err
			}()
			awaitIdle(t, f, ended)
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Fatalf("cancelled while waiting: %v", err)
			}
			must(t, s.Exec(t.Context(), "DELETE FROM test.mark"))
			for i := range 3 {
				mark(t, s, fmt.Sprint("one of ", i))
			}
			mark(t, s, "after all")
			for {
				tx, err := f.Next(t.Context())
				must(t, err)
				if marks("after all")(tx) {
					break
				}
				if !f.CaughtUp().IsZero() {
					t.Error("caught up with a transaction still to come")
				}
			}
			go func() {
				_, err := f.Next(t.Context())
				ended <- err
			}()
			awaitIdle(t, f, ended)
			must(t, f.Close()) // wakes Next
			if err := <-ended; err == nil {
				t.Error("Next returned a transaction after Close")
			}
		})
	}
}

// awaitIdle waits until a reader has caught up, unless its Next ends before.
func awaitIdle(t testing.TB, f rowferry.Follower, ended <-chan error) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for f.CaughtUp().IsZero() {
		select {
		case err := <-ended:
			t.Fatalf("it ended before it had caught up: %v", err)
		case <-tick.C:
		}
	}
}

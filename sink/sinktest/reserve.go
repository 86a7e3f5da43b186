package sinktest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// reserveClauses hold for sinks that are a rowferry.Reserver.
var reserveClauses = []clause{
	{"reserve: keys are set aside once", func(e *env) {
		t := e.counted()
		other := e.again().(rowferry.Reserver)
		seen := keySet{}
		for _, n := range []int{1, 10, 1, 1000, 3} {
			e.must(seen.take(e.reserve(e.reserver(), t, n), n))
			e.must(seen.take(e.reserve(other, t, n), n))
		}
		e.must(other.Close())
		last := e.again().(rowferry.Reserver)
		e.must(seen.take(e.reserve(last, t, 5), 5))
		e.must(last.Close())
		if ranges := e.reserve(e.reserver(), t, 0); len(ranges) != 0 {
			e.t.Errorf("no keys are %v", ranges)
		}
		e.rows(t)
	}},
	{"reserve: rows are written with the keys, beside others that count", func(e *env) {
		t := e.counted()
		e.others(t, 1)
		ranges := e.reserve(e.reserver(), t, 4)
		e.others(t, 2)
		var ms []rowferry.Mutation
		for _, key := range keys(ranges) {
			ms = append(ms, insert(t, int(key), "ours"))
		}
		e.apply(ms...)
		e.others(t, 1)
		if rows := e.o.Read(e.t, e.sink, t); len(rows) != 8 {
			e.t.Errorf("%d rows, want 8", len(rows))
		}
	}},
	{"reserve: no key of a row", func(e *env) {
		t := e.counted()
		seen, last := keySet{}, int64(0)
		for i, above := range []int{3, 1, 0, 40, 2} {
			var ms []rowferry.Mutation
			last = max(last, seen.last)
			for range above {
				last += 2
				ms = append(ms, insert(t, int(last), "by key"))
			}
			e.apply(ms...)
			e.must(seen.take(e.reserve(e.reserver(), t, 10+i), 10+i))
			e.apart(t, seen)
		}
	}},
	{"reserve: a key that changed is that of a row", func(e *env) {
		t := e.counted()
		seen := keySet{}
		e.apply(insert(t, 1, "a"), insert(t, 2, "b"), update(t, vals(2, "b"), vals(9, "b")))
		e.must(seen.take(e.reserve(e.reserver(), t, 20), 20))
		e.others(t, 1)
		e.apart(t, seen)
	}},
	{"reserve: while others write and set keys aside", func(e *env) {
		t := e.counted()
		const calls, each = 15, 7
		type outcome struct {
			ranges []rowferry.KeyRange
			err    error
		}
		done := make(chan outcome)
		other := e.again()
		for _, s := range []rowferry.Sink{e.sink, other} {
			go func() { // "reserve"
				for range calls {
					ranges, err := patiently(s.(rowferry.Reserver), t, each)
					done <- outcome{ranges, err}
				}
			}()
		}
		seen := keySet{}
		for range 2 * calls {
			e.others(t, 3)
			o := <-done
			e.must(o.err)
			e.must(seen.take(o.ranges, each))
		}
		e.must(other.Close())
		e.others(t, 3)
		e.apart(t, seen)
	}},
	{"reserve: what does not count is refused", func(e *env) {
		t := e.counted()
		plain := table("plain", 1, column("id", integer), nullable("s", text))
		e.apply(shape(plain))
		for _, c := range []struct {
			table  *schema.Table
			column string
		}{{plain, "id"}, {plain, "missing"}, {t, "s"}, {table("missing", 0), "id"}} {
			_, err := e.reserver().Reserve(ctx, c.table.Name, c.column, 1)
			r, _ := err.(*rowferry.Error)
			if r == nil || r.Code != rowferry.CodeKeyReserve || len(r.Remedies) == 0 {
				e.t.Fatalf("%s.%s: %v, want %s with a remedy", c.table.Name, c.column, err, rowferry.CodeKeyReserve)
			}
			for _, part := range []string{c.table.Name.Table, c.column} {
				if !strings.Contains(r.Error(), part) {
					e.t.Errorf("%v does not name %s", r, part)
				}
			}
		}
	}},
}

// counted makes a table that counts.
func (e *env) counted() *schema.Table {
	t := table("counted", 1, column("id", integer), nullable("s", text))
	t.Columns[0].AutoIncrement = true
	e.apply(shape(t))
	return t
}

func (e *env) reserver() rowferry.Reserver { return e.sink.(rowferry.Reserver) }

func (e *env) reserve(s rowferry.Reserver, t *schema.Table, n int) []rowferry.KeyRange {
	e.t.Helper()
	ranges, err := patiently(s, t, n)
	e.must(err)
	return ranges
}

// patiently sets keys aside, however often others are in the way.
func patiently(s rowferry.Reserver, t *schema.Table, n int) ([]rowferry.KeyRange, error) {
	for {
		ranges, err := s.Reserve(ctx, t.Name, "id", n)
		if !rowferry.CodeOf(err).Transient() {
			return ranges, err
		}
	}
}

// others inserts rows whose keys are counted, not through the sink.
func (e *env) others(t *schema.Table, n int) {
	e.t.Helper()
	for range n {
		e.o.Exec(e.t, e.sink, "INSERT INTO "+t.Name.Table+" (s) VALUES ('theirs')")
	}
}

// apart wants no row to have one of the keys.
func (e *env) apart(t *schema.Table, seen keySet) {
	e.t.Helper()
	for _, r := range e.o.Read(e.t, e.sink, t) {
		if key := r[0].Int(); seen.has(key) {
			e.t.Fatalf("a row has the key %d, which was set aside", key)
		}
	}
}

// keySet is keys that were set aside.
type keySet struct {
	ranges []rowferry.KeyRange
	last   int64 // the largest
}

func (k *keySet) has(key int64) bool {
	return slices.ContainsFunc(k.ranges, func(r rowferry.KeyRange) bool { return r.First <= key && key <= r.Last })
}

// take adds n keys, of which none may be there already.
func (k *keySet) take(ranges []rowferry.KeyRange, n int) error {
	count, after := int64(0), int64(0)
	for _, r := range ranges {
		if r.First <= after || r.Last < r.First {
			return fmt.Errorf("the ranges %v do not ascend", ranges)
		}
		for _, o := range k.ranges {
			if r.First <= o.Last && o.First <= r.Last {
				return fmt.Errorf("%v were set aside before, as %v", r, o)
			}
		}
		after = r.Last
		count += r.Last - r.First + 1
	}
	if count != int64(n) {
		return fmt.Errorf("%d keys were set aside, want %d", count, n)
	}
	k.ranges, k.last = append(k.ranges, ranges...), max(k.last, after)
	return nil
}

// keys returns the keys one by one.
func keys(ranges []rowferry.KeyRange) (all []int64) {
	for _, r := range ranges {
		for key := r.First; key <= r.Last; key++ {
			all = append(all, key)
		}
	}
	return all
}

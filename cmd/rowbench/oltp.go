package main

import (
	"fmt"
	"math/rand/v2"
)

// The size of oltp, before it is scaled.
const (
	oltpTables = 8
	oltpRows   = 100_000 // a table
	oltpRange  = 1_000_003
)

// oltp makes small transactions over tables t0, t1, …: an update of an indexed
// column, one of others, a delete and an insert, each in a table and of a row
// drawn uniformly. A table keeps about as many rows as it has.
func oltp(tables int) *workload {
	w := &workload{name: "oltp", guess: 40_000}
	for i := range tables {
		w.tables = append(w.tables, oltpTable(fmt.Sprintf("t%d", i)))
		w.indexes = append(w.indexes, index{fmt.Sprintf("t%d", i), "k"})
	}
	w.writer = func(random *rand.Rand, part, parts int, scale float64) writer {
		o := &oltpWriter{share: share{random, int64(part), int64(parts)}}
		o.tables = make([]oltpKeys, tables)
		for i := range o.tables {
			rows := o.rows(oltpRows, scale)
			for n := range rows {
				o.tables[i].live = append(o.tables[i].live, o.key(n))
			}
			o.tables[i].used = rows
		}
		return o
	}
	return w
}

func oltpTable(name string) string {
	return "CREATE TABLE " + name + ` (
		id BIGINT NOT NULL PRIMARY KEY, k INT NOT NULL, amount DECIMAL(12,2) NOT NULL,
		note VARCHAR(120) NOT NULL, changed DATETIME(3) NOT NULL, KEY k (k))`
}

type oltpWriter struct {
	share
	tables []oltpKeys
}

// oltpKeys are the share's keys in one table.
type oltpKeys struct {
	live []int64
	used int64 // keys that are or were taken
}

func (o *oltpWriter) seed(emit func(string, int) error) error {
	for i := range o.tables {
		live := o.tables[i].live
		err := seedRows(fmt.Sprintf("t%d", i), int64(len(live)), emit, func(sql []byte, n int64) []byte {
			return o.row(sql, live[n])
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (o *oltpWriter) row(sql []byte, id int64) []byte {
	sql = fmt.Appendf(sql, "(%d,%d,%d.%02d,'", id, o.random.IntN(oltpRange), o.random.IntN(1e6), o.random.IntN(100))
	sql = o.text(sql, 30+o.random.IntN(40))
	return append(o.when(append(sql, "','"...)), "')"...)
}

// when appends a moment of some year.
func (o *oltpWriter) when(sql []byte) []byte {
	r := o.random
	return fmt.Appendf(sql, "20%02d-%02d-%02d %02d:%02d:%02d.%03d", r.IntN(30), 1+r.IntN(12), 1+r.IntN(28), r.IntN(24), r.IntN(60), r.IntN(60), r.IntN(1000))
}

// draw returns a table that has rows of the share.
func (o *oltpWriter) draw() (int, *oltpKeys) {
	for {
		i := o.random.IntN(len(o.tables))
		if len(o.tables[i].live) > 0 {
			return i, &o.tables[i]
		}
	}
}

func (k *oltpKeys) draw(r *rand.Rand) (at int, id int64) {
	at = r.IntN(len(k.live))
	return at, k.live[at]
}

func (o *oltpWriter) next(sql []byte) ([]byte, int) {
	t, keys := o.draw()
	_, id := keys.draw(o.random)
	sql = fmt.Appendf(sql, "BEGIN;UPDATE t%d SET k=(k+%d)%%%d WHERE id=%d;", t, 1+o.random.IntN(oltpRange-1), oltpRange, id)

	t, keys = o.draw()
	_, id = keys.draw(o.random)
	sql = fmt.Appendf(sql, "UPDATE t%d SET amount=%d.%02d,note='", t, o.random.IntN(1e6), o.random.IntN(100))
	sql = o.text(sql, 30+o.random.IntN(40))
	sql = fmt.Appendf(o.when(append(sql, "',changed='"...)), "' WHERE id=%d;", id)

	t, keys = o.draw()
	at, id := keys.draw(o.random)
	keys.live[at] = keys.live[len(keys.live)-1]
	keys.live = keys.live[:len(keys.live)-1]
	sql = fmt.Appendf(sql, "DELETE FROM t%d WHERE id=%d;", t, id)

	t = o.random.IntN(len(o.tables))
	keys = &o.tables[t]
	id = o.key(keys.used)
	keys.used++
	keys.live = append(keys.live, id)
	sql = fmt.Appendf(sql, "INSERT INTO t%d VALUES ", t)
	return append(o.row(sql, id), ";COMMIT;"...), 4
}

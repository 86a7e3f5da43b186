package main

import (
	"fmt"
	"math/rand/v2"
)

// The size of wide, before it is scaled.
const (
	wideRows    = 20_000
	wideColumns = 199 // beside the key
)

// wideTypes are those of its columns, in turn.
var wideTypes = []string{"INT NOT NULL", "VARCHAR(40) NOT NULL", "BIGINT NULL", "DECIMAL(12,2) NOT NULL", "DATETIME NOT NULL"}

// wide updates two columns of rows of two hundred, one row a transaction.
func wide() *workload {
	return &workload{
		name: "wide", guess: 10_000,
		tables: []string{"CREATE TABLE wide (id BIGINT NOT NULL PRIMARY KEY, " +
			columns(wideColumns, func(i int) string { return fmt.Sprintf("c%d %s", i, wideTypes[i%len(wideTypes)]) }) + ")"},
		writer: func(random *rand.Rand, part, parts int, scale float64) writer {
			w := &wideWriter{share: share{random, int64(part), int64(parts)}}
			w.count = w.rows(wideRows, scale)
			return w
		},
	}
}

type wideWriter struct {
	share
	count int64
}

func (w *wideWriter) seed(emit func(string, int) error) error {
	return seedRows("wide", w.count, emit, func(sql []byte, n int64) []byte {
		sql = fmt.Appendf(sql, "(%d", w.key(n))
		for i := range wideColumns {
			sql = w.value(append(sql, ','), i)
		}
		return append(sql, ')')
	})
}

// value appends one of a column.
func (w *wideWriter) value(sql []byte, column int) []byte {
	r := w.random
	switch column % len(wideTypes) {
	case 0:
		return fmt.Appendf(sql, "%d", r.Int32())
	case 1:
		return append(w.text(append(sql, '\''), 4+r.IntN(20)), '\'')
	case 2:
		if r.IntN(2) == 0 {
			return append(sql, "NULL"...)
		}
		return fmt.Appendf(sql, "%d", r.Int64())
	case 3:
		return fmt.Appendf(sql, "%d.%02d", r.IntN(1e6), r.IntN(100))
	default:
		return fmt.Appendf(sql, "'2026-%02d-%02d %02d:%02d:%02d'", 1+r.IntN(12), 1+r.IntN(28), r.IntN(24), r.IntN(60), r.IntN(60))
	}
}

// next changes a number to one it was not, and another column to any value.
func (w *wideWriter) next(sql []byte) ([]byte, int) {
	r := w.random
	number := r.IntN(wideColumns/len(wideTypes)) * len(wideTypes)
	other := number + 1 + r.IntN(len(wideTypes)-1)
	by := 1 + r.Int32N(1<<30) // which keeps it in its range
	sql = fmt.Appendf(sql, "UPDATE wide SET c%d=IF(c%d>0,c%d-%d,c%d+%d),c%d=", number, number, number, by, number, by, other)
	return fmt.Appendf(w.value(sql, other), " WHERE id=%d;", w.key(r.Int64N(w.count))), 1
}

package main

import (
	"fmt"
	"math/rand/v2"
)

// hotRows is how many rows take all the updates.
const hotRows = 1000

// hot updates single rows, one a transaction, out of a thousand.
func hot() *workload {
	return &workload{
		name: "hot", guess: 20_000,
		tables: []string{`CREATE TABLE hot (id BIGINT NOT NULL PRIMARY KEY, n BIGINT NOT NULL,
			state VARCHAR(40) NOT NULL, changed DATETIME(6) NOT NULL)`},
		writer: func(random *rand.Rand, part, parts int, _ float64) writer {
			return &hotWriter{share{random, int64(part), int64(parts)}}
		},
	}
}

type hotWriter struct{ share }

func (h *hotWriter) seed(emit func(string, int) error) error {
	return seedRows("hot", h.rows(hotRows, 1), emit, func(sql []byte, n int64) []byte {
		return fmt.Appendf(sql, "(%d,0,'new','2026-01-01 00:00:00')", h.key(n))
	})
}

func (h *hotWriter) next(sql []byte) ([]byte, int) {
	r := h.random
	sql = append(sql, "UPDATE hot SET n=n+1,state='"...)
	sql = h.text(sql, 12)
	return fmt.Appendf(sql, "',changed='2026-%02d-%02d %02d:%02d:%02d.%06d' WHERE id=%d;",
		1+r.IntN(12), 1+r.IntN(28), r.IntN(24), r.IntN(60), r.IntN(60), r.IntN(1e6), h.key(r.Int64N(h.rows(hotRows, 1)))), 1
}

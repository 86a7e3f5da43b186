package main

import (
	"fmt"
	"math/rand/v2"
)

// The size of bulk. The tables would not fit the disk without an end, so a
// block is deleted again, after more transactions than may be grouped: no
// insert meets its delete in one group.
const (
	bulkBlock = 1000 // rows of a transaction
	bulkKept  = 1200 // blocks
)

// bulk makes transactions of a thousand rows of about 800 bytes in twelve
// columns of mixed types: inserts, and once there are enough of them as many
// deletes of the oldest. A value of bytes is their digits in hexadecimal after
// what the flavor begins them with.
func bulk(bytes string) *workload {
	return &workload{
		name: "bulk", guess: 50_000,
		tables: []string{`CREATE TABLE bulk (
			id BIGINT NOT NULL PRIMARY KEY, account INT UNSIGNED NOT NULL, kind SMALLINT NOT NULL, price DECIMAL(15,4) NOT NULL,
			weight DOUBLE NOT NULL, day DATE NOT NULL, made DATETIME(6) NOT NULL, seen DATETIME NULL, flag TINYINT NOT NULL,
			name VARCHAR(200) NOT NULL, hash VARBINARY(64) NOT NULL, body TEXT NOT NULL)`},
		writer: func(random *rand.Rand, part, parts int, _ float64) writer {
			return &bulkWriter{share: share{random, int64(part), int64(parts)}, bytes: bytes}
		},
	}
}

type bulkWriter struct {
	share
	bytes      string
	made, gone int64 // blocks of this part
	deletes    bool  // the next transaction does
}

func (b *bulkWriter) seed(func(string, int) error) error { return nil }

// first is a block's first key.
func (b *bulkWriter) first(n int64) int64 { return (n*b.parts + b.part) * bulkBlock }

func (b *bulkWriter) next(sql []byte) ([]byte, int) {
	b.deletes = !b.deletes && b.made-b.gone >= bulkKept/b.parts
	if b.deletes {
		from := b.first(b.gone)
		b.gone++
		return fmt.Appendf(sql, "DELETE FROM bulk WHERE id BETWEEN %d AND %d;", from, from+bulkBlock-1), bulkBlock
	}
	from := b.first(b.made)
	b.made++
	sql = append(sql, "INSERT INTO bulk VALUES "...)
	for i := range int64(bulkBlock) {
		if i > 0 {
			sql = append(sql, ',')
		}
		sql = b.row(sql, from+i)
	}
	return append(sql, ';'), bulkBlock
}

func (b *bulkWriter) row(sql []byte, id int64) []byte {
	r := b.random
	sql = fmt.Appendf(sql, "(%d,%d,%d,%d.%04d,%g,'20%02d-%02d-%02d','2026-%02d-%02d %02d:%02d:%02d.%06d',", id, r.Uint32(), r.IntN(30000)-15000,
		r.IntN(1e9), r.IntN(1e4), r.NormFloat64(), r.IntN(30), 1+r.IntN(12), 1+r.IntN(28), 1+r.IntN(12), 1+r.IntN(28), r.IntN(24), r.IntN(60), r.IntN(60), r.IntN(1e6))
	if r.IntN(4) == 0 {
		sql = append(sql, "NULL"...)
	} else {
		sql = fmt.Appendf(sql, "'2026-%02d-%02d %02d:%02d:%02d'", 1+r.IntN(12), 1+r.IntN(28), r.IntN(24), r.IntN(60), r.IntN(60))
	}
	sql = fmt.Appendf(sql, ",%d,'", r.IntN(200)-100)
	sql = append(append(b.text(sql, 60+r.IntN(80)), "',"...), b.bytes...)
	for range 4 {
		sql = fmt.Appendf(sql, "%016x%016x", r.Uint64(), r.Uint64())
	}
	sql = append(sql, "','"...)
	return append(b.text(sql, 450+r.IntN(150)), "')"...)
}

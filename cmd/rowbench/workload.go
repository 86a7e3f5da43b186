package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
)

// writers is how many connections write a log at once. Each has keys of its
// own, so that the rows at the end do not depend on how they take turns.
const writers = 4

// database is where a workload's tables are.
const database = "bench"

// seedTx is how many rows a transaction before the clock inserts at most.
const seedTx = 500

// workload is a kind of load: tables, the rows that are there before the clock
// runs, and transactions.
type workload struct {
	name   string
	tables []string // CREATE TABLE
	// indexes are those that are neither unique nor primary. A native replica
	// gets them with the tables.
	indexes []index
	// writer returns one of so many writers, whose keys no other has. The same
	// arguments yield the same statements.
	writer func(random *rand.Rand, part, parts int, scale float64) writer
	// allocated are tables whose rows get keys of the target's own. What such rows
	// say, each with those it refers to, is compared by queries, without the SELECT.
	allocated, same []string
	// guess is how many rows a second a replica may apply: with how many the
	// calibration begins.
	guess int
}

// index is a secondary index.
type index struct{ table, columns string }

// writer makes one connection's statements. Each may assume that those before
// it are committed.
type writer interface {
	// seed calls emit with each statement, one transaction each, that inserts
	// rows before the clock, and how many those are.
	seed(emit func(sql string, rows int) error) error
	// next appends a transaction, every statement ended by a semicolon, and
	// returns how many rows it changes, each really.
	next(sql []byte) ([]byte, int)
}

// markerTable has one row, changed by a log's last transaction: who sees its
// new number sees all.
const markerTable = "CREATE TABLE marker (id INT NOT NULL PRIMARY KEY, n BIGINT NOT NULL)"

// workloads are those of MySQL and MariaDB.
func workloads() []*workload {
	return []*workload{oltp(oltpTables), hot(), bulk("x'"), fk(), wide()}
}

// postgresWorkloads are the same of PostgreSQL, with the same rows: its figures
// are about three of them.
func postgresWorkloads() []*workload {
	all := []*workload{oltp(oltpTables), framed(hot()), framed(bulk(`'\x`))}
	for _, w := range all {
		for i, t := range w.tables {
			w.tables[i] = postgresTypes.Replace(t)
		}
	}
	return all
}

// postgresTypes turns a CREATE TABLE of MySQL into one of PostgreSQL, where
// secondary indexes are made by themselves.
var postgresTypes = strings.NewReplacer(
	"DATETIME(", "TIMESTAMP(", "DATETIME", "TIMESTAMP(0)", "INT UNSIGNED", "BIGINT", "TINYINT", "SMALLINT", "DOUBLE", "DOUBLE PRECISION",
	"VARBINARY(64)", "BYTEA", ", KEY k (k)", "")

// framed puts transactions that are one statement between BEGIN and COMMIT:
// PostgreSQL takes what is sent at once for one transaction otherwise.
func framed(w *workload) *workload {
	plain := w.writer
	w.writer = func(random *rand.Rand, part, parts int, scale float64) writer {
		return framedWriter{plain(random, part, parts, scale)}
	}
	return w
}

type framedWriter struct{ writer }

func (f framedWriter) next(sql []byte) ([]byte, int) {
	sql, rows := f.writer.next(append(sql, "BEGIN;"...))
	return append(sql, "COMMIT;"...), rows
}

// newWriter returns a part's writer, with randomness of its own.
func (w *workload) newWriter(part int, scale float64) writer {
	return w.writer(rand.New(rand.NewPCG(1, uint64(part))), part, writers, scale)
}

// digest changes when the tables or what the writers make does: results of
// before are then no longer comparable.
func (w *workload) digest() (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, w.name, w.tables, w.indexes)
	wr := w.newWriter(0, 0.001)
	if err := wr.seed(func(sql string, _ int) error { _, err := h.Write([]byte(sql)); return err }); err != nil {
		return "", err
	}
	var sql []byte
	for range 20 {
		sql, _ = wr.next(sql[:0])
		h.Write(sql)
	}
	return hex.EncodeToString(h.Sum(nil)[:6]), nil
}

// share is what the writers have in common: a part of the keys.
type share struct {
	random      *rand.Rand
	part, parts int64
}

// key is the n-th key of the share, from 1.
func (s share) key(n int64) int64 { return n*s.parts + s.part + 1 }

// rows is the share of so many rows, at least one.
func (s share) rows(all int, scale float64) int64 {
	return max(1, int64(float64(all)*scale)/s.parts)
}

// text appends so many random letters.
func (s share) text(sql []byte, n int) []byte {
	const letters = "abcdefghijklmnopqrstuvwxyz ABCDE" // 32: five bits each
	for n > 0 {
		bits := s.random.Uint64()
		for range min(n, 12) {
			sql = append(sql, letters[bits&31])
			bits >>= 5
		}
		n -= 12
	}
	return sql
}

// seedRows emits INSERT statements of a table: row appends the n-th row's
// values, from 0.
func seedRows(table string, rows int64, emit func(string, int) error, row func(sql []byte, n int64) []byte) error {
	var sql []byte
	for n := int64(0); n < rows; {
		sql = append(append(append(sql[:0], "INSERT INTO "...), table...), " VALUES "...)
		count := min(seedTx, rows-n)
		for i := range count {
			if i > 0 {
				sql = append(sql, ',')
			}
			sql = row(sql, n+i)
		}
		if err := emit(string(sql), int(count)); err != nil {
			return err
		}
		n += count
	}
	return nil
}

// columns joins column definitions of a generated list.
func columns(n int, definition func(i int) string) string {
	all := make([]string, n)
	for i := range all {
		all[i] = definition(i)
	}
	return strings.Join(all, ", ")
}

package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"slices"
	"strings"

	"zombiezen.com/go/sqlite"
)

// prefix checks that a target is a prefix of what the Load's source committed:
// in one snapshot, the rows of every table have the digest that the source's
// triggers kept and that was replicated beside them, and no writer's ledger has
// a hole. The tables it reads are described in internal/testdb/load.
func prefix(out io.Writer, path string) (err error) {
	s, err := openSQLite(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	present, err := s.names()
	if err != nil {
		return err
	}
	want, err := s.replicatedDigests(present)
	if err != nil {
		return err
	}
	columns, err := s.digestColumns(present)
	if err != nil {
		return err
	}
	problems, rows := []string{}, int64(0)
	for _, name := range union(want, columns, present) {
		got := digest{}
		if present[name] {
			if got, err = s.digest(name, columns[name]); err != nil {
				return fmt.Errorf("digest of %s: %w", name, err)
			}
		}
		rows += got.count
		if got != want[name] {
			problems = append(problems, fmt.Sprintf("table %s: rows give %v, the source's digests say %v", name, got, want[name]))
		}
	}
	holes, transactions, err := s.ledgerHoles(present)
	if err != nil {
		return err
	}
	problems = append(problems, holes...)
	for _, p := range problems {
		fmt.Fprintln(out, p)
	}
	if len(problems) > 0 {
		return fmt.Errorf("%w: not a prefix of the source: %d problems", errDifferent, len(problems))
	}
	fmt.Fprintf(out, "%d transactions, %d rows, %d tables with digests\n", transactions, rows, len(columns))
	return nil
}

// digest is a table's row count and the sum of its rows' checksums.
type digest struct{ count, sum int64 }

func (d digest) String() string { return fmt.Sprintf("%d rows, digest %d", d.count, d.sum) }

// bookkeeping are the Load's own tables, which have no digest.
var bookkeeping = []string{"digests", "digest_columns", "ledger"}

// union lists every table that has rows to be checked or a digest to be met.
func union(want map[string]digest, columns map[string][]string, present map[string]bool) []string {
	all := map[string]bool{}
	for name := range want {
		all[name] = true
	}
	for name := range columns {
		all[name] = true
	}
	for name := range present {
		all[name] = true
	}
	for _, name := range bookkeeping {
		delete(all, name)
	}
	return slices.Sorted(maps.Keys(all))
}

func (s *sqliteSide) names() (map[string]bool, error) {
	names := map[string]bool{}
	err := s.query(`SELECT name FROM sqlite_schema WHERE type = 'table'
		AND name NOT LIKE 'sqlite\_%' ESCAPE '\'`, func(stmt *sqlite.Stmt) error {
		if name := stmt.ColumnText(0); (options{}).wants(name) {
			names[name] = true
		}
		return nil
	})
	return names, err
}

// replicatedDigests are the source's, summed over its writers.
func (s *sqliteSide) replicatedDigests(present map[string]bool) (map[string]digest, error) {
	want := map[string]digest{}
	if !present["digests"] {
		return want, nil
	}
	err := s.query(`SELECT tbl, SUM(cnt), SUM(digest) FROM digests GROUP BY tbl`, func(stmt *sqlite.Stmt) error {
		want[stmt.ColumnText(0)] = digest{count: stmt.ColumnInt64(1), sum: stmt.ColumnInt64(2)}
		return nil
	})
	return want, err
}

// digestColumns are the columns each table's digest is made of, in order.
func (s *sqliteSide) digestColumns(present map[string]bool) (map[string][]string, error) {
	columns := map[string][]string{}
	if !present["digest_columns"] {
		return columns, nil
	}
	err := s.query(`SELECT tbl, col FROM digest_columns ORDER BY tbl, pos`, func(stmt *sqlite.Stmt) error {
		t := stmt.ColumnText(0)
		columns[t] = append(columns[t], stmt.ColumnText(1))
		return nil
	})
	return columns, err
}

// digest computes a table's digest from its rows. A table without digest
// columns has none yet, so it may have no rows either.
func (s *sqliteSide) digest(name string, columns []string) (digest, error) {
	var d digest
	exprs := []string{"1"}
	for _, c := range columns {
		exprs = append(exprs, "typeof("+sqliteName(c)+")", sqliteName(c))
	}
	q := "SELECT " + strings.Join(exprs, ", ") + " FROM " + sqliteName(name)
	err := s.query(q, func(stmt *sqlite.Stmt) error {
		var row []byte
		for i := range columns {
			var err error
			if row, err = appendDigestText(row, stmt, 1+2*i); err != nil {
				return fmt.Errorf("column %q: %w", columns[i], err)
			}
		}
		d.count++
		d.sum += int64(crc32.ChecksumIEEE(row))
		return nil
	})
	return d, err
}

// appendDigestText appends a value as the source's triggers write it: '~' for
// NULL; otherwise '=', the text (bytes in hexadecimal), '|'.
func appendDigestText(row []byte, stmt *sqlite.Stmt, i int) ([]byte, error) {
	switch kind := stmt.ColumnText(i); kind {
	case "null":
		return append(row, "~|"...), nil
	case "integer":
		return fmt.Appendf(row, "=%d|", stmt.ColumnInt64(i+1)), nil
	case "text":
		row = append(append(row, '='), sqliteBytes(stmt, i+1)...)
		return append(row, '|'), nil
	case "blob":
		row = append(append(row, '='), strings.ToUpper(hex.EncodeToString(sqliteBytes(stmt, i+1)))...)
		return append(row, '|'), nil
	default:
		return row, fmt.Errorf("a digest has no %s", kind)
	}
}

// ledgerHoles lists the writers whose transactions do not count 1, 2, 3, …
func (s *sqliteSide) ledgerHoles(present map[string]bool) (holes []string, transactions int64, err error) {
	if !present["ledger"] {
		return nil, 0, nil
	}
	err = s.query(`SELECT writer, COUNT(*), MIN(n), MAX(n), COUNT(DISTINCT n) FROM ledger GROUP BY writer`, func(stmt *sqlite.Stmt) error {
		writer, count := stmt.ColumnInt64(0), stmt.ColumnInt64(1)
		transactions += count
		if first, last := stmt.ColumnInt64(2), stmt.ColumnInt64(3); first != 1 || last != count || stmt.ColumnInt64(4) != count {
			holes = append(holes, fmt.Sprintf("ledger of writer %d has a hole: %d rows from %d to %d", writer, count, first, last))
		}
		return nil
	})
	return holes, transactions, err
}

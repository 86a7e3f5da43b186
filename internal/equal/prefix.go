package main

import (
	"context"
	"crypto/md5"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// loadTarget is a target of the Load, read in one snapshot. Its tables are described
// in internal/testdb/load.
type loadTarget interface {
	// names are the tables there are.
	names(ctx context.Context) (map[string]bool, error)
	// values calls each with every row of a table: nil for NULL, otherwise the
	// text of a digest.
	values(ctx context.Context, table string, columns []string, each func([][]byte) error) error
	close() error
}

// prefixTries is how often a snapshot is taken anew because a table was made
// while it was read, which MySQL refuses to read.
const prefixTries = 20

// prefix checks that a target is a prefix of what the Load's source committed:
// in one snapshot, the rows of every table have the digest that the source's
// triggers kept and that was replicated beside them, and no writer's ledger has
// a hole.
func prefix(ctx context.Context, out io.Writer, url string) error {
	for try := 1; ; try++ {
		report, problems, err := prefixOnce(ctx, url)
		if err != nil && tableIsTooNew(err) && try < prefixTries {
			continue
		}
		if err != nil {
			return err
		}
		for _, p := range problems {
			fmt.Fprintln(out, p)
		}
		if len(problems) > 0 {
			return fmt.Errorf("%w: not a prefix of the source: %d problems", errDifferent, len(problems))
		}
		fmt.Fprintln(out, report)
		return nil
	}
}

func prefixOnce(ctx context.Context, url string) (report string, problems []string, err error) {
	s, err := openLoaded(ctx, url)
	if err != nil {
		return "", nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	c := &check{loadTarget: s}
	if c.present, err = s.names(ctx); err != nil {
		return "", nil, err
	}
	want, err := c.replicatedDigests(ctx)
	if err != nil {
		return "", nil, err
	}
	columns, err := c.digestColumns(ctx)
	if err != nil {
		return "", nil, err
	}
	rows := int64(0)
	for _, name := range c.tables(want, columns) {
		got, err := c.digest(ctx, name, columns[name])
		if err != nil {
			return "", nil, fmt.Errorf("digest of %s: %w", name, err)
		}
		rows += got.count
		if got != want[name] {
			problems = append(problems, fmt.Sprintf("table %s: rows give %v, the source's digests say %v", name, got, want[name]))
		}
	}
	holes, transactions, err := c.ledgerHoles(ctx)
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("%d transactions, %d rows, %d tables with digests", transactions, rows, len(columns)), append(problems, holes...), nil
}

func openLoaded(ctx context.Context, url string) (loadTarget, error) {
	switch dialectOf(url) {
	case mysqlDialect:
		return openMySQL(ctx, url, mysqlDialect)
	case postgresDialect:
		return openPostgres(ctx, url, postgresDialect)
	case sqliteDialect:
		return openSQLite(strings.TrimPrefix(url, "sqlite://"))
	}
	return nil, fmt.Errorf("%q is none of mysql://, postgres://, sqlite://", url)
}

// check is one look at a loaded target.
type check struct {
	loadTarget
	present map[string]bool
}

// digest is a table's row count and the sum of its rows' checksums.
type digest struct{ count, sum int64 }

func (d digest) String() string { return fmt.Sprintf("%d rows, digest %d", d.count, d.sum) }

// digestColumn is a column that a checksum covers. fsp is how many digits of a
// second its text has, -1 if that is not said. hash is the checksum of its
// table; empty, it is CRC32.
type digestColumn struct {
	name string
	fsp  int
	hash string
}

// bookkeeping are the Load's own tables, which have no digest.
var bookkeeping = []string{"digests", "digest_columns", "ledger"}

// tables lists every table that has rows to be checked or a digest to be met.
func (c *check) tables(want map[string]digest, columns map[string][]digestColumn) []string {
	all := maps.Clone(c.present)
	for name := range want {
		all[name] = true
	}
	for name := range columns {
		all[name] = true
	}
	for _, name := range bookkeeping {
		delete(all, name)
	}
	return slices.Sorted(maps.Keys(all))
}

// integers reads columns of integers.
func (c *check) integers(ctx context.Context, table string, columns []string, each func(key string, values []int64) error) error {
	if !c.present[table] {
		return nil
	}
	return c.values(ctx, table, columns, func(row [][]byte) error {
		values := make([]int64, len(row)-1)
		for i, v := range row[1:] {
			var err error
			if values[i], err = strconv.ParseInt(string(v), 10, 64); err != nil {
				return fmt.Errorf("%s.%s: %w", table, columns[i+1], err)
			}
		}
		return each(string(row[0]), values)
	})
}

// replicatedDigests are the source's, summed over its writers.
func (c *check) replicatedDigests(ctx context.Context) (map[string]digest, error) {
	want := map[string]digest{}
	err := c.integers(ctx, "digests", []string{"tbl", "cnt", "digest"}, func(name string, v []int64) error {
		d := want[name]
		want[name] = digest{count: d.count + v[0], sum: d.sum + v[1]}
		return nil
	})
	return want, err
}

// digestColumns are the columns each table's digest is made of, in order.
func (c *check) digestColumns(ctx context.Context) (map[string][]digestColumn, error) {
	columns := map[string][]digestColumn{}
	if !c.present["digest_columns"] {
		return columns, nil
	}
	type placed struct {
		digestColumn
		pos int
	}
	found := map[string][]placed{}
	err := c.values(ctx, "digest_columns", []string{"tbl", "pos", "col", "fsp", "hash"}, func(row [][]byte) error {
		p := placed{digestColumn: digestColumn{name: string(row[2]), fsp: -1, hash: string(row[4])}}
		var err error
		if p.pos, err = strconv.Atoi(string(row[1])); err != nil {
			return err
		}
		if row[3] != nil {
			if p.fsp, err = strconv.Atoi(string(row[3])); err != nil {
				return err
			}
		}
		found[string(row[0])] = append(found[string(row[0])], p)
		return nil
	})
	for name, all := range found {
		slices.SortFunc(all, func(a, b placed) int { return a.pos - b.pos })
		for _, p := range all {
			columns[name] = append(columns[name], p.digestColumn)
		}
	}
	return columns, err
}

// digest computes a table's digest from its rows: '~' for NULL; otherwise '=',
// the text, '|'. A table without digest columns has none yet, so it may have no
// rows either.
func (c *check) digest(ctx context.Context, name string, columns []digestColumn) (digest, error) {
	var d digest
	if !c.present[name] {
		return d, nil
	}
	var names []string
	for _, column := range columns {
		names = append(names, column.name)
	}
	var text []byte
	err := c.values(ctx, name, names, func(row [][]byte) error {
		text = text[:0]
		for i, column := range columns {
			switch v := row[i]; {
			case v == nil:
				text = append(text, "~|"...)
			case column.fsp > 0:
				text = append(append(append(text, '='), withFraction(string(v), column.fsp)...), '|')
			default:
				text = append(append(append(text, '='), v...), '|')
			}
		}
		d.count++
		sum, err := checksum(columns, text)
		d.sum += sum
		return err
	})
	return d, err
}

// checksum is that of a row's text.
func checksum(columns []digestColumn, text []byte) (int64, error) {
	hash := ""
	if len(columns) > 0 {
		hash = columns[0].hash
	}
	switch hash {
	case "":
		return int64(crc32.ChecksumIEEE(text)), nil
	case "md5":
		sum := md5.Sum(text)
		return int64(binary.BigEndian.Uint32(sum[:])), nil
	default:
		return 0, fmt.Errorf("checksum %q is not known", hash)
	}
}

// mostTransactions is more than a writer can commit in a test.
const mostTransactions = 1 << 28

// ledgerHoles lists the writers whose transactions do not count 1, 2, 3, …
func (c *check) ledgerHoles(ctx context.Context) (holes []string, transactions int64, err error) {
	seen := map[string][]bool{} // at n-1
	err = c.integers(ctx, "ledger", []string{"writer", "n"}, func(writer string, v []int64) error {
		n := v[0]
		if n < 1 || n > mostTransactions {
			holes = append(holes, fmt.Sprintf("ledger of writer %s has a transaction %d", writer, n))
			return nil
		}
		all := seen[writer]
		if more := n - int64(len(all)); more > 0 {
			all = append(all, make([]bool, more)...)
		}
		if all[n-1] {
			holes = append(holes, fmt.Sprintf("ledger of writer %s has %d twice", writer, n))
		}
		all[n-1] = true
		seen[writer] = all
		transactions++
		return nil
	})
	for writer, all := range seen {
		if i := slices.Index(all, false); i >= 0 {
			holes = append(holes, fmt.Sprintf("ledger of writer %s has a hole: no %d, and up to %d", writer, i+1, len(all)))
		}
	}
	slices.Sort(holes)
	return holes, transactions, err
}

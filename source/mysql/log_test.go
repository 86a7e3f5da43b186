package mysql

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/schema"
)

// record runs statements in one session of a server of their own and returns
// copies of its log's files. Lines starting with ! are done by the test:
// "!rotate".
func record(t testing.TB, k testdb.Kind, script string, opts ...testdb.Option) []string {
	t.Helper()
	ctx := context.Background()
	s, err := testdb.Launch(ctx, k, opts...)
	must(t, err)
	defer s.Close()
	must(t, s.ResetBinlog(ctx))
	conn, err := s.DB().Conn(ctx)
	must(t, err)
	defer conn.Close()
	for q := range strings.SplitSeq(script, ";\n") {
		q = strings.TrimSpace(q)
		if q == "" {
			continue
		}
		if _, err := conn.ExecContext(ctx, q); err != nil {
			t.Fatalf("%s: %s: %v", k, q, err)
		}
	}
	must(t, conn.Close())
	must(t, s.Stop())
	files, err := s.BinlogFiles()
	must(t, err)
	return copyFiles(t, files)
}

func copyFiles(t testing.TB, files []string) []string {
	t.Helper()
	dir := t.TempDir()
	var copies []string
	for _, f := range files {
		b, err := os.ReadFile(f)
		must(t, err)
		c := filepath.Join(dir, filepath.Base(f))
		must(t, os.WriteFile(c, b, 0o600))
		copies = append(copies, c)
	}
	return copies
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// result is all that a reader gave.
type result struct {
	begin   rowferry.Position
	txs     []*rowferry.Tx
	notices []string
	err     error // nil for io.EOF
}

func readAll(opt Options, start rowferry.Start) result {
	return readFrom(Files(opt), start)
}

func readFrom(src rowferry.Source, start rowferry.Start) (res result) {
	ctx := context.Background()
	r, err := src.Open(ctx, start)
	if err != nil {
		return result{err: err}
	}
	res.begin = r.Begin()
	for {
		tx, err := r.Next(ctx)
		if err != nil {
			if err != io.EOF {
				res.err = err
			}
			break
		}
		res.txs = append(res.txs, tx)
	}
	res.notices = r.Notices()
	res.err = errors.Join(res.err, r.Close())
	return res
}

// text shows transactions, one line per change.
func text(txs []*rowferry.Tx) string {
	var b strings.Builder
	for _, tx := range txs {
		fmt.Fprintf(&b, "%s", tx.ID)
		if tx.DropFrom != nil {
			fmt.Fprintf(&b, " drop from %d", *tx.DropFrom)
		}
		if tx.Last {
			fmt.Fprintf(&b, " -> %s (%s) %s", tx.Position, tx.Log, tx.Lineage)
		}
		if tx.Discard {
			b.WriteString(" discard")
		}
		b.WriteByte('\n')
		for _, c := range tx.Changes {
			fmt.Fprintf(&b, "  %s\n", changeText(&c))
		}
	}
	return b.String()
}

func changeText(c *rowferry.Change) string {
	s := fmt.Sprintf("%s %s", c.Op, c.Table.Name)
	if c.Op == rowferry.Shape {
		s += fmt.Sprint(" ", columnNames(c.Table))
	}
	if c.Before != nil {
		s += fmt.Sprint(" ", c.Before)
	}
	if c.After != nil {
		s += fmt.Sprint(" ", c.After)
	}
	if c.ChecksOff {
		s += " unchecked"
	}
	return s
}

func columnNames(x *schema.Table) []string {
	var names []string
	for _, c := range x.Columns {
		names = append(names, c.Name)
	}
	return names
}

type logKind struct {
	kind   testdb.Kind
	script string
	opts   []testdb.Option
}

// logKinds are the ways in which a server may write the log of everyKind.
func logKinds() map[string]logKind {
	// Without GTIDs only transactions without XA.
	plain := regexp.MustCompile(`(?m)^\?MSET gtid_next.*\n|^(\?.)?XA .*\n`)
	return map[string]logKind{
		"mysql":              {testdb.MySQL97, everyKind, nil},
		"mysql compressed":   {testdb.MySQL97, everyKind, []testdb.Option{testdb.Compressed()}},
		"mysql full":         {testdb.MySQL97, everyKind, []testdb.Option{testdb.RowMetadata("FULL"), testdb.Arg("binlog_checksum=NONE")}},
		"mysql anonymous":    {testdb.MySQL97, plain.ReplaceAllString(everyKind, ""), []testdb.Option{testdb.Arg("gtid_mode=OFF"), testdb.Arg("enforce_gtid_consistency=OFF")}},
		"mariadb":            {testdb.MariaDB1011, everyKind, nil},
		"mariadb compressed": {testdb.MariaDB1011, everyKind, []testdb.Option{testdb.Compressed(), testdb.RowMetadata("FULL")}},
		"mariadb unsummed":   {testdb.MariaDB1011, everyKind, []testdb.Option{testdb.Arg("binlog_checksum=NONE"), testdb.Arg("binlog_alter_two_phase=ON")}},
	}
}

func notOther(n schema.Name) bool { return n.Schema != "other" }

func lines(s string) func(yield func(string) bool) { return strings.SplitSeq(s, "\n") }

func cutPrefix(s, prefix string) (string, bool) { return strings.CutPrefix(s, prefix) }

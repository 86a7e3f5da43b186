package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// maxShown is how many differences of one table are printed.
const maxShown = 10

// compare reports whether two databases, or dumped files, have the same text.
func compare(ctx context.Context, out io.Writer, a, b string, o options) error {
	ra, err := operand(ctx, a, o)
	if err != nil {
		return err
	}
	defer ra.close()
	rb, err := operand(ctx, b, o)
	if err != nil {
		return err
	}
	defer rb.close()
	fmt.Fprintf(out, "A is %s\nB is %s\n", a, b)
	c := &comparison{out: out, a: ra, b: rb}
	if err := c.run(); err != nil {
		return err
	}
	fmt.Fprintf(out, "%d tables, %d rows\n", c.tables, c.rows)
	if c.differences > 0 {
		return fmt.Errorf("%w: %d differences", errDifferent, c.differences)
	}
	return nil
}

// operand opens a dumped file, or dumps a database into one that vanishes.
func operand(ctx context.Context, name string, o options) (*lines, error) {
	if !strings.Contains(name, "://") {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		return newLines(f)
	}
	f, err := os.CreateTemp("", "equal-*.txt")
	if err != nil {
		return nil, err
	}
	os.Remove(f.Name())
	w := bufio.NewWriterSize(f, 1<<20)
	err = dumpURL(ctx, w, name, o)
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return newLines(f)
}

// comparison walks two dumps side by side, table by table.
type comparison struct {
	out                       io.Writer
	a, b                      *lines
	tables, rows, differences int
}

func (c *comparison) run() error {
	for c.a.line != "" || c.b.line != "" {
		switch order := compareTables(c.a.line, c.b.line); {
		case order < 0:
			c.differ("only in A: %s", c.a.line)
			c.a.skipTable()
		case order > 0:
			c.differ("only in B: %s", c.b.line)
			c.b.skipTable()
		default:
			c.tables++
			c.table()
		}
	}
	return errors.Join(c.a.err, c.b.err)
}

// compareTables orders two table lines; the end of a dump comes last.
func compareTables(a, b string) int {
	if a == "" || b == "" {
		return -strings.Compare(a, b)
	}
	return strings.Compare(a, b)
}

// table compares one table that both have. Most are the same line for line;
// from the first line that differs on, the rest is compared as a multiset, which
// also is what equality of rows means.
func (c *comparison) table() {
	name := c.a.line
	c.a.next()
	c.b.next()
	var columns []string
	for c.a.inTable() && c.b.inTable() && same(c.a.line, c.b.line) {
		columns = noteColumn(columns, c.a.line)
		c.countRow()
		c.a.next()
		c.b.next()
	}
	if !c.a.inTable() && !c.b.inTable() {
		return
	}
	onlyA, onlyB := map[string]int{}, []string{}
	for ; c.a.inTable(); c.a.next() {
		columns = noteColumn(columns, c.a.line)
		onlyA[c.a.line]++
		c.countRow()
	}
	for ; c.b.inTable(); c.b.next() {
		if onlyA[c.b.line] > 0 {
			onlyA[c.b.line]--
		} else {
			onlyB = append(onlyB, c.b.line)
		}
	}
	c.report(name, columns, expand(onlyA), onlyB)
}

// same reports whether two lines say the same. Of a column's types that are all
// right, one that both lines name is enough.
func same(a, b string) bool {
	if a == b {
		return true
	}
	fa, fb := strings.Split(a, "\t"), strings.Split(b, "\t")
	if len(fa) != 3 || len(fb) != 3 || fa[0] != "column" || fb[0] != "column" || fa[1] != fb[1] {
		return false
	}
	types := strings.Split(fb[2], "|")
	return slices.ContainsFunc(strings.Split(fa[2], "|"), func(t string) bool {
		return slices.ContainsFunc(types, func(u string) bool { return t == u || anyLength(t, u) || anyLength(u, t) })
	})
}

// anyLength reports whether t, which ends with (*), is u of some length.
func anyLength(t, u string) bool {
	name, ok := strings.CutSuffix(t, "(*)")
	rest, same := strings.CutPrefix(u, name+"(")
	digits, closed := strings.CutSuffix(rest, ")")
	return ok && same && closed && digits != "" && strings.Trim(digits, "0123456789") == ""
}

func (c *comparison) countRow() {
	if strings.HasPrefix(c.a.line, "row\t") {
		c.rows++
	}
}

// report prints the first lines only one side has.
func (c *comparison) report(name string, columns, a, b []string) {
	if len(a)+len(b) == 0 {
		return
	}
	fmt.Fprintf(c.out, "%s: %d lines only in A, %d only in B; columns %s\n",
		strings.Replace(name, "\t", " ", 1), len(a), len(b), strings.Join(columns, " "))
	slices.Sort(b)
	for i := range min(maxShown, max(len(a), len(b))) {
		if i < len(a) {
			fmt.Fprintf(c.out, "  A: %s\n", shorten(a[i]))
		}
		if i < len(b) {
			fmt.Fprintf(c.out, "  B: %s\n", shorten(b[i]))
		}
	}
	c.differences += max(len(a), len(b))
}

func (c *comparison) differ(format string, args ...any) {
	c.differences++
	fmt.Fprintf(c.out, format+"\n", args...)
}

// expand lists what a multiset still holds, in order.
func expand(set map[string]int) []string {
	var all []string
	for line, n := range set {
		for range n {
			all = append(all, line)
		}
	}
	slices.Sort(all)
	return all
}

func noteColumn(columns []string, line string) []string {
	if rest, ok := strings.CutPrefix(line, "column\t"); ok {
		name, _, _ := strings.Cut(rest, "\t")
		return append(columns, name)
	}
	return columns
}

// shorten keeps a printed difference readable; what is compared is never cut.
func shorten(line string) string {
	const most = 2000
	if len(line) <= most {
		return line
	}
	return fmt.Sprintf("%s… (%d bytes)", line[:most], len(line))
}

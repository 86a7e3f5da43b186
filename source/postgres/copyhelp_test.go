package postgres

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
	"github.com/rowferry/rowferry/source/sourcetest"
)

// copied is a copy that was begun.
type copied struct {
	t      testing.TB
	source *Source
	copy   rowferry.Copy
	reader rowferry.ChunkReader
}

// copies begins a copy by a pipeline that no other test has.
func (p *place) copies(change ...func(*Options)) *copied {
	p.t.Helper()
	o := p.pipe()
	for _, c := range change {
		c(&o)
	}
	c := &copied{t: p.t, source: Live(o)}
	var err error
	if c.copy, err = c.source.Copy(p.t.Context(), ""); err != nil {
		p.t.Fatal(err)
	}
	c.opened()
	return c
}

// opened opens the reader.
func (c *copied) opened() {
	c.t.Helper()
	var err error
	if c.reader, err = c.copy.Open(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = c.reader.Close() })
}

// table returns the table of that name.
func (c *copied) table(name string) *rowferry.CopyTable {
	c.t.Helper()
	all := c.copy.Tables()
	i := slices.IndexFunc(all, func(t rowferry.CopyTable) bool { return t.Shape.Name.Table == name })
	if i < 0 {
		c.t.Fatalf("no table %s is copied", name)
	}
	return &all[i]
}

// read reads a chunk.
func (c *copied) read(t *rowferry.CopyTable, after, upto []rowferry.Value) (rows []rowferry.Row) {
	c.t.Helper()
	_, err := c.reader.Read(c.t.Context(), t, after, upto, func(some []rowferry.Row) error {
		rows = append(rows, some...)
		return nil
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return rows
}

// whole reads a table in chunks of n rows, each of which has n, but the last.
func (c *copied) whole(t *rowferry.CopyTable, n int) (rows []rowferry.Row) {
	c.t.Helper()
	var after []rowferry.Value
	for {
		upto, err := c.reader.Split(c.t.Context(), t, after, n)
		if err != nil {
			c.t.Fatal(err)
		}
		chunk := c.read(t, after, upto)
		rows = append(rows, chunk...)
		if upto != nil && (len(chunk) == 0 || slices.Equal(after, upto)) {
			c.t.Fatalf("the chunk behind %v ends at %v", after, upto)
		}
		if upto == nil {
			if len(chunk) > n {
				c.t.Errorf("the last chunk has %d rows, not up to %d", len(chunk), n)
			}
			return rows
		}
		if last := keyOf(t.Shape, chunk[len(chunk)-1]); len(chunk) != n || !slices.Equal(last, upto) {
			c.t.Errorf("a chunk has %d rows, not %d, and ends at %v, not %v", len(chunk), n, last, upto)
		}
		after = upto
	}
}

func keyOf(s *schema.Table, row rowferry.Row) []rowferry.Value {
	var key []rowferry.Value
	for _, o := range s.Identity() {
		key = append(key, row[o])
	}
	return key
}

// log reads what was logged since From.
func (c *copied) log() []sourcetest.Transaction {
	c.t.Helper()
	from, lineage := c.copy.From()
	o := c.source.options
	o.Once = true
	r, err := Live(o).Open(c.t.Context(), rowferry.Start{Position: from, Lineage: lineage, Spool: spools(c.t)})
	if err != nil {
		c.t.Fatal(err)
	}
	return sourcetest.Join(all(c.t, r), nil)
}

// inserted are the rows that the log tells as inserts, by table.
func inserted(txs []sourcetest.Transaction) map[string][]rowferry.Row {
	found := map[string][]rowferry.Row{}
	for _, tx := range txs {
		for _, c := range tx.Changes {
			if c.Op == rowferry.Insert {
				found[c.Table.Name.Table] = append(found[c.Table.Name.Table], c.After)
			}
		}
	}
	return found
}

// lines are rows as text with the kinds of their values, sorted.
func lines(rows []rowferry.Row) []string {
	all := make([]string, len(rows))
	for i, r := range rows {
		words := make([]string, len(r))
		for k, v := range r {
			words[k] = fmt.Sprintf("%d:%q", v.Kind(), v.String())
		}
		all[i] = strings.Join(words, " ")
	}
	slices.Sort(all)
	return all
}

// wantSame compares rows as multisets.
func wantSame(t testing.TB, what string, got, want []rowferry.Row) {
	t.Helper()
	g, w := lines(got), lines(want)
	if slices.Equal(g, w) {
		return
	}
	n := 0
	for n < len(g) && n < len(w) && g[n] == w[n] {
		n++
	}
	show := func(l []string) string {
		if n < len(l) {
			return fmt.Sprintf("%.300s", l[n])
		}
		return "none"
	}
	t.Errorf("%s: %d rows, want %d; the first that differs: %s, want %s", what, len(g), len(w), show(g), show(w))
}

// merger merges a log into rows that were copied, as a target does.
type merger struct {
	c      *copied
	tables map[schema.Name]map[string]rowferry.Row
	shapes map[schema.Name]*rowferry.CopyTable
	moved  int // key changes without all columns
}

func newMerger(c *copied) *merger {
	m := &merger{c: c, tables: map[schema.Name]map[string]rowferry.Row{}, shapes: map[schema.Name]*rowferry.CopyTable{}}
	for _, t := range c.copy.Tables() {
		m.tables[t.Shape.Name], m.shapes[t.Shape.Name] = map[string]rowferry.Row{}, &t
	}
	return m
}

// keyText tells keys apart that differ in their bytes, which is enough where the
// server takes no two of them for equal.
func keyText(key []rowferry.Value) string { return fmt.Sprintf("%q", key) }

// load takes rows of a chunk.
func (m *merger) load(t *schema.Table, rows []rowferry.Row) {
	for _, r := range rows {
		m.tables[t.Name][keyText(keyOf(t, r))] = slices.Clone(r)
	}
}

// merge applies a change, whatever is there.
func (m *merger) merge(c rowferry.Change) {
	m.c.t.Helper()
	rows := m.tables[c.Table.Name]
	switch c.Op {
	case rowferry.Insert:
		rows[keyText(keyOf(c.Table, c.After))] = c.After
	case rowferry.Delete:
		delete(rows, keyText(keyOf(c.Table, c.Before)))
	case rowferry.Truncate:
		clear(rows)
	case rowferry.Update:
		was, is := keyText(keyOf(c.Table, c.Before)), keyText(keyOf(c.Table, c.After))
		partial := slices.ContainsFunc(c.After, rowferry.Value.IsAbsent)
		if was == is {
			if row := rows[is]; row != nil {
				patch(row, c.After)
			}
			return
		}
		delete(rows, was)
		if !partial {
			rows[is] = c.After
			return
		}
		m.moved++
		delete(rows, is)
		err := m.c.reader.Fetch(m.c.t.Context(), m.shapes[c.Table.Name], [][]rowferry.Value{keyOf(c.Table, c.After)}, func(found []rowferry.Row) error {
			m.load(c.Table, found)
			return nil
		})
		if err != nil {
			m.c.t.Fatal(err)
		}
	case rowferry.Shape:
	default:
		m.c.t.Fatalf("a change that is not expected: %s", c.Op)
	}
}

func patch(row, after rowferry.Row) {
	for i, v := range after {
		if !v.IsAbsent() {
			row[i] = v
		}
	}
}

// rows are those of a table.
func (m *merger) rows(name schema.Name) []rowferry.Row {
	return slices.Collect(maps.Values(m.tables[name]))
}

package mapping

import (
	"fmt"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// Custom is a Handler of somebody's own for some source tables, in place of the
// generic one.
type Custom struct {
	// Tables are their names, "database.table" with commas between. The rows of those
	// behind the first become a part of its rows, if they do not become their own.
	Tables  string
	Handler rowferry.Handler
}

// custom is a Custom that was checked.
type custom struct {
	sources []schema.Name
	handler rowferry.Handler
}

// addCustom checks handlers against the rules of their tables.
func (r *Rules) addCustom(all []Custom) error {
	for _, x := range all {
		if x.Handler == nil {
			return rowferry.Errorf(rowferry.CodeHandlerRefused, "there is no handler for %s", x.Tables)
		}
		c := &custom{handler: x.Handler}
		for _, text := range strings.Split(x.Tables, ",") {
			n, err := parseName(strings.TrimSpace(text))
			if err != nil {
				return err
			}
			if err := r.fitsCustom(n, len(c.sources) == 0); err != nil {
				return err
			}
			if r.custom == nil {
				r.custom = map[schema.Name]*custom{}
			}
			r.custom[n] = c
			c.sources = append(c.sources, n)
		}
	}
	return nil
}

// fitsCustom refuses a handler for a table that something else has a say in. Keys
// are given to rows whoever makes them.
func (r *Rules) fitsCustom(n schema.Name, first bool) error {
	refuse := func(format string, args ...any) *rowferry.Error {
		return rowferry.Errorf(rowferry.CodeHandlerRefused, format, args...).Fact("table", "%s", n)
	}
	if r.custom[n] != nil {
		return refuse("a table has two custom handlers")
	}
	if !r.InScope(n) {
		return refuse("a table with a custom handler is not in scope").Remedy("take in", "it, in 'tables'").Remedy("correct", "its name, in the program")
	}
	if _, renamed := r.renames[n]; renamed {
		return refuse("a table with a custom handler has another name in the target by the configuration")
	}
	rule := r.entities[n]
	if rule == nil {
		return nil
	}
	if rule.Keys.follows() {
		return refuse("a table with a custom handler follows its parent's filter in the configuration").Remedy("leave out", "where_parent")
	}
	others := *rule
	if first {
		others.Keys = KeyRule{}
	}
	if text := others.canonical(); text != "" {
		return refuse("a table with a custom handler has rules in the configuration").Fact("rules", "%s", text)
	}
	return nil
}

// entityOf returns the source table whose rows those of another become a part of, or
// the table itself.
func (r *Rules) entityOf(source schema.Name) schema.Name {
	if c := r.custom[source]; c != nil {
		return c.sources[0]
	}
	return source
}

// canonical is the handler as far as it can be told from another; see
// Rules.Canonical.
func (c *custom) canonical() string {
	names := make([]string, len(c.sources))
	for i, n := range c.sources {
		names[i] = fmt.Sprintf("%q.%q", n.Schema, n.Table)
	}
	text := " handler " + strings.Join(names, ",")
	if v, ok := c.handler.(rowferry.Versioned); ok {
		text += fmt.Sprintf("=%q", v.Version())
	}
	return text
}

// customHandler runs a custom for the generic handler, and looks at its answers:
// what is wrong with one must not lose a row, nor write one that nobody meant.
type customHandler struct {
	*custom
	generic  *handler
	declared map[schema.Name]*schema.Table // by the target's names
}

func (h *customHandler) handle(dst []rowferry.Mutation, c *rowferry.Change) ([]rowferry.Mutation, error) {
	if c.Op == rowferry.Shape {
		if err := h.acting(c.Table); err != nil {
			return dst, err
		}
	}
	ms, err := h.call(c)
	if err != nil {
		return dst, err
	}
	for i := range ms {
		m := &ms[i]
		if err := h.check(c, m); err != nil {
			return dst, err
		}
		if m.Op == rowferry.Update && !changes(m, all(m.Table)) {
			continue // nothing of it reaches the target
		}
		m.Source, m.ChecksOff, m.ChecksLate = c.Table.Name, c.ChecksOff, c.ChecksLate
		dst = append(dst, *m)
	}
	return dst, nil
}

// call asks the handler. It is given rows of its own: a change may come again, and
// then has to be what it was.
func (h *customHandler) call(c *rowferry.Change) (ms []rowferry.Mutation, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = about(rowferry.Errorf(rowferry.CodeHandlerFailed, "the custom handler of %s panicked: %v", c.Table.Name, r), c).
				Fact("at", "%s", thrownAt(debug.Stack()))
		}
	}()
	own := *c
	own.Before, own.After = slices.Clone(c.Before), slices.Clone(c.After)
	ms, err = h.handler.Handle(nil, &own)
	if err != nil {
		err = about(rowferry.Errorf(rowferry.CodeHandlerFailed, "the custom handler of %s failed: %w", c.Table.Name, err), c)
	}
	return ms, err
}

// thrownAt returns the places of a stack from where the panic was thrown: three at
// most.
func thrownAt(stack []byte) string {
	lines := strings.Split(strings.TrimSpace(string(stack)), "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, "panic(") {
			lines = lines[min(i+2, len(lines)):]
			break
		}
	}
	var places []string
	for i := 1; i < len(lines) && len(places) < 3; i += 2 { // below each function's line
		place, _, _ := strings.Cut(strings.TrimSpace(lines[i]), " ")
		places = append(places, place)
	}
	return strings.Join(places, ", ")
}

// about adds which change an error is about.
func about(err *rowferry.Error, c *rowferry.Change) *rowferry.Error {
	err.Fact("table", "%s", c.Table.Name).Fact("change", "%s", c.Op)
	if c.Table.Identity() != nil && (c.Before != nil || c.After != nil) {
		err.Fact("key", "%s", keyText(c.Table, c))
	}
	return err
}

// acting refuses foreign keys that change rows of t without the log telling: the
// handler would not be told. One by which rows go with their parent is left to a
// handler that is told of the parent's end.
func (h *customHandler) acting(t *schema.Table) error {
	for _, k := range t.ForeignKeys {
		goes := k.OnDelete == schema.Cascade && !k.OnUpdate.Acts() && slices.Contains(h.sources, k.Parent)
		if k.Acts() && !goes && h.generic.events == nil {
			return rowferry.Errorf(rowferry.CodeCascades, "a foreign key changes rows of %s by itself, of which their custom handler is not told", t.Name).
				Fact("foreign key", "%s to %s", k.Name, k.Parent).
				Fact("actions", "on delete %s, on update %s", actionName(k.OnDelete), actionName(k.OnUpdate)).
				Remedy("leave out", "%s, in 'tables'", t.Name)
		}
	}
	return nil
}

// check looks at one mutation of an answer, and takes in what it declares.
func (h *customHandler) check(c *rowferry.Change, m *rowferry.Mutation) error {
	var why string
	switch {
	case m.Table == nil:
		why = "it names no table"
	case (m.Op == rowferry.Shape) != (c.Op == rowferry.Shape):
		why = "a Shape, and nothing else, is answered by shapes"
	case m.Op == rowferry.Shape:
		return h.declare(c, m.Table)
	case !h.known(m.Table):
		why = "the table was not declared in answer to a Shape, or otherwise"
	case m.Revives != 0:
		why = "Revives is not for custom handlers"
	default:
		why = wrongRows(m)
	}
	if why == "" {
		return nil
	}
	err := about(rowferry.Errorf(rowferry.CodeHandlerAnswer, "the custom handler of %s returned a mutation that cannot be applied: %s", c.Table.Name, why), c)
	if m.Table != nil {
		err.Fact("mutation", "%s of %s", m.Op, m.Table.Name)
	}
	return err
}

// known reports whether the shape is one that was declared.
func (h *customHandler) known(t *schema.Table) bool {
	d := h.declared[t.Name]
	return d == t || d != nil && reflect.DeepEqual(d, t)
}

// declare takes in a target table.
func (h *customHandler) declare(c *rowferry.Change, t *schema.Table) error {
	refuse := func(format string, args ...any) error {
		return about(rowferry.Errorf(rowferry.CodeHandlerAnswer, format, args...), c)
	}
	if err := t.Validate(); err != nil {
		return refuse("the custom handler of %s declares a table that cannot be: %w", c.Table.Name, err)
	}
	if h.declared[t.Name] != nil && !h.known(t) {
		return refuse("the custom handler of %s declares %s twice, and not alike", c.Table.Name, t.Name)
	}
	if err := h.generic.own(t.Name, h.sources[0]); err != nil {
		return err
	}
	h.declared[t.Name] = t
	return nil
}

// wrongRows says what is wrong with the rows of a mutation, "" where nothing is.
func wrongRows(m *rowferry.Mutation) string {
	before, after := false, false // that it has to have
	switch m.Op {
	case rowferry.Insert:
		after = true
	case rowferry.Update:
		before, after = true, true
	case rowferry.Delete:
		before = true
	case rowferry.Truncate:
	default:
		return "there is no such operation"
	}
	for _, side := range []struct {
		name string
		row  rowferry.Row
		has  bool
	}{{"Before", m.Before, before}, {"After", m.After, after}} {
		switch {
		case side.has && len(side.row) != len(m.Table.Columns):
			return fmt.Sprintf("%s has %d values, and the table %d columns", side.name, len(side.row), len(m.Table.Columns))
		case !side.has && side.row != nil:
			return side.name + " is not for it"
		}
	}
	return wrongKey(m)
}

// wrongKey says what is wrong with the key of a mutation's row.
func wrongKey(m *rowferry.Mutation) string {
	identity := m.Table.Identity()
	missing := func(row rowferry.Row, columns []int) string {
		for _, o := range columns {
			if row[o].IsAbsent() || row[o].IsNull() && identity != nil {
				return "it lacks " + m.Table.Columns[o].Name + ", which its row is found by"
			}
		}
		return ""
	}
	switch {
	case m.Op == rowferry.Truncate:
		return ""
	case m.Op == rowferry.Insert:
		for o, c := range m.Table.Columns {
			if m.After[o].IsAbsent() && c.Generated == schema.NotGenerated {
				return "it lacks " + c.Name + ", and a new row is whole"
			}
		}
		return missing(m.After, identity)
	case identity == nil:
		return missing(m.Before, all(m.Table)) // by all that it has
	}
	for _, o := range identity {
		if m.Op == rowferry.Update && m.After[o].IsNull() {
			return "it takes " + m.Table.Columns[o].Name + " away, which its row is found by"
		}
	}
	return missing(m.Before, identity)
}

package mapping_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/mapping"
	"github.com/rowferry/rowferry/schema"
)

// own is a handler whose answers to changes but shapes are those of a function.
type own struct {
	answer func(c *rowferry.Change) ([]rowferry.Mutation, error)
	tables []*schema.Table
}

func (h own) Target(schema.Name) schema.Name { return schema.Name{Table: "kept"} }

func (h own) Handle(dst []rowferry.Mutation, c *rowferry.Change) ([]rowferry.Mutation, error) {
	if c.Op == rowferry.Shape {
		for _, t := range h.tables {
			dst = append(dst, rowferry.Mutation{Op: rowferry.Shape, Table: t})
		}
		return dst, nil
	}
	ms, err := h.answer(c)
	return append(dst, ms...), err
}

type versioned struct {
	own
	version string
}

func (h versioned) Version() string { return h.version }

// kept is a target table with a key, and bare one without.
func kept() *schema.Table {
	t := *orders()
	t.Name, t.ForeignKeys = schema.Name{Table: "kept"}, nil
	return &t
}

func bare() *schema.Table {
	t := *kept()
	t.Name, t.PrimaryKey, t.Uniques = schema.Name{Table: "bare"}, nil, nil
	return &t
}

var (
	before = row(1, "a", "DE", nil, 7)
	after  = row(1, "a", "FR", nil, 7)
)

// TestCustomAnswers looks at what may be wrong with an answer, each of which would
// lose a row or write another one.
func TestCustomAnswers(t *testing.T) {
	k, b := kept(), bare()
	short, none := row(1, "a"), row(absent{}, "a", "DE", nil, 7)
	undeclared := kept()
	undeclared.Columns[1].Nullable = true
	is := func(op rowferry.Op, t *schema.Table, before, after rowferry.Row) rowferry.Mutation {
		return rowferry.Mutation{Op: op, Table: t, Before: before, After: after}
	}
	for what, c := range map[string]struct {
		m     rowferry.Mutation
		wrong string // "" where it is right
	}{
		"insert":                       {is(rowferry.Insert, k, nil, after), ""},
		"an equal copy of the shape":   {is(rowferry.Insert, kept(), nil, after), ""},
		"update by key":                {is(rowferry.Update, k, row(1, absent{}, absent{}, absent{}, absent{}), after), ""},
		"delete by key":                {is(rowferry.Delete, k, row(1, absent{}, absent{}, absent{}, absent{}), nil), ""},
		"truncate":                     {is(rowferry.Truncate, k, nil, nil), ""},
		"insert without key":           {is(rowferry.Insert, b, nil, after), ""},
		"delete without key":           {is(rowferry.Delete, b, before, nil), ""},
		"no table":                     {is(rowferry.Insert, nil, nil, after), "names no table"},
		"undeclared table":             {is(rowferry.Insert, orders(), nil, after), "not declared"},
		"declared otherwise":           {is(rowferry.Insert, undeclared, nil, after), "not declared"},
		"shape in answer to a row":     {is(rowferry.Shape, k, nil, nil), "answered by shapes"},
		"no operation":                 {is(0, k, nil, after), "no such operation"},
		"drop":                         {is(rowferry.Drop, k, nil, nil), "no such operation"},
		"short row":                    {is(rowferry.Insert, k, nil, short), "After has 2 values"},
		"no row":                       {is(rowferry.Insert, k, nil, nil), "After has 0 values"},
		"old row of an insert":         {is(rowferry.Insert, k, before, after), "Before is not for it"},
		"no old row":                   {is(rowferry.Update, k, nil, after), "Before has 0 values"},
		"rows of a truncate":           {is(rowferry.Truncate, k, before, nil), "Before is not for it"},
		"insert of no key":             {is(rowferry.Insert, k, nil, none), "lacks id"},
		"insert of a part":             {is(rowferry.Insert, k, nil, row(1, "a", "DE", absent{}, 7)), "a new row is whole"},
		"update of no key":             {is(rowferry.Update, k, none, after), "lacks id"},
		"update of a key that is NULL": {is(rowferry.Update, k, row(nil, "a", "DE", nil, 7), after), "lacks id"},
		"update to no key":             {is(rowferry.Update, k, before, row(nil, "a", "FR", nil, 7)), "takes id away"},
		"delete of no key":             {is(rowferry.Delete, k, none, nil), "lacks id"},
		"delete of a part of a row":    {is(rowferry.Delete, b, none, nil), "lacks id"},
		"revives":                      {rowferry.Mutation{Op: rowferry.Insert, Table: k, After: after, Revives: 1}, "Revives"},
	} {
		t.Run(what, func(t *testing.T) {
			h := customOf(t, own{func(*rowferry.Change) ([]rowferry.Mutation, error) { return []rowferry.Mutation{c.m}, nil }, []*schema.Table{k, b}})
			ms, err := h.Handle(nil, &rowferry.Change{Op: rowferry.Update, Table: orders(), Before: before, After: after, ChecksLate: true})
			switch {
			case c.wrong == "" && (err != nil || len(ms) != 1 || ms[0].Source != name("orders") || !ms[0].ChecksLate):
				t.Errorf("%v, %+v", err, ms)
			case c.wrong != "" && (rowferry.CodeOf(err) != rowferry.CodeHandlerAnswer || !strings.Contains(err.Error(), c.wrong) || !strings.Contains(err.Error(), "id=1") || len(ms) > 0):
				t.Errorf("%v, %+v", err, ms)
			}
		})
	}
}

// customOf returns the handler of a pipeline with h, that was told of the shape.
func customOf(t *testing.T, h rowferry.Handler) rowferry.Handler {
	t.Helper()
	all := mapping.NewHandler(rules(t, mapping.Options{Custom: []mapping.Custom{{Tables: "a.orders", Handler: h}}}), nil)
	if _, err := all.Handle(nil, &rowferry.Change{Op: rowferry.Shape, Table: orders()}); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestCustomFailures: an error and a panic stop by name, and rows that a handler
// changes in place are its own.
func TestCustomFailures(t *testing.T) {
	k := kept()
	cause := errors.New("no such country")
	for want, answer := range map[string]func(c *rowferry.Change) ([]rowferry.Mutation, error){
		"no such country": func(*rowferry.Change) ([]rowferry.Mutation, error) { return nil, cause },
		"custom_test.go:": func(*rowferry.Change) ([]rowferry.Mutation, error) { panic("gone") },
	} {
		_, err := customOf(t, own{answer, []*schema.Table{k}}).Handle(nil, &rowferry.Change{Op: rowferry.Insert, Table: orders(), After: after})
		if rowferry.CodeOf(err) != rowferry.CodeHandlerFailed || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "a.orders") || !strings.Contains(err.Error(), "id=1") {
			t.Errorf("%v", err)
		}
		if want == cause.Error() && !errors.Is(err, cause) {
			t.Errorf("%v does not wrap its cause", err)
		}
	}
	h := customOf(t, own{func(c *rowferry.Change) ([]rowferry.Mutation, error) {
		c.After[1] = rowferry.TextValue(c.After[1].Str() + "!")
		return []rowferry.Mutation{{Op: rowferry.Insert, Table: k, After: c.After}}, nil
	}, []*schema.Table{k}})
	c := &rowferry.Change{Op: rowferry.Insert, Table: orders(), After: row(1, "a", "FR", nil, 7)}
	for range 2 {
		if ms, err := h.Handle(nil, c); err != nil || ms[0].After[1].Str() != "a!" {
			t.Fatalf("%v, %s", err, said(ms))
		}
	}
	none := customOf(t, own{func(c *rowferry.Change) ([]rowferry.Mutation, error) {
		return []rowferry.Mutation{{Op: rowferry.Update, Table: k, Before: c.Before, After: c.Before}}, nil
	}, []*schema.Table{k}})
	if ms, err := none.Handle(nil, &rowferry.Change{Op: rowferry.Update, Table: orders(), Before: before, After: after}); err != nil || len(ms) != 0 {
		t.Errorf("an update of nothing: %v, %s", err, said(ms))
	}
}

// TestCustomRefused: what a handler does not fit is told before anything is read, or
// when the shape comes.
func TestCustomRefused(t *testing.T) {
	h := own{nil, []*schema.Table{kept()}}
	for what, o := range map[string]mapping.Options{
		"twice":        {Custom: []mapping.Custom{{"a.orders,a.notes", h}, {"a.notes", h}}},
		"out of scope": {Tables: []string{"b.*"}, Custom: []mapping.Custom{{"a.orders", h}}},
		"renamed":      {Renames: map[string]string{"a.orders": "x"}, Custom: []mapping.Custom{{"a.orders", h}}},
		"with rules":   {Entities: map[string]mapping.Entity{"a.orders": {Where: "id > 1"}}, Custom: []mapping.Custom{{"a.orders", h}}},
		"keys of a part": {
			Entities: map[string]mapping.Entity{"a.notes": {Keys: mapping.KeyRule{Key: mapping.Allocate}}}, Custom: []mapping.Custom{{"a.orders,a.notes", h}},
		},
		"none": {Custom: []mapping.Custom{{"a.orders", nil}}},
	} {
		if _, err := mapping.New(o); rowferry.CodeOf(err) != rowferry.CodeHandlerRefused {
			t.Errorf("%s: %v", what, err)
		}
	}
	r := rules(t, mapping.Options{
		Entities: map[string]mapping.Entity{"a.orders": {Keys: mapping.KeyRule{Key: mapping.Offset, Offset: 5}}},
		Custom:   []mapping.Custom{{"a.orders,a.notes", h}},
	})
	if r.Target(name("orders")) != kept().Name || !r.Fills(kept().Name) {
		t.Errorf("its target is %s", r.Target(name("orders")))
	}
	all := mapping.NewHandler(rules(t, mapping.Options{Custom: []mapping.Custom{{"a.orders", h}}}), nil)
	if !all.(rowferry.Reshaper).Reshapes(name("orders")) {
		t.Error("its shape in the target is taken for the source's")
	}
	for _, table := range []*schema.Table{orders(), kept().WithName(name("kept"))} {
		_, err := all.Handle(nil, &rowferry.Change{Op: rowferry.Shape, Table: table})
		if collides := table.Name.Table == "kept"; (rowferry.CodeOf(err) == rowferry.CodeNameCollision) != collides {
			t.Errorf("%s: %v", table.Name, err)
		}
	}
}

// TestCustomCascades: what a foreign key changes by itself a handler is not told of,
// but for rows that go with a parent whose end it is told.
func TestCustomCascades(t *testing.T) {
	for _, c := range []struct {
		tables string
		key    schema.ForeignKey
		fits   bool
	}{
		{"a.orders", schema.ForeignKey{}, true},
		{"a.orders", schema.ForeignKey{OnDelete: schema.Cascade}, false},
		{"a.customers,a.orders", schema.ForeignKey{OnDelete: schema.Cascade}, true},
		{"a.customers,a.orders", schema.ForeignKey{OnDelete: schema.SetNull}, false},
		{"a.customers,a.orders", schema.ForeignKey{OnDelete: schema.Cascade, OnUpdate: schema.Cascade}, false},
		{"a.customers", schema.ForeignKey{OnDelete: schema.Cascade}, false},
		{"a.customers", schema.ForeignKey{}, true},
	} {
		c.key.Columns, c.key.Parent, c.key.Referenced = []int{4}, name("customers"), []string{"id"}
		table := orders()
		table.ForeignKeys = []schema.ForeignKey{c.key}
		all := mapping.NewHandler(rules(t, mapping.Options{Custom: []mapping.Custom{{c.tables, own{nil, []*schema.Table{kept()}}}}}), nil)
		_, err := all.Handle(nil, &rowferry.Change{Op: rowferry.Shape, Table: table})
		if c.fits && err != nil || !c.fits && rowferry.CodeOf(err) != rowferry.CodeCascades {
			t.Errorf("%s, %+v: %v", c.tables, c.key, err)
		}
	}
}

// TestCustomHash: a handler and its version are of the rules.
func TestCustomHash(t *testing.T) {
	hashes := map[string]string{}
	for name, custom := range map[string][]mapping.Custom{
		"none": nil, "one": {{"a.orders", own{}}}, "another": {{"a.notes", own{}}}, "both": {{"a.orders,a.notes", own{}}},
		"version 1": {{"a.orders", versioned{own{}, "1"}}}, "version 2": {{"a.orders", versioned{own{}, "2"}}},
	} {
		hash := rules(t, mapping.Options{Custom: custom}).Hash()
		if other := hashes[hash]; other != "" {
			t.Errorf("%s and %s have the same hash", name, other)
		}
		hashes[hash] = name
	}
	if rules(t, mapping.Options{}).Hash() != rules(t, mapping.Options{Custom: []mapping.Custom{}}).Hash() {
		t.Error("no handlers are rules")
	}
}

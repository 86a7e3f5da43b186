package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/mapping"
	"github.com/rowferry/rowferry/schema"
)

func explainRowCommand() *command {
	return &command{
		name: "row", args: "TABLE KEY[,KEY…]", maxArgs: 2,
		summary: "tell what becomes of one row, and how far it has come",
		about: "Tells which rules or which custom handler its table has, which table it goes to, under which key, and whether it waits, for what and since when. A running engine is asked; where none runs, the state directory is read, as by `rowferry map lookup`, which says how a key is written. " +
			"The row is also read from the source, if that is a server and can be asked, to tell whether it is there and whether the rules leave it out: as it is now, which may be later than what was applied.\n\n" +
			"The status is one of: out of scope; waiting, for another row; applied, its key is noted; filtered, the rules leave it out of the target, by its own filter or its parent's; missing, it is not in the source, and nothing is noted of it; carried, nothing is noted of such rows, and it is in the target from the change on that brought it; unknown.",
		example: "rowferry explain row -c shop.yaml shop.orders 17",
		options: append([]*option{sourceOption, tablesOption}, pipelineOptions...),
		run:     explainRow,
	}
}

// rowStory is what is known of a row.
type rowStory struct {
	Table   string      `json:"table"`
	Key     string      `json:"source_key"`
	Status  string      `json:"status"`
	Rules   string      `json:"rules"`  // "" where there are none
	Target  string      `json:"target"` // the table that it goes to
	Noted   *mapRow     `json:"noted"`  // null where nothing is noted of it
	Unnoted string      `json:"unnoted"`
	Source  rowAtSource `json:"source"`
}

// rowAtSource is what the source says of a row.
type rowAtSource struct {
	Asked   bool     `json:"asked"`
	Why     string   `json:"why"` // it was not asked, or the rules have no answer
	Found   bool     `json:"found"`
	Becomes []string `json:"becomes"` // rows of these tables; null where that is not known
}

// The ways in which a row can stand that are not mapping's.
const (
	rowOutOfScope = "out of scope"
	rowFiltered   = "filtered"
	rowMissing    = "missing"
	rowCarried    = "carried"
)

func explainRow(ctx context.Context, in *invocation) error {
	if len(in.args) < 2 {
		return rowferry.Errorf(rowferry.CodeUsage, "rowferry explain row takes a table and a key").
			Remedy("write", "rowferry explain row shop.orders 17")
	}
	s, err := in.mapSettings()
	if err != nil {
		return err
	}
	table, err := mapping.ParseName(in.args[0])
	if err != nil {
		return err
	}
	rules, err := s.facing(ctx, in, untold)
	if err != nil {
		return err
	}
	r := &rowStory{Table: table.String(), Key: in.args[1], Rules: rules.Describe(table)}
	if r.Status = rowOutOfScope; rules.InScope(table) {
		r.Target = rules.Target(table).String()
		if err := r.lookUp(ctx, s); err != nil {
			return err
		}
		if err := r.ask(ctx, in, s, rules, table); err != nil {
			return err
		}
		r.conclude()
	}
	if in.json {
		in.result = r
		return nil
	}
	return writeAll(in.stdout, r.text(in.clock.Now()))
}

// lookUp adds what is noted of the row.
func (r *rowStory) lookUp(ctx context.Context, s *settings) error {
	err := askMap(ctx, s, mapArgs{What: "lookup", Table: r.Table, Key: r.Key}, func(found mapRow) error {
		r.Noted = &found
		return nil
	})
	switch rowferry.CodeOf(err) {
	case rowferry.CodeNoKeys:
		r.Unnoted = "every key is the source's"
	case rowferry.CodeEntityUnseen:
		r.Unnoted = "no change of its table has come yet"
	case rowferry.CodeNoCheckpoint, rowferry.CodeStateNeeded:
		r.Unnoted = "the pipeline has not begun"
	default:
		return err
	}
	return nil
}

// ask adds what the source says of the row, and what the rules make of it.
func (r *rowStory) ask(ctx context.Context, in *invocation, s *settings, rules *mapping.Rules, table schema.Name) error {
	if !s.source.given() {
		r.Source.Why = "the source is no server"
		return nil
	}
	source, err := s.openSource(ctx, rules.Only(table), divide(s.memory), in)
	if err != nil {
		return err
	}
	part, ok := source.(rowferry.PartSource)
	if !ok {
		r.Source.Why = "rows of the source cannot be read"
		return nil
	}
	err = fetchRow(ctx, part, table, r.Key, func(shape *schema.Table, row rowferry.Row) {
		r.Source.Found = true
		var unknown error
		if r.Source.Becomes, unknown = becomes(rules, shape, row); unknown != nil {
			r.Source.Why = unknown.Error()
		}
	})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case rowferry.CodeOf(err) == rowferry.CodeKeyText:
		return err
	case err != nil:
		r.Source.Why = err.Error()
	default:
		r.Source.Asked = true
	}
	return nil
}

// becomes returns the target tables that a row of the source has rows of.
func becomes(rules *mapping.Rules, shape *schema.Table, row rowferry.Row) ([]string, error) {
	h := mapping.NewHandler(rules, func(string) {}) // what foreign keys do is not asked
	if _, err := h.Handle(nil, &rowferry.Change{Op: rowferry.Shape, Table: shape}); err != nil {
		return nil, err
	}
	ms, err := h.Handle(nil, &rowferry.Change{Op: rowferry.Insert, Table: shape, After: row})
	if err != nil {
		return nil, err
	}
	names := []string{}
	for i := range ms {
		if name := ms[i].Table.Name.String(); !ms[i].Filtered && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, nil
}

// fetchRow calls fn with a row of a source, by its key, if there is one.
func fetchRow(ctx context.Context, source rowferry.PartSource, table schema.Name, text string, fn func(*schema.Table, rowferry.Row)) (err error) {
	reader, err := source.Part(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, reader.Close()) }()
	tables := reader.Tables()
	i := slices.IndexFunc(tables, func(t rowferry.CopyTable) bool { return t.Shape.Name == table })
	if i < 0 {
		return rowferry.Errorf(rowferry.CodeEntityUnseen, "the source has no table %s", table)
	}
	key, err := mapping.ParseKey(tables[i].Shape, text)
	if err != nil {
		return err
	}
	by := rowferry.Pick{By: tables[i].Shape.Identity(), Keys: [][]rowferry.Value{key}}
	return reader.Pick(ctx, &tables[i], by, func(rows []rowferry.Row) error {
		for _, row := range rows {
			fn(tables[i].Shape, row)
		}
		return nil
	})
}

// conclude says how the row stands, by all that is known of it.
func (r *rowStory) conclude() {
	status := mapping.Unknown
	if r.Noted != nil {
		status = mapping.Standing(r.Noted.Status)
	}
	switch {
	case status == mapping.Waits, status == mapping.Applied, status == mapping.Left:
		r.Status = string(status)
	case r.Source.Asked && !r.Source.Found:
		r.Status = rowMissing
	case r.Source.Becomes != nil && len(r.Source.Becomes) == 0:
		r.Status = rowFiltered
	case r.Source.Becomes != nil && (r.Noted == nil || status != mapping.Unknown):
		r.Status = rowCarried
	default:
		r.Status = string(mapping.Unknown)
	}
}

func (r *rowStory) text(now time.Time) string {
	lines := [][2]string{{"row", r.Table + " " + r.Key}, {"status", r.Status}}
	add := func(name, value string) {
		if value != "" {
			lines = append(lines, [2]string{name, value})
		}
	}
	add("rules", r.Rules)
	add("goes to", r.Target)
	if n := r.Noted; n != nil {
		if n.Target != nil {
			add("target key", mapping.JoinKey(n.Target))
		}
		if w := n.Waits; w != nil {
			add("change", w.Change+" of "+w.Tx)
			add("waits for", w.For.text())
			add("since", w.since(now))
			add("behind it", plural(uint64(w.Behind), "row", "rows"))
		}
	}
	add("noted", r.Unnoted)
	if r.Status != rowOutOfScope {
		add("source", r.Source.text())
	}
	return pairs(lines)
}

func (a *rowAtSource) text() string {
	switch {
	case !a.Asked:
		return "not asked: " + a.Why
	case !a.Found:
		return "has no such row now"
	case a.Becomes == nil:
		return "has the row, and what it becomes is not known: " + a.Why
	case len(a.Becomes) == 0:
		return "has the row, and the rules leave it out"
	default:
		return fmt.Sprintf("has the row, which becomes one of %s", strings.Join(a.Becomes, " and "))
	}
}

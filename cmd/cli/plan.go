package cli

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/mapping"
	"github.com/rowferry/rowferry/schema"
	"github.com/rowferry/rowferry/sink/sqlite"
)

func planCommand() *command {
	return &command{
		name:    "plan",
		summary: "say what a copy would do, and what it would leave out",
		about: "Looks at the source, and at the target if it answers, and changes nothing. Lists the tables in scope, parents before their children, with what the server estimates of their size, why one would be refused, what of them no target gets or gets in another form, and what there is beside tables: views, triggers, routines.\n\n" +
			"It exits with 0 if everything in scope would be copied, and else as `rowferry run` would. With --count it also reads the rows, as `rowferry run --dry-run --once` does and with what is said there, and tells what would become of them.",
		example: "rowferry plan -c shop.yaml --ddl",
		options: []*option{
			{name: "ddl", usage: "print the statements that make the tables, before the rows and behind them"},
			{name: "count", usage: "also read the rows, and count what would become of them"},
			sourceOption, targetOption, tablesOption, schemaOption, triggersOption, nameOption, stateOption,
		},
		run: plan,
	}
}

// planResult is what a copy would do.
type planResult struct {
	Source  string         `json:"source"`
	Target  string         `json:"target"`
	Tables  []planTable    `json:"tables"`  // parents before their children
	Circles [][]string     `json:"circles"` // of tables that lead to each other, or one to itself
	Others  []planObject   `json:"others"`  // beside tables, and not carried
	Rows    int64          `json:"rows"`    // the server's estimates
	Bytes   int64          `json:"bytes"`
	Refused *envelopeError `json:"refused"` // why nothing would be copied
	Unasked *envelopeError `json:"unasked"` // why the target did not answer
	Begun   bool           `json:"begun"`   // the pipeline has a checkpoint, from which it goes on without a new copy
	// Seconds is null: how long a copy takes is not known until one was measured.
	Seconds *float64 `json:"seconds"`
	// Count is what would become of the rows, null where it was not asked for or
	// nothing would be copied.
	Count *dryResult `json:"count"`

	errs    []error // what refuses, in order
	unasked error
	circles [][]schema.Name
}

type planTable struct {
	Table    string         `json:"table"`
	Becomes  string         `json:"becomes"`
	Exists   bool           `json:"exists"` // in the target
	Rows     int64          `json:"rows"`
	Bytes    int64          `json:"bytes"`
	Key      []string       `json:"key"` // by which rows are found
	Refused  *envelopeError `json:"refused"`
	Notices  []string       `json:"notices"`  // what is not carried, or is otherwise in the target
	Make     []string       `json:"make"`     // statements before the rows
	Complete []string       `json:"complete"` // and behind them

	shape    *schema.Table
	refused  error
	uncopied error // why its rows cannot be copied one by one
}

type planObject struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
	On   string `json:"on,omitempty"` // the table that it belongs to
}

func plan(ctx context.Context, in *invocation) error {
	s, err := in.settings()
	if err == nil {
		err = s.need("source", "target")
	}
	if err != nil {
		return err
	}
	var left []leftOut
	rules, err := s.facing(ctx, in, func(table schema.Name, text string) { left = append(left, leftOut{table, text}) })
	if err != nil {
		return err
	}
	source, err := s.openSource(ctx, rules, divide(s.memory), in)
	if err != nil {
		return err
	}
	surveyor, ok := source.(rowferry.Surveyor)
	if !ok {
		_, _, err := rowferry.CanCopy(source, nil)
		return err
	}
	survey, err := surveyor.Survey(ctx)
	if err != nil {
		return err
	}
	r := newPlan(s, survey)
	mutations := r.mapTables(mapping.NewHandler(rules, nil))
	for _, x := range left {
		p := r.table(x.table)
		p.Notices = append(p.Notices, x.text)
	}
	if err := in.planTarget(ctx, s, rules, source, func(sink rowferry.Sink) error { return r.ask(ctx, s, rules, sink, mutations) }); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r.unasked = err
	}
	r.finish()
	if in.on("count") && len(r.errs) == 0 {
		s.once = true
		r.Count, err = in.rehearse(ctx, s)
	}
	return errors.Join(in.tellPlan(r), err)
}

// tellPlan prints the plan, or keeps it for the envelope.
func (in *invocation) tellPlan(r *planResult) error {
	in.result = r
	if !in.json {
		text := r.text(in.outInk(), in.on("ddl"))
		if r.Count != nil {
			text += "\n" + r.Count.text(in.outInk())
		}
		if err := writeAll(in.stdout, text); err != nil {
			return err
		}
	}
	if len(r.errs) > 0 {
		return told{r.errs[0]}
	}
	return nil
}

// newPlan begins a plan with what the source has.
func newPlan(s *settings, survey *rowferry.Survey) *planResult {
	r := &planResult{Source: s.sourceText(), Target: s.target, Tables: []planTable{}, Circles: [][]string{}, Others: []planObject{}}
	if survey.Refused != nil {
		r.errs = append(r.errs, problems(survey.Refused)...)
		r.Refused = describe(problems(survey.Refused))
	}
	var shapes []*schema.Table
	byName := map[schema.Name]*rowferry.SurveyTable{}
	for i := range survey.Tables {
		t := &survey.Tables[i]
		byName[t.Name] = t
		if t.Shape == nil {
			r.Tables = append(r.Tables, planTable{Table: t.Name.String(), Rows: t.Rows, Bytes: t.Bytes, Notices: t.Left, refused: t.Refused})
			continue
		}
		shapes = append(shapes, t.Shape)
	}
	ordered, circles := schema.ParentsFirst(shapes)
	r.circles = circles
	for _, shape := range ordered {
		t := byName[shape.Name]
		p := planTable{Table: t.Name.String(), Rows: t.Rows, Bytes: t.Bytes, shape: shape, refused: t.Refused, Notices: t.Left}
		p.Key = shape.ColumnNames(shape.Identity())
		if p.refused == nil {
			p.refused = rowferry.CheckCopyKeys([]rowferry.CopyTable{t.CopyTable})
		}
		r.Tables = append(r.Tables, p)
	}
	for _, o := range survey.Others {
		r.Others = append(r.Others, planObject{o.Kind, o.Name.String(), o.On})
	}
	return r
}

// mapTables has the handler map the tables. Those without a shape, or that it
// refuses, have no mutation.
func (r *planResult) mapTables(h rowferry.Handler) (ms []rowferry.Mutation) {
	var shapes []*schema.Table
	for i := range r.Tables {
		p := &r.Tables[i]
		if p.shape == nil {
			continue
		}
		more, err := h.Handle(ms, &rowferry.Change{Op: rowferry.Shape, Table: p.shape})
		if err != nil {
			if p.refused == nil {
				p.refused = err
			}
			continue
		}
		if ms = more; len(ms) > 0 {
			p.Becomes = ms[len(ms)-1].Table.Name.String()
		}
		if p.uncopied = rowferry.CheckCopyShapes(h, append(shapes, p.shape), ms); p.uncopied == nil {
			shapes = append(shapes, p.shape)
		}
	}
	return ms
}

// planTarget calls ask with the target, opened so that it stays as it is.
func (in *invocation) planTarget(ctx context.Context, s *settings, rules *mapping.Rules, source rowferry.Source, ask func(rowferry.Sink) error) (err error) {
	var sink rowferry.Sink
	switch scheme, path, _ := splitURL(s.target); {
	case s.sink.given():
		sink, err = s.openServer(ctx, in, opening{create: s.create, inScope: rules.Fills, triggers: s.triggers, byKey: s.match == matchKey, readOnly: true})
	case scheme == "sqlite":
		o := sqlite.Options{CreateTables: s.create, Triggers: s.triggers, ByKey: s.match == matchKey, ReadOnly: true}
		if _, missing := os.Stat(path); errors.Is(missing, fs.ErrNotExist) {
			folder, err := os.MkdirTemp("", "rowferry-plan-") // an empty one says the same
			if err != nil {
				return err
			}
			defer func() { _ = os.RemoveAll(folder) }() // it is the system's to clean
			path, o.ReadOnly = filepath.Join(folder, "empty.db"), false
		}
		sink, err = sqlite.Open(ctx, path, o)
	default:
		_, _, err = rowferry.CanCopy(source, nil)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sink.Close()) }()
	return ask(sink)
}

// ask adds what the target says.
func (r *planResult) ask(ctx context.Context, s *settings, rules *mapping.Rules, sink rowferry.Sink, ms []rowferry.Mutation) error {
	planner, ok := sink.(rowferry.Planner)
	if !ok {
		return rowferry.Errorf(rowferry.CodeInternal, "the target takes copies and cannot say what it would do")
	}
	at, err := planner.ReadCheckpoint(ctx, s.name)
	if err != nil {
		return err
	}
	r.Begun = at != nil
	resolver, err := s.resolver(rules, sink)
	if err != nil {
		return err
	}
	staged := resolver != nil
	plans, err := planner.Plan(ctx, ms)
	if err != nil {
		return err
	}
	for i, m := range ms {
		p := r.table(m.Source)
		p.Exists, p.Make, p.Complete = plans[i].Exists, plans[i].Make, plans[i].Complete
		p.Notices = append(append(append([]string{}, p.Notices...), becomeText(m.Table, plans[i].Declared)...), aboutTable(plans[i].Notices, m.Table)...)
		refused := plans[i].Refused
		if staged && rowferry.CodeOf(refused) == rowferry.CodeCopyRefused {
			refused = nil // rows come into it one by one
		}
		if staged {
			p.Make, p.Complete = slices.Concat(p.Make, p.Complete), nil
		} else if refused == nil && p.Exists && !r.Begun {
			occupied, err := planner.Occupied(ctx, []schema.Name{m.Table.Name})
			if err != nil {
				return err
			}
			refused = rowferry.CheckOccupied(occupied)
		}
		if p.refused == nil && !staged {
			p.refused = p.uncopied
		}
		if p.refused == nil {
			p.refused = refused
		}
	}
	return nil
}

// table returns the table that is of that name at the source.
func (r *planResult) table(n schema.Name) *planTable {
	for i := range r.Tables {
		if r.Tables[i].Table == n.String() {
			return &r.Tables[i]
		}
	}
	return &planTable{} // no mutation is of a table that is not there
}

// becomeText names the columns that are texts in the target, and not at the source.
func becomeText(t *schema.Table, declared map[string]string) []string {
	var columns []string
	for _, c := range t.Columns {
		if to := declared[c.Name]; to != c.Type.String() && isText(to) && !c.Type.Kind.Textual() {
			name, _, _ := strings.Cut(to, " ")
			columns = append(columns, c.Name+" ("+c.Type.String()+" as "+name+")")
		}
	}
	if columns == nil {
		return nil
	}
	return []string{"text in the target: " + strings.Join(columns, ", ")}
}

func isText(declared string) bool {
	return strings.HasPrefix(declared, "TEXT") || strings.HasPrefix(declared, "LONGTEXT") || strings.HasPrefix(declared, "VARCHAR") || declared == "text"
}

// aboutTable takes the name of the table, which is said beside it, off notices.
func aboutTable(notices []string, t *schema.Table) []string {
	var short []string
	for _, n := range notices {
		rest := strings.TrimPrefix(n, "table "+t.Name.String())
		if rest == n {
			short = append(short, n)
			continue
		}
		for _, joint := range []string{" is made ", ": ", ", "} {
			if cut, ok := strings.CutPrefix(rest, joint); ok {
				rest = cut
				break
			}
		}
		short = append(short, strings.TrimSpace(rest))
	}
	return short
}

// finish makes what is printed of what is known.
func (r *planResult) finish() {
	for i := range r.Tables {
		p := &r.Tables[i]
		r.Rows, r.Bytes = r.Rows+p.Rows, r.Bytes+p.Bytes
		if p.refused != nil {
			p.Refused = describe(problems(p.refused))
			r.errs = append(r.errs, problems(p.refused)...)
		}
		for _, list := range []*[]string{&p.Key, &p.Notices, &p.Make, &p.Complete} {
			if *list == nil {
				*list = []string{}
			}
		}
	}
	for _, c := range r.circles {
		var names []string
		for _, n := range c {
			names = append(names, n.String())
		}
		r.Circles = append(r.Circles, names)
	}
	if r.unasked != nil {
		r.Unasked = describe(problems(r.unasked))
		r.errs = append(r.errs, problems(r.unasked)...)
	}
}

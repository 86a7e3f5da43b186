package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

var dryRunOption = &option{name: "dry-run", usage: "show what would be done, and do nothing"}

func sequencesCommand() *command {
	return &command{
		name:    "sequences",
		summary: "set the target's sequences or AUTO_INCREMENT past the rows",
		about: "A target that begins to take rows of its own must not give out keys that replicated rows have. Shows what each counting column of the tables in scope gives next, and sets it past the largest value where it is not. None is ever set back.\n\n" +
			"Do it when nothing more arrives from the source: rows that come later may need it again.",
		example: "rowferry sequences -c shop.yaml --dry-run",
		options: []*option{dryRunOption, yesOption, sourceOption, targetOption, tablesOption, nameOption, stateOption},
		run:     sequences,
	}
}

// sequencesResult is what sequences found and did.
type sequencesResult struct {
	DryRun    bool           `json:"dry_run"`
	Behind    int            `json:"behind"` // how many were not past their rows
	Sequences []sequenceView `json:"sequences"`
}

type sequenceView struct {
	Table  string `json:"table"`
	Column string `json:"column"`
	Last   uint64 `json:"last"`   // the largest value in the table
	Before uint64 `json:"before"` // the next value that the table would have given
	After  uint64 `json:"after"`
}

func sequences(ctx context.Context, in *invocation) (err error) {
	s, err := in.settings()
	if err == nil {
		err = s.need("target")
	}
	if err != nil {
		return err
	}
	rules, err := s.rules()
	if err != nil {
		return err
	}
	keeper, err := s.openKeeper(ctx, in, in.on("dry-run"))
	if err != nil {
		return err
	}
	counter, ok := keeper.(rowferry.Sequencer)
	if keeper != nil {
		defer func() { err = errors.Join(err, keeper.Close()) }()
	}
	if !ok {
		return rowferry.Errorf(rowferry.CodeUsage, "the target has no sequences to set").Fact("target", "%s", s.target)
	}
	tables, err := keeper.Tables(ctx)
	if err != nil {
		return err
	}
	var names []schema.Name
	for _, t := range tables {
		if rules.Fills(t.Name) {
			names = append(names, t.Name)
		}
	}
	return in.advance(ctx, s, counter, names)
}

// advance shows the tables' sequences and, when it is wanted, sets them.
func (in *invocation) advance(ctx context.Context, s *settings, counter rowferry.Sequencer, names []schema.Name) error {
	r := &sequencesResult{DryRun: in.on("dry-run"), Sequences: []sequenceView{}}
	in.result = r
	if len(names) == 0 {
		return in.shown(r, "no table of the pipeline is in the target")
	}
	list, err := counter.Sequences(ctx, names, false)
	if err != nil {
		return err
	}
	r.fill(list)
	switch {
	case r.Behind == 0:
		return in.shown(r, "nothing to do: each is past its rows")
	case r.DryRun:
		return in.shown(r, plural(uint64(r.Behind), "sequence", "sequences")+" would be set; nothing was changed")
	}
	if !in.json && !in.on("yes") {
		if err := writeAll(in.stdout, r.table()); err != nil {
			return err
		}
	}
	if err := in.confirm(ctx, fmt.Sprintf("set %s in %s", plural(uint64(r.Behind), "sequence", "sequences"), s.target)); err != nil {
		return err
	}
	if list, err = counter.Sequences(ctx, names, true); err != nil {
		return err
	}
	r.fill(list)
	return in.shown(r, fmt.Sprintf("set %s past the rows", plural(uint64(r.Behind), "sequence", "sequences")))
}

func (r *sequencesResult) fill(list []rowferry.Sequence) {
	r.Behind, r.Sequences = 0, []sequenceView{}
	for _, q := range list {
		after := q.Next
		if q.Next <= q.Last {
			after = q.Last + 1
			r.Behind++
		}
		r.Sequences = append(r.Sequences, sequenceView{q.Table.String(), q.Column, q.Last, q.Next, after})
	}
}

func (r *sequencesResult) table() string {
	if len(r.Sequences) == 0 {
		return ""
	}
	rows := [][]string{{"table", "column", "last", "before", "after"}}
	for _, q := range r.Sequences {
		n := func(v uint64) string { return strconv.FormatUint(v, 10) }
		rows = append(rows, []string{clean(q.Table), clean(q.Column), n(q.Last), n(q.Before), n(q.After)})
	}
	return grid(rows, 2, 3, 4)
}

func (in *invocation) shown(r *sequencesResult, outcome string) error {
	if in.json {
		return nil
	}
	return writeAll(in.stdout, fmt.Sprintf("%s%s %s\n", r.table(), in.outInk().good("✓"), outcome))
}

package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/checkpoint"
	pgsource "github.com/rowferry/rowferry/source/postgres"
)

func destroyCommand() *command {
	return &command{
		name:    "destroy",
		summary: "give a pipeline up: its slot, publication, checkpoint and state",
		about: "Shows what the pipeline has, asks, and removes it: at a PostgreSQL source the replication slot and the publication, in the target its checkpoint, and the state directory. Rows and tables stay, at the source and in the target.\n\n" +
			"With --rows it removes from the target the rows that the pipeline brought, first, and no others: those whose keys are noted (`key: allocate`, and keys that contain such a key). A pipeline with other tables is refused. Children go before their parents, in transactions of a thousand rows; a row of another that refers to one of them stops it. Once begun it has to be ended: no run goes on.\n\n" +
			"A pipeline that runs is refused. A publication is dropped only if Rowferry made it for this pipeline, a slot only if it is the one that this pipeline reads. What is not dropped is listed with the reason. A removal that was cut off is gone on with by the same command.",
		example: "rowferry destroy -c shop.yaml --dry-run",
		options: []*option{{name: "rows", usage: "remove the rows too that the pipeline brought into the target"}, dryRunOption, yesOption, sourceOption, filesOption, targetOption, stateOption, nameOption},
		run:     destroy,
	}
}

// destroyResult is what destroy found and did.
type destroyResult struct {
	Pipeline  string        `json:"pipeline"`
	DryRun    bool          `json:"dry_run"`
	Destroyed bool          `json:"destroyed"`
	Things    []destroyView `json:"things"`
}

// destroyView is one thing that a pipeline has.
type destroyView struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
	What string `json:"what"`
	Keep string `json:"kept_because,omitempty"`
	Rows int64  `json:"rows,omitempty"`
}

// doomed is a pipeline that is to be given up.
type doomed struct {
	in     *invocation
	s      *settings
	row    *rowferry.Checkpoint
	known  bool // it has a checkpoint somewhere
	source *pgsource.Source
	state  *checkpoint.Seized
	things []destroyView
}

func destroy(ctx context.Context, in *invocation) (err error) {
	s, err := in.settings()
	if err == nil {
		err = s.need("target")
	}
	if err != nil {
		return err
	}
	d := &doomed{in: in, s: s}
	defer d.release()
	if err := d.find(ctx); err != nil {
		return err
	}
	r := &destroyResult{Pipeline: s.name, DryRun: in.on("dry-run"), Things: d.things}
	in.result = r
	switch {
	case d.nothing():
		return in.gone(r, "nothing to remove")
	case r.DryRun:
		return in.gone(r, "nothing was removed")
	}
	if !in.json && !in.on("yes") {
		if err := writeAll(in.stdout, r.table()); err != nil {
			return err
		}
	}
	if err := in.confirm(ctx, "remove this of pipeline "+s.name); err != nil {
		return err
	}
	if err := d.remove(ctx); err != nil {
		return err
	}
	r.Destroyed = true
	rows := "; its rows are where they were"
	if in.on("rows") {
		rows = ", with its rows"
	}
	return in.gone(r, "pipeline "+s.name+" is gone"+rows)
}

// find collects what the pipeline has. The state directory comes first: who has
// it keeps an engine away.
func (d *doomed) find(ctx context.Context) (err error) {
	sv, err := look(ctx, d.in, d.s)
	if err != nil {
		return err
	}
	d.row, d.known = sv.row, sv.decides != nil
	if d.in.on("rows") {
		if err := d.findRows(ctx, sv); err != nil {
			return err
		}
	}
	if d.state, err = checkpoint.Seize(ctx, checkpoint.Options{Dir: d.s.state, Pipeline: d.s.name}); err != nil {
		return err
	}
	if err := d.atSource(ctx, sv.decides); err != nil {
		return err
	}
	if d.row != nil {
		d.things = append(d.things, destroyView{Kind: "checkpoint", Name: string(d.row.Position), What: "in " + d.s.target})
	}
	if d.state != nil {
		d.things = append(d.things, destroyView{Kind: "state", Name: d.s.state, What: "the directory"})
	}
	return nil
}

// atSource finds what is at the source, where that is PostgreSQL.
func (d *doomed) atSource(ctx context.Context, at *rowferry.Checkpoint) error {
	if !d.s.fromPostgres() {
		if at == nil || d.s.source.given() || len(d.s.files) > 0 || d.s.fromCSV() {
			return nil
		}
		if _, kind, err := parsePosition(string(at.Position)); err == nil && kind == positionLSN {
			return rowferry.Errorf(rowferry.CodeMissingKey, "the pipeline reads PostgreSQL, and no source was given: its slot would stay there").
				Remedy("as a flag", "--source postgres://user@host/database").Remedy("in the file", "source: {url: …}")
		}
		return nil
	}
	rules, err := d.s.rules()
	if err != nil {
		return err
	}
	if d.source, err = d.s.openSlot(ctx, rules, divide(d.s.memory), d.in); err != nil {
		return err
	}
	all, err := d.source.Belongings(ctx, d.known)
	for _, b := range all {
		d.things = append(d.things, destroyView{Kind: b.Kind, Name: b.Name, What: b.What, Keep: b.Keep})
	}
	return err
}

// nothing reports whether there is nothing to remove.
func (d *doomed) nothing() bool {
	for _, t := range d.things {
		if t.Keep == "" {
			return false
		}
	}
	return true
}

// remove removes the checkpoint first, so that an engine elsewhere can no longer
// commit, and the state last: with it, a removal that was cut off is known again.
func (d *doomed) remove(ctx context.Context) error {
	if d.row != nil && d.in.on("rows") {
		if err := d.removeRows(ctx); err != nil {
			return err
		}
	}
	if d.row != nil {
		if err := d.forget(ctx); err != nil {
			return err
		}
	}
	if d.source != nil {
		if err := d.source.Drop(ctx, d.known); err != nil {
			return err
		}
	}
	if d.state == nil {
		return nil
	}
	state := d.state
	d.state = nil
	return state.Remove()
}

func (d *doomed) forget(ctx context.Context) (err error) {
	keeper, err := d.s.openKeeper(ctx, d.in, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, keeper.Close()) }()
	forgetter, ok := keeper.(rowferry.Forgetter)
	if !ok {
		return rowferry.Errorf(rowferry.CodeInternal, "the target keeps checkpoints and cannot forget one")
	}
	if err := forgetter.DeleteCheckpoint(ctx, *d.row); err != nil {
		return err
	}
	if loader, ok := keeper.(rowferry.Loader); ok {
		return loader.ForgetChunks(ctx, d.row.Pipeline)
	}
	return nil
}

func (d *doomed) release() {
	if d.state != nil {
		d.state.Release()
	}
}

func (r *destroyResult) table() string {
	var b strings.Builder
	for _, t := range r.Things {
		sign := "-"
		what := t.What
		if t.Keep != "" {
			sign, what = " ", "stays: "+t.Keep
		}
		fmt.Fprintf(&b, "%s %-12s %s  %s\n", sign, t.Kind, clean(t.Name), clean(what))
	}
	return b.String()
}

func (in *invocation) gone(r *destroyResult, outcome string) error {
	if in.json {
		return nil
	}
	list := r.table()
	if r.Destroyed && !in.on("yes") {
		list = "" // it was shown with the question
	}
	return writeAll(in.stdout, fmt.Sprintf("%s%s %s\n", list, in.outInk().good("✓"), outcome))
}

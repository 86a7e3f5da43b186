package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

var yesOption = &option{name: "yes", usage: "do it without asking; required where no terminal can be asked"}

func checkpointSetCommand() *command {
	return &command{
		name: "set", args: "POSITION", maxArgs: 1,
		summary: "move a pipeline to another position",
		about: "Writes the position to the target and to the state directory. The next run goes on after it: changes that are skipped by moving forward are lost, changes that are repeated by moving back meet their own rows. The rows themselves are not touched.\n\n" +
			"An engine that still runs elsewhere can no longer commit. One that holds this state directory makes the command stop. What the pipeline knows of its tables is kept; the check that the log is still the same one is cleared.",
		example: "rowferry checkpoint set --target sqlite:shop.db --yes mysql-bin.000042:1337",
		options: append([]*option{yesOption, sourceOption, tablesOption}, pipelineOptions...),
		run:     checkpointSet,
	}
}

func checkpointSet(ctx context.Context, in *invocation) (err error) {
	if len(in.args) == 0 {
		return rowferry.Errorf(rowferry.CodeUsage, "rowferry checkpoint set takes a position").
			Remedy("write", "rowferry checkpoint set [flags] mysql-bin.000042:1337, or a GTID set, or an LSN")
	}
	s, err := in.settings()
	if err == nil {
		err = s.need("target")
	}
	if err != nil {
		return err
	}
	pos, kind, err := parsePosition(in.args[0])
	if err != nil {
		return err
	}
	h, err := hold(ctx, in, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	now, err := h.next(ctx)
	if err == nil {
		err = settled(&now)
	}
	if err != nil {
		return err
	}
	from := now.Position
	if _, was, err := parsePosition(string(from)); err == nil && was != kind {
		return rowferry.Errorf(rowferry.CodeBadPosition, "the pipeline's positions are of another kind").
			Fact("pipeline", "%s", from).Fact("given", "%s", pos).
			Remedy("look", "%s", s.again("checkpoint show"))
	}
	now.Position, now.Lineage, now.Log = pos, "", ""
	if now.Start == "" {
		now.Start = pos
	}
	if err := in.confirm(ctx, fmt.Sprintf("move pipeline %s from %s to %s", s.name, orNone(from), pos)); err != nil {
		return err
	}
	if err := h.move(ctx, rowferry.Record{Checkpoint: now}); err != nil {
		return err
	}
	return in.moved(s, from, now)
}

func orNone(p rowferry.Position) string {
	if p == "" {
		return "no checkpoint"
	}
	return string(p)
}

// movedResult is what set and import did.
type movedResult struct {
	From string          `json:"from"`
	Now  *checkpointView `json:"now"`
}

func (in *invocation) moved(s *settings, from rowferry.Position, now rowferry.Checkpoint) error {
	in.result = movedResult{string(from), viewOf(&now)}
	if in.json {
		return nil
	}
	return writeAll(in.stdout, fmt.Sprintf("%s pipeline %s is at %s\n%s", in.outInk().good("✓"), s.name, clean(string(now.Position)),
		pairs([][2]string{{"was", orNone(from)}, {"next", s.goOn()}})))
}

// held is a pipeline that was taken for a change of its checkpoint.
type held struct {
	settings *settings
	in       *invocation
	state    rowferry.State
	keeper   rowferry.CheckpointKeeper // nil where the target keeps no checkpoint
	row      *rowferry.Checkpoint
	known    *rowferry.Remembered // by the state, at the row's sequence where there is a row
}

// hold takes the pipeline: the state directory first, which an engine would
// hold.
func hold(ctx context.Context, in *invocation, s *settings) (*held, error) {
	h := &held{settings: s, in: in}
	if err := h.open(ctx); err != nil {
		return nil, errors.Join(err, h.close())
	}
	return h, nil
}

func (h *held) open(ctx context.Context) error {
	state, err := h.settings.openState(ctx)
	if err != nil {
		return err
	}
	h.state = state
	through := rowferry.MaxSequence
	if h.keeper, err = h.settings.openKeeper(ctx, h.in, false); err != nil {
		return err
	}
	if h.keeper != nil {
		if h.row, err = h.keeper.ReadCheckpoint(ctx, h.settings.name); err != nil {
			return err
		}
	}
	if h.row != nil {
		if h.row.Format > rowferry.CheckpointFormat {
			return rowferry.Errorf(rowferry.CodeCheckpointNew, "the checkpoint has format %d, this program knows %d", h.row.Format, rowferry.CheckpointFormat)
		}
		through = h.row.Sequence
	}
	h.known, err = state.Load(through)
	return err
}

// checkpoint returns the pipeline's: the target's, else what the state directory
// remembers, or nil.
func (h *held) checkpoint() *rowferry.Checkpoint {
	if h.row == nil && h.known != nil {
		return &h.known.Checkpoint
	}
	return h.row
}

// usable reports whether the state directory knows the target's checkpoint,
// so that what it holds is still good.
func (h *held) usable() bool {
	switch {
	case h.row == nil:
		return h.known != nil
	case h.known == nil:
		return false
	default:
		return h.state.ID() == h.row.StateID && h.known.Checkpoint.Sequence == h.row.Sequence
	}
}

// next returns the checkpoint that would follow the present one, at the same
// place. It refuses where the state directory that belongs to the pipeline is
// elsewhere and holds what would be left behind.
func (h *held) next(ctx context.Context) (rowferry.Checkpoint, error) {
	now := rowferry.Checkpoint{Pipeline: h.settings.name}
	switch {
	case h.row != nil:
		now = *h.row
	case h.known != nil:
		now = h.known.Checkpoint
	default:
		rules, err := h.settings.facing(ctx, h.in, untold)
		if err != nil {
			return now, err
		}
		now.Config = rules.Hash()
	}
	now.Fence++
	now.Sequence++
	now.StateID = h.state.ID()
	now.Updated = h.in.clock.Now().UTC()
	now.Format = rowferry.CheckpointFormat
	return now, nil
}

// move records r in the state, then writes its checkpoint to the target: the
// order of every batch, so that a crash between them is the case of a batch
// that never committed.
func (h *held) move(ctx context.Context, r rowferry.Record) error {
	if err := h.prepare(ctx, &r); err != nil {
		return err
	}
	if err := h.state.Record(r); err != nil {
		return err
	}
	if h.keeper == nil {
		return nil
	}
	return h.keeper.WriteCheckpoint(ctx, h.row, r.Checkpoint)
}

// prepare makes the state ready for r: it forgets what never committed, or
// everything where the state is of another history or r brings its own shapes.
func (h *held) prepare(ctx context.Context, r *rowferry.Record) error {
	brings := r.Shapes != nil
	if !h.usable() && !brings && h.row != nil && h.row.Held.Shapes > 0 {
		return rowferry.Errorf(rowferry.CodeStateNeeded, "the state directory is not the one the pipeline was run with").
			Fact("shapes", "%d tables, known only there", h.row.Held.Shapes).
			Fact("state id", "%s here, %s in the target", h.state.ID(), h.row.StateID).
			Remedy("go on", "put the right state directory in place of %s", h.settings.state)
	}
	if r.Rules == "" {
		if err := h.rules(ctx, r); err != nil {
			return err
		}
	}
	if !h.usable() || brings {
		return h.state.Reset()
	}
	if h.row != nil {
		return h.state.DiscardAfter(h.row.Sequence)
	}
	return nil
}

// rules keeps the text of the rules, for messages, where it is known.
func (h *held) rules(ctx context.Context, r *rowferry.Record) error {
	if h.usable() {
		r.Rules = h.known.Rules
		return nil
	}
	rules, err := h.settings.facing(ctx, h.in, untold)
	if err != nil {
		return err
	}
	if rules.Hash() == r.Checkpoint.Config {
		r.Rules = rules.Canonical()
	}
	return nil
}

// shapes are those that the state holds for the pipeline.
func (h *held) shapes() []*schema.Table {
	if !h.usable() {
		return nil
	}
	return h.known.Shapes
}

func (h *held) close() error {
	var errs []error
	if h.keeper != nil {
		errs = append(errs, h.keeper.Close())
	}
	if h.state != nil {
		errs = append(errs, h.state.Close())
	}
	return errors.Join(errs...)
}

// confirm asks before something that cannot be taken back.
func (in *invocation) confirm(ctx context.Context, what string) error {
	if in.on("yes") {
		return nil
	}
	if !in.inTerminal {
		return rowferry.Errorf(rowferry.CodeUsage, "this would %s, and nobody can be asked", what).
			Remedy("if that is meant", "add --yes")
	}
	fmt.Fprintf(in.screen, "%s? [y/N] ", clean(what))
	line, err := in.readLine(ctx)
	if err != nil {
		return err
	}
	if a := strings.ToLower(strings.TrimSpace(line)); a != "y" && a != "yes" {
		return rowferry.Errorf(rowferry.CodeInterrupted, "not confirmed")
	}
	return nil
}

// readLine reads one line from standard input, or gives up when ctx is
// cancelled; the reading goroutine then ends with the process.
func (in *invocation) readLine(ctx context.Context) (string, error) {
	type answer struct {
		line string
		err  error
	}
	c := make(chan answer, 1)
	go func() { // the goroutine "stdin"
		line, err := bufio.NewReader(in.stdin).ReadString('\n')
		c <- answer{line, err}
	}()
	select {
	case a := <-c:
		if errors.Is(a.err, io.EOF) { // what came before it is the answer
			a.err = nil
		}
		return a.line, a.err
	case <-ctx.Done():
		return "", rowferry.Errorf(rowferry.CodeInterrupted, "interrupted; nothing was changed")
	}
}

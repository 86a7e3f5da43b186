package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/rowferry/rowferry"
)

var pipelineOptions = []*option{targetOption, stateOption, nameOption}

func checkpointCommand() *command {
	return &command{
		name:    "checkpoint",
		summary: "list, show, set, export and import positions",
		about:   "A checkpoint says how far a pipeline is. The target keeps it beside the rows, the state directory keeps the same record; a target without transactions (JSON lines) leaves it to the state directory.",
		example: "rowferry checkpoint list --target sqlite:shop.db",
		sub: []*command{
			{
				name: "list", summary: "list the checkpoints in a target and a state directory",
				example: "rowferry checkpoint list --target sqlite:shop.db",
				options: pipelineOptions, run: checkpointList,
			},
			{
				name: "show", summary: "show a pipeline's checkpoint as target and state have it",
				example: "rowferry checkpoint show --target sqlite:shop.db --name shop",
				options: pipelineOptions, run: checkpointShow,
			},
			checkpointSetCommand(), checkpointExportCommand(), checkpointImportCommand(),
		},
	}
}

func checkpointList(ctx context.Context, in *invocation) error {
	s, err := in.settings()
	if err == nil {
		err = s.need("target")
	}
	if err != nil {
		return err
	}
	list, err := s.list(ctx, in)
	if err != nil {
		return err
	}
	views := []*checkpointView{}
	rows := [][]string{{"pipeline", "batch", "recorded", "position"}}
	for i := range list {
		v := viewOf(&list[i])
		views = append(views, v)
		rows = append(rows, []string{clean(v.Pipeline), strconv.FormatUint(v.Sequence, 10), v.Recorded.Format(time.RFC3339), clean(v.Position)})
	}
	in.result = views
	switch {
	case in.json:
		return nil
	case len(views) == 0:
		return writeAll(in.stdout, "no checkpoints\n")
	default:
		return writeAll(in.stdout, grid(rows, 1))
	}
}

// list returns the target's checkpoints and, where the target keeps none, the
// state directory's.
func (s *settings) list(ctx context.Context, in *invocation) ([]rowferry.Checkpoint, error) {
	keeper, err := s.openKeeper(ctx, in, true)
	if err != nil {
		return nil, err
	}
	if keeper != nil {
		list, err := keeper.ListCheckpoints(ctx)
		return list, errors.Join(err, keeper.Close())
	}
	seen, err := s.peek(ctx)
	if err != nil || seen.checkpoint == nil {
		return nil, err
	}
	return []rowferry.Checkpoint{*seen.checkpoint}, nil
}

type shownCheckpoint struct {
	Target *checkpointView `json:"target"`
	State  *checkpointView `json:"state"`
	Holder string          `json:"state_holder"`
}

func checkpointShow(ctx context.Context, in *invocation) error {
	s, err := in.settings()
	if err == nil {
		err = s.need("target")
	}
	if err != nil {
		return err
	}
	sv, err := look(ctx, in, s)
	if err != nil {
		return err
	}
	if sv.decides == nil {
		return noCheckpoint(s)
	}
	in.result = shownCheckpoint{viewOf(sv.row), viewOf(sv.peeked.checkpoint), sv.peeked.holder}
	if in.json {
		return nil
	}
	text := ""
	for _, side := range []struct {
		name string
		cp   *rowferry.Checkpoint
	}{{"target", sv.row}, {"state", sv.peeked.checkpoint}} {
		if side.cp == nil {
			continue
		}
		v := viewOf(side.cp)
		text += in.outInk().bold(side.name) + "\n" + pairs(slices.Concat(v.lines(in.clock.Now()), v.copying(), v.details())) + "\n"
	}
	return writeAll(in.stdout, text+sv.agreement()+"\n")
}

// details are what only show prints.
func (v *checkpointView) details() [][2]string {
	return [][2]string{
		{"lineage", v.Lineage}, {"rules", v.Config}, {"state id", v.StateID},
		{"shapes", strconv.Itoa(v.Shapes)}, {"format", fmt.Sprint(v.Format)},
	}
}

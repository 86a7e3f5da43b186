package cli

import (
	"context"
	"errors"

	"github.com/rowferry/rowferry"
)

func pauseCommand() *command {
	return &command{
		name:    "pause",
		summary: "have a running engine write nothing more",
		about: "What was begun is finished: the batch in hand, the chunks of a copy that are being loaded, a key that is being made. Then nothing is written to the target until `rowferry resume`, and its checkpoint says what it has. The source is read on until the engine's buffers are full, and keeps the rest of its log meanwhile, a PostgreSQL slot whatever that takes.\n\n" +
			"Returns at once; `rowferry status` says whether anything is still being written (`writing` with -o json). A pause ends with the engine: one that is started again is not paused. An engine that is paused already stays so.",
		example: "rowferry pause -c shop.yaml",
		options: []*option{targetOption, stateOption, nameOption},
		run: func(ctx context.Context, in *invocation) error {
			return in.control(ctx, "pause", nil, "paused", "it was paused already")
		},
	}
}

func resumeCommand() *command {
	return &command{
		name:    "resume",
		summary: "have an engine that is paused go on",
		about:   "It goes on where it is, with what it has read. An engine that is not paused is left as it is.",
		example: "rowferry resume -c shop.yaml",
		options: []*option{targetOption, stateOption, nameOption},
		run: func(ctx context.Context, in *invocation) error {
			return in.control(ctx, "resume", nil, "resumed", "it was not paused")
		},
	}
}

// control sends a command to the engine that runs the pipeline, and says what came
// of it.
func (in *invocation) control(ctx context.Context, command string, values map[string]string, done, already string) error {
	s, err := in.settings()
	if err != nil {
		return err
	}
	var r controlResult
	err = askEngine(ctx, s.state, command, controlArgs{s.name, values}, &r)
	if errors.Is(err, errNoEngine) {
		return noEngine(ctx, s)
	}
	if err != nil {
		return err
	}
	if in.json {
		in.result = &r
		return nil
	}
	if !r.Changed {
		done = already
	}
	lines := append([][2]string{{"pipeline", r.Pipeline}}, r.Throttle.lines()...)
	lines = append(lines, r.Throttle.limits()...)
	return writeAll(in.stdout, in.outInk().good("✓")+" "+done+"\n"+pairs(lines))
}

// noEngine says that nobody can be told.
func noEngine(ctx context.Context, s *settings) error {
	e := rowferry.Errorf(rowferry.CodeNoEngine, "no engine that runs pipeline %q answers", s.name).Fact("state", "%s", s.state)
	p, err := s.peek(ctx)
	switch {
	case err != nil:
		return errors.Join(e, err)
	case p.holder != "":
		e.Fact("held by", "%s, which is starting or ending", p.holder)
	case p.other != "":
		e.Fact("belongs to", "pipeline %s", p.other)
	}
	return e
}

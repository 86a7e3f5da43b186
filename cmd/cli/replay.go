package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/rowferry/rowferry"
)

func replayCommand() *command {
	return &command{
		name:    "replay",
		summary: "apply binlog files to a target, then exit",
		about: "Applies every change in the files' log order to the target, one target transaction per group of source transactions, and records the position in the same transaction. The same command again goes on where the last one stopped: nothing is lost and nothing is applied twice.\n\n" +
			"Without a configuration file, flags are enough. Missing target tables are made. The pipeline's own state lives in the state directory; the target alone decides how far it is.",
		example: "rowferry replay --files '/backup/mysql-bin.*' --target sqlite:shop.db",
		options: []*option{
			filesOption, targetOption, stateOption, nameOption, fromOption, untilOption,
			schemaOption, tablesOption, triggersOption, memoryOption,
		},
		run: replay,
	}
}

func replay(ctx context.Context, in *invocation) error {
	s, err := in.settings()
	if err == nil {
		err = s.need("files", "target")
	}
	if err != nil {
		return err
	}
	in.stdoutTaken = s.toStdout()
	w, err := openWiring(ctx, in, s)
	if err != nil {
		return err
	}
	sum, err := replayWith(ctx, in, w)
	if err := errors.Join(err, w.close()); err != nil {
		return errors.Join(in.report(sum), err)
	}
	return in.report(sum)
}

// replayWith runs the engine to the end of the log. The summary is nil where
// nothing ran.
func replayWith(ctx context.Context, in *invocation, w *wiring) (*summary, error) {
	lift := w.budget.apply(&w.options)
	defer lift()
	engine, err := rowferry.Open(ctx, w.parts, w.options)
	if err != nil {
		return nil, err
	}
	if !in.quiet {
		resumed := engine.Resume()
		fmt.Fprintf(in.screen, "%s %-9s %s\n", in.errInk().good("✓"), "resume", clean(describeResume(resumed)))
	}
	begun := in.clock.Now()
	stop := in.follow(ctx, engine.Progress)
	err = engine.Run(ctx)
	stop()
	sum := summarise(w, engine, in.clock.Now().Sub(begun), err)
	return sum, errors.Join(err, engine.Close())
}

func describeResume(r rowferry.Resume) string {
	if r.Detail != "" {
		return r.Detail
	}
	return strings.TrimSpace(fmt.Sprintf("%s at %s", r.Kind, r.From))
}

// report prints the summary, or keeps it for the envelope.
func (in *invocation) report(s *summary) error {
	if s == nil {
		return nil
	}
	if in.json {
		in.result = s
		return nil
	}
	if _, err := io.WriteString(in.results(), s.text(in.outInk())); err != nil {
		return fmt.Errorf("write the summary: %w", err)
	}
	return nil
}

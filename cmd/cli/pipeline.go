package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/rowferry/rowferry"
)

// mode is how a command runs a pipeline.
type mode struct {
	command  string
	follows  bool // the run has no end of its own: an interruption is one
	patience time.Duration
}

// modeOf says how the settings are run by the command of that name, which
// waits for servers for so long unless it was said otherwise.
func (s *settings) modeOf(command string, patience time.Duration) mode {
	m := mode{command: command, patience: patience}
	m.follows = s.source.given() && !s.once && s.until == "" && s.part == nil
	switch {
	case s.patience == forever:
		m.patience = math.MaxInt64
	case s.patience != "":
		m.patience, _ = time.ParseDuration(s.patience) // checked with the settings
	}
	return m
}

// carry runs a pipeline from its settings to its end, and reports.
func carry(ctx context.Context, in *invocation, s *settings, m mode) error {
	in.stdoutTaken = s.toStdout()
	w := newWiring(in, s, m)
	err := w.open(ctx)
	var sum *summary
	if err == nil {
		sum, err = w.run(ctx)
	}
	err = m.ended(ctx, errors.Join(err, w.close()))
	return errors.Join(in.report(sum), err)
}

// ended says what an interruption means: the end of a run that follows, and
// something left undone for any other.
func (m mode) ended(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	for _, p := range problems(err) {
		if rowferry.CodeOf(p) != rowferry.CodeInterrupted && !errors.Is(p, context.Canceled) {
			return err
		}
	}
	switch {
	case m.follows:
		return nil
	case rowferry.CodeOf(err) == rowferry.CodeInterrupted:
		return err
	default:
		return rowferry.Errorf(rowferry.CodeInterrupted, "interrupted before anything was done")
	}
}

// run runs the engine until its log ends or something ends it. The summary is
// nil where nothing ran.
func (w *wiring) run(ctx context.Context) (*summary, error) {
	in := w.in
	lift := w.budget.apply(&w.options)
	defer lift()
	var engine *rowferry.Engine
	err := w.patiently(ctx, func() (err error) {
		engine, err = rowferry.Open(ctx, w.parts, w.options)
		return err
	})
	if err != nil {
		return nil, err
	}
	in.say("resume", w.resumed(engine))
	begun := in.clock.Now()
	w.monitor.running(engine)
	stop := in.follow(ctx, w, engine.Progress)
	err = engine.Run(ctx)
	stop()
	w.monitor.ending()
	if err == nil {
		err = w.settings.rejected(engine.Checkpoint().Held.Notes.Rejected)
	}
	sum := summarise(w, engine, in.clock.Now().Sub(begun), w.mode.ended(ctx, err))
	return sum, errors.Join(err, engine.Close())
}

// say prints a line about a step that was taken.
func (in *invocation) say(step, text string) {
	if !in.quiet {
		fmt.Fprintf(in.screen, "%s %-9s %s\n", in.errInk().good("✓"), step, clean(text))
	}
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

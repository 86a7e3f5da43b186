package cli

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/rowferry/rowferry"
)

// How often progress is shown: redrawn on a terminal, a log record otherwise.
const (
	redrawEvery = 250 * time.Millisecond
	recordEvery = 30 * time.Second
)

// follow shows the progress of a running engine until the returned function
// is called. When ctx is cancelled it says what happens next.
func (p *program) follow(ctx context.Context, w *wiring, progress func() rowferry.Progress) (stop func()) {
	if p.quiet {
		return func() {}
	}
	every := recordEvery
	if p.errTerminal {
		every = redrawEvery
	}
	ticks, stopTicks := p.clock.Tick(every)
	m := newMeter(p.clock.Now(), progress(), w)
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { // the goroutine "progress"
		cancelled := ctx.Done()
		for {
			select {
			case <-done:
				return
			case <-cancelled:
				cancelled = nil
				fmt.Fprintln(p.screen, "stopping after the batch in hand; a second signal stops at once")
			case <-ticks:
				p.show(m.measure(p.clock.Now(), progress()))
			}
		}
	})
	return func() {
		close(done)
		wg.Wait()
		stopTicks()
		p.screen.draw()
	}
}

// show redraws the progress lines, or logs a record.
func (p *program) show(r reading) {
	if p.errTerminal {
		p.screen.draw(r.lines()...)
		return
	}
	if r.progress.Copy.Going() {
		p.log.LogAttrs(context.Background(), slog.LevelInfo, "copy", append(r.copied(), r.held()...)...)
		return
	}
	if r.follows {
		p.log.LogAttrs(context.Background(), slog.LevelInfo, "progress", slices.Concat(r.followed(), r.kept(), r.held())...)
		return
	}
	attrs := []slog.Attr{
		slog.Uint64("rows", r.progress.Rows),
		slog.Uint64("transactions", r.progress.Transactions),
		slog.Float64("rows_per_second", float64(r.progress.Rows)/max(r.took.Seconds(), 0.001)),
		slog.String("position", string(r.progress.Position)),
		slog.String("log", r.progress.Log),
	}
	if !r.progress.Commit.IsZero() {
		attrs = append(attrs, slog.Time("committed", r.progress.Commit.UTC()))
	}
	if r.share >= 0 {
		attrs = append(attrs, slog.Float64("share", r.share))
	}
	if r.left > 0 {
		attrs = append(attrs, slog.Float64("eta_seconds", r.left.Seconds()))
	}
	p.log.LogAttrs(context.Background(), slog.LevelInfo, "progress", slices.Concat(attrs, r.kept(), r.held())...)
}

// kept is how many rows wait for others, for the log.
func (r reading) kept() []slog.Attr {
	if !r.keyed {
		return nil
	}
	kept := r.progress.Checkpoint.Held.Notes
	return []slog.Attr{slog.Int64("waiting_rows", kept.Waiting), slog.Int64("rejected_rows", kept.Rejected)}
}

// waiting is how many rows wait for others, for a terminal.
func (r reading) waiting() string {
	if !r.keyed {
		return ""
	}
	kept := r.progress.Checkpoint.Held.Notes
	text := "  waiting " + brief(float64(kept.Waiting))
	if kept.Rejected > 0 {
		text += "  rejected " + brief(float64(kept.Rejected))
	}
	return text
}

// held is what holds the run back, for the log.
func (r reading) held() []slog.Attr {
	t := r.progress.Throttle
	if t.Held == "" {
		return nil
	}
	return []slog.Attr{slog.String("held_by", string(t.Held)), slog.String("why", whyHeld(t)), slog.Time("held_since", t.Since.UTC())}
}

// lines is the measurement for a terminal, and below it what holds the run back.
func (r reading) lines() []string {
	all := r.measured()
	if held := heldLine(r.now, r.progress.Throttle); held != "" {
		all = append(all, clean(held))
	}
	return all
}

// measured is the measurement for a terminal. The second line is there once
// something is applied.
func (r reading) measured() []string {
	if r.progress.Copy.Going() {
		return r.copying()
	}
	if r.follows {
		return r.following()
	}
	head := "replay    "
	if r.share >= 0 {
		head += fmt.Sprintf("%5.1f%%  ", 100*r.share)
	}
	head += fmt.Sprintf("%s rows  %s rows/s  %s tx/s", brief(float64(r.progress.Rows)), rate(r.progress.Rows, r.took), rate(r.progress.Transactions, r.took)) + r.waiting()
	if r.left > 0 {
		head += "  ETA " + shortly(r.left)
	}
	at := r.progress.Log
	if at == "" {
		at = string(r.progress.Position)
	}
	if at == "" {
		return []string{head}
	}
	second := "          at " + clean(at)
	if !r.progress.Commit.IsZero() {
		second += "  committed " + r.progress.Commit.UTC().Format(time.RFC3339)
	}
	return []string{head, second}
}

// following is the measurement of a run that follows, for a terminal.
func (r reading) following() []string {
	p := r.progress
	head := fmt.Sprintf("follow    lag %s  read %sB/s  apply %s rows/s  queue %.0f%%", r.lag(), brief(r.readBytes), brief(r.rows), 100*r.queue) + r.waiting()
	if p.Waiting != "" {
		head = "waiting   " + clean(p.Waiting)
	}
	at := cmp.Or(p.Checkpoint.Log, string(p.Checkpoint.Position))
	return []string{head, "          at " + clean(at) + "  checkpoint " + shortly(r.age) + " ago"}
}

// lag is how far the target is behind, for people.
func (r reading) lag() string {
	if r.progress.Commit.IsZero() && !r.progress.CaughtUp {
		return "unknown"
	}
	return shortly(r.progress.Lag)
}

// followed is the measurement of a run that follows, for the log.
func (r reading) followed() []slog.Attr {
	p := r.progress
	attrs := []slog.Attr{
		slog.Bool("caught_up", p.CaughtUp),
		slog.Float64("read_bytes_per_second", r.readBytes), slog.Float64("rows_per_second", r.rows),
		slog.Float64("queue_share", r.queue), slog.Uint64("rows", p.Rows), slog.Uint64("transactions", p.Transactions),
		slog.String("position", string(p.Checkpoint.Position)), slog.String("log", p.Checkpoint.Log),
		slog.Float64("checkpoint_age_seconds", r.age.Seconds()),
	}
	if !p.Commit.IsZero() || p.CaughtUp {
		attrs = append(attrs, slog.Float64("lag_seconds", p.Lag.Seconds()))
	}
	if p.Waiting != "" {
		attrs = append(attrs, slog.String("waiting", p.Waiting))
	}
	return attrs
}

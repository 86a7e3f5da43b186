package cli

import (
	"context"
	"fmt"
	"log/slog"
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
func (p *program) follow(ctx context.Context, progress func() rowferry.Progress) (stop func()) {
	if p.quiet {
		return func() {}
	}
	every := recordEvery
	if p.errTerminal {
		every = redrawEvery
	}
	ticks, stopTicks := p.clock.Tick(every)
	m := meter{begun: p.clock.Now(), first: progress()}
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

// meter turns snapshots of an engine's progress into rates.
type meter struct {
	begun time.Time
	first rowferry.Progress
}

// reading is one measurement.
type reading struct {
	progress rowferry.Progress
	took     time.Duration
	share    float64       // of the log read, 0 to 1; negative when unknown
	left     time.Duration // 0 when unknown
}

func (m meter) measure(now time.Time, p rowferry.Progress) reading {
	r := reading{progress: p, took: now.Sub(m.begun), share: -1}
	if p.TotalBytes > 0 {
		r.share = min(float64(p.ReadBytes)/float64(p.TotalBytes), 1)
	}
	read, left := p.ReadBytes-m.first.ReadBytes, p.TotalBytes-p.ReadBytes
	if r.share >= 0 && read > 0 && left > 0 {
		r.left = time.Duration(float64(r.took) * float64(left) / float64(read))
	}
	return r
}

// show redraws the progress lines, or logs a record.
func (p *program) show(r reading) {
	if p.errTerminal {
		p.screen.draw(r.lines()...)
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
	p.log.LogAttrs(context.Background(), slog.LevelInfo, "progress", attrs...)
}

// lines is the measurement for a terminal. The second line is there once
// something is applied.
func (r reading) lines() []string {
	head := "replay    "
	if r.share >= 0 {
		head += fmt.Sprintf("%5.1f%%  ", 100*r.share)
	}
	head += fmt.Sprintf("%s rows  %s rows/s  %s tx/s", brief(float64(r.progress.Rows)), rate(r.progress.Rows, r.took), rate(r.progress.Transactions, r.took))
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

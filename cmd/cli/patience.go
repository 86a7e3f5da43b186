package cli

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/rowferry/rowferry"
)

// The pauses between two tries to reach a server before the engine runs.
const (
	firstPause   = 250 * time.Millisecond
	longestPause = rowferry.DefaultLongestPause
)

// lingers is how long a source may take to notice that the connection of an
// engine that was killed is gone: until then its server id is in use.
const lingers = 10 * time.Second

// patiently calls fn again while its error is one that passes by itself, as
// long as the pipeline's patience allows. fn leaves nothing behind when it
// fails.
func (w *wiring) patiently(ctx context.Context, fn func() error) error {
	begun, pause := time.Now(), firstPause
	defer w.monitor.waits("")
	for {
		err := fn()
		if err == nil || time.Since(begun) >= w.waits(err) {
			return err
		}
		w.monitor.waits(err.Error())
		wait := pause/2 + rand.N(pause/2+1)
		w.in.log.Warn("waiting", "for", err, "again_in", wait.Round(time.Millisecond))
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			// What was waited for is told, but is not why this ends.
			return fmt.Errorf("%w while waiting for: %s", ctx.Err(), err.Error())
		}
		pause = min(2*pause, longestPause)
	}
}

// waits is how long what err tells of is waited for, at most.
func (w *wiring) waits(err error) time.Duration {
	switch code := rowferry.CodeOf(err); {
	case code.Transient():
		return w.mode.patience
	case code == rowferry.CodeServerIDTaken:
		return lingers
	default:
		return 0
	}
}

package rowferry

import (
	"cmp"
	"context"
	"sync"
	"time"
)

// gaugeEvery is how often a gauge is read, at most.
const gaugeEvery = time.Second

// LoadGauge is a Copy that sees how busy its server is.
type LoadGauge interface {
	Copy
	// Running returns how many sessions are at work on the server by its own count,
	// those that copy and the one that asks included. It asks on a connection of its
	// own. CodeSourceDenied where the account does not see them.
	Running(ctx context.Context) (int, error)
}

// LagGauge is a Sink that sees how far its server's replicas are behind it.
type LagGauge interface {
	Sink
	// Lag returns how long ago the server wrote what the replica that is furthest
	// behind has applied by now, 0 where there is none. It asks on a connection of
	// its own, and is safe for concurrent use. CodeTargetDenied where the account
	// does not see them.
	Lag(ctx context.Context) (time.Duration, error)
}

// gauges are what a Throttle can see, and what it saw last.
type gauges struct {
	source    LoadGauge // nil where none is to be read
	target    LagGauge
	running   int
	lag       time.Duration
	unseenSrc string // why it is not known
	unseenTgt string
}

// unseen is why what is to hold the pipeline back is not known.
func (g *gauges) unseen(l Limits) string {
	source, target := "", ""
	if l.SourceRunning > 0 {
		source = g.unseenSrc
	}
	if l.TargetLag > 0 {
		target = g.unseenTgt
	}
	return cmp.Or(target, source)
}

// running reads the source's gauge, if it is to hold the pipeline back.
func (t *Throttle) running(ctx context.Context, g LoadGauge, most int) error {
	if most <= 0 {
		return nil
	}
	if g == nil {
		return Errorf(CodeUsage, "source_max_running is looked at while a copy loads tables of a server, and none does").
			Remedy("leave it out", "source_max_running")
	}
	n, err := g.Running(ctx)
	t.saw(func(x *gauges) { x.running, x.unseenSrc = n, because(err) })
	return err
}

// lag reads the target's gauge, if it is to hold the pipeline back.
func (t *Throttle) lag(ctx context.Context, g LagGauge, most time.Duration) error {
	if most <= 0 {
		return nil
	}
	if g == nil {
		return Errorf(CodeUsage, "target_max_lag cannot be seen: this target does not tell how far its replicas are behind").
			Remedy("leave it out", "target_max_lag").Remedy("instead", "max_rows_per_second")
	}
	d, err := g.Lag(ctx)
	t.saw(func(x *gauges) { x.lag, x.unseenTgt = d, because(err) })
	return err
}

func because(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// saw notes what a gauge said. One that fails says nothing, and holds nothing back:
// who writes meets the same server.
func (t *Throttle) saw(note func(*gauges)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	note(&t.gauges)
	t.wake()
}

// seeTarget has the throttle look at the target. It fails where that is asked for
// and not possible.
func (e *Engine) seeTarget(ctx context.Context) error {
	t := e.throttle
	g, _ := e.parts.Sink.(LagGauge)
	t.saw(func(x *gauges) { x.target = g })
	return t.lag(ctx, g, t.State().Limits.TargetLag)
}

// seeSource is seeTarget for the source, while a copy loads its tables.
func (e *Engine) seeSource(ctx context.Context, c *copying) error {
	t := e.throttle
	g, _ := c.source.(LoadGauge)
	t.saw(func(x *gauges) { x.source = g })
	return t.running(ctx, g, t.State().Limits.SourceRunning)
}

// leaveSource takes back what seeSource did.
func (e *Engine) leaveSource() {
	e.throttle.saw(func(x *gauges) { x.source, x.running, x.unseenSrc = nil, 0, "" })
}

// watch reads the gauges once a second until the returned function is called, which
// waits for that to end. A gauge that does not answer is warned of once.
func (e *Engine) watch(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { // the goroutine "gauge"
		ticker := time.NewTicker(gaugeEvery)
		defer ticker.Stop()
		warned := ""
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			now := e.throttle.read(ctx)
			if now != "" && warned == "" && ctx.Err() == nil {
				e.opts.Log.Warn("what is to hold the pipeline back cannot be seen now, and does not", "because", now)
			}
			warned = now
		}
	})
	return func() {
		cancel()
		wg.Wait()
	}
}

// read reads the gauges, and returns why one does not answer.
func (t *Throttle) read(ctx context.Context) string {
	t.mu.Lock()
	l, g := t.limits, t.gauges
	t.mu.Unlock()
	var source, target error
	if g.target != nil {
		target = t.lag(ctx, g.target, l.TargetLag)
	}
	if g.source != nil {
		source = t.running(ctx, g.source, l.SourceRunning)
	}
	return cmp.Or(because(target), because(source))
}

package rowferry

import (
	"context"
	"time"
)

// syncEvery is the least time between two requests to make durable what a
// target has committed, which cost it a write to its disk each.
const syncEvery = time.Second

// acks tells a source that keeps its log for us what is durable in the target.
// Its zero value tells nobody. It never holds up a batch: only the newest
// position counts.
type acks struct {
	source Acker         // nil where the source is not to be told
	sink   Syncer        // nil where all that is committed is durable
	latest chan Position // of one: committed, and not told yet
	ending chan struct{} // closed when no more is to come
}

func newAcks(r Reader, s Sink) *acks {
	a := &acks{latest: make(chan Position, 1), ending: make(chan struct{})}
	a.source, _ = r.(Acker)
	a.sink, _ = s.(Syncer)
	return a
}

// committed is called by one goroutine, with positions in the log's order.
func (a *acks) committed(p Position) {
	if a.source == nil {
		return
	}
	select {
	case <-a.latest:
	default:
	}
	a.latest <- p // does not wait: nobody else puts anything there
}

// end has run tell what is left, and return.
func (a *acks) end() {
	close(a.ending)
	close(a.latest)
}

// run is the goroutine "ack".
func (a *acks) run(ctx context.Context) {
	for p := range a.latest {
		if a.sink == nil {
			a.source.Ack(p)
			continue
		}
		// A target that cannot be asked is met by the next batch too, which
		// says so. Until then the source keeps what it has.
		if err := a.sink.Sync(ctx); err == nil {
			a.source.Ack(p)
		}
		select {
		case <-time.After(syncEvery):
		case <-a.ending:
		}
	}
}

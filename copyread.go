package rowferry

import (
	"context"
	"errors"
	"io"
	"time"
)

// caughtUpEvery is how often a source is asked whether it has nothing more to tell,
// and idleFor how long it must have had nothing for the mark to be read again.
const (
	caughtUpEvery = 100 * time.Millisecond
	idleFor       = 2 * time.Second
)

// mergeReader is a Reader that ends where merging does: behind the mark, or where
// the source has nothing more to tell. Its goroutines end when end is called.
type mergeReader struct {
	Reader
	copying *copying
	ctx     context.Context // of Next; its cause is io.EOF where the source was caught up
	end     context.CancelCauseFunc
	passed  bool
}

// ending returns what reads for the copy that is made, where one is, and what ends it.
func (e *Engine) ending(ctx context.Context) (Reader, context.CancelCauseFunc) {
	switch phase := e.at.Held.Copy.Phase; {
	case e.copying != nil:
		m := newMergeReader(ctx, e.reader, e.copying)
		return m, m.end
	case e.recopy != nil && phase == Remerging:
		m := newMergeReader(ctx, e.reader, e.recopy)
		return m, m.end
	case e.recopy != nil && phase == Reloading:
		m, loaded := newMergeReader(ctx, e.reader, nil), e.recopy.loaded
		go func() { // ends with the reader, or loading
			select {
			case <-loaded:
				m.end(io.EOF)
			case <-m.ctx.Done():
			}
		}()
		return m, m.end
	default:
		return e.reader, func(error) {}
	}
}

// newMergeReader returns one whose Next ends with ctx, or with end. Where c is nil there
// is no mark.
func newMergeReader(ctx context.Context, r Reader, c *copying) *mergeReader {
	m := &mergeReader{Reader: r, copying: c}
	m.ctx, m.end = context.WithCancelCause(ctx)
	if f, ok := r.(Follower); ok && c != nil {
		go m.watch(f)
	}
	return m
}

// watch is a goroutine that ends with m.ctx.
func (m *mergeReader) watch(f Follower) {
	ticker := time.NewTicker(caughtUpEvery)
	defer ticker.Stop()
	idle := time.Duration(0)
	for idle < idleFor {
		select {
		case <-m.ctx.Done():
			return
		case <-ticker.C:
			idle += caughtUpEvery
			if f.CaughtUp().IsZero() {
				idle = 0
			}
		}
	}
	m.end(io.EOF)
}

// Next implements Reader.
func (m *mergeReader) Next(context.Context) (*Tx, error) {
	if m.passed {
		return nil, io.EOF
	}
	tx, err := m.Reader.Next(m.ctx)
	switch {
	case err != nil && errors.Is(context.Cause(m.ctx), io.EOF):
		return nil, io.EOF
	case err != nil:
		return nil, err
	case tx.Last && m.copying != nil:
		m.passed, err = m.copying.copier.Passed(tx.Position, tx.Log, m.copying.until())
	}
	return tx, err
}

package rowferry

import (
	"context"
	"errors"
)

// work loads chunks on one connection until none is left, or until it is held back
// for so long that a server might end a connection on which nothing happens.
func (l *loading) work(ctx context.Context, load Load) error {
	reader, err := l.copy.source.Open(ctx)
	if err != nil {
		return err
	}
	for more := true; more && err == nil; {
		more, err = l.engine.throttle.begin(ctx, true, l.engine.opts.LongestPause)
		if err != nil {
			break
		}
		if !more {
			l.hold()
			break
		}
		more, err = l.one(ctx, reader, load)
		l.engine.throttle.done()
	}
	return errors.Join(err, reader.Close())
}

func (l *loading) hold() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = true
}

// one loads a chunk, and reports false where none is left.
func (l *loading) one(ctx context.Context, reader ChunkReader, load Load) (bool, error) {
	c, err := l.claim(ctx, reader, load)
	if err != nil || c == nil {
		return false, err
	}
	return true, l.chunk(ctx, reader, load, c)
}

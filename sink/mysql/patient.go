package mysql

import (
	"context"
	"fmt"
	"time"

	"github.com/rowferry/rowferry/internal/mysqlwire"
)

// longestAlter is how long a statement may take that reads whole tables. The watch
// ends it sooner where the server is no longer at it.
const longestAlter = 30 * 24 * time.Hour

// patiently runs a statement that may take very long on a connection of its own,
// and asks on another, now and then, whether the server is still at it. Where it
// is not, or does not answer in time, that is the error.
func (s *Sink) patiently(ctx context.Context, watch *session, sql string) error {
	return s.lookingPatiently(ctx, watch, func(ctx context.Context, se *session) error { return se.exec(ctx, sql) })
}

// lookingPatiently is patiently for what do asks.
func (s *Sink) lookingPatiently(ctx context.Context, watch *session, do func(context.Context, *session) error) error {
	se, id, err := s.patient(ctx)
	if err != nil {
		return err
	}
	defer se.close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() { // "watch"
		defer close(ended)
		if err := watch.over(ctx, id, done); err != nil {
			cancel(err)
		}
	}()
	err = do(ctx, se)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	close(done)
	<-ended
	return err
}

// patient returns a session that waits for answers as long as it takes, once it
// is set up, and its number.
func (s *Sink) patient(ctx context.Context) (*session, string, error) {
	soon, cancel := context.WithTimeout(ctx, s.dialer.wait)
	defer cancel()
	d := *s.dialer
	d.endpoint.Timeout = longestAlter
	se, err := d.session(soon)
	var id []string
	if err == nil {
		err = strictTables(soon, se)
		if err == nil {
			id, err = se.strings(soon, "SELECT CONNECTION_ID()")
		}
		if err != nil {
			se.close()
		}
	}
	switch {
	case err != nil && soon.Err() != nil && ctx.Err() == nil:
		return nil, "", fmt.Errorf("%w: no answer within %s", mysqlwire.ErrBroken, s.dialer.wait)
	case err != nil:
		return nil, "", err
	default:
		return se, id[0], nil
	}
}

// over sees to it that the server has a session of that number until done is
// closed or ctx ends.
func (s *session) over(ctx context.Context, id string, done <-chan struct{}) error {
	every := time.NewTicker(max(s.wait/4, time.Millisecond))
	defer every.Stop()
	for {
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return nil
		case <-every.C:
		}
		found, err := s.strings(context.WithoutCancel(ctx), "SELECT ID FROM information_schema.PROCESSLIST WHERE ID = "+id)
		if err == nil && len(found) == 0 {
			err = fmt.Errorf("%w: the server has no session %s any more", mysqlwire.ErrBroken, id)
		}
		if err != nil {
			return err
		}
	}
}

package postgres

import (
	"context"

	"github.com/rowferry/rowferry"
)

// begin starts a transaction. Whether it may write is the server's to say.
func (s *Sink) begin(ctx context.Context) error {
	if s.options.ReadOnly {
		return rowferry.Errorf(rowferry.CodeInternal, "the PostgreSQL target was opened for reading only")
	}
	return s.start(ctx, "BEGIN ISOLATION LEVEL READ COMMITTED")
}

// beginLook starts a transaction that only reads.
func (s *Sink) beginLook(ctx context.Context) error {
	return s.start(ctx, "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY")
}

func (s *Sink) start(ctx context.Context, sql string) error {
	if s.untidy {
		if _, err := s.exec(ctx, "DEALLOCATE ALL"); err != nil {
			return err
		}
		s.untidy = false
	}
	if _, err := s.exec(ctx, sql); err != nil {
		return err
	}
	s.inside = true
	return nil
}

// within runs fn in a transaction of its own.
func (s *Sink) within(ctx context.Context, fn func() error) error { return s.between(ctx, s.begin, fn) }

// looking runs fn in a transaction of its own that only reads.
func (s *Sink) looking(ctx context.Context, fn func() error) error {
	return s.between(ctx, s.beginLook, fn)
}

// between runs fn between begin and a commit, or a rollback where it fails.
func (s *Sink) between(ctx context.Context, begin func(context.Context) error, fn func() error) error {
	if err := s.idle(ctx); err != nil {
		return err
	}
	if err := begin(ctx); err != nil {
		return err
	}
	err := fn()
	if err == nil {
		err = s.commit(ctx)
	}
	if err != nil {
		s.rollback()
	}
	return err
}

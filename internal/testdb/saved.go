package testdb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Save stops the server in order and keeps a copy of its data directory, which
// takes the place of an earlier one. Reset starts it again.
func (s *Server) Save(ctx context.Context) error {
	if err := s.Stop(); err != nil {
		return err
	}
	return s.keep(ctx)
}

// SaveCrashed is Save of a server that is ended as by a crash: a copy like a
// snapshot of its disk, with which it starts by recovering from its log.
func (s *Server) SaveCrashed(ctx context.Context) error {
	if err := s.Kill(); err != nil {
		return err
	}
	return s.keep(ctx)
}

func (s *Server) keep(ctx context.Context) error {
	if err := copyDir(ctx, s.data(), s.saved()); err != nil {
		return fmt.Errorf("testdb: %s: save: %w", s.Kind, err)
	}
	return nil
}

// Reset starts the server as it was at the last Save or SaveCrashed, on the same port and with
// a new pool, whether it runs or not; what it has done since is lost. Its own
// log, if it has one, stays as it is.
func (s *Server) Reset(ctx context.Context) error {
	if _, err := os.Stat(s.saved()); err != nil {
		return fmt.Errorf("testdb: %s: reset: %w", s.Kind, err)
	}
	if err := s.Kill(); err != nil {
		return fmt.Errorf("testdb: %s: reset: %w", s.Kind, err)
	}
	releaseSharedMemory(s.data())
	if err := copyDir(ctx, s.saved(), s.data()); err != nil {
		return fmt.Errorf("testdb: %s: reset: %w", s.Kind, err)
	}
	return s.Restart(ctx)
}

// saved is where Save keeps the data directory's copy.
func (s *Server) saved() string { return filepath.Join(s.dir, "saved") }

// copyDir makes to a copy of from, in place of what was there.
func copyDir(ctx context.Context, from, to string) error {
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	if out, err := exec.CommandContext(ctx, "cp", "-a", "--reflink=auto", from, to).CombinedOutput(); err != nil {
		return errors.Join(fmt.Errorf("copy %s: %w\n%s", from, err, out), os.RemoveAll(to))
	}
	return nil
}

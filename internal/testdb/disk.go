package testdb

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// SmallDisk puts the data directory, not the binlog, on a file system of its own
// in memory, of so many bytes, that FillDisk can fill.
func SmallDisk(bytes int64) Option {
	return func(c *config) {
		c.private = true
		c.disk = bytes
	}
}

// filler is the file that takes a small disk's room.
const filler = "rowferry-filler"

// mountDisk makes the data directory a file system.
func (s *Server) mountDisk() error {
	if err := os.Mkdir(s.data(), 0o700); err != nil {
		return err
	}
	options := fmt.Sprintf("size=%d,mode=0700", s.config.disk)
	if s.config.flavor == Postgres {
		options += fmt.Sprintf(",uid=%d,gid=%d", nobody, nobody)
	}
	if err := syscall.Mount("tmpfs", s.data(), "tmpfs", 0, options); err != nil {
		return fmt.Errorf("mount %s: %w", s.data(), err)
	}
	return nil
}

// FillDisk leaves no room on a SmallDisk.
func (s *Server) FillDisk() (err error) {
	if s.config.disk == 0 {
		return errors.New("testdb: the server has no small disk")
	}
	f, err := os.OpenFile(filepath.Join(s.data(), filler), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("testdb: fill the disk: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	block := make([]byte, 1<<20)
	for size := len(block); size > 0; size /= 2 {
		for err = nil; err == nil; {
			_, err = f.Write(block[:size])
		}
		if !errors.Is(err, syscall.ENOSPC) {
			return fmt.Errorf("testdb: fill the disk: %w", err)
		}
	}
	return nil
}

// FreeDisk undoes FillDisk.
func (s *Server) FreeDisk() error {
	if err := os.Remove(filepath.Join(s.data(), filler)); err != nil {
		return fmt.Errorf("testdb: free the disk: %w", err)
	}
	return nil
}

// unmount takes a small disk away, if data is one. A process that still holds a
// file of it keeps that file only.
func unmount(data string) {
	_ = syscall.Unmount(data, syscall.MNT_DETACH) // of another directory it is refused
}

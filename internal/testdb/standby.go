package testdb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
)

// Standby returns a hot standby of a running PostgreSQL server, which follows it
// by a slot of that name. It has its options and further ones, and is private.
// From version 17 on it keeps up with the slots that are made for failover.
func (s *Server) Standby(ctx context.Context, slot string, opts ...Option) (*Server, error) {
	all := append([]Option{func(c *config) { c.args = append(c.args, s.config.args...) }, Arg("hot_standby_feedback=on")}, opts...)
	if s.Kind == PostgresNew {
		all = append(all, Arg("sync_replication_slots=on"))
	}
	c := newConfig(s.Kind, all)
	dir, err := os.MkdirTemp(s.home.tmp(), dirPrefix+strconv.Itoa(os.Getpid())+"-")
	if err != nil {
		return nil, fmt.Errorf("testdb: %w", err)
	}
	b := &Server{Kind: s.Kind, home: s.home, config: c, dir: dir}
	template := dir + ".base"
	defer os.RemoveAll(template)
	err = s.backUp(ctx, template, slot)
	if err == nil {
		err = b.prepare(ctx, template)
	}
	if err == nil {
		err = b.startAnywhere(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("testdb: standby: %w", err), b.remove())
	}
	return b, nil
}

// backUp copies the running server's data directory, for a standby that connects
// to it with the slot.
func (s *Server) backUp(ctx context.Context, to, slot string) error {
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	if err := os.Chown(to, nobody, nobody); err != nil {
		return err
	}
	from := fmt.Sprintf("host=127.0.0.1 port=%d user=postgres dbname=postgres", s.Port)
	cmd := s.home.command(ctx, "pg_basebackup", "--pgdata="+s.home.inside(to), "--dbname="+from, "--checkpoint=fast", "--no-sync",
		"--wal-method=stream", "--write-recovery-conf", "--create-slot", "--slot="+slot)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("pg_basebackup: %w\n%s", err, out)
	}
	return nil
}

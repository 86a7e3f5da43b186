package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"

	"github.com/rowferry/rowferry/internal/testdb"
)

// copyStage is a source whose tables are there, and empty targets.
type copyStage struct {
	goals map[testdb.Kind]goal
	bytes int64 // of the source's tables with their indexes, as the source says
	rows  int64
}

// passage is one copy by somebody.
type passage struct {
	took           time.Duration // of the program, from its start to its end
	cpu            time.Duration // of it and its children
	source, target time.Duration // processor time of the servers
	peak           int64         // bytes of anonymous memory of the program
}

// prepareCopy has the source keep no log of how its tables came to be, and
// starts the targets.
func (s *stage) prepareCopy(ctx context.Context, targets map[testdb.Kind]bool) (err error) {
	c := &copyStage{goals: map[testdb.Kind]goal{}}
	s.copies = c
	if err := s.forgetLog(ctx); err != nil {
		return err
	}
	if err := c.measure(ctx, s.log); err != nil {
		return err
	}
	s.b.say("  %d rows, %.0f MB", c.rows, float64(c.bytes)/1e6)
	for k := range targets {
		g, err := newGoal(ctx, k, s.b)
		if err != nil {
			return err
		}
		c.goals[k] = g
		if err := g.save(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (c *copyStage) close() error {
	if c == nil {
		return nil
	}
	var errs []error
	for _, g := range c.goals {
		errs = append(errs, g.close())
	}
	return errors.Join(errs...)
}

// stop ends the targets.
func (c *copyStage) stop() error {
	if c == nil {
		return nil
	}
	var errs []error
	for _, g := range c.goals {
		errs = append(errs, g.stop())
	}
	return errors.Join(errs...)
}

// forgetLog takes away what the filling of the tables has left, and what a copy
// has: publication and slot.
func (s *stage) forgetLog(ctx context.Context) error {
	if s.log.server.Kind.Flavor() == testdb.Postgres {
		return s.log.server.Exec(ctx, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots",
			"DO $$ DECLARE p record; BEGIN FOR p IN SELECT pubname FROM pg_publication LOOP EXECUTE 'DROP PUBLICATION ' || quote_ident(p.pubname); END LOOP; END $$",
			"CHECKPOINT")
	}
	return s.log.server.Exec(ctx, "FLUSH BINARY LOGS", "PURGE BINARY LOGS BEFORE NOW() + INTERVAL 1 DAY",
		"ANALYZE TABLE "+database+".events") // so that what it says of sizes is so
}

// measure asks how large the source's tables are.
func (c *copyStage) measure(ctx context.Context, l *sourceLog) error {
	sizes := "SELECT SUM(data_length + index_length) FROM information_schema.tables WHERE table_schema = '" + database + "'"
	if l.server.Kind.Flavor() == testdb.Postgres {
		sizes = "SELECT SUM(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r' AND relnamespace = '" + database + "'::regnamespace"
	}
	if err := l.db.QueryRowContext(ctx, sizes).Scan(&c.bytes); err != nil {
		return err
	}
	for _, t := range copyTables() {
		var n int64
		if err := l.db.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+t.name).Scan(&n); err != nil {
			return err
		}
		c.rows += n
	}
	return nil
}

// wipe empties a target and starts it.
func (s *stage) wipe(ctx context.Context, g goal, d durability) error {
	if err := errors.Join(g.reset(ctx, d), s.forgetLog(ctx)); err != nil {
		return err
	}
	syscall.Sync() // what was written before is not to slow anybody down
	return nil
}

// carry runs a program that copies, and returns what it said on standard output.
func (s *stage) carry(cmd *exec.Cmd, g goal) (*passage, []byte, error) {
	var out, logged bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &logged
	waiting, stop := context.WithCancel(context.Background())
	defer stop()
	source, target := s.log.server.Processor(), g.host().Processor()
	begun := time.Now()
	ended, err := startChild(cmd, func() {})
	if err != nil {
		return nil, nil, err
	}
	peak := watchMemory(waiting, cmd.Process.Pid)
	err = <-ended
	p := &passage{took: time.Since(begun)}
	stop()
	p.peak, p.cpu = <-peak, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime()
	p.source, p.target = s.log.server.Processor()-source, g.host().Processor()-target
	if err != nil {
		return nil, nil, fmt.Errorf("%w\n%s%s", err, tail(out.String()), tail(logged.String()))
	}
	return p, out.Bytes(), nil
}

// rivalPassage is a copy by the rival into an empty target.
func (s *stage) rivalPassage(ctx context.Context, r *rival, g goal, d durability, jobs int) (*passage, error) {
	if err := s.wipe(ctx, g, d); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(s.b.dir, "rival-")
	if err != nil {
		return nil, err
	}
	cmd, err := r.command(ctx, s.log.server, g.host(), jobs, dir)
	if err != nil {
		return nil, err
	}
	p, out, err := s.carry(cmd, g)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.name, err)
	}
	s.b.say("  %s: %v, %.1f MB/s", r.by(jobs), p.took.Round(time.Millisecond), s.copies.pace(p))
	if err := errors.Join(s.sameSums(ctx, g.host()), s.sameKeys(ctx, g), os.RemoveAll(dir)); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", r.name, err, tail(string(out)))
	}
	return p, nil
}

// ferryPassage is Rowferry's copy into an empty target.
func (s *stage) ferryPassage(ctx context.Context, g goal, d durability) (*passage, error) {
	if err := s.wipe(ctx, g, d); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(s.b.dir, "state-")
	if err != nil {
		return nil, err
	}
	f := &ferry{bin: s.b.bin, goal: g, dir: dir, source: []string{"--source", copySource(s.log.server)}}
	p, _, err := s.carry(f.command(ctx, 0, "--once"), g)
	if err != nil {
		return nil, fmt.Errorf("rowferry: %w", err)
	}
	s.b.say("  rowferry: %v, %.1f MB/s, %d MiB", p.took.Round(time.Millisecond), s.copies.pace(p), p.peak>>20)
	return p, errors.Join(s.b.judge.equal(ctx, s.log, g.judge(), g.dialect()), os.RemoveAll(dir))
}

// copySource is Rowferry's name for a source.
func copySource(s *testdb.Server) string {
	if s.Kind.Flavor() == testdb.Postgres {
		return s.URL(postgresDatabase)
	}
	return fmt.Sprintf("%s://root@127.0.0.1:%d/%s", s.Kind.Flavor(), s.Port, database)
}

// pace is in MB a second.
func (c *copyStage) pace(p *passage) float64 { return float64(c.bytes) / 1e6 / p.took.Seconds() }

// sums are, by table, the number of rows, the sum of a number and that of a
// text's digests.
func sums(ctx context.Context, s *testdb.Server) (all []string, err error) {
	digest := "CAST(CONV(SUBSTR(MD5(%s), 1, 8), 16, 10) AS UNSIGNED)"
	if s.Kind.Flavor() == testdb.Postgres {
		digest = "('x' || substr(md5(%s), 1, 8))::bit(32)::bigint"
	}
	for _, t := range copyTables() {
		query := fmt.Sprintf("SELECT CONCAT_WS(' ', '%s', COUNT(*), SUM(%s), SUM(%s)) FROM %s.%s", t.name, t.number, fmt.Sprintf(digest, t.text), database, t.name)
		var line string
		if err := s.DB().QueryRowContext(ctx, query).Scan(&line); err != nil {
			return nil, err
		}
		all = append(all, line)
	}
	return all, nil
}

// sameSums reports an error unless a target has as many rows as the source, with
// the same sums.
func (s *stage) sameSums(ctx context.Context, target *testdb.Server) error {
	want, err := sums(ctx, s.log.server)
	if err != nil {
		return err
	}
	got, err := sums(ctx, target)
	if err != nil {
		return err
	}
	if !slices.Equal(want, got) {
		return fmt.Errorf("the source has %q, the target %q", want, got)
	}
	return nil
}

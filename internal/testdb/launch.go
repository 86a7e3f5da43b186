package testdb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	startPatience = 90 * time.Second      // until a server answers
	pollEvery     = 20 * time.Millisecond // between questions whether it does
	startTries    = 3                     // another program may take the free port
	dirPrefix     = "rowferry-testdb-"    // of everything temporary; the process id follows
	binlogBase    = "mysql-bin"
	memoryDir     = "/dev/shm"
	memoryRoom    = 8 << 30 // that a directory in memory must have to be used
)

// Launch starts a private server. It answers when Launch returns; Close it when
// done. It dies with this process in any case.
func Launch(ctx context.Context, k Kind, opts ...Option) (*Server, error) {
	h, err := findHome(k)
	if err != nil {
		return nil, fmt.Errorf("testdb: %w", err)
	}
	s, err := launch(ctx, h, newConfig(k, opts))
	if err != nil {
		return nil, fmt.Errorf("testdb: %w", err)
	}
	return s, nil
}

func launch(ctx context.Context, h *home, c *config) (*Server, error) {
	template, err := h.template(ctx)
	if err != nil {
		return nil, err
	}
	sweep(h.tmp())
	dir, err := os.MkdirTemp(h.tmp(), dirPrefix+strconv.Itoa(os.Getpid())+"-")
	if err != nil {
		return nil, err
	}
	s := &Server{Kind: h.kind, home: h, config: c, dir: dir}
	if err = s.prepare(ctx, template); err == nil {
		err = s.startAnywhere(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.remove())
	}
	return s, nil
}

// prepare copies the template into the server's directory.
func (s *Server) prepare(ctx context.Context, template string) error {
	for _, d := range []string{"binlog", "tmp"} {
		if err := os.Mkdir(filepath.Join(s.dir, d), 0o700); err != nil {
			return err
		}
	}
	s.tmp = filepath.Join(s.dir, "tmp")
	if s.home.root == "" && s.config.flavor != Postgres && roomy(memoryDir) {
		sweep(memoryDir)
		tmp, err := os.MkdirTemp(memoryDir, dirPrefix+strconv.Itoa(os.Getpid())+"-")
		if err != nil {
			return err
		}
		s.tmp = tmp
	}
	from, to := template, s.data()
	if s.config.disk > 0 {
		if err := s.mountDisk(); err != nil {
			return err
		}
		from += "/." // into what is there
	}
	out, err := exec.CommandContext(ctx, "cp", "-a", from, to).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: copy data directory: %w\n%s", s.Kind, err, out)
	}
	for name, content := range s.config.files {
		if err := os.WriteFile(filepath.Join(s.dir, name), content, 0o600); err != nil {
			return err
		}
	}
	if s.config.flavor == Postgres {
		return s.preparePostgres()
	}
	return nil
}

// data is the server's data directory, on the host.
func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// startAnywhere runs the server on its data directory, on a port of its own,
// until it answers.
func (s *Server) startAnywhere(ctx context.Context) error {
	var errs []error
	for range startTries {
		port, err := ReservePort()
		if err != nil {
			return err
		}
		s.Port, s.port = port.Number, port
		if err = s.start(ctx); err == nil {
			return nil
		}
		errs = append(errs, err)
		port.Release()
		if !strings.Contains(s.errorLog(), "Address already in use") {
			break
		}
	}
	return errors.Join(errs...)
}

// start runs the server on its data directory and port until it answers.
func (s *Server) start(ctx context.Context) error {
	// Not CommandContext: the server outlives the context it was started in.
	cmd := s.home.command(context.WithoutCancel(ctx), s.home.server(), s.args()...)
	cmd.Env = append(cmd.Env, s.config.env...)
	if s.config.flavor == Postgres {
		out, err := os.OpenFile(filepath.Join(s.dir, "error.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		defer out.Close() // the server has its own
		cmd.Stdout, cmd.Stderr = out, out
	}
	var err error
	if s.process, err = startProcess(cmd); err != nil {
		return err
	}
	if err := s.open(ctx); err != nil {
		s.process.kill()
		return fmt.Errorf("%s: %w\nend of its log:\n%s", s.Kind, err, tail(s.errorLog(), 20))
	}
	return nil
}

// open connects, waits until the server answers and asserts that it is the one
// that was asked for.
func (s *Server) open(ctx context.Context) error {
	db, err := s.Open("")
	if err != nil {
		return err
	}
	s.db = db
	if err := s.awaitReady(ctx); err != nil {
		return errors.Join(err, db.Close())
	}
	query := "SELECT @@version, @@version_comment"
	if s.config.flavor == Postgres {
		query = "SELECT current_setting('server_version'), version()"
	}
	err = db.QueryRowContext(ctx, query).Scan(&s.Version, &s.Comment)
	if err == nil {
		err = s.Kind.check(s.Version, s.Comment)
	}
	if err != nil {
		return errors.Join(err, db.Close())
	}
	return nil
}

// awaitReady asks until the server answers, it ends, or patience does.
func (s *Server) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := s.db.PingContext(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-s.process.done:
			return fmt.Errorf("the server ended before it answered: %w", errors.Join(s.process.err))
		case <-ctx.Done():
			return fmt.Errorf("no answer: %w (last: %w)", ctx.Err(), err)
		case <-tick.C:
		}
	}
}

// args are the server's arguments: the caller's come last and win. Nothing is
// forced to disk, yet a commit is written before it is answered: a killed server
// loses nothing by that, a killed machine may.
func (s *Server) args() []string {
	in := s.home.inside(s.dir)
	var more []string
	for _, a := range s.config.args {
		more = append(more, strings.ReplaceAll(a, "{dir}", in))
	}
	if s.config.flavor == Postgres {
		return append(s.postgresArgs(), more...)
	}
	args := []string{
		"--no-defaults", "--user=root", "--server-id=1",
		"--datadir=" + in + "/data", "--tmpdir=" + s.home.inside(s.tmp), "--socket=" + in + "/sock",
		"--pid-file=" + in + "/pid", "--log-error=" + in + "/error.log",
		"--bind-address=127.0.0.1", "--port=" + strconv.Itoa(s.Port), "--skip-name-resolve",
		"--log-bin=" + in + "/binlog/" + binlogBase, "--secure-file-priv=" + in + "/tmp",
		"--character-set-server=utf8mb4", "--collation-server=utf8mb4_general_ci",
		"--default-time-zone=+00:00", "--max-allowed-packet=1G", "--performance-schema=OFF",
		"--innodb-buffer-pool-size=128M", "--innodb-flush-log-at-trx-commit=2", "--sync-binlog=0",
		"--innodb-doublewrite=OFF", "--innodb-flush-method=nosync",
	}
	if s.config.flavor == MySQL {
		args = append(args, "--gtid-mode=ON", "--enforce-gtid-consistency=ON", "--mysqlx=0")
	} else {
		args = append(args, "--binlog-format=ROW", "--innodb-log-file-size=32M", "--sync-frm=OFF")
	}
	if s.config.plugins && s.home.root == "" {
		args = append(args, "--plugin-dir="+filepath.Join(s.home.base, "plugins-mariadb"))
	}
	return append(args, more...)
}

// tail returns the last lines of a text.
func tail(text string, lines int) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// roomy reports whether a file system is there and has room for the temporary
// files of a large transaction. MariaDB makes several for every look at its
// catalog, which a disk's file system turns into most of a test's time.
func roomy(dir string) bool {
	var fs syscall.Statfs_t
	err := syscall.Statfs(dir, &fs)
	return err == nil && fs.Bavail*uint64(fs.Bsize) >= memoryRoom
}

// sweep deletes what processes that are gone have left in dir. Errors do not
// matter: another process may sweep at the same time.
func sweep(dir string) {
	left, _ := filepath.Glob(filepath.Join(dir, dirPrefix+"*"))
	for _, path := range left {
		pid, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(path), dirPrefix), "-")
		if _, err := os.Stat(filepath.Join("/proc", pid)); os.IsNotExist(err) {
			releaseSharedMemory(filepath.Join(path, "data"))
			unmount(filepath.Join(path, "data"))
			_ = os.RemoveAll(path)
		}
	}
}

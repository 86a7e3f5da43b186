package testdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/go-sql-driver/mysql"
)

// Server is a running private server. Its methods may be called by several
// goroutines, except Stop, Kill, Restart and Close.
type Server struct {
	Kind    Kind
	Version string // as the server says it
	Comment string // its version_comment, PostgreSQL's version()
	Port    int    // on 127.0.0.1, the same after Restart

	home      *home
	config    *config
	dir       string // on the host
	tmp       string // for the server's temporary files, on the host
	port      *Port
	process   *process
	db        *sql.DB
	databases atomic.Int64
}

// DB is a pool of sessions of root, in UTC and utf8mb4, in no database; on
// PostgreSQL of postgres, in database postgres.
func (s *Server) DB() *sql.DB { return s.db }

// DSN is the driver's name of a database (or none) on the server, for root, in
// UTC and utf8mb4. From MySQL and MariaDB values arrive as the server's own text.
func (s *Server) DSN(database string) string {
	if s.config.flavor == Postgres {
		return s.postgresDSN(database)
	}
	return s.dsn(database).FormatDSN()
}

func (s *Server) dsn(database string) *mysql.Config {
	c := mysql.NewConfig()
	c.User, c.Net, c.Addr, c.DBName = "root", "tcp", fmt.Sprintf("127.0.0.1:%d", s.Port), database
	c.InterpolateParams = true
	c.MaxAllowedPacket = 1 << 30
	c.Params = map[string]string{"time_zone": "'+00:00'"}
	c.Collation = "utf8mb4_general_ci"
	// Otherwise the driver logs every refused connection of a wait for readiness.
	c.Logger = &mysql.NopLogger{}
	return c
}

// URL is the database's name for the equal program.
func (s *Server) URL(database string) string {
	if s.config.flavor == Postgres {
		return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s", s.Port, url.PathEscape(database))
	}
	return fmt.Sprintf("mysql://root@127.0.0.1:%d/%s", s.Port, url.PathEscape(database))
}

// Open returns a pool of sessions in a database. The caller closes it.
func (s *Server) Open(database string) (*sql.DB, error) {
	if s.config.flavor == Postgres {
		return s.openPostgres(database)
	}
	c, err := mysql.NewConnector(s.dsn(database))
	if err != nil {
		return nil, fmt.Errorf("testdb: open %s: %w", database, err)
	}
	return sql.OpenDB(c), nil
}

// Exec runs statements, one after the other, in sessions of no database.
func (s *Server) Exec(ctx context.Context, statements ...string) error {
	for _, q := range statements {
		if _, err := s.db.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("testdb: %s: %.200s: %w", s.Kind, q, err)
		}
	}
	return nil
}

// CreateDatabase makes an empty database of a name no other has on this server.
func (s *Server) CreateDatabase(ctx context.Context, prefix string) (string, error) {
	name := fmt.Sprintf("%s_%d", prefix, s.databases.Add(1))
	return name, s.Exec(ctx, "CREATE DATABASE "+s.Quote(name))
}

// Quote writes a name as SQL.
func (s *Server) Quote(name string) string {
	q := "`"
	if s.config.flavor == Postgres {
		q = `"`
	}
	return q + strings.ReplaceAll(name, q, q+q) + q
}

// BinlogFiles returns the log's files, oldest first, as paths on the host. It
// works on a stopped server too.
func (s *Server) BinlogFiles() ([]string, error) {
	dir := filepath.Join(s.dir, "binlog")
	index, err := os.ReadFile(filepath.Join(dir, binlogBase+".index"))
	if err != nil {
		return nil, fmt.Errorf("testdb: %s: %w", s.Kind, err)
	}
	var files []string
	for name := range strings.FieldsSeq(string(index)) {
		files = append(files, filepath.Join(dir, filepath.Base(name)))
	}
	return files, nil
}

// Rotate ends the current binlog file and begins the next.
func (s *Server) Rotate(ctx context.Context) error {
	return s.Exec(ctx, "FLUSH BINARY LOGS")
}

// ResetBinlog forgets all logged so far: the next file is the first.
func (s *Server) ResetBinlog(ctx context.Context) error {
	if s.Kind.Flavor() == MariaDB {
		return s.Exec(ctx, "RESET MASTER")
	}
	return s.Exec(ctx, "RESET BINARY LOGS AND GTIDS")
}

// Stop shuts the server down in order. Its files stay until Close.
func (s *Server) Stop() error {
	if err := errors.Join(s.db.Close(), s.process.stop(s.stopSignal())); err != nil {
		return fmt.Errorf("testdb: %s: stop: %w\nend of its log:\n%s", s.Kind, err, tail(s.errorLog(), 20))
	}
	return nil
}

// stopSignal asks for a shutdown that does not wait for clients to leave.
func (s *Server) stopSignal() syscall.Signal {
	if s.config.flavor == Postgres {
		return syscall.SIGINT
	}
	return syscall.SIGTERM
}

// Kill ends the server as a crash would. Its files stay until Close.
func (s *Server) Kill() error {
	s.process.kill()
	return s.db.Close()
}

// Freeze stops the server where it is, with SIGSTOP: its connections stay and
// nothing answers. Thaw lets it go on.
func (s *Server) Freeze() error { return s.process.freeze() }

// Thaw ends Freeze.
func (s *Server) Thaw() error { return s.process.thaw() }

// Restart starts a stopped or killed server on its files again, on the same port
// and with a new pool.
func (s *Server) Restart(ctx context.Context) error {
	if err := s.start(ctx); err != nil {
		return fmt.Errorf("testdb: restart: %w", err)
	}
	return nil
}

// Close ends the server, without waiting for an orderly shutdown, and deletes
// its files.
func (s *Server) Close() error {
	s.process.kill()
	err := errors.Join(s.db.Close(), s.remove())
	s.port.Release()
	if err != nil {
		return fmt.Errorf("testdb: %s: close: %w", s.Kind, err)
	}
	return nil
}

// remove deletes the server's files.
func (s *Server) remove() error {
	releaseSharedMemory(s.data())
	unmount(s.data())
	return errors.Join(os.RemoveAll(s.dir), os.RemoveAll(s.tmp))
}

func (s *Server) errorLog() string {
	text, err := os.ReadFile(filepath.Join(s.dir, "error.log"))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

package testdb

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	_ "github.com/jackc/pgx/v5/stdlib" // registers "pgx"
)

// nobody is the user and group PostgreSQL runs as, which refuses root. Every
// Debian has it.
const nobody = 65534

// postgresAccess lets the superuser in without a password, all others by
// SCRAM-SHA-256 only.
const postgresAccess = `local all         postgres              trust
local all         all                   scram-sha-256
host  all         postgres 127.0.0.1/32 trust
host  all         all      127.0.0.1/32 scram-sha-256
host  replication postgres 127.0.0.1/32 trust
host  replication all      127.0.0.1/32 scram-sha-256
`

// initializePostgres fills data. Root's own directories are closed to nobody,
// so it is made elsewhere.
func (h *home) initializePostgres(ctx context.Context, data string) error {
	dir, err := os.MkdirTemp(h.tmp(), dirPrefix+strconv.Itoa(os.Getpid())+"-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Chown(dir, nobody, nobody); err != nil {
		return err
	}
	cmd := h.command(ctx, "initdb", "--pgdata="+h.inside(dir), "--username=postgres", "--auth=trust",
		"--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: initialise: %w\n%s", h.kind, err, out)
	}
	if out, err := exec.CommandContext(ctx, "cp", "-a", dir+"/.", data).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: copy data directory: %w\n%s", h.kind, err, out)
	}
	return nil
}

// preparePostgres gives the server what it must own.
func (s *Server) preparePostgres() error {
	owned := []string{s.dir, s.tmp}
	for name := range s.config.files {
		owned = append(owned, filepath.Join(s.dir, name))
	}
	for _, path := range owned {
		if err := os.Chown(path, nobody, nobody); err != nil {
			return err
		}
	}
	// Writing keeps the file's owner.
	return os.WriteFile(filepath.Join(s.data(), "pg_hba.conf"), []byte(postgresAccess), 0o600)
}

// postgresArgs are the server's arguments before the caller's. Nothing is forced
// to disk, yet a commit is written before it is answered, so a killed server
// loses nothing.
func (s *Server) postgresArgs() []string {
	in := s.home.inside(s.dir)
	return []string{
		"-D", in + "/data", "--listen_addresses=127.0.0.1", "--port=" + strconv.Itoa(s.Port),
		"--unix_socket_directories=" + in, "--fsync=off", "--full_page_writes=off", "--synchronous_commit=on",
		"--shared_buffers=64MB", "--dynamic_shared_memory_type=mmap", "--timezone=UTC", "--log_timezone=UTC",
		"--max_wal_size=512MB",
	}
}

// postgresDSN is a URL with settings that pgx takes from it.
func (s *Server) postgresDSN(database string) string {
	if database == "" {
		database = "postgres"
	}
	return s.URL(database) + "?sslmode=disable&timezone=UTC&client_encoding=UTF8"
}

func (s *Server) openPostgres(database string) (*sql.DB, error) {
	db, err := sql.Open("pgx", s.postgresDSN(database))
	if err != nil {
		return nil, fmt.Errorf("testdb: open %s: %w", database, err)
	}
	return db, nil
}

// releaseSharedMemory removes the System V segment that a killed PostgreSQL
// leaves, of which a machine has few; postmaster.pid names it in its seventh
// line, by key and id. Without such a file there is none.
func releaseSharedMemory(data string) {
	text, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if err != nil {
		return
	}
	lines := strings.Split(string(text), "\n")
	if len(lines) < 7 {
		return
	}
	fields := strings.Fields(lines[6])
	if len(fields) != 2 {
		return
	}
	if id, err := strconv.Atoi(fields[1]); err == nil {
		const ipcRemove = 0 // IPC_RMID
		_, _, _ = syscall.Syscall(syscall.SYS_SHMCTL, uintptr(id), ipcRemove, 0)
	}
}

package testdb

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// home is where a kind's programs live: the host, or a root directory.
type home struct {
	kind Kind
	spec spec
	base string // directory of all installed servers, on the host
	root string // the root directory on the host; empty for the host itself
	bin  string // the directory of the server's program, inside the home
}

// findHome locates an installed kind; its error names the command that
// installs it.
func findHome(k Kind) (*home, error) {
	s, ok := specs[k]
	if !ok {
		return nil, fmt.Errorf("unknown server kind %q", k)
	}
	base := os.Getenv("ROWFERRY_SERVERS")
	if base == "" {
		dir, err := os.UserHomeDir()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", k, err)
		}
		base = filepath.Join(dir, ".cache", "rowferry", "servers")
	}
	h := &home{kind: k, spec: s, base: base}
	if s.rooted {
		h.root = filepath.Join(base, s.script)
	}
	found, err := filepath.Glob(h.host(s.program))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", k, err)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s is not installed, there is no %s; run: scripts/servers %s", k, h.host(s.program), s.script)
	}
	h.bin = filepath.Dir(h.inside(slices.Max(found)))
	return h, nil
}

// program returns where a program of the server's packages is, inside the home.
func (h *home) program(name string) string {
	if name == "mariadb-install-db" {
		return "/usr/bin/" + name
	}
	return filepath.Join(h.bin, name)
}

// server is the file name of the server's program.
func (h *home) server() string { return filepath.Base(h.spec.program) }

// tmp is where temporary directories are made, on the host.
func (h *home) tmp() string {
	if h.root != "" {
		return h.host("/tmp")
	}
	return os.TempDir()
}

// host turns a path inside the home into one of the host; inside is its inverse.
func (h *home) host(path string) string { return filepath.Join("/", h.root, path) }

func (h *home) inside(path string) string {
	return filepath.Join("/", strings.TrimPrefix(path, h.root))
}

// command runs a program of the home, in its root directory. The child dies
// with the thread that started it (see process).
func (h *home) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	path := h.program(program)
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Path, cmd.Err = path, nil // looked up inside the root, not on the host
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "HOME=/root"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: h.root, Setpgid: true}
	if h.spec.flavor == Postgres {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	return cmd
}

// template returns, on the host, an initialised data directory to copy from,
// made on first use: copying is ten times faster than initialising.
func (h *home) template(ctx context.Context) (string, error) {
	dir := filepath.Join(h.base, "template-"+h.spec.script)
	if h.root != "" {
		dir = h.host("/rowferry-template")
	}
	unlock, err := lockFile(filepath.Join(h.base, ".template-"+h.spec.script+".lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	tmp := dir + ".tmp"
	if err := os.RemoveAll(tmp); err != nil {
		return "", err
	}
	if err := os.MkdirAll(tmp, 0o700); err != nil {
		return "", err
	}
	if err := h.initialize(ctx, tmp); err != nil {
		return "", err
	}
	return dir, os.Rename(tmp, dir)
}

// initialize fills data, a directory on the host, with system tables and an
// account without a password: root@127.0.0.1, on PostgreSQL postgres.
func (h *home) initialize(ctx context.Context, data string) error {
	var cmd *exec.Cmd
	switch h.spec.flavor {
	case Postgres:
		return h.initializePostgres(ctx, data)
	case MariaDB:
		cmd = h.command(ctx, "mariadb-install-db", "--no-defaults", "--user=root", "--force",
			"--datadir="+h.inside(data), "--auth-root-authentication-method=normal",
			"--skip-test-db", "--skip-name-resolve", "--innodb-log-file-size=32M")
	default:
		accounts := data + ".sql"
		if err := os.WriteFile(accounts, []byte(mysqlAccounts), 0o600); err != nil {
			return err
		}
		defer os.Remove(accounts)
		cmd = h.command(ctx, h.server(), "--no-defaults", "--initialize-insecure", "--user=root",
			"--datadir="+h.inside(data), "--init-file="+h.inside(accounts), "--performance-schema=OFF",
			"--innodb-redo-log-capacity=64M")
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: initialise: %w\n%s", h.kind, err, bytes.TrimSpace(out))
	}
	// A copied server UUID would make every copy the same server.
	if err := os.Remove(filepath.Join(data, "auto.cnf")); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}

// mysqlAccounts: MySQL makes root@localhost only, which a server that resolves
// no names does not take for loopback.
const mysqlAccounts = `CREATE USER root@'127.0.0.1';
GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;
`

// lockFile holds an exclusive lock on path until the returned function is called.
func lockFile(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { f.Close() }, nil
}

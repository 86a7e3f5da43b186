package testdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// Plugin is a way to prove a password.
type Plugin string

// The plugins of the design.
const (
	CachingSHA2    Plugin = "caching_sha2_password"
	NativePassword Plugin = "mysql_native_password"
	Ed25519        Plugin = "ed25519" // needs the option of the same name, WithEd25519
	SCRAM          Plugin = "scram-sha-256"
)

// Awkward is a password with every character that URLs, SQL, shells, files and
// DSNs treat in a way of their own.
const Awkward = " !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ %41%zz $HOME äß€ 日本 😀 "

// Plugins returns those of the design the kind has. MariaDB 11.8 and newer can
// have CachingSHA2 as well, by a plugin that is not loaded.
func (k Kind) Plugins() []Plugin {
	switch k.Flavor() {
	case MySQL:
		return []Plugin{CachingSHA2}
	case MariaDB:
		return []Plugin{NativePassword, Ed25519}
	default:
		return []Plugin{SCRAM}
	}
}

// Requirement is what an account's connections must have beside the password.
type Requirement int

// The requirements.
const (
	NoRequirement      Requirement = iota
	RequireTLS                     // encryption
	RequireCertificate             // a client's certificate of the server's authority
)

// Account is one that may log in by TCP or socket.
type Account struct {
	User, Password string
	Plugin         Plugin
	Require        Requirement
	Grants         []string // each as in GRANT … TO: "SELECT ON shop.*"
	Replication    bool     // PostgreSQL: the role has the attribute of that name
}

// CreateAccount makes the account, or makes it again. New connections find it
// when CreateAccount returns.
func (s *Server) CreateAccount(ctx context.Context, a Account) error {
	if s.config.flavor == Postgres {
		return s.createRole(ctx, a)
	}
	name := quoteMySQL(a.User) + "@'%'"
	by := fmt.Sprintf("IDENTIFIED WITH %s BY %s", a.Plugin, quoteMySQL(a.Password))
	if s.config.flavor == MariaDB {
		by = fmt.Sprintf("IDENTIFIED VIA %s USING PASSWORD(%s)", a.Plugin, quoteMySQL(a.Password))
	}
	require := []string{"", " REQUIRE SSL", " REQUIRE X509"}[a.Require]
	statements := []string{"DROP USER IF EXISTS " + name, "CREATE USER " + name + " " + by + require}
	for _, g := range a.Grants {
		statements = append(statements, "GRANT "+g+" TO "+name)
	}
	return s.Exec(ctx, statements...)
}

func (s *Server) createRole(ctx context.Context, a Account) error {
	name := s.Quote(a.User)
	if a.Plugin != SCRAM {
		return fmt.Errorf("testdb: PostgreSQL has no %s", a.Plugin)
	}
	var there bool
	err := s.db.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = $1)", a.User).Scan(&there)
	if err != nil {
		return fmt.Errorf("testdb: look for a role: %w", err)
	}
	verb := "CREATE ROLE "
	if there {
		verb = "ALTER ROLE "
	}
	attributes := " LOGIN NOREPLICATION"
	if a.Replication {
		attributes = " LOGIN REPLICATION"
	}
	statements := []string{verb + name + attributes + " PASSWORD '" + strings.ReplaceAll(a.Password, "'", "''") + "'"}
	for _, g := range a.Grants {
		statements = append(statements, "GRANT "+g+" TO "+name)
	}
	if err := s.Exec(ctx, statements...); err != nil {
		return err
	}
	if a.Require == NoRequirement {
		return nil
	}
	return s.requireOf(ctx, name, a.Require)
}

// requireOf puts lines for a role before all others in pg_hba.conf and waits
// until they hold.
func (s *Server) requireOf(ctx context.Context, role string, r Requirement) error {
	path := filepath.Join(s.data(), "pg_hba.conf")
	old, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("testdb: %w", err)
	}
	method := "scram-sha-256"
	if r == RequireCertificate {
		method += " clientcert=verify-ca"
	}
	lines := fmt.Sprintf("hostssl all,replication %[1]s 127.0.0.1/32 %[2]s\nhost all,replication %[1]s 127.0.0.1/32 reject\n", role, method)
	if err := os.WriteFile(path, append([]byte(lines), old...), 0o600); err != nil {
		return fmt.Errorf("testdb: %w", err)
	}
	var before time.Time
	if before, err = s.configLoaded(ctx); err != nil {
		return err
	}
	if err := s.Exec(ctx, "SELECT pg_reload_conf()"); err != nil {
		return err
	}
	for {
		now, err := s.configLoaded(ctx)
		if err != nil || now.After(before) {
			return err
		}
	}
}

// configLoaded returns when the server last read its configuration, as a new
// session tells.
func (s *Server) configLoaded(ctx context.Context) (at time.Time, err error) {
	db, err := s.Open("")
	if err != nil {
		return at, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	err = db.QueryRowContext(ctx, "SELECT pg_conf_load_time()").Scan(&at)
	return at, err
}

// AccountURL is a database's name for Rowferry by TCP, percent-encoded. An
// empty host means 127.0.0.1.
func (s *Server) AccountURL(a Account, host, database string) string {
	if host == "" {
		host = "127.0.0.1"
	}
	u := url.URL{
		Scheme: string(s.config.flavor), User: url.UserPassword(a.User, a.Password),
		Host: host + ":" + strconv.Itoa(s.Port), Path: "/" + database,
	}
	return u.String()
}

// OpenAs is Open for an account.
func (s *Server) OpenAs(a Account, database string) (*sql.DB, error) {
	if s.config.flavor == Postgres {
		db, err := sql.Open("pgx", s.AccountURL(a, "", database)+"?sslmode=disable&timezone=UTC&client_encoding=UTF8")
		if err != nil {
			return nil, fmt.Errorf("testdb: open %s: %w", database, err)
		}
		return db, nil
	}
	dsn := s.dsn(database)
	dsn.User, dsn.Passwd = a.User, a.Password
	c, err := mysql.NewConnector(dsn)
	if err != nil {
		return nil, fmt.Errorf("testdb: open %s: %w", database, err)
	}
	return sql.OpenDB(c), nil
}

// SocketURL is a database's name for Rowferry by the Unix socket.
func (s *Server) SocketURL(a Account, database string) string {
	u := url.URL{
		Scheme: string(s.config.flavor), User: url.UserPassword(a.User, a.Password), Path: "/" + database,
		RawQuery: "socket=" + url.QueryEscape(s.Socket()),
	}
	return u.String()
}

// Socket is the path of the server's Unix socket on the host.
func (s *Server) Socket() string {
	if s.config.flavor == Postgres {
		return filepath.Join(s.dir, ".s.PGSQL."+strconv.Itoa(s.Port))
	}
	return filepath.Join(s.dir, "sock")
}

// Sessions counts the account's sessions.
func (s *Server) Sessions(ctx context.Context, user string) (n int, err error) {
	query := "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = ?"
	if s.config.flavor == Postgres {
		query = "SELECT COUNT(*) FROM pg_stat_activity WHERE usename = $1"
	}
	if err := s.db.QueryRowContext(ctx, query, user).Scan(&n); err != nil {
		return 0, fmt.Errorf("testdb: count sessions: %w", err)
	}
	return n, nil
}

// quoteMySQL writes a string as SQL for a session without
// NO_BACKSLASH_ESCAPES.
func quoteMySQL(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(s) + "'"
}

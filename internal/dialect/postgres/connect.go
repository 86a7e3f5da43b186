package postgres

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/connect"
)

// ApplicationName is how sessions are called in pg_stat_activity.
const ApplicationName = "rowferry"

// session are the settings of every session. They travel with the login, so
// that they hold from the first statement on and neither a role's own settings
// nor a RESET change them. Values mean the same whatever the server's defaults
// are. With row_security off, a query whose rows a policy would hide is an
// error.
var session = map[string]string{
	"application_name":            ApplicationName,
	"array_nulls":                 "on",
	"bytea_output":                "hex",
	"client_encoding":             "UTF8",
	"DateStyle":                   "ISO, YMD",
	"extra_float_digits":          "3",
	"IntervalStyle":               "postgres",
	"lc_monetary":                 "C",
	"row_security":                "off",
	"search_path":                 "pg_catalog",
	"standard_conforming_strings": "on",
	"TimeZone":                    "UTC",
	"jit":                         "off", // compiling a query of the catalog takes longer than running it
	"xmloption":                   "content",
}

// Connect opens a session with the given settings beside those that every
// session has. Nothing of the environment (PGHOST, PGOPTIONS …) and no file of
// the user (~/.pgpass, pg_service.conf) has a part in it, and it is encrypted as
// the endpoint says or not opened.
func Connect(ctx context.Context, e connect.Endpoint, settings map[string]string) (*pgconn.PgConn, error) {
	config, err := configOf(e)
	if err != nil {
		return nil, err
	}
	maps.Copy(config.RuntimeParams, settings)
	return pgconn.ConnectConfig(ctx, config)
}

// configOf makes the driver's configuration. The driver accepts none that it
// did not parse, and its parser reads the environment. Here each key of its
// own is given, so that the environment's are not looked at, and every field
// that it fills is then filled anew.
func configOf(e connect.Endpoint) (*pgconn.Config, error) {
	encrypted, err := e.TLSConfig()
	if err != nil {
		return nil, err
	}
	if os.Getenv("PGSERVICE") != "" {
		return nil, rowferry.Errorf(rowferry.CodeBadValue, "the environment variable PGSERVICE is set, which the PostgreSQL driver cannot be told to ignore").
			Remedy("run without it", "env -u PGSERVICE rowferry …")
	}
	c, err := pgconn.ParseConfig(blank)
	if err != nil {
		return nil, fmt.Errorf("make the driver's configuration: %w", err)
	}
	c.Host, c.Port = cmp.Or(e.Host, e.Socket), uint16(e.Port)
	c.User, c.Password, c.Database = e.User, e.Password.Reveal(), e.Database
	if c.Database == "" {
		c.Database = e.User
	}
	c.TLSConfig, c.Fallbacks, c.SSLNegotiation = encrypted, nil, ""
	c.ConnectTimeout = e.Wait()
	c.RuntimeParams = maps.Clone(session)
	c.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, e) }
	// The endpoint's own dialler looks names up. The driver only names them.
	c.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	c.ValidateConnect, c.AfterConnect = nil, nil
	c.KerberosSrvName, c.KerberosSpn = "", ""
	if encrypted == nil && !e.Loopback() {
		c.RequireAuth = "!password" // never in the clear over a network
	}
	return c, nil
}

// blank gives every key that the driver would otherwise take from the
// environment or a file.
const blank = "host=none port=1 user=none password=none dbname=none sslmode=disable sslcertmode=allow " +
	"passfile='' servicefile='' sslkey='' sslcert='' sslrootcert='' sslpassword='' sslsni=1 sslnegotiation=postgres " +
	"connect_timeout=0 target_session_attrs=any min_protocol_version=3.0 max_protocol_version=3.0 " +
	"channel_binding=prefer require_auth='' krbsrvname='' krbspn='' application_name='' timezone='' options=''"

// dial connects to the endpoint. A socket may be given as the directory it is
// in, as PostgreSQL's own programs take it.
func dial(ctx context.Context, e connect.Endpoint) (net.Conn, error) {
	if info, err := os.Stat(e.Socket); e.Socket != "" && err == nil && info.IsDir() {
		e.Socket = filepath.Join(e.Socket, ".s.PGSQL."+strconv.Itoa(e.Port))
	}
	return e.Dial(ctx)
}

// Millis returns a duration as the text of a setting in milliseconds, at least
// one: zero would mean no limit.
func Millis(d time.Duration) string {
	return strconv.FormatInt(max(d.Milliseconds(), 1), 10) + "ms"
}

// RefusesTLS reports whether a connection failed for what TLS is there to
// refuse, which waiting does not change.
func RefusesTLS(err error) bool {
	var (
		verification *tls.CertificateVerificationError
		host         x509.HostnameError
		authority    x509.UnknownAuthorityError
		invalid      x509.CertificateInvalidError
		alert        tls.AlertError
	)
	return errors.As(err, &verification) || errors.As(err, &host) || errors.As(err, &authority) || errors.As(err, &invalid) ||
		errors.As(err, &alert) || strings.Contains(err.Error(), "server refused TLS connection")
}

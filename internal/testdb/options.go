package testdb

import (
	"fmt"
	"slices"
	"strings"
)

// Option changes how a server is started. Servers are shared between tests only
// when their options are the same.
type Option func(*config)

type config struct {
	flavor  Flavor
	private bool
	args    []string // {dir} stands for the server's directory
	env     []string
	files   map[string][]byte // by name, put into the server's directory
	disk    int64             // bytes of a file system for the data; 0: none of its own
	plugins bool              // MariaDB: load plugins from where scripts/servers puts them
}

func newConfig(k Kind, opts []Option) *config {
	c := &config{flavor: k.Flavor()}
	for _, o := range opts {
		o(c)
	}
	return c
}

// key tells servers apart that may not be shared.
func (c *config) key() string { return strings.Join(slices.Concat(c.env, c.args), "\x00") }

func (c *config) arg(format string, a ...any) {
	c.args = append(c.args, "--"+fmt.Sprintf(format, a...))
}

// Arg adds one server variable, without its dashes: Arg("log_bin_compress=ON").
// It overrides what testdb sets by itself.
func Arg(arg string) Option { return func(c *config) { c.arg("%s", arg) } }

// Private makes Start not share the server: for tests that stop it, or look at
// its whole log.
func Private() Option { return func(c *config) { c.private = true } }

// RowMetadata sets binlog_row_metadata: FULL, MINIMAL or, on MariaDB, NO_LOG.
func RowMetadata(level string) Option {
	return func(c *config) { c.arg("binlog_row_metadata=%s", level) }
}

// Compressed makes the server compress what it logs: whole transactions on
// MySQL, events on MariaDB.
func Compressed() Option {
	return func(c *config) {
		if c.flavor == MySQL {
			c.arg("binlog_transaction_compression=ON")
			return
		}
		c.arg("log_bin_compress=ON")
		c.arg("log_bin_compress_min_len=10")
	}
}

// MaxBinlogSize makes the server begin a new file after this many bytes (4096
// at least); a transaction is never split.
func MaxBinlogSize(bytes int) Option {
	return func(c *config) { c.arg("max_binlog_size=%d", bytes) }
}

// Zone makes the server's own time zone, SYSTEM, the default of its sessions and
// sets it by a rule as POSIX writes it, since a root directory may hold no table
// of zones: Zone("CET-1CEST,M3.5.0,M10.5.0/3") is Central Europe. Sessions
// testdb opens speak UTC all the same.
func Zone(rule string) Option {
	return func(c *config) {
		c.env = append(c.env, "TZ="+rule)
		c.arg("default_time_zone=SYSTEM")
	}
}

// TLS makes the server offer TLS with a certificate.
func TLS(c Certificate) Option {
	return func(conf *config) {
		conf.private = true
		conf.files = map[string][]byte{"ca.pem": c.ca, "server.pem": c.cert, "server-key.pem": c.key}
		names := []string{"ssl_ca", "ssl_cert", "ssl_key"}
		if conf.flavor == Postgres {
			names = []string{"ssl_ca_file", "ssl_cert_file", "ssl_key_file"}
			conf.arg("ssl=on")
		}
		for i, file := range []string{"ca.pem", "server.pem", "server-key.pem"} {
			conf.arg("%s={dir}/%s", names[i], file)
		}
	}
}

// WithoutTLS makes the server offer no TLS. Without this and TLS, MySQL and the
// newest MariaDB have a certificate they made themselves, the others none.
func WithoutTLS() Option {
	return func(c *config) {
		switch c.flavor {
		case MySQL:
			c.arg("tls_version=")
		case MariaDB:
			c.arg("skip_ssl")
		case Postgres:
			c.arg("ssl=off")
		}
	}
}

// WithEd25519 makes MariaDB know the plugin of that name.
func WithEd25519() Option {
	return func(c *config) {
		c.plugins = true
		c.arg("plugin_load_add=auth_ed25519")
	}
}

package testdb

import (
	"fmt"
	"os"
	"strings"
)

// Kind names a server the tests run on.
type Kind string

// The servers scripts/servers installs.
const (
	MariaDB1011 Kind = "mariadb10.11" // the distribution's
	MariaDB11   Kind = "mariadb11"    // 11.8 or newer, soak only
	MySQL97     Kind = "mysql9.7"     // 9.7 or newer
	Postgres15  Kind = "postgres15"   // the distribution's
	PostgresNew Kind = "postgres-new" // the newest, 17 or later, soak only
)

// Flavor is what a server's SQL and log look like.
type Flavor string

// The flavors.
const (
	MySQL    Flavor = "mysql"
	MariaDB  Flavor = "mariadb"
	Postgres Flavor = "postgres"
)

// spec says how a kind is found, started and recognised.
type spec struct {
	flavor  Flavor
	script  string // its name for scripts/servers
	rooted  bool   // lives in a root directory named script, run with chroot
	program string // the server's path, a pattern; the highest version counts
	major   int    // the version must be this …
	minor   int
	exact   bool // … or, if not exact, this or newer
}

var specs = map[Kind]spec{
	MariaDB1011: {flavor: MariaDB, script: "mariadb", program: "/usr/sbin/mariadbd", major: 10, minor: 11, exact: true},
	MariaDB11:   {flavor: MariaDB, script: "mariadb11", rooted: true, program: "/usr/sbin/mariadbd", major: 11, minor: 8},
	MySQL97:     {flavor: MySQL, script: "mysql", rooted: true, program: "/usr/sbin/mysqld", major: 9, minor: 7},
	Postgres15:  {flavor: Postgres, script: "postgres15", program: "/usr/lib/postgresql/15/bin/postgres", major: 15, exact: true},
	PostgresNew: {flavor: Postgres, script: "postgres", rooted: true, program: "/usr/lib/postgresql/*/bin/postgres", major: 17},
}

// Soak reports whether everything is to be run, not only what make test has time
// for: SCALE=soak in the environment says so.
func Soak() bool { return os.Getenv("SCALE") == "soak" }

// Kinds returns the MySQL-family servers that tests run on: MariaDB 10.11 and
// MySQL, under Soak also the newest MariaDB.
func Kinds() []Kind {
	kinds := []Kind{MariaDB1011, MySQL97}
	if Soak() {
		kinds = append(kinds, MariaDB11)
	}
	return kinds
}

// Targets returns the servers that are written to: Kinds, PostgreSQL 15, and
// under Soak the newest PostgreSQL.
func Targets() []Kind {
	kinds := append(Kinds(), Postgres15)
	if Soak() {
		kinds = append(kinds, PostgresNew)
	}
	return kinds
}

// Flavor returns the kind's flavor.
func (k Kind) Flavor() Flavor { return specs[k].flavor }

// check reports an error unless version and comment, the server's own words,
// are those of the kind: on many systems a program called mysqld is MariaDB.
// PostgreSQL's minor versions add no features, so its kinds name none.
func (k Kind) check(version, comment string) error {
	s := specs[k]
	flavor := MySQL
	switch {
	case strings.HasPrefix(comment, "PostgreSQL"):
		flavor = Postgres
	case strings.Contains(version, "MariaDB") || strings.Contains(comment, "MariaDB"):
		flavor = MariaDB
	}
	var major, minor int
	if _, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err != nil {
		return fmt.Errorf("%s: version %q is not a version: %w", k, version, err)
	}
	same := major == s.major && (minor == s.minor || s.flavor == Postgres)
	newer := major > s.major || major == s.major && minor > s.minor
	if flavor != s.flavor || !same && (s.exact || !newer) {
		return fmt.Errorf("%s: the server that answers is version %q, comment %q", k, version, comment)
	}
	return nil
}

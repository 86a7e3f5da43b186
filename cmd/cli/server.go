package cli

import (
	"strconv"
	"strings"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/connect"
)

// leastTimeout is below what a healthy server far away takes to answer.
const leastTimeout = time.Second

// forever is the patience that never ends.
const forever = "forever"

// server is a source's or target's server as it was configured.
type server struct {
	endpoint connect.Endpoint // its password is the URL's own, or empty
	file     string           // password_file
	command  []string         // password_command
	password *string          // once it was asked for
}

// given reports whether there is a server, and not a file.
func (v *server) given() bool { return v.endpoint.Scheme != "" }

// set takes over a URL that was checked, and keeps what was said beside it.
func (v *server) set(url string) {
	e, _ := connect.Parse(url)
	e.TLS, e.Timeout = v.endpoint.TLS, v.endpoint.Timeout
	v.endpoint = e
}

// fromPostgres reports whether the source is a PostgreSQL server.
func (s *settings) fromPostgres() bool { return s.source.endpoint.Scheme == "postgres" }

// shortestTimeout is the shorter of the servers' timeouts: who wants answers
// soon wants a server that is back to be noticed soon.
func (s *settings) shortestTimeout() time.Duration {
	return min(s.source.endpoint.Wait(), s.sink.endpoint.Wait())
}

// setSource takes over a source URL that was checked: files or a server.
// folder is where relative paths begin.
func (s *settings) setSource(text string, relative func(string) string) {
	s.files, s.source.endpoint.Scheme, s.csv = nil, "", csvSettings{}
	if isServer(text) {
		s.source.set(text)
		return
	}
	_, path, _ := splitURL(text)
	s.files = []string{relative(path)}
}

// setTarget takes over a target URL that was checked. s.target never holds a
// password, and may be printed.
func (s *settings) setTarget(text string, relative func(string) string) {
	s.sink.endpoint.Scheme = ""
	if isServer(text) {
		s.sink.set(text)
		s.target = s.sink.endpoint.String()
		return
	}
	scheme, path, _ := splitURL(text)
	s.target = joinURL(scheme, relative(path))
}

// targetScheme is what kind of target there is; "" before one is given.
func (s *settings) targetScheme() string {
	scheme, _, _ := strings.Cut(s.target, ":")
	return scheme
}

// sourceText names the source in messages.
func (s *settings) sourceText() string {
	if s.source.given() {
		return s.source.endpoint.String()
	}
	if s.fromCSV() {
		return s.csv.text()
	}
	return strings.Join(s.files, ", ")
}

// defaultScope puts the database that the source's URL, or source.csv, names in
// place of patterns that were not given.
//
// A PostgreSQL source's is where to connect: its tables' names have schemas.
func (s *settings) defaultScope() {
	if s.fromPostgres() {
		return
	}
	if s.fromCSV() && s.csv.database != "" && len(s.tables) == 0 {
		s.tables = []string{literalPattern.Replace(s.csv.database) + ".*"}
	}
	if db := s.source.endpoint.Database; s.source.given() && db != "" && len(s.tables) == 0 {
		s.tables = []string{literalPattern.Replace(db) + ".*"}
	}
}

// literalPattern keeps the characters of a name from being wildcards, or the
// end of the name.
var literalPattern = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `.`, `\.`, `!`, `\!`)

func checkTimeout(text string) error {
	d, err := time.ParseDuration(text)
	if err != nil || d < leastTimeout {
		return rowferry.Errorf(rowferry.CodeBadValue, "%q is not a time to wait for an answer", text).
			Remedy("write", "60s or 2m, at least %s", leastTimeout)
	}
	return nil
}

func checkPatience(text string) error {
	if text == forever {
		return nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return rowferry.Errorf(rowferry.CodeBadValue, "%q is not a time to wait for a server", text).
			Remedy("write", "10m, 2h, 0s to give up at once, or %s", forever)
	}
	return nil
}

func checkServerID(text string) error {
	if n, err := strconv.ParseUint(text, 10, 32); err != nil || n == 0 {
		return rowferry.Errorf(rowferry.CodeBadValue, "%q is not a server id", text).
			Remedy("write", "a number from 1 to 4294967295 that no replica of the source uses")
	}
	return nil
}

// serverIDOf reads a server id that was checked.
func serverIDOf(text string) uint32 {
	n, _ := strconv.ParseUint(text, 10, 32)
	return uint32(n)
}

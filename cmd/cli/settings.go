package cli

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/mapping"
)

// The defaults of what is configured.
const (
	defaultName   = "replay"
	defaultState  = "./state"
	defaultMemory = 256 << 20
	leastMemory   = 96 << 20
)

// settings are one pipeline as it was asked for, from flags, environment and
// file together.
type settings struct {
	config     string // the file, or ""
	name       string
	files      []string // globs, where the source is files
	source     server   // where it is a server
	serverID   uint32   // 0 lets the source choose
	slot       slotNames
	csv        csvSettings // where it is CSV files
	copies     copySettings
	throttle   rowferry.Limits
	passing    bool // read by a slot that ends with the command
	schema     string
	target     string // URL, without a password
	sink       server // where the target is a server
	create     bool
	triggers   string
	match      string
	tables     []string
	renames    map[string]string
	entities   map[string]mapping.Entity
	waiting    int // rows at most; 0 is the default
	rejects    rejectSettings
	memory     int64
	patience   string // "" is the command's own
	state      string
	from       string
	until      string
	once       bool
	accept     bool           // other rules than before
	resnapshot []string       // patterns of tables to copy again
	part       *rowferry.Part // nil where everything is copied
	handlers   []mapping.Custom
}

func defaultSettings() *settings {
	return &settings{
		name: defaultName, create: true, match: matchRow, renames: map[string]string{},
		memory: defaultMemory, state: defaultState,
	}
}

// settings reads the pipeline from the file named by --config, if any, and
// puts flags and environment over it. Every error is reported, not the first.
func (in *invocation) settings() (*settings, error) {
	s := defaultSettings()
	var errs []error
	if path := in.text("config"); path != "" {
		var err error
		if s, err = loadConfig(path, in.env, in.given("name")); err != nil {
			errs = append(errs, err)
			s = defaultSettings()
		}
	}
	for _, f := range []struct {
		name string
		to   *string
	}{
		{"name", &s.name}, {"schema", &s.schema}, {"triggers", &s.triggers}, {"match", &s.match},
		{"state", &s.state}, {"from", &s.from}, {"until", &s.until}, {"patience", &s.patience},
	} {
		if in.given(f.name) {
			*f.to = in.text(f.name)
		}
	}
	if in.given("tables") {
		s.tables = in.values["tables"]
	}
	s.resnapshot = in.values["resnapshot"]
	s.once, s.accept, s.handlers = in.on("once"), in.on("accept-config"), in.handlers
	errs = append(errs, in.checked(s)...)
	s.defaultScope()
	if len(errs) == 0 {
		errs = append(errs, s.fits())
	}
	return s, errors.Join(errs...)
}

// checked puts the options over s that have to be read first.
func (in *invocation) checked(s *settings) (errs []error) {
	if in.given("files") {
		s.setSource("binlog:", as)
		s.files = in.values["files"]
	}
	for _, o := range []struct {
		name  string
		check func(string) error
		set   func(string)
	}{
		{"memory", checkSize, func(v string) { s.memory, _ = parseSize(v) }}, // checked before it is set
		{"source", checkSource, func(v string) { s.setSource(v, as) }},
		{"target", checkTarget, func(v string) { s.setTarget(v, as) }},
		{"name", checkName, func(string) {}},
		{"patience", checkPatience, func(string) {}},
		{"server-id", checkServerID, func(v string) { s.serverID = serverIDOf(v) }},
		{"copy-workers", checkWorkers, func(v string) { s.copies.workers, _ = strconv.Atoi(v) }},
		{"max-rows-per-second", checkLimit, func(v string) { s.throttle.RowsPerSecond, _ = strconv.Atoi(v) }},
		{"chunk-rows", checkChunkRows, func(v string) { s.copies.rows, _ = strconv.Atoi(v) }},
	} {
		if !in.given(o.name) {
			continue
		}
		if err := o.check(in.text(o.name)); err != nil {
			errs = append(errs, err)
			continue
		}
		o.set(in.text(o.name))
	}
	if in.given("files") && in.given("source") {
		errs = append(errs, rowferry.Errorf(rowferry.CodeUsage, "--files and --source both say where changes come from").
			Remedy("leave one out", "files are also --source binlog:PATH"))
	}
	for _, t := range in.values["tables"] {
		errs = append(errs, checkPattern(t))
	}
	return errs
}

// fits refuses what is not for the kind of source there is.
func (s *settings) fits() error {
	var errs []error
	refuse := func(what, kind string) {
		errs = append(errs, rowferry.Errorf(rowferry.CodeBadValue, "%s is for %s, and the source is %s", what, kind, s.sourceText()).
			Remedy("leave it out", "%s", what))
	}
	if s.fromPostgres() && s.serverID != 0 {
		refuse("source.server_id", "a MySQL or MariaDB server")
	}
	if s.fromPostgres() && s.schema != "" {
		refuse("source.schema", "a binlog, whose tables PostgreSQL describes by itself")
	}
	if s.source.given() && !s.fromPostgres() {
		for _, k := range s.slot.given() {
			refuse("source."+k, "a PostgreSQL server")
		}
	}
	for _, u := range s.fitsThrottle() {
		errs = append(errs, rowferry.Errorf(rowferry.CodeBadValue, "%s is for %s, and cannot be seen here", u[0], u[1]).
			Remedy("leave it out", "%s", u[0]))
	}
	if s.fromCSV() {
		s.fitsCSV(refuse)
	}
	return errors.Join(errs...)
}

// as leaves a path as it was given on the command line.
func as(path string) string { return path }

// need reports the settings among the named ones that were not given.
func (s *settings) need(names ...string) error {
	var errs []error
	missing := func(what, flag, key, example string) {
		errs = append(errs, rowferry.Errorf(rowferry.CodeMissingKey, "no %s was given", what).
			Remedy("as a flag", "--%s %s", flag, example).Remedy("in the file", "%s", key))
	}
	for _, n := range names {
		switch {
		case n == "files" && len(s.files) == 0 && !s.source.given() && !s.fromCSV():
			missing("binlog file", "files", "source: {url: binlog:///backup/mysql-bin.*}", "'/backup/mysql-bin.*'")
		case n == "source" && len(s.files) == 0 && !s.source.given() && !s.fromCSV():
			missing("source", "source", "source: {url: mysql://rowferry@prod/shop}", "mysql://rowferry@prod/shop")
		case n == "target" && s.target == "":
			missing("target", "target", "target: {url: sqlite:shop.db}", "sqlite:shop.db")
		}
	}
	return errors.Join(errs...)
}

func checkSize(text string) error {
	_, err := parseSize(text)
	return err
}

// parseSize reads a number of bytes with its unit.
func parseSize(text string) (int64, error) {
	bad := func() error {
		return rowferry.Errorf(rowferry.CodeBadValue, "%q is not a size with a unit", text).Remedy("write", "256MiB, 1GiB or 131072KiB")
	}
	units := []struct {
		suffix string
		bytes  int64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}}
	for _, u := range units {
		number, ok := strings.CutSuffix(text, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
		switch {
		case err != nil || n < 0 || n > math.MaxInt64/u.bytes:
			return 0, bad()
		case n*u.bytes < leastMemory:
			return 0, rowferry.Errorf(rowferry.CodeBadValue, "memory of %s is less than Rowferry can work with", text).Remedy("at least", "96MiB")
		}
		return n * u.bytes, nil
	}
	return 0, bad()
}

// checkName accepts names that read well in messages and rows.
func checkName(text string) error {
	ok := len(text) > 0 && len(text) <= 64
	for _, r := range text {
		ok = ok && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.", r))
	}
	if !ok {
		return rowferry.Errorf(rowferry.CodeBadValue, "%q is not a pipeline name", text).
			Remedy("write", "up to 64 of letters, digits, - _ and .")
	}
	return nil
}

// again is the shortest command line that names the same pipeline, for
// remedies and for what to run next.
func (s *settings) again(command string) string {
	if s.config != "" {
		return fmt.Sprintf("rowferry %s -c %s", command, quote(s.config))
	}
	words := []string{"rowferry", command}
	if s.target != "" {
		words = append(words, "--target", quote(s.target))
	}
	if s.state != defaultState {
		words = append(words, "--state", quote(s.state))
	}
	if s.name != defaultName {
		words = append(words, "--name", quote(s.name))
	}
	return strings.Join(words, " ")
}

// goOn is the command line that goes on with the pipeline, as far as it is
// known: a command that only looks has no source.
func (s *settings) goOn() string {
	command := "replay"
	if s.source.given() || s.fromCSV() {
		command = "run"
	}
	line := s.again(command)
	switch {
	case s.config != "":
		return line
	case s.source.given():
		return line + " --source " + quote(s.source.endpoint.String())
	case len(s.files) == 0:
		return line + " --files …"
	}
	for _, f := range s.files {
		line += " --files " + quote(f)
	}
	return line
}

// quote quotes a word for a shell where it must be.
func quote(word string) string {
	plain := func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:=,@%+", r) {
			return -1
		}
		return r
	}
	if word != "" && strings.Map(plain, word) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

func (s *settings) beside(path string) string { return beside(s.config, path) }

// beside returns path as seen from the folder of the configuration file.
func beside(config, path string) string {
	if path == "" || path == "-" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(config), path)
}

package cli

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/rowferry/rowferry"
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
	config   string // the file, or ""
	name     string
	files    []string // globs
	schema   string
	target   string // URL
	create   bool
	triggers string
	tables   []string
	renames  map[string]string
	memory   int64
	state    string
	from     string
	until    string
}

func defaultSettings() *settings {
	return &settings{
		name: defaultName, create: true, renames: map[string]string{},
		memory: defaultMemory, state: defaultState,
	}
}

// The options of a pipeline, shared by the commands that need one.
var (
	nameOption     = &option{name: "name", value: "NAME", usage: "the pipeline's name, under which its checkpoint is kept", def: defaultName, key: "name"}
	filesOption    = &option{name: "files", value: "GLOB", usage: "binlog files, as paths or quoted globs", list: true, key: "source.url"}
	schemaOption   = &option{name: "schema", value: "FILE", usage: "the tables' CREATE statements of the moment the log starts (mysqldump --no-data)", key: "source.schema"}
	targetOption   = &option{name: "target", value: "URL", usage: "where rows go: sqlite:path.db, sqlite:///abs/path.db, jsonl:path or jsonl:- for standard output", key: "target.url"}
	triggersOption = &option{name: "triggers", value: "WHAT", usage: "let triggers of target tables fire; without it, target tables that have triggers are refused", values: triggerModes, key: "target.triggers"}
	tablesOption   = &option{name: "tables", value: "PATTERN", usage: "tables in scope, as database.table with * and ?; ! takes out; without it, all", list: true, key: "tables"}
	memoryOption   = &option{name: "memory", value: "SIZE", usage: "the most memory to use, in KiB, MiB or GiB, at least 96MiB", def: "256MiB", key: "memory"}
	stateOption    = &option{name: "state", value: "DIR", usage: "the directory of the pipeline's own state", def: defaultState, key: "state"}
	fromOption     = &option{name: "from", value: "POS|TIME", usage: "where a pipeline without a checkpoint starts: file:position, GTID set, RFC 3339 time or earliest", def: "earliest"}
	untilOption    = &option{name: "until", value: "POS|TIME", usage: "stop after this position or before this time", def: "the end of the files"}
)

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
		{"name", &s.name}, {"schema", &s.schema}, {"target", &s.target}, {"triggers", &s.triggers},
		{"state", &s.state}, {"from", &s.from}, {"until", &s.until},
	} {
		if in.given(f.name) {
			*f.to = in.text(f.name)
		}
	}
	if in.given("files") {
		s.files = in.values["files"]
	}
	if in.given("tables") {
		s.tables = in.values["tables"]
	}
	if in.given("memory") {
		n, err := parseSize(in.text("memory"))
		errs = append(errs, err)
		s.memory = n
	}
	if in.given("target") {
		errs = append(errs, checkTarget(s.target))
	}
	if in.given("name") {
		errs = append(errs, checkName(s.name))
	}
	for _, t := range in.values["tables"] {
		errs = append(errs, checkPattern(t))
	}
	return s, errors.Join(errs...)
}

// need reports the settings among the named ones that were not given.
func (s *settings) need(names ...string) error {
	var errs []error
	missing := func(what, flag, key, example string) {
		errs = append(errs, rowferry.Errorf(rowferry.CodeMissingKey, "no %s was given", what).
			Remedy("as a flag", "--%s %s", flag, example).Remedy("in the file", "%s", key))
	}
	for _, n := range names {
		switch {
		case n == "files" && len(s.files) == 0:
			missing("binlog file", "files", "source: {url: binlog:///backup/mysql-bin.*}", "'/backup/mysql-bin.*'")
		case n == "target" && s.target == "":
			missing("target", "target", "target: {url: sqlite:shop.db}", "sqlite:shop.db")
		}
	}
	return errors.Join(errs...)
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

// replayAgain is the command line that goes on with the pipeline, as far as it
// is known: a command that only looks has no files.
func (s *settings) replayAgain() string {
	line := s.again("replay")
	switch {
	case s.config != "":
		return line
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

// beside returns path as seen from the folder of the configuration file.
func beside(config, path string) string {
	if path == "" || path == "-" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(config), path)
}

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files again")

// ran is what one run of the program did.
type ran struct {
	code     int
	out, err string
}

// run runs the program in this process, without an environment and off a
// terminal but for what adjust changes.
func run(t *testing.T, args []string, adjust ...func(*program)) ran {
	t.Helper()
	return runIn(t, t.Context(), args, adjust...)
}

func runIn(t *testing.T, ctx context.Context, args []string, adjust ...func(*program)) ran {
	t.Helper()
	var out, errs bytes.Buffer
	p := newProgram(strings.NewReader(""), &out, &errs, nil)
	p.clock = standing{time.Date(2026, 11, 18, 12, 4, 0, 0, time.UTC)}
	for _, a := range adjust {
		a(p)
	}
	code := p.run(ctx, args)
	return ran{code, out.String(), errs.String()}
}

func withEnv(env map[string]string) func(*program) { return func(p *program) { p.env = env } }

// standing is a clock that stands still and never ticks.
type standing struct{ at time.Time }

func (s standing) Now() time.Time                              { return s.at }
func (standing) Tick(time.Duration) (<-chan time.Time, func()) { return nil, func() {} }

// golden compares got with a file, or writes it with -update.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s:\n--- got\n%s--- want\n%s", path, got, want)
	}
}

func TestUsage(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		code int
		err  string // the whole of standard error
	}{
		{"unknown command", []string{"relpay"}, 2, `✗ RF-1006  rowferry has no command "relpay"
    Nothing was started.
    → did you mean   rowferry replay
    → see            rowferry --help
`},
		{"unknown subcommand", []string{"checkpoint", "lst"}, 2, `✗ RF-1006  rowferry checkpoint has no command "lst"
    Nothing was started.
    → did you mean   rowferry checkpoint list
    → see            rowferry checkpoint --help
`},
		{"unknown flag", []string{"replay", "--taget", "x"}, 2, `✗ RF-1006  rowferry replay has no flag --taget
    Nothing was started.
    → did you mean   --target
    → see            rowferry replay --help
`},
		{"unknown flag of the program", []string{"--outptu", "json", "version"}, 2, `✗ RF-1006  rowferry has no flag --outptu
    Nothing was started.
    → did you mean   --output
    → see            rowferry --help
`},
		{"flag without its value", []string{"replay", "--files"}, 2, `✗ RF-1006  rowferry replay: flag needs an argument: -files
    Nothing was started.
    → see   rowferry replay --help
`},
		{"flag after an argument", []string{"explain", "RF-2004", "-q"}, 2, `✗ RF-1006  "-q" comes after an argument, where flags are not read
    Nothing was started.
    → flags first   rowferry explain [flags] CODE
`},
		{"flag after an argument of a command that takes none", []string{"replay", "x", "--target", "sqlite:x"}, 2, `✗ RF-1006  "--target" comes after an argument, where flags are not read
    Nothing was started.
    → flags first   rowferry replay [flags]
`},
		{"flag after two dashes", []string{"explain", "--", "-x"}, 2, `✗ RF-1006  "-x" comes after an argument, where flags are not read
    Nothing was started.
    → flags first   rowferry explain [flags] CODE
`},
		{"too many arguments", []string{"version", "please"}, 2, `✗ RF-1006  rowferry version does not take "please"
    Nothing was started.
    → see   rowferry version --help
`},
		{"a value outside the list", []string{"-o", "jsno", "version"}, 2, `✗ RF-1004  --output takes text or json, not "jsno"
    Nothing was started.
    → did you mean   --output json
`},
		{"an empty value", []string{"replay", "--state", ""}, 2, `✗ RF-1004  --state is empty
    Nothing was started.
    → correct   the value; docs/reference/config.md says what is taken
`},
		{"nothing to replay", []string{"replay"}, 2, `✗ RF-1003  no binlog file was given
    Nothing was started.
    → as a flag     --files '/backup/mysql-bin.*'
    → in the file   source: {url: binlog:///backup/mysql-bin.*}
✗ RF-1003  no target was given
    Nothing was started.
    → as a flag     --target sqlite:shop.db
    → in the file   target: {url: sqlite:shop.db}
`},
		{"nothing to follow", []string{"run"}, 2, `✗ RF-1003  no source was given
    Nothing was started.
    → as a flag     --source mysql://rowferry@prod/shop
    → in the file   source: {url: mysql://rowferry@prod/shop}
✗ RF-1003  no target was given
    Nothing was started.
    → as a flag     --target sqlite:shop.db
    → in the file   target: {url: sqlite:shop.db}
`},
		{"files to follow", []string{"run", "--source", "binlog:x", "--target", "sqlite:shop.db"}, 2, `✗ RF-1006  run follows a server, and the source is files
    Nothing was started.
    → apply the files   rowferry replay --target sqlite:shop.db --files x
`},
		{"two sources", []string{"replay", "--source", "binlog:x", "--files", "y", "--target", "sqlite:shop.db"}, 2, `✗ RF-1006  --files and --source both say where changes come from
    Nothing was started.
    → leave one out   files are also --source binlog:PATH
`},
		{"a host without a name", []string{"run", "--source", "mysql:///shop", "--target", "postgres://staging:99999/shop"}, 2, `✗ RF-1004  the server's URL names no host
    Nothing was started.
    → correct   the value; docs/reference/config.md says what is taken
✗ RF-1004  the server's URL names port "99999", which is none
    Nothing was started.
    → correct   the value; docs/reference/config.md says what is taken
`},
		{"an impatient flag", []string{"run", "--source", "mysql://h", "--target", "sqlite:x", "--patience", "soon", "--server-id", "-1"}, 2, `✗ RF-1004  "soon" is not a time to wait for a server
    Nothing was started.
    → write   10m, 2h, 0s to give up at once, or forever
✗ RF-1004  "-1" is not a server id
    Nothing was started.
    → write   a number from 1 to 4294967295 that no replica of the source uses
`},
		{"several bad flags", []string{"replay", "--files", "x", "--target", "sqlit:x", "--memory", "12", "--tables", "shop", "--name", "a b"}, 2, `✗ RF-1004  "12" is not a size with a unit
    Nothing was started.
    → write   256MiB, 1GiB or 131072KiB
✗ RF-1004  there is no target "sqlit"
    Nothing was started.
    → did you mean   sqlite
✗ RF-1004  "a b" is not a pipeline name
    Nothing was started.
    → write   up to 64 of letters, digits, - _ and .
✗ RF-1004  table pattern "shop" is not of the form database.table
    Nothing was started.
    → write   shop.*, shop.orders or !shop.tmp_*
`},
		{"no config file", []string{"status", "-c", "testdata/none.yaml"}, 2, `✗ RF-1011  the configuration cannot be read: open testdata/none.yaml: no such
           file or directory
    Nothing was started.
    → check   the path and its permissions
`},
		{"unknown code", []string{"explain", "RF-204"}, 2, `✗ RF-1006  there is no error code "RF-204"
    Nothing was started.
    → did you mean   rowferry explain RF-2004   (a log file is missing from the sequence)
    → did you mean   rowferry explain RF-2014   (the log mixes transactions with and without GTID)
    → did you mean   rowferry explain RF-2024   (the source server cannot be reached)
`},
		{"unknown shell", []string{"completion", "fsh"}, 2, `✗ RF-1006  there is no completion for "fsh"
    Nothing was started.
    → did you mean   rowferry completion fish
    → did you mean   rowferry completion zsh
    → known          bash, zsh, fish
`},
		{"a host in a target", []string{"replay", "--files", "x", "--target", "sqlite://shop.db"}, 2, `✗ RF-1004  "sqlite://shop.db" names a host, "shop.db", where only files are read
           and written
    Nothing was started.
    → a relative path    sqlite:shop.db
    → an absolute path   sqlite:///shop.db
`},
		{"set without a terminal", []string{"checkpoint", "import", "--target", "sqlite:x"}, 2, `✗ RF-1006  standard input is the checkpoint, so nobody can be asked
    Nothing was started.
    → if that is meant   add --yes
`},
		{"a time as a checkpoint", []string{"checkpoint", "set", "--target", "sqlite:x", "2026-11-18T12:04:00Z"}, 2, `✗ RF-1007  2026-11-18T12:04:00Z is not a place in a log by itself
    Nothing was started.
    → write   mysql-bin.000042:1337, a GTID set, or an LSN, 16/B374D848
`},
		{"no such file", []string{"replay", "--files", "testdata/none.*", "--target", "sqlite:x"}, 3, `✗ RF-2020  no file matches "testdata/none.*"
    Everything applied so far is checkpointed.
    → look   ls -l testdata
`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := run(t, tt.args)
			if got.code != tt.code || got.err != tt.err || got.out != "" {
				t.Errorf("code %d, want %d\n--- stderr\n%s--- want\n%s--- stdout\n%s", got.code, tt.code, got.err, tt.err, got.out)
			}
		})
	}
}

// TestHelp asserts that every command can be asked for help before and after
// its name, that help names an example, and that it fits a terminal.
func TestHelp(t *testing.T) {
	texts := map[string]string{"": run(t, []string{"--help"}).out}
	walk(commands(), "", func(full string, c *command) {
		asked := run(t, append(strings.Fields(full), "-h"))
		if asked.code != 0 || asked.err != "" {
			t.Errorf("%s -h: code %d, stderr %q", full, asked.code, asked.err)
		}
		texts[full] = asked.out
	})
	for full, text := range texts {
		if !strings.Contains(text, "example  ") || !strings.Contains(text, "usage    rowferry") {
			t.Errorf("help of %q has no example or usage:\n%s", full, text)
		}
		for _, line := range strings.Split(text, "\n") {
			if runes(line) > 90 || runes(line) > width && !strings.Contains(line, "rowferry ") {
				t.Errorf("help of %q: %d columns: %s", full, runes(line), line)
			}
		}
	}
	if bare := run(t, nil); bare.code != 0 || bare.out != texts[""] {
		t.Errorf("without arguments: code %d, %q", bare.code, bare.out)
	}
	golden(t, "testdata/help.golden", texts[""]+"\n----\n"+texts["replay"])
}

// TestExamples asserts that every flag in a help text's example exists.
func TestExamples(t *testing.T) {
	walk(commands(), "", func(full string, c *command) {
		rest, ok := strings.CutPrefix(c.example, "rowferry "+full)
		if !ok && c.sub == nil && c.name != "completion" {
			t.Errorf("the example of %s is of another command: %s", full, c.example)
		}
		for _, w := range strings.Fields(rest) {
			name, isFlag := strings.CutPrefix(w, "--")
			if !isFlag {
				continue
			}
			known := false
			for _, o := range c.allOptions() {
				known = known || o.name == name
			}
			if !known && c.sub == nil {
				t.Errorf("the example of %s uses the unknown flag --%s", full, name)
			}
		}
	})
}

func TestExplain(t *testing.T) {
	golden(t, "testdata/explain.golden", ok(t, "explain", "RF-2004"))
	for _, code := range []string{"rf-2004", "2004", "RF2004", " RF-2004"} {
		if got := ok(t, "explain", code); got != ok(t, "explain", "RF-2004") {
			t.Errorf("explain %s: %s", code, got)
		}
	}
}

func TestEnvelope(t *testing.T) {
	for _, args := range [][]string{{"-o", "json", "version"}, {"version", "-o", "json"}, {"explain", "--output=json", "9002"}} {
		got := run(t, args)
		var e envelope
		if err := json.Unmarshal([]byte(got.out), &e); err != nil || !e.OK || e.Schema != 1 || e.Command == "" || e.Result == nil || e.Error != nil || got.err != "" {
			t.Errorf("%v: %v: %s%s", args, err, got.out, got.err)
		}
	}
	got := run(t, []string{"-o", "json", "replay", "--files", "x", "--target", "sqlit:x"})
	golden(t, "testdata/envelope.golden", got.out)
	if got.code != 2 || got.err != "" {
		t.Errorf("code %d, stderr %q", got.code, got.err)
	}
	for _, args := range [][]string{
		{"replay", "--taget", "x", "-o", "json"}, {"replay", "-o=json", "--taget"}, {"explain", "x", "--output", "json"}, {"-o", "json", "relpay"},
	} {
		if e := envelopeOf(t, run(t, args), false); e == nil || e.Code != "RF-1006" {
			t.Errorf("%v: %+v", args, e)
		}
	}
}

// TestEnvironment asserts that flags go before the environment, and that the
// environment is read as flags are.
func TestEnvironment(t *testing.T) {
	env := withEnv(map[string]string{"ROWFERRY_OUTPUT": "json"})
	if got := run(t, []string{"version"}, env); !strings.HasPrefix(got.out, "{") {
		t.Errorf("ROWFERRY_OUTPUT=json: %s", got.out)
	}
	if got := run(t, []string{"version", "-o", "text"}, env); !strings.HasPrefix(got.out, "rowferry ") {
		t.Errorf("ROWFERRY_OUTPUT=json -o text: %s", got.out)
	}
	got := run(t, []string{"version"}, withEnv(map[string]string{"ROWFERRY_QUIET": "perhaps"}))
	if got.code != 2 || !strings.Contains(got.err, `ROWFERRY_QUIET takes true or false, not "perhaps"`) {
		t.Errorf("ROWFERRY_QUIET=perhaps: %+v", got)
	}
	got = run(t, []string{"version"}, withEnv(map[string]string{"ROWFERRY_LOG_LEVEL": "loud"}))
	if got.code != 2 || !strings.Contains(got.err, `takes debug or info or warn or error, not "loud"`) {
		t.Errorf("ROWFERRY_LOG_LEVEL=loud: %+v", got)
	}
}

func TestReferenceIsCurrent(t *testing.T) {
	files, err := Reference()
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range files {
		got, err := os.ReadFile(filepath.Join("..", "..", path))
		if err != nil || string(got) != want {
			t.Errorf("%s is not what the program says of itself (%v): run go generate ./cmd/cli", path, err)
		}
	}
}

package e2e

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rowferry/rowferry/internal/testdb"
)

// together is how many tests run at a time in make test, where most of them wait
// for servers and for engines that were killed.
const together = "3"

func TestMain(m *testing.M) {
	if !soak() {
		if err := flag.Set("test.parallel", together); err != nil { // what the command line says goes before
			panic(err)
		}
	}
	testdb.Main(m)
}

// besideOthers lets a test whose servers are its own run beside others. In soak, where
// it says how long something took, it has the machine to itself.
func besideOthers(t *testing.T) {
	t.Helper()
	if !soak() {
		t.Parallel()
	}
}

// soak reports whether the tests run at full scale.
func soak() bool { return testdb.Soak() }

// scaled returns small in `make test` and full in `make soak`.
func scaled(small, full int) int {
	if soak() {
		return full
	}
	return small
}

var builds = map[string]func() (string, error){
	"":          sync.OnceValues(func() (string, error) { return build("") }),
	"failpoint": sync.OnceValues(func() (string, error) { return build("failpoint") }),
}

func build(tag string) (string, error) {
	dir, err := os.MkdirTemp("", "rowferry-e2e-")
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "rowferry")
	out, err := exec.Command("go", "build", "-tags", tag, "-o", bin, "github.com/rowferry/rowferry/cmd/rowferry").CombinedOutput()
	if err != nil {
		return "", errors.New(string(out))
	}
	return bin, nil
}

// program returns the path of rowferry, built with the given tag.
func program(t testing.TB, tag string) string {
	t.Helper()
	bin, err := builds[tag]()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

// outcome is what one run of rowferry left.
type outcome struct {
	code           int // -1 when it was killed
	stdout, stderr string
	peakRSS        int64 // bytes
}

// call is one run of rowferry.
type call struct {
	tag  string   // build tag
	env  []string // added to the environment
	args []string
}

func (c call) run(t testing.TB) outcome {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := command(t, c.tag, c.args...)
	cmd.Env = append(os.Environ(), c.env...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return outcome{
		code: cmd.ProcessState.ExitCode(), stdout: out.String(), stderr: errs.String(), peakRSS: peakRSS(cmd.ProcessState),
	}
}

// run runs the program as shipped.
func run(t testing.TB, args ...string) outcome {
	t.Helper()
	return call{tag: shipped(), args: args}.run(t)
}

// shipped is the build tag of the program as shipped.
func shipped() string {
	if sabotaged() {
		return "failpoint"
	}
	return ""
}

// sabotaged reports whether a promise is to be broken: then the program is one
// that can.
func sabotaged() bool { return os.Getenv("ROWFERRY_SABOTAGE") != "" }

// must runs the program and fails the test unless it ends with code 0.
func must(t testing.TB, args ...string) outcome {
	t.Helper()
	return call{tag: shipped(), args: args}.must(t)
}

func (c call) must(t testing.TB) outcome {
	t.Helper()
	o := c.run(t)
	if o.code != 0 {
		t.Fatalf("rowferry %s: exit %d\n%s%s", strings.Join(c.args, " "), o.code, o.stdout, o.stderr)
	}
	return o
}

// place is where one pipeline of a test lives.
type place struct {
	target, state string
	files         []string // patterns
	more          []string // more flags
}

func newPlace(t testing.TB, files ...string) place {
	dir := t.TempDir()
	return place{target: filepath.Join(dir, "target.db"), state: filepath.Join(dir, "state"), files: files}
}

// replay returns the arguments of the replay.
func (p place) replay(more ...string) []string {
	args := []string{"replay", "--name", "e2e", "--target", "sqlite:" + p.target, "--state", p.state}
	for _, f := range p.files {
		args = append(args, "--files", f)
	}
	return append(append(args, p.more...), more...)
}

// removeTarget deletes the SQLite file and what belongs to it.
func (p place) removeTarget(t testing.TB) {
	t.Helper()
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		if err := os.RemoveAll(p.target + suffix); err != nil {
			t.Fatal(err)
		}
	}
}

func (p place) removeState(t testing.TB) {
	t.Helper()
	if err := os.RemoveAll(p.state); err != nil {
		t.Fatal(err)
	}
}

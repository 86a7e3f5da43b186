package testdb

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// buildEqual builds the judge once per process. The file goes when a later
// process sweeps.
var buildEqual = sync.OnceValues(func() (string, error) {
	sweep(os.TempDir())
	dir, err := os.MkdirTemp("", dirPrefix+strconv.Itoa(os.Getpid())+"-")
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "equal")
	out, err := exec.Command("go", "build", "-o", bin, "github.com/rowferry/rowferry/internal/equal").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build equal: %w\n%s", err, out)
	}
	return bin, nil
})

// BuildEqual returns the path of the equal program, built once per process.
func BuildEqual(t testing.TB) string {
	t.Helper()
	bin, err := buildEqual()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

// CheckEqual compares two databases, each a URL or a file made by Dump. It
// returns what the equal program says, and an error unless they are Equal. Flags
// of the program may follow.
func CheckEqual(t testing.TB, a, b string, flags ...string) (string, error) {
	t.Helper()
	args := append([]string{"compare"}, flags...)
	out, err := exec.Command(BuildEqual(t), append(args, a, b)...).CombinedOutput()
	return string(out), err
}

// RequireEqual fails the test unless CheckEqual succeeds.
func RequireEqual(t testing.TB, a, b string, flags ...string) {
	t.Helper()
	out, err := CheckEqual(t, a, b, flags...)
	if err != nil {
		t.Fatalf("not equal: %v\n%s", err, out)
	}
	t.Logf("equal: %s", out)
}

// CheckPrefix asks of a target, a URL or the path of a SQLite file, whether it
// is, in one snapshot, a prefix of what the Load committed. It returns what the
// equal program says, and an error unless it is.
func CheckPrefix(t testing.TB, target string) (string, error) {
	t.Helper()
	if !strings.Contains(target, "://") {
		target = "sqlite://" + target
	}
	out, err := exec.Command(BuildEqual(t), "prefix", target).CombinedOutput()
	return string(out), err
}

// RequirePrefix fails the test unless CheckPrefix succeeds, and returns what it
// says.
func RequirePrefix(t testing.TB, target string) string {
	t.Helper()
	out, err := CheckPrefix(t, target)
	if err != nil {
		t.Fatalf("not a prefix: %v\n%s", err, out)
	}
	return out
}

// Dump writes the canonical text of the database at url to a file.
func Dump(t testing.TB, url, path string, flags ...string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	args := append([]string{"dump"}, flags...)
	cmd := exec.Command(BuildEqual(t), append(args, url)...)
	cmd.Stdout, cmd.Stderr = f, os.Stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("dump %s: %v", url, err)
	}
}

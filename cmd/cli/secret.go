package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/connect"
)

// secretWait is how long a password_command may take.
const secretWait = 30 * time.Second

// largestSecret bounds what is read as a password; tokens of some clouds have
// two thousand bytes.
const largestSecret = 64 << 10

// withPassword finds a URL that has a password in it, written correctly or
// not: the last @ of the word ends it.
var withPassword = regexp.MustCompile(`(://(?:[^/@\s][^@\s]*?)?:)(\S+)@`)

// namedPassword finds what stands after a key that is called a password, as
// somebody may write it who does not know password_file, and the command that
// prints one.
var namedPassword = regexp.MustCompile(`(?i)\b((?:password|password_command|passwd|passphrase|secret|pwd|pw|pass)["']?\s*[:=]\s*)(\S.*)`)

// masked replaces what may be a password in a text that is about to be
// printed.
func masked(text string) string {
	text = withPassword.ReplaceAllString(text, "${1}***@")
	return namedPassword.ReplaceAllString(text, "${1}***")
}

// refuseSecrets refuses a password on the command line, which other users of
// the machine can list. It is asked before anything else looks at the
// arguments, and does not print what it refuses.
func refuseSecrets(args []string) error {
	for i, a := range args {
		if !withPassword.MatchString(a) {
			continue
		}
		where := fmt.Sprintf("argument %d", i+1)
		switch name, _, with := strings.Cut(a, "="); {
		case strings.HasPrefix(a, "-") && with:
			where = name
		case i > 0 && strings.HasPrefix(args[i-1], "-"):
			where = args[i-1]
		}
		return rowferry.Errorf(rowferry.CodeBadSecret, "%s has a password in it, and others can read the command line", where).
			Remedy("in the environment", "ROWFERRY_SOURCE or ROWFERRY_TARGET, with the whole URL").
			Remedy("in the file", "password_file, password_command, or ${env:NAME} in the url")
	}
	return nil
}

// login returns the server with its password. The password is asked for once.
func (v *server) login(ctx context.Context, s *settings, env map[string]string) (connect.Endpoint, error) {
	e := v.endpoint
	if v.password == nil {
		text, err := v.obtain(ctx, s, env)
		if err != nil {
			return e, err
		}
		v.password = &text
	}
	e.Password = connect.NewSecret(*v.password)
	return e, nil
}

func (v *server) obtain(ctx context.Context, s *settings, env map[string]string) (string, error) {
	var text string
	var err error
	switch {
	case v.ways() > 1:
		return "", severalPasswords()
	case v.file != "":
		text, err = secretOfFile(v.file)
	case v.command != nil:
		text, err = secretOfCommand(ctx, v.command, filepath.Dir(s.config), env)
	default:
		return v.endpoint.Password.Reveal(), nil
	}
	if err != nil {
		return "", err
	}
	text = strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
	switch {
	case text == "":
		return "", rowferry.Errorf(rowferry.CodeBadSecret, "the password of %s is empty", v.endpoint)
	case strings.ContainsRune(text, 0):
		return "", rowferry.Errorf(rowferry.CodeBadSecret, "the password of %s has a zero byte in it", v.endpoint)
	}
	return text, nil
}

// ways counts how many passwords were given.
func (v *server) ways() int {
	n := 0
	for _, given := range []bool{v.endpoint.Password.Reveal() != "", v.file != "", v.command != nil} {
		if given {
			n++
		}
	}
	return n
}

func severalPasswords() *rowferry.Error {
	return rowferry.Errorf(rowferry.CodeBadSecret, "there are several passwords for one server").
		Remedy("leave one of", "the URL's own, password_file, password_command")
}

func secretOfFile(path string) (text string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", rowferry.Errorf(rowferry.CodeBadSecret, "the password file cannot be read: %w", err)
	}
	defer func() { _ = f.Close() }() // only read from
	b, err := io.ReadAll(io.LimitReader(f, largestSecret+1))
	switch {
	case err != nil:
		return "", rowferry.Errorf(rowferry.CodeBadSecret, "the password file cannot be read: %w", err)
	case len(b) > largestSecret:
		return "", rowferry.Errorf(rowferry.CodeBadSecret, "the password file %s is larger than any password", path)
	}
	return string(b), nil
}

// secretOfCommand runs the command without a shell, in the folder of the
// configuration file. What it prints appears nowhere, not even when it fails:
// its messages may hold the password.
func secretOfCommand(ctx context.Context, argv []string, dir string, env map[string]string) (string, error) {
	failed := func(format string, args ...any) error {
		return rowferry.Errorf(rowferry.CodeBadSecret, "the password command %q "+format, append([]any{argv[0]}, args...)...).
			Remedy("see why", "run it by itself; its messages are not shown here")
	}
	limited, cancel := context.WithTimeout(ctx, secretWait)
	defer cancel()
	var out bytes.Buffer
	c := exec.CommandContext(limited, argv[0], argv[1:]...)
	c.Dir = dir
	c.Stdout = &limitedWriter{&out, largestSecret}
	c.WaitDelay = time.Second // for what it left running with its output open
	c.Env = []string{}
	for _, k := range slices.Sorted(maps.Keys(env)) {
		c.Env = append(c.Env, k+"="+env[k])
	}
	err := c.Run()
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case limited.Err() != nil:
		return "", failed("did not end within %s", secretWait)
	case errors.Is(err, errTooMuch):
		return "", failed("printed more than any password has")
	case err != nil:
		return "", failed("failed: %w", err)
	}
	return out.String(), nil
}

var errTooMuch = errors.New("too much output")

// limitedWriter fails beyond a number of bytes.
type limitedWriter struct {
	w    io.Writer
	left int
}

func (l *limitedWriter) Write(b []byte) (int, error) {
	if len(b) > l.left {
		return 0, errTooMuch
	}
	l.left -= len(b)
	return l.w.Write(b)
}

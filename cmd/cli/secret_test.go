package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/connect"
)

// canary is a password that must be printed nowhere.
const canary = "hunter2"

// TestPasswordsOnTheCommandLine asserts that a password that others can read
// is refused before anything is done with it, and not printed.
func TestPasswordsOnTheCommandLine(t *testing.T) {
	t.Chdir(t.TempDir())
	for where, args := range map[string][]string{
		"--source":      {"run", "--source", "mysql://root:" + canary + "@db/shop", "--target", "sqlite:x"},
		"--target":      {"run", "--source", "mysql://root@db/shop", "--target=postgres://root:" + canary + "@db/shop"},
		"--files":       {"replay", "--files", "mysql://root:" + canary + "@db/shop", "--target", "sqlite:x"},
		"argument 1":    {"mysql://root:" + canary + "@db/shop"},
		"argument 3":    {"checkpoint", "set", "mysql://:" + canary + "@db"},
		"--nonsense":    {"run", "--nonsense", "mysqll://root:" + canary + "@db"},
		"-c":            {"-c", "x://u:pa@ss" + canary + "@db", "run"},
		"--target-of-x": {"run", "--target-of-x", "postgres://u:a/b" + canary + "@db"},
	} {
		for _, more := range [][]string{nil, {"-o", "json"}} {
			got := run(t, append(more, args...))
			if more != nil && strings.HasPrefix(where, "argument") {
				where = "argument" // their number is another
			}
			if got.code != 2 || !strings.Contains(got.out+got.err, "RF-1014") || !strings.Contains(got.out+got.err, where+" ") {
				t.Errorf("%s: %+v", where, got)
			}
			if strings.Contains(got.out+got.err, canary) {
				t.Errorf("%s: the password is printed: %+v", where, got)
			}
		}
	}
	for _, args := range [][]string{{"--source", "mysql://root@db:3306/sh@p"}, {"--target", "sqlite:///a:b@c.db"}, {"--files", "/a:b@c/*"}} {
		if err := refuseSecrets(args); err != nil {
			t.Errorf("%v: %v", args, err)
		}
	}
}

// TestPasswordsInTheEnvironment asserts that a wrong URL in the environment is
// told without its password, and a right one is taken.
func TestPasswordsInTheEnvironment(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, url := range []string{
		"mysql://root:" + canary + "@db:x/shop", "mysqll://root:" + canary + "@db", "mysql//root:" + canary + "@db",
		"sqlite://root:" + canary + "@db/x", "mysql://root:" + canary + "%zz@db", "mysql://root:" + canary + "@",
		"mysql://root:" + canary + "@db?x=y", "mysql:root:" + canary + "@db",
	} {
		for _, name := range []string{"ROWFERRY_SOURCE", "ROWFERRY_TARGET"} {
			got := run(t, []string{"doctor"}, withEnv(map[string]string{name: url}))
			if got.code != 2 || !strings.Contains(got.err, "RF-1004") || strings.Contains(got.err, canary) {
				t.Errorf("%s: %+v", url, got)
			}
		}
	}
	p := newProgram(nil, nil, nil, nil)
	in := &invocation{program: p, values: values{"target": {"mysql://root:" + canary + "@db/shop"}}}
	s, err := in.settings()
	if err != nil || s.target != "mysql://root@db:3306/shop" || strings.Contains(s.goOn(), canary) {
		t.Fatalf("%v, %s", err, s.target)
	}
	if e, err := s.sink.login(t.Context(), s, nil); err != nil || e.Password.Reveal() != canary {
		t.Errorf("%v, %v", e, err)
	}
}

// TestPasswords reads them from files and commands.
func TestPasswords(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("give", "#!/bin/sh\nprintf '%s\\n' \"$PW\"\n", 0o700)
	s := &settings{config: filepath.Join(dir, "c.yaml")}
	url := connect.Endpoint{Scheme: "mysql", Host: "db", Port: 3306}
	withOwn := url
	withOwn.Password = connect.NewSecret(canary)
	for name, tt := range map[string]struct {
		server server
		want   string // "" for an error
	}{
		"none":              {server{endpoint: withOwn}, canary},
		"file":              {server{endpoint: url, file: write("a", canary+"\n", 0o600)}, canary},
		"windows file":      {server{endpoint: url, file: write("b", canary+"\r\n", 0o600)}, canary},
		"only one line end": {server{endpoint: url, file: write("c", " "+canary+" \n\n", 0o600)}, " " + canary + " \n"},
		"command":           {server{endpoint: url, command: []string{"printf", "%s", "a b; $(c) 'd'"}}, "a b; $(c) 'd'"},
		"relative command":  {server{endpoint: url, command: []string{"./give"}}, canary},
		"empty file":        {server{endpoint: url, file: write("d", "\n", 0o600)}, ""},
		"zero byte":         {server{endpoint: url, file: write("e", canary+"\x00", 0o600)}, ""},
		"large file":        {server{endpoint: url, file: write("f", strings.Repeat(canary, 1<<15), 0o600)}, ""},
		"no file":           {server{endpoint: url, file: filepath.Join(dir, "none")}, ""},
		"failing command":   {server{endpoint: url, command: []string{"sh", "-c", "echo " + canary + "; echo " + canary + " >&2; exit 3"}}, ""},
		"empty command":     {server{endpoint: url, command: []string{"true"}}, ""},
		"no command":        {server{endpoint: url, command: []string{"./none"}}, ""},
		"endless command":   {server{endpoint: url, command: []string{"yes", canary}}, ""},
		"two":               {server{endpoint: withOwn, file: write("g", canary, 0o600)}, ""},
	} {
		e, err := tt.server.login(t.Context(), s, map[string]string{"PW": canary, "PATH": os.Getenv("PATH")})
		switch {
		case tt.want == "" && rowferry.CodeOf(err) != rowferry.CodeBadSecret:
			t.Errorf("%s: %v", name, err)
		case tt.want != "" && (err != nil || e.Password.Reveal() != tt.want):
			t.Errorf("%s: %q, %v", name, e.Password.Reveal(), err)
		}
		var b strings.Builder
		for _, p := range problems(err) {
			writeProblem(&b, p, false)
		}
		if strings.Contains(b.String(), canary) {
			t.Errorf("%s: the password is printed:\n%s", name, b.String())
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	v := server{endpoint: url, command: []string{"sleep", "1000"}}
	if _, err := v.login(ctx, s, map[string]string{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled command: %v", err)
	}
}

// TestPasswordIsAskedForOnce counts the runs of a command.
func TestPasswordIsAskedForOnce(t *testing.T) {
	dir := t.TempDir()
	s := &settings{config: filepath.Join(dir, "c.yaml")}
	v := &server{endpoint: connect.Endpoint{Scheme: "mysql", Host: "db"}, command: []string{"sh", "-c", "echo x >>count; echo pw"}}
	for range 3 {
		if _, err := v.login(t.Context(), s, map[string]string{"PATH": os.Getenv("PATH")}); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := os.ReadFile(filepath.Join(dir, "count")); err != nil || string(b) != "x\n" {
		t.Errorf("%q, %v", b, err)
	}
}

// TestMaskedLines asserts that the caret stays under what it points at.
func TestMaskedLines(t *testing.T) {
	line, column := maskedAt(`t: {"x://u:`+canary+`@d", tsl: x}`, 25)
	if got := pointAt(line, column, "tsl"); got != `t: {"x://u:***@d", tsl: x}`+"\n"+strings.Repeat(" ", 20)+"^^^" {
		t.Errorf("\n%s", got)
	}
	for text, want := range map[string]string{
		"mysql://u@h/d":                 "mysql://u@h/d",
		"mysql://u:p@q@h/d":             "mysql://u:***@h/d",
		"password: x y":                 "password: ***",
		"password_file: /x":             "password_file: /x",
		"password_command: [echo, x]":   "password_command: ***",
		`{"password":"x", a: 1}`:        `{"password":***`,
		"binlog:///a:b/mysql-bin.*":     "binlog:///a:b/mysql-bin.*",
		"a mysql://u:p@h and b://c:d@e": "a mysql://u:***@h and b://c:***@e",
	} {
		if got := masked(text); got != want {
			t.Errorf("masked(%q) = %q, want %q", text, got, want)
		}
	}
}

// TestScopeOfAURL asserts that the database in a source's URL is the scope,
// whatever it is called, unless patterns are given.
func TestScopeOfAURL(t *testing.T) {
	for _, tt := range []struct {
		values values
		want   string
	}{
		{values{"source": {"mysql://u@h/shop"}}, "shop.*"},
		{values{"source": {"mysql://u@h/sh*p.1"}}, `sh\*p\.1.*`},
		{values{"source": {"mysql://u@h/%21shop"}}, `\!shop.*`},
		{values{"source": {"mysql://u@h/shop"}, "tables": {"a.b"}}, "a.b"},
		{values{"source": {"mysql://u@h"}}, ""},
		{values{"files": {"x"}}, ""},
	} {
		s, err := (&invocation{program: newProgram(nil, nil, nil, nil), values: tt.values}).settings()
		if err != nil || strings.Join(s.tables, ",") != tt.want {
			t.Errorf("%v: %v, %v", tt.values, s.tables, err)
		}
	}
}

// TestTargetNamespace asserts where rows go by what the target's URL names.
func TestTargetNamespace(t *testing.T) {
	for _, tt := range []struct{ source, target, want string }{
		{"mysql://u@h/shop", "mysql://u@h/staging", "into=\"staging\""},
		{"mysql://u@h/shop", "mariadb://u@h", "namespaces=true"},
		{"mysql://u@h/shop", "postgres://u@h/db", "namespaces=true"},
		{"mysql://u@h/shop", "sqlite:x", "namespaces=false"},
		{"mysql://u@h", "mysql://u@h/staging", "RF-1004"},
	} {
		s, err := (&invocation{program: newProgram(nil, nil, nil, nil), values: values{"source": {tt.source}, "target": {tt.target}}}).settings()
		if err != nil {
			t.Fatal(err)
		}
		rules, err := s.rules()
		text := fmt.Sprint(err)
		if err == nil {
			text = rules.Canonical()
		}
		if !strings.Contains(text, tt.want) || strings.Contains(text, "into") != strings.HasPrefix(tt.want, "into") {
			t.Errorf("%s to %s: %s, %v", tt.source, tt.target, text, err)
		}
	}
}

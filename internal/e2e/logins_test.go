package e2e

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/rowferry/rowferry/internal/testdb"
)

// logins tries every plugin, over TLS and without, by TCP and by the socket;
// first as the server does not know the password yet, then as it remembers it.
func (l *line) logins() {
	b := l.bench
	for i, p := range b.kind.Plugins() {
		a := testdb.Account{User: fmt.Sprint("plugin", i), Plugin: p}
		for _, tls := range []map[string]any{nil, full(b.ours)} {
			l.account(a) // anew, so that nothing is remembered
			l.try(attempt{name: string(p) + ", wrong password", user: a.User, tls: tls, plain: tls == nil, code: l.denied, more: map[string]any{
				"password_file": l.secret("pw", testdb.Awkward+l.canary+"x"),
			}})
			for _, cache := range []string{"cold", "warm"} {
				l.try(attempt{name: fmt.Sprintf("%s, TLS %t, %s cache", p, tls != nil, cache), user: a.User, tls: tls, plain: tls == nil})
			}
		}
		l.account(a)
		for _, cache := range []string{"cold", "warm"} {
			l.try(attempt{name: string(p) + ", by socket, " + cache, user: a.User, url: func(_ int, user string) string {
				return b.server.SocketURL(testdb.Account{User: user}, l.database)
			}})
		}
	}
}

// passwords tries every place that a password may be in.
func (l *line) passwords() {
	a := l.account(testdb.Account{User: "any where"})
	withPassword := func(port int, user string) string {
		u := url.URL{Scheme: string(l.bench.kind.Flavor()), User: url.UserPassword(user, a.Password), Host: fmt.Sprintf("127.0.0.1:%d", port), Path: "/" + l.database}
		return u.String()
	}
	encoded := url.UserPassword("", a.Password).String() // with a colon before it
	none := map[string]any{}
	const name = "ROWFERRY_E2E_PASSWORD"
	for _, c := range []attempt{
		{name: "in the URL", url: withPassword, more: none},
		{name: "file", more: map[string]any{"password_file": l.secret("pw", a.Password+"\n")}},
		{name: "relative file", more: map[string]any{"password_file": "pw"}},
		{name: "command", more: map[string]any{"password_command": []string{"cat", "pw"}}},
		{name: "environment", more: none, env: []string{name + "=" + encoded[1:]}, url: func(port int, user string) string {
			return strings.Replace(withPassword(port, user), encoded, ":${env:"+name+"}", 1)
		}},
		{name: "whole URL in the environment", url: withPassword, whole: "ROWFERRY_" + strings.ToUpper(l.role), more: none},
		{name: "command that fails", more: map[string]any{"password_command": []string{"sh", "-c", "cat pw; cat pw >&2; exit 1"}}, code: "RF-1014"},
		{name: "no such file", more: map[string]any{"password_file": "nowhere"}, code: "RF-1014"},
	} {
		c.user, c.plain = "any where", true
		if c.name != "in the URL" && c.name != "environment" {
			c.host = "127.0.0.1"
		}
		l.try(c)
	}
}

// follow lets an engine follow at the most talkative level, and looks for the
// password wherever others can look meanwhile.
func (l *line) follow() {
	t := l.t
	a := l.account(testdb.Account{User: "follower"})
	l.try(attempt{name: "before it follows", user: a.User[len(l.role)+1:], tls: full(l.bench.ours)}) // makes the table
	family := l.bench.kind.Flavor() != testdb.Postgres
	if family {
		l.must(l.bench.server.Exec(t.Context(), "SET GLOBAL log_output = 'TABLE'", "SET GLOBAL general_log = ON"))
	}
	tap := tapped(t, l.bench.server, false)
	l.secret("pw", a.Password)
	config := l.configured(attempt{user: "follower", tls: full(l.bench.ours), more: map[string]any{"password_command": []string{"cat", "pw"}}}, tap.port)
	var output bytes.Buffer
	cmd := command(t, "", l.args(config)...)
	cmd.Env = append(os.Environ(), "TMPDIR="+l.dir)
	cmd.Stdout, cmd.Stderr = &output, &output
	l.must(cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	l.insert()
	l.rows++
	for l.count() != l.rows {
		select {
		case err := <-ended:
			t.Fatalf("the engine ended: %v\n%s", err, output.String())
		default:
		}
	}
	l.requireHidden()
	if family {
		l.must(l.bench.server.Exec(t.Context(), "SET GLOBAL general_log = OFF"))
		l.requireTold("SELECT CONCAT_WS(' ', user_host, argument) FROM mysql.general_log")
	}
	for _, args := range [][]string{{"status", "-c", config}, {"status", "-o", "json", "-c", config}, {"doctor", "-c", config}, {"checkpoint", "show", "-c", config}} {
		l.requireSilence(args[0], must(t, args...).stdout)
	}
	l.must(cmd.Process.Signal(syscall.SIGTERM))
	if err := <-ended; err != nil {
		t.Errorf("a following run that is asked to end: %v", err)
	}
	l.requireSilence("follow", output.String())
	if heard := tap.hangUp(t); bytes.Contains(heard, []byte(l.canary)) || len(heard) == 0 {
		t.Error("the password was sent as it is, or nothing was")
	}
}

func (l *line) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

// requireHidden wants the password in no list of processes, neither of the
// machine nor of the server.
func (l *line) requireHidden() {
	l.t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(all) < 3 {
		l.t.Fatalf("%d processes, %v", len(all), err)
	}
	environments, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		l.t.Fatal(err)
	}
	for _, path := range append(all, environments...) {
		text, err := os.ReadFile(path)
		if err == nil && bytes.Contains(text, []byte(l.canary)) { // else it has ended
			l.t.Errorf("the password is in %s: %q", path, text)
		}
	}
	query := "SELECT CONCAT_WS(' ', USER, STATE, INFO) FROM information_schema.PROCESSLIST"
	if l.bench.kind.Flavor() == testdb.Postgres {
		query = "SELECT concat_ws(' ', usename, application_name, query) FROM pg_stat_activity"
	}
	l.requireTold(query)
}

// requireTold wants what the server says to name the engine's user, and not its
// password.
func (l *line) requireTold(query string) {
	l.t.Helper()
	rows, err := l.bench.server.DB().QueryContext(l.t.Context(), query)
	if err != nil {
		l.t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	var all strings.Builder
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			l.t.Fatal(err)
		}
		all.WriteString(text + "\n")
	}
	if err := rows.Err(); err != nil {
		l.t.Fatal(err)
	}
	if strings.Contains(all.String(), l.canary) || !strings.Contains(all.String(), l.role+"_follower") {
		l.t.Errorf("%s:\n%s", query, all.String())
	}
}

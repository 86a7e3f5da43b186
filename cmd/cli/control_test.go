package cli

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
)

type echoed struct{ Args string }

func listen(t *testing.T, dir string) *controlServer {
	t.Helper()
	s, err := listenControl(dir, answers{
		"echo": func(args json.RawMessage) (any, error) { return echoed{string(args)}, nil },
		"fail": func(json.RawMessage) (any, error) {
			return nil, rowferry.Errorf(rowferry.CodeStateFull, "no").Fact("a", "b").Remedy("c", "d")
		},
	}, lists{
		"count": func(ctx context.Context, args json.RawMessage, emit func(any) error) error {
			for n := 0; string(args) == `"forever"` || n < 3; n++ {
				if err := errors.Join(ctx.Err(), emit(n)); err != nil {
					return err
				}
			}
			if args != nil {
				return rowferry.Errorf(rowferry.CodeStateFull, "no")
			}
			return nil
		},
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestControl asks a server, in directories of short, long and odd names.
func TestControl(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, dir := range []string{"state", "@state", strings.Repeat("long/", 60) + "state"} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		var e echoed
		if err := askEngine(t.Context(), dir, "echo", nil, &e); !errors.Is(err, errNoEngine) {
			t.Errorf("%s: nobody answers: %v", dir, err)
		}
		s := listen(t, dir)
		if err := askEngine(t.Context(), dir, "echo", []int{1}, &e); err != nil || e.Args != "[1]" {
			t.Errorf("%s: %+v, %v", dir, e, err)
		}
		err := askEngine(t.Context(), dir, "fail", nil, &e)
		if rowferry.CodeOf(err) != rowferry.CodeStateFull || !strings.Contains(err.Error(), "a: b") {
			t.Errorf("%s: %v", dir, err)
		}
		if err := askEngine(t.Context(), dir, "dance", nil, &e); rowferry.CodeOf(err) != rowferry.CodeUsage {
			t.Errorf("%s: an unknown command: %v", dir, err)
		}
		info, err := os.Lstat(filepath.Join(dir, controlSocket))
		if err != nil || info.Mode() != fs.ModeSocket|0o600 {
			t.Errorf("%s: %v, %v", dir, info, err)
		}
		if err := s.close(); err != nil {
			t.Error(err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%s: left behind: %v, %v", dir, left, err)
		}
	}
}

// TestControlLists: items come one by one, then the end or the error; a client that
// has enough and a server that ends cut them off.
func TestControlLists(t *testing.T) {
	dir := t.TempDir()
	s := listen(t, dir)
	var got string
	take := func(item json.RawMessage) error {
		got += string(item)
		return nil
	}
	if err := listFromEngine(t.Context(), dir, "count", nil, take); err != nil || got != "012" {
		t.Errorf("%q, %v", got, err)
	}
	if err := listFromEngine(t.Context(), dir, "count", "then fail", take); rowferry.CodeOf(err) != rowferry.CodeStateFull || got != "012012" {
		t.Errorf("%q, %v", got, err)
	}
	if err := listFromEngine(t.Context(), dir, "dance", nil, take); rowferry.CodeOf(err) != rowferry.CodeUsage {
		t.Errorf("an unknown list: %v", err)
	}
	enough := errors.New("enough")
	if err := listFromEngine(t.Context(), dir, "count", "forever", func(json.RawMessage) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("%v", err)
	}
	ended := make(chan error, 1)
	first := make(chan bool, 1)
	go func() {
		ended <- listFromEngine(t.Context(), dir, "count", "forever", func(json.RawMessage) error {
			select {
			case first <- true:
			default:
			}
			return nil
		})
	}()
	<-first
	if err := s.close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; err == nil {
		t.Error("a list that was cut off is taken for whole")
	}
	if err := listFromEngine(t.Context(), dir, "count", nil, take); !errors.Is(err, errNoEngine) {
		t.Errorf("nobody answers: %v", err)
	}
}

// TestControlRefusals sends what is no request.
func TestControlRefusals(t *testing.T) {
	dir := t.TempDir()
	s := listen(t, dir)
	for _, tt := range []struct{ request, want string }{
		{"hello\n", "not a request"},
		{`{"version":2,"command":"echo","more":1}` + "\n", "speaks version 1, not 2"},
		{`{"command":"echo"}` + "\n", "not 0"},
		{`{"version":1,"command":"echo","more":1}` + "\n", "unknown field"},
		{`{"version":1,"command":"stop"}` + "\n", `\"stop\"`},
		{strings.Repeat("x", largestRequest+1), ""},
		{"", ""},
	} {
		c, err := net.Dial("unix", filepath.Join(dir, controlSocket))
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			_, _ = io.WriteString(c, tt.request) // the server may hang up before
			_ = c.(*net.UnixConn).CloseWrite()
		}()
		answer, err := io.ReadAll(c)
		if tt.want == "" && len(answer) > 0 || tt.want != "" && (err != nil || !strings.Contains(string(answer), tt.want) || !strings.Contains(string(answer), `"ok":false`)) {
			t.Errorf("%.50q: %s, %v", tt.request, answer, err)
		}
		_ = c.Close()
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
}

// TestControlEnds asserts that clients who say nothing keep neither the server
// from ending nor others from being answered later.
func TestControlEnds(t *testing.T) {
	dir := t.TempDir()
	s := listen(t, dir)
	var silent []net.Conn
	for range 2 * controlClients {
		c, err := net.Dial("unix", filepath.Join(dir, controlSocket))
		if err != nil {
			t.Fatal(err)
		}
		silent = append(silent, c)
	}
	for _, c := range silent[:controlClients] {
		_ = c.Close()
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
	for _, c := range silent[controlClients:] {
		if n, err := c.Read(make([]byte, 1)); err == nil || n > 0 {
			t.Error("a client was not cut off")
		}
		_ = c.Close()
	}
}

// TestStaleSocket asserts that a dead engine's socket is replaced, and nothing
// that is no socket is removed.
func TestStaleSocket(t *testing.T) {
	dir := t.TempDir()
	stale, err := net.Listen("unix", filepath.Join(dir, controlSocket))
	if err != nil {
		t.Fatal(err)
	}
	stale.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := stale.Close(); err != nil {
		t.Fatal(err)
	}
	var e echoed
	if err := askEngine(t.Context(), dir, "echo", nil, &e); !errors.Is(err, errNoEngine) {
		t.Errorf("a stale socket answers: %v", err)
	}
	s := listen(t, dir)
	if err := askEngine(t.Context(), dir, "echo", nil, &e); err != nil {
		t.Error(err)
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
	file := filepath.Join(dir, controlSocket)
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listenControl(dir, nil, nil, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a file was taken for a socket")
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "mine" {
		t.Errorf("%q, %v", b, err)
	}
}

// TestStatusOfARunningEngine asks an engine that waits for its reader, kills
// it, and runs its pipeline again.
func TestStatusOfARunningEngine(t *testing.T) {
	files := inDir(t)
	args := []string{"replay", "--files", files, "--target", "jsonl:-"}
	p := start(t, args...)
	p.waitForRows(t)
	s := statusOf(t, "--target", "jsonl:-")
	if !s.Running || s.Engine == nil || s.Engine.PID != p.Process.Pid || s.Engine.Phase != "replay" || s.At.Start != "mysql-bin.000001:4" {
		t.Errorf("%+v, %+v", s, s.Engine)
	}
	if text := ok(t, "status", "--target", "jsonl:-"); !strings.Contains(text, "engine     running (replay), process ") || !strings.Contains(text, "position   ") {
		t.Error(text)
	}
	if got := run(t, []string{"status", "--target", "jsonl:-", "--name", "other"}); got.code == 0 && strings.Contains(got.out, "process") && strings.Contains(got.out, "running (replay)") {
		t.Errorf("another pipeline: %+v", got)
	}
	if err := p.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err == nil {
		t.Error("a killed process ended well")
	}
	if _, err := os.Lstat(filepath.Join("state", controlSocket)); err != nil {
		t.Errorf("the killed engine's socket: %v", err)
	}
	if s := statusOf(t, "--target", "jsonl:-"); s.Running || s.Engine != nil {
		t.Errorf("after the kill: %+v", s)
	}
	p = start(t, args...)
	p.waitForRows(t)
	if s := statusOf(t, "--target", "jsonl:-"); s.Engine == nil || s.Engine.PID != p.Process.Pid {
		t.Errorf("%+v", s)
	}
	if _, err := io.ReadAll(p.out); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(filepath.Join("state", controlSocket)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the ended engine's socket: %v", err)
	}
}

// TestStatusWithoutTheTarget: what the state knows is shown, and the error
// beside it.
func TestStatusWithoutTheTarget(t *testing.T) {
	files := inDir(t)
	ok(t, "replay", "--files", files, "--target", "sqlite:shop.db", "--until", "0-1-10")
	got := run(t, []string{"status", "--target", "mysql://ferry@127.0.0.1:1/shop"})
	if got.code != 3 || !strings.Contains(got.out, "position   0-1-10") || !strings.Contains(got.out, "cannot be read") || !strings.Contains(got.err, "RF-3014") {
		t.Errorf("%+v", got)
	}
}

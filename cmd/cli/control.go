package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rowferry/rowferry"
)

// A running engine answers on a Unix socket in its state directory. A client
// sends one request as a line of JSON and is sent one response as a line of
// JSON, then the connection ends. A command that lists is answered by a response
// for each item, which says that more follow, and a last one without a result.
// All carry the protocol's version; an engine refuses another one, and a command
// or field it does not know.
const (
	controlVersion = 1
	controlSocket  = "engine.sock"
	controlWait    = 5 * time.Second // for a request, and a client for an answer that is no list
	answerWait     = time.Minute     // for a client to take an answer
	controlClients = 8               // at a time; more wait to be accepted
	largestRequest = 64 << 10
	largestAnswer  = 64 << 20 // counts of some hundred thousand tables
)

type controlRequest struct {
	Version int             `json:"version"`
	Command string          `json:"command"`
	Args    json.RawMessage `json:"args,omitempty"`
}

type controlResponse struct {
	Version int             `json:"version"`
	OK      bool            `json:"ok"`
	More    bool            `json:"more,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *envelopeError  `json:"error,omitempty"`
}

// answers are the commands that an engine knows. They are called from several
// goroutines and must not wait for the engine.
type answers map[string]func(args json.RawMessage) (any, error)

// lists are those that call emit with one item after the other, until ctx ends or
// emit fails.
type lists map[string]func(ctx context.Context, args json.RawMessage, emit func(any) error) error

// controlServer answers clients. Its goroutines: "control" accepts, and one
// "client" for each connection.
type controlServer struct {
	listener net.Listener
	path     string
	answers  answers
	lists    lists
	log      *slog.Logger
	slots    chan struct{}
	wg       sync.WaitGroup

	mu     sync.Mutex
	conns  map[net.Conn]bool
	closed bool
	ctx    context.Context
	cancel context.CancelFunc
}

// listenControl begins to answer in the state directory. Only who holds the
// directory's lock may call it: what a dead engine left there is removed.
func listenControl(dir string, a answers, l lists, log *slog.Logger) (*controlServer, error) {
	s := &controlServer{
		path: filepath.Join(dir, controlSocket), answers: a, lists: l, log: log,
		slots: make(chan struct{}, controlClients), conns: map[net.Conn]bool{},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if err := removeSocket(s.path); err != nil {
		return nil, err
	}
	err := withShortPath(dir, func(path string) (err error) {
		s.listener, err = net.Listen("unix", path)
		return err
	})
	if err != nil {
		return nil, err
	}
	if l, ok := s.listener.(*net.UnixListener); ok {
		l.SetUnlinkOnClose(false) // it would remove by the short path
	}
	if err := os.Chmod(s.path, 0o600); err != nil {
		return nil, errors.Join(err, s.listener.Close(), removeSocket(s.path))
	}
	s.wg.Go(s.accept)
	return s, nil
}

// removeSocket removes a socket, and nothing else.
func removeSocket(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s is not a socket", path)
	default:
		return os.Remove(path)
	}
}

// withShortPath calls fn with a path of the directory's socket that fits into
// a socket address, which has room for about a hundred bytes. The path is
// absolute: a leading @ would mean something else.
func withShortPath(dir string, fn func(path string) error) (err error) {
	const most = 100
	dir, err = filepath.Abs(dir)
	if err != nil {
		return err
	}
	if path := filepath.Join(dir, controlSocket); len(path) <= most {
		return fn(path)
	}
	base := os.TempDir()
	if len(base) > most/2 {
		base = "/tmp"
	}
	short, err := os.MkdirTemp(base, "rowferry-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(short)) }()
	link := filepath.Join(short, "s")
	if err := os.Symlink(dir, link); err != nil {
		return err
	}
	return fn(filepath.Join(link, controlSocket))
}

func (s *controlServer) accept() {
	for {
		s.slots <- struct{}{}
		c, err := s.listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // no file handle is left, for example
			<-s.slots
			s.log.Warn("a client of the engine cannot be answered", "error", err)
			select {
			case <-s.ctx.Done():
				return
			case <-time.After(time.Second):
				continue
			}
		}
		if !s.track(c) {
			_ = c.Close() // the engine ends
			return
		}
		s.wg.Go(func() {
			defer func() { <-s.slots }()
			if err := s.serve(c); err != nil {
				s.log.Debug("a client of the engine went away", "error", err)
			}
			s.untrack(c)
		})
	}
}

func (s *controlServer) track(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.conns[c] = true
	}
	return !s.closed
}

func (s *controlServer) untrack(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

func (s *controlServer) serve(c net.Conn) (err error) {
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := c.SetDeadline(time.Now().Add(controlWait)); err != nil {
		return err
	}
	line, err := bufio.NewReader(io.LimitReader(c, largestRequest)).ReadBytes('\n')
	if err != nil {
		return err
	}
	send := func(r controlResponse) error {
		text, err := json.Marshal(r)
		if err != nil {
			return err
		}
		if err := c.SetDeadline(time.Now().Add(answerWait)); err != nil {
			return err
		}
		_, err = c.Write(append(text, '\n'))
		return err
	}
	return send(s.answer(line, send))
}

// answer is the response to one request, or the last one of a list, whose items are
// sent before.
func (s *controlServer) answer(line []byte, send func(controlResponse) error) controlResponse {
	r, err := parseRequest(line)
	if err != nil {
		return refused(err)
	}
	if list := s.lists[r.Command]; list != nil {
		err := list(s.ctx, r.Args, func(item any) error {
			text, err := json.Marshal(item)
			if err != nil {
				return err
			}
			return send(controlResponse{Version: controlVersion, OK: true, More: true, Result: text})
		})
		if err != nil {
			return refused(err)
		}
		return controlResponse{Version: controlVersion, OK: true}
	}
	fn := s.answers[r.Command]
	if fn == nil {
		known := slices.Sorted(maps.Keys(s.answers))
		known = append(known, slices.Sorted(maps.Keys(s.lists))...)
		return refused(rowferry.Errorf(rowferry.CodeUsage, "the engine has no command %q", r.Command).Remedy("known", "%s", strings.Join(known, ", ")))
	}
	result, err := fn(r.Args)
	if err != nil {
		return refused(err)
	}
	text, err := json.Marshal(result)
	if err != nil {
		return refused(rowferry.Errorf(rowferry.CodeInternal, "the answer cannot be encoded: %w", err))
	}
	return controlResponse{Version: controlVersion, OK: true, Result: text}
}

func refused(err error) controlResponse {
	return controlResponse{Version: controlVersion, Error: describe(problems(err))}
}

func parseRequest(line []byte) (*controlRequest, error) {
	var version struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(line, &version); err != nil {
		return nil, rowferry.Errorf(rowferry.CodeUsage, "this is not a request: %w", err)
	}
	if version.Version != controlVersion {
		return nil, rowferry.Errorf(rowferry.CodeUsage, "the engine speaks version %d, not %d", controlVersion, version.Version).
			Remedy("use", "the program that the engine was started with")
	}
	var r controlRequest
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return nil, rowferry.Errorf(rowferry.CodeUsage, "this is not a request: %w", err)
	}
	return &r, nil
}

// close stops answering, also those it is talking to, and removes the socket.
func (s *controlServer) close() error {
	s.cancel()
	s.mu.Lock()
	s.closed = true
	for c := range s.conns {
		_ = c.Close() // the client sees it
	}
	s.mu.Unlock()
	err := s.listener.Close()
	s.wg.Wait()
	return errors.Join(err, removeSocket(s.path))
}

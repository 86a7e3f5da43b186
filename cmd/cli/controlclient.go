package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"syscall"
	"time"

	"github.com/rowferry/rowferry"
)

// errNoEngine tells that nobody answers in a state directory: no engine runs,
// or it is just starting or ending.
var errNoEngine = errors.New("no engine answers")

// askEngine sends one command to the engine that runs in the state directory
// and reads its answer into result. It fails with errNoEngine where there is
// none, and with the engine's own error where it refuses.
func askEngine(ctx context.Context, dir, command string, args, result any) error {
	ctx, cancel := context.WithTimeout(ctx, controlWait)
	defer cancel()
	conn, err := dialEngine(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // everything was read, or it failed already
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	lines, err := request(conn, command, args)
	var answer *controlResponse
	if err == nil {
		answer, err = response(lines)
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(answer.Result, result); err != nil {
		return fmt.Errorf("read the engine's answer: %w", err)
	}
	return nil
}

// listFromEngine sends a command that lists, and calls fn with each item. It fails
// as askEngine does, with errNoEngine only before the first item.
func listFromEngine(ctx context.Context, dir, command string, args any, fn func(item json.RawMessage) error) error {
	conn, err := dialEngine(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // everything was read, or it failed already
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	lines, err := request(conn, command, args)
	if err != nil {
		return err
	}
	for n := 0; ; n++ {
		answer, err := response(lines)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, errNoEngine) && n > 0:
			return rowferry.Errorf(rowferry.CodeNoEngine, "the engine ended while it answered")
		case err != nil:
			return err
		case !answer.More:
			return nil
		}
		if err := fn(answer.Result); err != nil {
			return err
		}
	}
}

func dialEngine(ctx context.Context, dir string) (conn net.Conn, err error) {
	ctx, cancel := context.WithTimeout(ctx, controlWait)
	defer cancel()
	err = withShortPath(dir, func(path string) (err error) {
		conn, err = (&net.Dialer{}).DialContext(ctx, "unix", path)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return nil, errNoEngine
	}
	if err != nil {
		return nil, fmt.Errorf("ask the engine: %w", err)
	}
	return conn, nil
}

// request sends a command, and returns what reads its responses.
func request(conn net.Conn, command string, args any) (*bufio.Reader, error) {
	request := controlRequest{Version: controlVersion, Command: command}
	if args != nil {
		text, err := json.Marshal(args)
		if err != nil {
			return nil, err
		}
		request.Args = text
	}
	text, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write(append(text, '\n')); err != nil {
		return nil, unanswered(err)
	}
	return bufio.NewReader(conn), nil
}

// response reads one response, which is no error.
func response(lines *bufio.Reader) (*controlResponse, error) {
	line, err := readLine(lines, largestAnswer)
	if err != nil {
		return nil, unanswered(err)
	}
	var r controlResponse
	if err := json.Unmarshal(line, &r); err != nil {
		return nil, fmt.Errorf("ask the engine: %w", err)
	}
	switch {
	case r.Version != controlVersion:
		return nil, rowferry.Errorf(rowferry.CodeUsage, "the engine speaks version %d, this program %d", r.Version, controlVersion).
			Remedy("use", "the program that the engine was started with")
	case r.Error != nil:
		return nil, r.Error.err()
	default:
		return &r, nil
	}
}

// readLine reads a line of at most so many bytes.
func readLine(r *bufio.Reader, most int) (line []byte, err error) {
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			return line, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		case len(line) > most:
			return nil, fmt.Errorf("an answer is longer than %d bytes", most)
		}
	}
}

// unanswered tells an engine that ended while it was asked from other failures.
func unanswered(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		return errNoEngine
	}
	return fmt.Errorf("ask the engine: %w", err)
}

// err is the error that was described.
func (d *envelopeError) err() error {
	e := rowferry.Errorf(rowferry.Code(d.Code), "%s", d.What)
	e.Unharmed = d.Unharmed
	for _, f := range d.Facts {
		e.Facts = append(e.Facts, rowferry.Fact(f))
	}
	for _, r := range d.Remedies {
		e.Remedies = append(e.Remedies, rowferry.Remedy(r))
	}
	return e
}

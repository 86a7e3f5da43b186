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
	var conn net.Conn
	ctx, cancel := context.WithTimeout(ctx, controlWait)
	defer cancel()
	err := withShortPath(dir, func(path string) (err error) {
		conn, err = (&net.Dialer{}).DialContext(ctx, "unix", path)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return errNoEngine
	}
	if err != nil {
		return fmt.Errorf("ask the engine: %w", err)
	}
	defer func() { _ = conn.Close() }() // everything was read, or it failed already
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	answer, err := exchange(conn, command, args)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return errNoEngine // it ended while it was asked
	case err != nil:
		return fmt.Errorf("ask the engine: %w", err)
	case answer.Version != controlVersion:
		return rowferry.Errorf(rowferry.CodeUsage, "the engine speaks version %d, this program %d", answer.Version, controlVersion).
			Remedy("use", "the program that the engine was started with")
	case answer.Error != nil:
		return answer.Error.err()
	}
	if err := json.Unmarshal(answer.Result, result); err != nil {
		return fmt.Errorf("read the engine's answer: %w", err)
	}
	return nil
}

func exchange(conn net.Conn, command string, args any) (*controlResponse, error) {
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
		return nil, err
	}
	line, err := bufio.NewReader(io.LimitReader(conn, largestAnswer)).ReadBytes('\n')
	if err != nil {
		return nil, err
	}
	var r controlResponse
	return &r, json.Unmarshal(line, &r)
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

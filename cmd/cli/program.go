package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"strings"

	"github.com/mattn/go-isatty"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/mapping"
)

// program is one run of the program: its streams, its environment, and what
// was asked of all commands alike. Nothing of it is global.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	env            map[string]string
	clock          clock
	handlers       []mapping.Custom

	// Which of the streams are a person at a terminal.
	inTerminal, outTerminal, errTerminal bool

	command string // the command that runs, for the envelope
	json    bool   // -o json
	asked   bool   // -o was given
	quiet   bool
	color   bool
	log     *slog.Logger
	screen  *screen // standard error, shared by log and progress

	// stdoutTaken is set where standard output carries rows, so that the
	// result has to go elsewhere.
	stdoutTaken bool
	// begun is set where a list's envelope is printed in part; see items.
	begun  bool
	result any // what the command found, for the envelope
}

// Run runs one command and returns the exit code. The arguments are without
// the program's name; env holds KEY=value. Cancelling ctx asks the command to
// finish what it has in hand. Run touches nothing of the process but the
// runtime's memory limit, and only one may run at a time.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, env []string, options ...Option) int {
	p := newProgram(stdin, stdout, stderr, env)
	for _, o := range options {
		o(p)
	}
	return p.run(ctx, args)
}

// Option makes the program another than the one that is shipped.
type Option func(*program)

// WithHandler has h say what changes to a source table, "shop.orders", become in the
// target, in every pipeline of the program. Several tables have commas between: rows
// of those behind the first may become columns of its rows. tail prints changes as
// they are.
func WithHandler(tables string, h rowferry.Handler) Option {
	return func(p *program) { p.handlers = append(p.handlers, mapping.Custom{Tables: tables, Handler: h}) }
}

func newProgram(stdin io.Reader, stdout, stderr io.Writer, env []string) *program {
	p := &program{
		stdin: stdin, stdout: stdout, stderr: stderr, env: map[string]string{}, clock: systemClock{},
		inTerminal: isTerminal(stdin), outTerminal: isTerminal(stdout), errTerminal: isTerminal(stderr),
		log: slog.New(slog.DiscardHandler),
	}
	for _, kv := range env {
		if k, v, ok := strings.Cut(kv, "="); ok {
			p.env[k] = v
		}
	}
	p.screen = &screen{w: stderr}
	return p
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

func (p *program) run(ctx context.Context, args []string) int {
	p.color = p.wantsColor()
	p.json = p.wantsJSON(args)
	err := refuseSecrets(args)
	if err == nil {
		err = p.dispatch(ctx, args)
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil && rowferry.CodeOf(err) == "" {
		err = rowferry.Errorf(rowferry.CodeInterrupted, "interrupted before anything was done")
	}
	var help helpRequested
	if errors.As(err, &help) {
		p.json = false
		err = writeAll(p.stdout, help.text)
	}
	return p.finish(err)
}

// dispatch finds and runs the command. A panic is a fault of ours and told as
// one; the stack goes to the log, at level debug.
func (p *program) dispatch(ctx context.Context, args []string) (err error) {
	defer func() {
		if r := recover(); r != nil {
			p.log.Debug("panic", "value", r, "stack", string(debug.Stack()))
			err = rowferry.Errorf(rowferry.CodeInternal, "a fault in the program: %v", r).
				Remedy("report it", "with what --verbose prints")
		}
	}()
	return p.app().RunContext(ctx, append([]string{"rowferry"}, args...))
}

// configure applies the options that all commands share.
func (p *program) configure(command string, v values) {
	p.command = command
	p.asked = v.given("output")
	p.json = v.text("output") == "json"
	p.quiet = v.on("quiet")
	p.color = p.color && !v.on("no-color")
	p.log = newLogger(p.screen, p.errTerminal, p.color, v)
}

func (p *program) wantsColor() bool {
	return p.env["NO_COLOR"] == "" && p.env["TERM"] != "dumb"
}

// wantsJSON guesses whether the arguments ask for JSON, for errors that come
// before they are understood.
func (p *program) wantsJSON(args []string) bool {
	format := p.env["ROWFERRY_OUTPUT"]
	for i, a := range args {
		name, value, with := strings.Cut(strings.TrimLeft(a, "-"), "=")
		if !strings.HasPrefix(a, "-") || name != "o" && name != "output" {
			continue
		}
		if !with && i+1 < len(args) {
			value = args[i+1]
		}
		format = value
	}
	return format == "json"
}

// outInk and errInk colour what goes to a terminal.
func (p *program) outInk() ink { return ink(p.color && p.outTerminal) }
func (p *program) errInk() ink { return ink(p.color && p.errTerminal) }

// finish prints the envelope or the errors, and returns the exit code.
func (p *program) finish(err error) int {
	if p.json {
		if writeErr := p.writeEnvelope(err); writeErr != nil {
			err = errors.Join(err, fmt.Errorf("write the result: %w", writeErr))
		}
	}
	list := problems(err)
	var already told
	if !p.json && !errors.As(err, &already) {
		for _, e := range list {
			writeProblem(p.screen, e, p.errInk())
		}
	}
	return int(classOf(list))
}

// classOf returns the exit code for a list of problems: that of the first
// with a code, since what follows it is usually its consequence.
func classOf(list []error) rowferry.Class {
	for _, e := range list {
		if rowferry.CodeOf(e) != "" {
			return rowferry.ClassOf(e)
		}
	}
	if len(list) > 0 {
		return rowferry.ClassRuntime
	}
	return 0
}

// results is where the result goes: standard output, unless rows go there.
func (p *program) results() io.Writer {
	if p.stdoutTaken {
		return p.screen
	}
	return p.stdout
}

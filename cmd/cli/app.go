package cli

import (
	"context"
	"errors"
	"flag"
	"slices"
	"strings"

	ucli "github.com/urfave/cli/v2"

	"github.com/rowferry/rowferry"
)

// command is one command of the program. Help, completion and reference are
// generated from it.
type command struct {
	name    string
	args    string // its arguments, for people; empty when it takes none
	maxArgs int
	summary string // one line, no full stop
	about   string // paragraphs
	example string // one command
	options []*option
	sub     []*command
	run     func(ctx context.Context, in *invocation) error
}

// commands lists the program's commands in the order people meet them.
func commands() []*command {
	return []*command{
		runCommand(), replayCommand(), tailCommand(), doctorCommand(), planCommand(), statusCommand(), pauseCommand(), resumeCommand(),
		setCommand(), checkpointCommand(), mapCommand(), rejectsCommand(), sequencesCommand(), destroyCommand(), explainCommand(), completionCommand(), versionCommand(),
	}
}

// allOptions are the command's own options followed by the common ones.
func (c *command) allOptions() []*option { return slices.Concat(c.options, commonOptions) }

// invocation is one use of a command: what was asked, and of whom.
type invocation struct {
	*program
	command string // the full name, without the program's
	args    []string
	values
}

// helpRequested is how a request for help travels through the parser.
type helpRequested struct{ text string }

func (helpRequested) Error() string { return "help requested" }

// app translates the commands for the command-line library, which parses and
// no more: help, environment, defaults and errors are ours.
func (p *program) app() *ucli.App {
	a := &ucli.App{
		Name: "rowferry", HideHelp: true, HideVersion: true, DisableSliceFlagSeparator: true,
		Writer: p.stdout, ErrWriter: p.stderr,
		ExitErrHandler: func(*ucli.Context, error) {},
		OnUsageError: func(_ *ucli.Context, err error, _ bool) error {
			return usageError(err, "", commonOptions, rootHelp)
		},
		Action: func(c *ucli.Context) error {
			if c.Args().Present() {
				return unknownCommand("", c.Args().First(), commands())
			}
			return helpRequested{rootHelp()}
		},
	}
	for _, o := range commonOptions {
		a.Flags = append(a.Flags, o.flag())
	}
	for _, c := range commands() {
		a.Commands = append(a.Commands, p.libraryCommand(c, ""))
	}
	return a
}

func (p *program) libraryCommand(c *command, parent string) *ucli.Command {
	full := strings.TrimPrefix(parent+" "+c.name, " ")
	help := func() string { return commandHelp(c, full) }
	l := &ucli.Command{
		Name: c.name, HideHelp: true,
		OnUsageError: func(_ *ucli.Context, err error, _ bool) error {
			p.command = full
			return usageError(err, full, c.allOptions(), help)
		},
		Action: func(u *ucli.Context) error {
			p.command = full
			if c.run == nil {
				if u.Args().Present() {
					return unknownCommand(full, u.Args().First(), c.sub)
				}
				return helpRequested{help()}
			}
			return p.invoke(u, c, full)
		},
	}
	for _, o := range c.allOptions() {
		l.Flags = append(l.Flags, o.flag())
	}
	for _, s := range c.sub {
		l.Subcommands = append(l.Subcommands, p.libraryCommand(s, full))
	}
	return l
}

func (p *program) invoke(u *ucli.Context, c *command, full string) error {
	args := u.Args().Slice()
	if err := checkArgs(args, c, full); err != nil {
		return err
	}
	vals, err := resolve(u, c.allOptions(), p.env)
	if err != nil {
		return err
	}
	p.configure(full, vals)
	return c.run(u.Context, &invocation{program: p, command: full, args: args, values: vals})
}

// checkArgs refuses what the library would let through: a flag after an
// argument, which it silently takes for an argument, and too many arguments.
func checkArgs(args []string, c *command, full string) error {
	for _, a := range args {
		if strings.HasPrefix(a, "-") {
			return rowferry.Errorf(rowferry.CodeUsage, "%q comes after an argument, where flags are not read", a).
				Remedy("flags first", "%s", usageLine(full, c))
		}
	}
	if len(args) > c.maxArgs {
		return rowferry.Errorf(rowferry.CodeUsage, "rowferry %s does not take %q", full, args[c.maxArgs]).
			Remedy("see", "rowferry %s --help", full)
	}
	return nil
}

func unknownCommand(parent, name string, known []*command) error {
	if strings.HasPrefix(name, "-") {
		name = "--"
	}
	full := strings.TrimSpace("rowferry " + parent)
	err := rowferry.Errorf(rowferry.CodeUsage, "%s has no command %q", full, name)
	var names []string
	for _, c := range known {
		names = append(names, c.name)
	}
	for _, n := range nearest(name, names) {
		err.Remedy("did you mean", "%s %s", full, n)
	}
	return err.Remedy("see", "%s --help", full)
}

// usageError translates what the library says about flags.
func usageError(err error, full string, opts []*option, help func() string) error {
	if errors.Is(err, flag.ErrHelp) {
		return helpRequested{help()}
	}
	program := strings.TrimSpace("rowferry " + full)
	name, unknown := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !unknown {
		return rowferry.Errorf(rowferry.CodeUsage, "%s: %s", program, err).Remedy("see", "%s --help", program)
	}
	name = strings.TrimLeft(name, "-")
	e := rowferry.Errorf(rowferry.CodeUsage, "%s has no flag --%s", program, name)
	var names []string
	for _, o := range opts {
		names = append(names, o.name)
	}
	for _, n := range nearest(name, names) {
		e.Remedy("did you mean", "--%s", n)
	}
	return e.Remedy("see", "%s --help", program)
}

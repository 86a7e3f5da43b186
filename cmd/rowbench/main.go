// Command rowbench compares how fast Rowferry and a database's own replica
// apply the same log, and how fast it and other programs copy what is there, as
// docs/bench/README.md describes.
//
//	rowbench                the whole bench, some hours
//	rowbench -short         one short turn of each, some minutes
//	rowbench -run PATTERN   the rows whose name matches; -list names them
//
// It starts real servers, private and on loopback, and needs those that
// scripts/servers installs, and for copies the programs of scripts/rivals. It can be cut at any moment and run again: a row
// that was measured with the same program, workload and parameters is not
// measured again. An interrupt ends all servers and deletes their files.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"time"
)

func main() {
	if code, is := child(os.Args[1:]); is {
		os.Exit(code)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := program(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if err == nil {
		return
	}
	if ctx.Err() != nil {
		err = fmt.Errorf("cut; what was measured is kept: %w", ctx.Err())
	}
	fmt.Fprintln(os.Stderr, "rowbench:", err)
	os.Exit(1)
}

// options are what can be chosen.
type options struct {
	short   bool
	seconds float64 // of native work in a turn
	turns   int
	scale   float64 // of the tables that are there before the clock
	run     *regexp.Regexp
	list    bool
	out     string // directory of the results
	book    string // file
	bin     string // Rowferry
}

// time is how long the native replica is to work in a turn.
func (o *options) time() time.Duration { return time.Duration(o.seconds * float64(time.Second)) }

// parseOptions reads flags; the short form has defaults of its own.
func parseOptions(args []string, errOut io.Writer) (*options, error) {
	o := &options{}
	var pattern string
	f := flag.NewFlagSet("rowbench", flag.ContinueOnError)
	f.SetOutput(errOut)
	f.BoolVar(&o.short, "short", false, "one turn of 5 seconds each")
	f.Float64Var(&o.seconds, "seconds", 0, "of native work in a turn (60, short 5)")
	f.IntVar(&o.turns, "turns", 0, "of each side (3, short 1)")
	f.Float64Var(&o.scale, "scale", 0, "of the tables that are there before the clock (1, short 0.1)")
	f.StringVar(&pattern, "run", "", "only rows whose name matches")
	f.BoolVar(&o.list, "list", false, "name the rows, and say about how long they take")
	f.StringVar(&o.out, "out", "docs/bench", "directory of the results")
	f.StringVar(&o.book, "book", ".cache/rowbench.json", "file with what was measured")
	f.StringVar(&o.bin, "rowferry", "bin/rowferry", "the program that is measured")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("no arguments are known, only flags: %q", f.Args())
	}
	if o.short {
		o.seconds, o.turns, o.scale = cmp.Or(o.seconds, 5), cmp.Or(o.turns, 1), cmp.Or(o.scale, 0.1)
	}
	o.seconds, o.turns, o.scale = cmp.Or(o.seconds, 60), cmp.Or(o.turns, 3), cmp.Or(o.scale, 1)
	if o.seconds < 0 || o.turns < 0 || o.scale < 0 {
		return nil, errors.New("seconds, turns and scale must be positive")
	}
	var err error
	o.run, err = regexp.Compile(pattern)
	return o, err
}

// program is the program with everything given.
func program(ctx context.Context, args []string, out, errOut io.Writer) error {
	o, err := parseOptions(args, errOut)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	groups := chosen(plan(o), o.run)
	if o.list {
		printPlan(groups, o, out)
		return nil
	}
	if len(groups) == 0 {
		return fmt.Errorf("no row's name matches %q; -list names them", o.run)
	}
	b, err := openBench(ctx, o, errOut)
	if err != nil {
		return err
	}
	err = errors.Join(b.run(ctx, groups), b.close())
	if b.report == nil {
		return err
	}
	return errors.Join(err, b.report.printTable(out))
}

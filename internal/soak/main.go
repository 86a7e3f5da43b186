// Command soak runs the long tests and prints one page of their figures.
//
//	soak                 every part
//	soak PART [PART…]    the named ones
//
// It can be cut at any moment and run again: a part whose result is on record
// and whose packages are unchanged since is not run again. Parts run the same
// tests as `make test`, at SCALE=soak; what a test logs as "figure: …" is its
// line on the page.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, names []string) error {
	all, err := parts(ctx)
	if err != nil {
		return err
	}
	book, err := openBook(".cache/soak.json")
	if err != nil {
		return err
	}
	for _, name := range names {
		if !slices.ContainsFunc(all, func(p part) bool { return p.group == name || p.name == name }) {
			return fmt.Errorf("no part %q; there are %v", name, groups(all))
		}
	}
	var alone, beside []part
	for _, p := range all {
		switch {
		case len(names) > 0 && !slices.Contains(names, p.group) && !slices.Contains(names, p.name):
		case p.beside:
			beside = append(beside, p)
		default:
			alone = append(alone, p)
		}
	}
	failed, err := book.ensureAll(ctx, alone, 1)
	if err != nil {
		return err
	}
	more, err := book.ensureAll(ctx, beside, runtime.NumCPU())
	if err != nil {
		return err
	}
	failed += more
	book.page(os.Stdout, all)
	if failed > 0 {
		return fmt.Errorf("%d parts failed", failed)
	}
	return nil
}

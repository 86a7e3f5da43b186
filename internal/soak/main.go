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
	failed := 0
	for _, p := range all {
		if len(names) > 0 && !slices.Contains(names, p.group) && !slices.Contains(names, p.name) {
			continue
		}
		ok, err := book.ensure(ctx, p)
		if err != nil {
			return err
		}
		if !ok {
			failed++
		}
	}
	book.page(os.Stdout, all)
	if failed > 0 {
		return fmt.Errorf("%d parts failed", failed)
	}
	return nil
}

package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/rowferry/rowferry"
)

// Main runs the program for this process and returns its exit code. It alone
// handles signals: the first SIGINT or SIGTERM asks the command to finish
// what it has in hand, the second ends the process at once.
func Main(options ...Option) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() { // the goroutine "signals", for the life of the process
		<-signals
		cancel()
		<-signals
		os.Exit(int(rowferry.ClassInterrupted))
	}()
	return Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Environ(), options...)
}

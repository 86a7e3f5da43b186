// Package cli is the rowferry program: its commands, one file each, its
// configuration, and the wiring of sources, sinks and state to an engine.
//
// It has three duties: read what was asked (option.go, config*.go), wire the
// parts (wire.go, memory.go), and tell people what happened (summary.go,
// progress.go, problem.go). What is asked and what can be asked are declared
// once: commands and flags in the files of the commands, configuration keys
// in configkeys.go. Help texts, shell completions, the man page and the
// reference pages are generated from those declarations (reference.go), and a
// test keeps the committed ones from drifting.
//
// Data goes to standard output; logs, progress and errors to standard error.
// A program with handlers of its own for single tables is a main function that calls
// Main with WithHandler; see examples/custom-handler.
//
// Nothing here exits the process or handles signals, except Main.
package cli

// Command equal tells whether two databases hold the same rows. It is the judge
// of the tests, so it shares no code with what is judged: it imports no other
// package of this module.
//
//	equal dump [flags] DB            writes canonical text to standard output
//	equal compare [flags] A B        compares two databases, or files made by dump
//	equal prefix DB                  checks a target of the Load, in one snapshot
//
// A DB is one of these, each read by its own SQL, in one snapshot:
//
//	mysql://user[:password]@host:port/database      MariaDB too
//	mysql://user@host:port/?database=a&database=b   several; tables are a.t, b.t
//	postgres://user[:password]@host:port/database   all schemas that have tables;
//	                                                tables are a.t if it is several
//	…?schema=a&schema=b                             only these
//	sqlite://path
//
// Tables rowferry_checkpoint and rowferry_chunk, and those
// whose names begin with _test_ are left out. compare and prefix exit with 1 and
// print the first differences; any other failure exits with 2.
//
// Canonical text has one line per fact: each table by name, its primary key, its
// columns by name with the column type the target must have (B's kind, or what
// -target says), and its rows in key order, without a key in the order of their text. Nothing in a value is
// trimmed, rounded or folded; see value.go.
package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

// errDifferent says that the comparison, or the check, found a difference.
var errDifferent = errors.New("different")

func main() {
	err := run(context.Background(), os.Args[1:], os.Stdout)
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "equal:", err)
	if errors.Is(err, errDifferent) {
		os.Exit(1)
	}
	os.Exit(2)
}

// run is the program with its arguments and output given.
func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 {
		return errors.New("usage: equal dump|compare|prefix …")
	}
	var o options
	flags := flag.NewFlagSet("equal "+args[0], flag.ContinueOnError)
	flags.StringVar(&o.tables, "tables", "", "only these tables, comma separated")
	flags.StringVar(&o.exclude, "exclude", "", "not these tables, comma separated")
	flags.BoolVar(&o.types, "types", true, "assert column types and keys of the target")
	flags.StringVar(&o.target, "target", "", "the target's kind: mysql, postgres or sqlite; B's, otherwise sqlite")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	a := flags.Args()
	if args[0] == "compare" && len(a) == 2 {
		o.target = cmp.Or(o.target, dialectOf(a[1]))
	}
	o.target = cmp.Or(o.target, sqliteDialect)
	switch {
	case args[0] == "dump" && len(a) == 1:
		w := bufio.NewWriterSize(out, 1<<20)
		if err := dumpURL(ctx, w, a[0], o); err != nil {
			return err
		}
		return w.Flush()
	case args[0] == "compare" && len(a) == 2:
		return compare(ctx, out, a[0], a[1], o)
	case args[0] == "prefix" && len(a) == 1:
		return prefix(ctx, out, a[0])
	}
	return fmt.Errorf("usage: equal dump DB | compare A B | prefix DB, not %q", args)
}

// options restrict what is dumped and compared.
type options struct {
	tables, exclude string
	types           bool
	target          string
}

// wants reports whether the table is to be dumped.
func (o options) wants(table string) bool {
	if table == "rowferry_checkpoint" || table == "rowferry_chunk" || strings.HasPrefix(table, "_test_") || listed(o.exclude, table) {
		return false
	}
	return o.tables == "" || listed(o.tables, table)
}

func listed(list, name string) bool {
	for item := range strings.SplitSeq(list, ",") {
		if item == name && item != "" {
			return true
		}
	}
	return false
}

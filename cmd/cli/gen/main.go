// Command gen writes the generated reference pages again. Its argument is the
// repository's root.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/rowferry/rowferry/cmd/cli"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("usage: gen ROOT")
	}
	files, err := cli.Reference()
	if err != nil {
		return err
	}
	for path, text := range files {
		path = filepath.Join(args[0], path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

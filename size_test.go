package rowferry_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// The sizes that keep a file and a function within one look.
const (
	mostFileLines     = 400
	mostFunctionLines = 60
)

// oversized lists what is larger, with the reason one could give a stranger:
// a file's path, or a file's path and a function's name.
var oversized = map[string]string{
	"catalogue.go": "one sentence or two for each error code, in order of code",
}

// TestSizes keeps files and functions small. Tests count as files only:
// tables of cases are long and read easily.
func TestSizes(t *testing.T) {
	seen := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "bin" || d.Name() == "out"):
			return filepath.SkipDir
		case !d.IsDir() && strings.HasSuffix(path, ".go"):
			seen++
			checkSizes(t, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 10 {
		t.Fatalf("looked at %d files", seen)
	}
}

func checkSizes(t *testing.T, path string) {
	t.Helper()
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Error(err)
		return
	}
	if lines := set.Position(f.End()).Line; lines > mostFileLines && oversized[filepath.ToSlash(path)] == "" {
		t.Errorf("%s has %d lines, more than %d", path, lines, mostFileLines)
	}
	if strings.HasSuffix(path, "_test.go") {
		return
	}
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Body == nil {
			continue
		}
		lines := set.Position(fn.End()).Line - set.Position(fn.Pos()).Line + 1
		if lines > mostFunctionLines && oversized[filepath.ToSlash(path)+" "+fn.Name.Name] == "" {
			t.Errorf("%s: %s has %d lines, more than %d", path, fn.Name.Name, lines, mostFunctionLines)
		}
	}
}

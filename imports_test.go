package rowferry_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"strings"
	"testing"
)

const module = "github.com/rowferry/rowferry"

// listed is what `go list -json` says of a package.
type listed struct {
	ImportPath string
	Imports    []string
}

// TestImportsGoOneWay asserts the house's rule: schema is a leaf, the root
// knows no driver, adapters know the root and never each other, and only cmd
// and examples may know everything.
func TestImportsGoOneWay(t *testing.T) {
	packages := list(t)
	if len(packages) < 3 {
		t.Fatalf("go list names %d packages", len(packages))
	}
	for _, p := range packages {
		own := rel(p.ImportPath)
		allowed, restricted := mayImport(own)
		for _, i := range p.Imports {
			switch {
			case !restricted:
			case !strings.HasPrefix(i, module):
				if strings.Contains(strings.Split(i, "/")[0], ".") && (own == "." || own == "schema") {
					t.Errorf("%s imports %s: only the standard library and schema belong here", own, i)
				}
			case !within(rel(i), allowed):
				t.Errorf("%s imports %s, and may import only %v of this module", own, rel(i), allowed)
			}
		}
	}
}

// mayImport returns which packages of the module a package may import, with
// everything below them, or false where it may import all. Test code is not
// asked: it may use the test servers and the conformance suites.
func mayImport(own string) (allowed []string, restricted bool) {
	switch first, _, _ := strings.Cut(own, "/"); {
	case own == ".":
		return []string{"schema", "internal/failpoint"}, true
	case first == "schema":
		return []string{"schema"}, true
	case strings.HasPrefix(own, "internal/dialect"):
		return []string{".", "schema", "internal/dialect", "internal/connect"}, true
	case own == "internal/connect":
		return []string{"."}, true
	case own == "internal/mysqlwire": // what a source and a sink of MySQL have in common
		return []string{"internal/connect"}, true
	case own == "internal/sqlsink": // what sinks that speak SQL have in common
		return []string{".", "schema", "internal/failpoint"}, true
	case own == "internal/equal": // judges the engine's work, so it knows nothing of it
		return nil, true
	case own == "source/sourcetest", own == "sink/sinktest":
		return []string{".", "schema", own}, true
	case first == "source", first == "sink":
		parts := strings.Split(own, "/")
		adapter := path.Join(parts[:min(2, len(parts))]...)
		allowed := []string{".", "schema", "internal/dialect", "internal/connect", "internal/mysqlwire", "internal/failpoint", adapter}
		if first == "sink" {
			allowed = append(allowed, "internal/sqlsink")
		}
		return allowed, true
	case first == "checkpoint", first == "mapping":
		return []string{".", "schema", "internal/dialect", "internal/failpoint", first}, true
	default:
		return nil, false
	}
}

func within(own string, allowed []string) bool {
	for _, a := range allowed {
		if own == a || a != "." && strings.HasPrefix(own, a+"/") {
			return true
		}
	}
	return false
}

func rel(importPath string) string {
	if importPath == module {
		return "."
	}
	return strings.TrimPrefix(importPath, module+"/")
}

func list(t *testing.T) []listed {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	d := json.NewDecoder(bytes.NewReader(out))
	for {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

package cli

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

func TestSplitURL(t *testing.T) {
	for _, tt := range []struct{ url, scheme, path string }{
		{"sqlite:shop.db", "sqlite", "shop.db"},
		{"sqlite:../a/shop.db", "sqlite", "../a/shop.db"},
		{"sqlite:///var/shop.db", "sqlite", "/var/shop.db"},
		{"sqlite:/var/shop.db", "sqlite", "/var/shop.db"},
		{"sqlite:a%20b%25.db", "sqlite", "a b%.db"},
		{"jsonl:-", "jsonl", "-"},
		{"binlog:///backup/mysql-bin.0000[0-9]?", "binlog", "/backup/mysql-bin.0000[0-9]?"},
		{"sqlite://host/x", "", ""}, {"sqlite:", "", ""}, {"shop.db", "", ""}, {":x", "", ""}, {"sqlite:%zz", "", ""}, {"sqlite:a%00b", "", ""},
	} {
		scheme, path, err := splitURL(tt.url)
		if scheme != tt.scheme || path != tt.path || (err == nil) != (tt.scheme != "") {
			t.Errorf("splitURL(%q) = %q, %q, %v", tt.url, scheme, path, err)
		}
		if err != nil {
			continue
		}
		if again, where, err := splitURL(joinURL(scheme, path)); err != nil || again != scheme || where != path {
			t.Errorf("joinURL(%q, %q) does not come back: %q, %q, %v", scheme, path, again, where, err)
		}
	}
}

func TestCheckFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"mysql-bin.000001", "odd[1].000001"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for pattern, want := range map[string]rowferry.Code{
		"mysql-bin.*": "", "mysql-bin.000001": "", "odd[1].000001": "", "none.*": rowferry.CodeLogUnreadable, "[": rowferry.CodeBadValue,
	} {
		if err := checkFiles([]string{filepath.Join(dir, pattern)}); rowferry.CodeOf(err) != want {
			t.Errorf("%s: %v, want %q", pattern, err, want)
		}
	}
}

func exampleExport() exported {
	return exported{
		Schema: 1, Kind: exportKind, Pipeline: "shop", Position: "mysql-bin.000002:1223072", Start: "mysql-bin.000001:4",
		Config: "abc", Shapes: []*schema.Table{{
			Name: schema.Name{Schema: "shop", Table: "a"}, Columns: []schema.Column{{Name: "id", Type: schema.Type{Kind: schema.Int, Bits: 32}}}, PrimaryKey: []int{0},
		}},
	}
}

func TestParseExported(t *testing.T) {
	for _, tt := range []struct {
		name string
		edit func(*exported)
		want string // part of the message; empty for a good file
	}{
		{"good", func(*exported) {}, ""},
		{"kind", func(x *exported) { x.Kind = "" }, "not an exported checkpoint"},
		{"newer", func(x *exported) { x.Schema = 2 }, "schema 2"},
		{"no rules", func(x *exported) { x.Config = "" }, "hash of the rules"},
		{"name", func(x *exported) { x.Pipeline = "a b" }, "pipeline's name"},
		{"position", func(x *exported) { x.Position = "yesterday" }, `"yesterday" is not a position`},
		{"time", func(x *exported) { x.Start = "2026-11-18T12:04:00Z" }, "is not a position"},
		{"no position", func(x *exported) { x.Position = "" }, "is not a position"},
		{"shape twice", func(x *exported) { x.Shapes = append(x.Shapes, x.Shapes[0]) }, "twice"},
		{"no shape", func(x *exported) { x.Shapes = append(x.Shapes, nil) }, "missing"},
		{"bad shape", func(x *exported) { x.Shapes[0].PrimaryKey = []int{9} }, "contradicts itself"},
	} {
		x := exampleExport()
		tt.edit(&x)
		text, err := json.Marshal(x)
		if err != nil {
			t.Fatal(err)
		}
		_, err = parseExported(text)
		if tt.want == "" && err != nil || tt.want != "" && (rowferry.CodeOf(err) != rowferry.CodeBadImport || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	for _, text := range []string{"", "{", "null", "[]", `{"schema":1,"x":2}`, `{} {}`, "\x00"} {
		if _, err := parseExported([]byte(text)); rowferry.CodeOf(err) != rowferry.CodeBadImport {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzParseExported(f *testing.F) {
	text, err := json.Marshal(exampleExport())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"schema":1,"kind":"rowferry checkpoint","shapes":[null]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		x, err := parseExported(text)
		if (err == nil) == (rowferry.CodeOf(err) == rowferry.CodeBadImport) {
			t.Errorf("%v", err)
		}
		if err == nil && (x.Position == "" || x.Pipeline == "") {
			t.Errorf("accepted %+v", x)
		}
	})
}

// TestBashCompletion runs the script in a real bash, as the shell would.
func TestBashCompletion(t *testing.T) {
	script := filepath.Join(t.TempDir(), "rowferry.bash")
	if err := os.WriteFile(script, []byte(run(t, []string{"completion", "bash"}).out), 0o600); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"rowferry rep":                        "replay",
		"rowferry checkpoint ex":              "export",
		"rowferry -c x.yaml checkpoint se":    "set",
		"rowferry replay --fr":                "--from",
		"rowferry checkpoint set --y":         "--yes",
		"rowferry -o js":                      "json",
		"rowferry replay --name x --output t": "text",
		"rowferry explain RF-200":             "RF-2001 RF-2002 RF-2003 RF-2004 RF-2005 RF-2006 RF-2007 RF-2008 RF-2009",
		"rowferry completion f":               "fish",
		"rowferry replay --name ":             "",
	} {
		words := strings.Split(line, " ")
		test := `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _rowferry; echo "${COMPREPLY[*]}"`
		out, err := exec.Command("bash", append([]string{"--norc", "-c", test, "bash", script}, words...)...).CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("%q completes to %q, want %q (%v)", line, got, want, err)
		}
	}
}

package cli

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	ucli "github.com/urfave/cli/v2"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/connect"
	"github.com/rowferry/rowferry/mapping"
	"github.com/rowferry/rowferry/source/csv"
)

// TestConfigErrors compares everything that is said about each wrong file in
// testdata/config with the text beside it.
func TestConfigErrors(t *testing.T) {
	files, err := filepath.Glob("testdata/config/*.yaml")
	if err != nil || len(files) < 10 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		if strings.HasPrefix(filepath.Base(f), "valid") {
			continue
		}
		t.Run(filepath.Base(f), func(t *testing.T) {
			got := run(t, []string{"replay", "-c", f})
			if got.code != 2 || got.out != "" {
				t.Errorf("code %d, stdout %q", got.code, got.out)
			}
			golden(t, strings.TrimSuffix(f, ".yaml")+".golden", got.err)
		})
	}
}

// TestConfigCodes asserts that every error of a file is told, each with its
// own code.
func TestConfigCodes(t *testing.T) {
	for file, want := range map[string][]rowferry.Code{
		"unknownkeys": {"RF-1001", "RF-1001", "RF-1001", "RF-1001", "RF-1001", "RF-1003"},
		"wrongtypes":  {"RF-1002", "RF-1002", "RF-1002", "RF-1002", "RF-1002", "RF-1002", "RF-1002", "RF-1002", "RF-1002"},
		"badvalues":   {"RF-1004", "RF-1004", "RF-1004", "RF-1004", "RF-1004", "RF-1004", "RF-1004", "RF-1004", "RF-1004"},
		"missing":     {"RF-1003"},
		"rules":       {"RF-1016", "RF-1016", "RF-1002", "RF-1004", "RF-1001", "RF-1001", "RF-1002", "RF-1002", "RF-1004", "RF-1003", "RF-1003", "RF-1004", "RF-1017", "RF-1017", "RF-1017", "RF-1017", "RF-1017"},
		"syntax":      {"RF-1005"},
	} {
		_, err := loadConfig("testdata/config/"+file+".yaml", nil, false)
		var got []rowferry.Code
		for _, e := range problems(err) {
			got = append(got, rowferry.CodeOf(e))
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", file, got, want)
		}
	}
}

func TestConfigValid(t *testing.T) {
	got, err := loadConfig("testdata/config/valid.yaml", map[string]string{"OUT": "out", "CREATE": "false"}, false)
	if err != nil {
		t.Fatal(err)
	}
	want := &settings{
		config: "testdata/config/valid.yaml", name: "shop-to-sqlite", files: []string{"/backup/mysql-bin.*"},
		schema: "testdata/config/dump.sql", target: "sqlite:testdata/config/out/shop x.db", create: false, triggers: "fire", match: matchKey,
		tables: []string{"shop.*", "!shop.tmp_*"}, renames: map[string]string{"shop.customers": "clients", "shop.orders": "purchases"},
		memory: 1 << 30, state: "testdata/config/state",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	got, err = loadConfig("testdata/config/valid-server.yaml", map[string]string{"PW": "s3cret"}, false)
	if err != nil {
		t.Fatal(err)
	}
	folder := "testdata/config/"
	want = &settings{
		config: folder + "valid-server.yaml", name: "shop-to-staging", serverID: 4711, create: true, triggers: "suppress", match: matchRow,
		source: server{file: folder + "secrets/shop_pw", endpoint: connect.Endpoint{
			Scheme: "mysql", Host: "prod-replica", Port: 3307, User: "rowferry", Database: "sho.p", Timeout: 90 * time.Second,
			TLS: connect.TLS{Mode: "verify-ca", CA: folder + "ca.pem", Cert: folder + "client.pem", Key: folder + "client-key.pem", ServerName: "db.example.org"},
		}},
		target: "mariadb://rowferry@staging:3306/shop",
		sink: server{endpoint: connect.Endpoint{
			Scheme: "mariadb", Host: "staging", Port: 3306, User: "rowferry", Password: connect.NewSecret("s3cret"), Database: "shop", Timeout: 2 * time.Minute,
		}},
		entities: map[string]mapping.Entity{
			"shop.users":    {Keys: mapping.KeyRule{Key: mapping.Match, Match: [][]string{{"uid"}, {"email"}, {"first", "last"}}, Duplicates: mapping.MergeDuplicates}},
			"shop.tags":     {Keys: mapping.KeyRule{Duplicates: mapping.UpdateDuplicates}, MissingColumns: mapping.DropMissing, Defaults: map[string]string{"color": `"red"`}},
			"shop.orders":   {Keys: mapping.KeyRule{Key: mapping.Allocate, WhereParent: []string{"shop_id", "user_id"}}},
			"shop.products": {Keys: mapping.KeyRule{Key: mapping.Offset, Offset: 1000}},
		},
		throttle: rowferry.Limits{RowsPerSecond: 5000, SourceRunning: 32},
		copies:   copySettings{workers: 8, rows: 50000, orphans: rowferry.NullOrphans}, renames: map[string]string{}, waiting: 1000, rejects: rejectSettings{policy: mapping.Quarantine, most: 50}, memory: 256 << 20, patience: "10m", state: "./state",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	got, err = loadConfig(folder+"valid-postgres.yaml", nil, false)
	if err != nil {
		t.Fatal(err)
	}
	want = defaultSettings()
	want.config, want.name, want.target = folder+"valid-postgres.yaml", "shop-to-file", "jsonl:"+folder+"rows.jsonl"
	want.source = server{endpoint: connect.Endpoint{Scheme: "postgres", Host: "prod", Port: 5432, User: "rowferry", Database: "shop"}}
	want.slot = slotNames{slot: "ferry_1", publication: "Shop's own", partitions: "leaf", origin: "none"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	got, err = loadConfig(folder+"valid-csv.yaml", nil, false)
	if err != nil {
		t.Fatal(err)
	}
	want = defaultSettings()
	want.config, want.name, want.target = folder+"valid-csv.yaml", "shop-import", "sqlite:"+folder+"shop.db"
	want.csv = csvSettings{
		path: folder + "export/*.csv", schema: folder + "schema.sql", database: "shop", noHeader: true,
		files:     map[string]string{"shop.orders": folder + "2026-orders.txt", "items": "/srv/items.csv"},
		delimiter: "tab", quote: "'", escape: "mysql", null: "NULL", binary: "raw",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if f, want := got.csv.format(), (csv.Format{Delimiter: '\t', Quote: '\'', Escape: csv.EscapeMySQL, Null: "NULL", Binary: csv.BinaryRaw}); f != want {
		t.Errorf("got  %+v\nwant %+v", f, want)
	}
	if f := (&csvSettings{}).format(); f != csv.DefaultFormat() {
		t.Errorf("by default %+v", f)
	}
	if _, err := parseConfig("example.yaml", exampleConfig, nil, false); err != nil {
		t.Errorf("the example on the reference page: %v", err)
	}
}

// TestConfigKeysAreComplete asserts that the valid files, and so the test
// above, use every key there is.
func TestConfigKeysAreComplete(t *testing.T) {
	text := ""
	for _, name := range []string{"valid", "valid-server", "valid-postgres", "valid-csv"} {
		b, err := os.ReadFile("testdata/config/" + name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		text += string(b)
	}
	// password_command is in TestPasswords: it would be a second password here.
	// target_max_lag is in TestThrottleSettings: it is for no target of these.
	text += "password_command: target_max_lag:"
	walkKeys(configKeys(), "", func(full string, k *key) {
		if !strings.Contains(full, "<") && !strings.Contains(text, k.name+":") {
			t.Errorf("no valid file uses %s", full)
		}
		if k.doc == "" || k.kind == textKey && k.set == nil {
			t.Errorf("%s has no documentation or no effect", full)
		}
	})
}

// TestPrecedence asserts flag > environment > file > default for a setting
// that has all four, and that each flag that a key names exists.
func TestPrecedence(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.yaml")
	text := "name: from-file\ntarget: {url: \"sqlite:file.db\"}\nmemory: 512MiB\ntables: [file.a]\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(file)
	env := map[string]string{"ROWFERRY_NAME": "from-env", "ROWFERRY_TABLES": "env.a,env.b", "ROWFERRY_MEMORY": "1GiB"}
	for _, tt := range []struct {
		name   string
		values values
		env    map[string]string
		check  func(*settings) bool
	}{
		{"default", values{}, nil, func(s *settings) bool {
			return s.name == "replay" && s.memory == 256<<20 && s.state == "./state" && s.tables == nil && s.create
		}},
		{"file", values{"config": {file}}, nil, func(s *settings) bool {
			return s.name == "from-file" && s.memory == 512<<20 && s.target == joinURL("sqlite", filepath.Join(dir, "file.db"))
		}},
		{"environment", values{"config": {file}}, env, func(s *settings) bool {
			return s.name == "from-env" && s.memory == 1<<30 && reflect.DeepEqual(s.tables, []string{"env.a", "env.b"})
		}},
		{"flag", values{"config": {file}, "name": {"from-flag"}, "tables": {"flag.a"}}, env, func(s *settings) bool {
			return s.name == "from-flag" && s.memory == 1<<30 && reflect.DeepEqual(s.tables, []string{"flag.a"})
		}},
	} {
		var got *settings
		args := []string{"probe"}
		for _, name := range []string{"config", "name", "tables"} {
			for _, v := range tt.values[name] {
				args = append(args, "--"+name, v)
			}
		}
		probe := &command{name: "probe", options: replayCommand().options}
		p := newProgram(nil, nil, nil, nil)
		maps.Copy(p.env, tt.env)
		app := p.app()
		library := p.libraryCommand(probe, "")
		app.Commands = append(app.Commands, library)
		library.Action = probeAction(p, probe, &got)
		if err := app.RunContext(t.Context(), append([]string{"rowferry"}, args...)); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if !tt.check(got) {
			t.Errorf("%s: %+v", tt.name, got)
		}
	}
	flags := map[string]bool{}
	walk(commands(), "", func(_ string, c *command) {
		for _, o := range c.options {
			flags[o.name] = true
		}
	})
	walkKeys(configKeys(), "", func(full string, k *key) {
		if k.flag != "" && !flags[k.flag] {
			t.Errorf("%s names the flag --%s, which does not exist", full, k.flag)
		}
	})
}

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"256MiB": 256 << 20, "1GiB": 1 << 30, "131072KiB": 128 << 20, "96 MiB": 96 << 20,
		"95MiB": 0, "256": 0, "256MB": 0, "-1GiB": 0, "9999999999GiB": 0, "": 0, "MiB": 0, "1.5GiB": 0,
	} {
		got, err := parseSize(text)
		if (err == nil) != (want > 0) || got != want {
			t.Errorf("parseSize(%q) = %d, %v", text, got, err)
		}
	}
}

func FuzzConfig(f *testing.F) {
	files, err := filepath.Glob("testdata/config/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add(strings.Repeat("[", 1000))
	f.Add(strings.Repeat("- ", 1000))
	f.Add(strings.Repeat("{a: ", 1000))
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > largestConfig {
			return
		}
		s, err := parseConfig("fuzz.yaml", text, nil, false)
		if err == nil && s.name == "" {
			t.Error("accepted without a name")
		}
		for _, e := range problems(err) {
			if rowferry.ClassOf(e) != rowferry.ClassUsage {
				t.Errorf("%v is not a usage error", e)
			}
			writeProblem(discard{}, e, false)
		}
	})
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

func probeAction(p *program, probe *command, got **settings) ucli.ActionFunc {
	return func(u *ucli.Context) error {
		vals, err := resolve(u, probe.allOptions(), p.env)
		if err != nil {
			return err
		}
		*got, err = (&invocation{program: p, values: vals}).settings()
		return err
	}
}

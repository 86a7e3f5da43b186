package cli

import (
	"os"
	"strings"
	"testing"
)

// csvConfig is a pipeline from CSV files.
const csvConfig = `name: shop-import
source:
  csv: {path: export, schema: schema.sql, database: shop}
target: {url: "sqlite:shop.db"}
state: ./state
`

// inExport makes an export in a folder of its own, and the configuration that
// copies it.
func inExport(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.Mkdir("export", 0o755); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{
		"shop.yaml":            csvConfig,
		"schema.sql":           "CREATE TABLE customers (id INT NOT NULL PRIMARY KEY, name VARCHAR(20));\nCREATE TABLE orders (id INT NOT NULL PRIMARY KEY, customer INT, FOREIGN KEY (customer) REFERENCES customers (id));\n",
		"export/customers.csv": "id,name\n1,Ada\n2,\n",
		"export/orders.csv":    "customer,id\n1,10\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCSVCommands: every command knows what to do with files that have no log, or
// says that it does not.
func TestCSVCommands(t *testing.T) {
	inExport(t)
	if out := ok(t, "doctor", "-c", "shop.yaml"); !strings.Contains(out, "2 files of") || !strings.Contains(out, "3 passed") {
		t.Error(out)
	}
	if out := ok(t, "plan", "-c", "shop.yaml", "--ddl"); !strings.Contains(out, "shop.orders") || !strings.Contains(out, "CREATE TABLE") {
		t.Error(out)
	}
	got := run(t, []string{"status", "-c", "shop.yaml"})
	if got.code == 0 || !strings.Contains(got.err, "RF-4010") {
		t.Errorf("%+v", got)
	}
	if out := ok(t, "run", "-c", "shop.yaml"); !strings.Contains(out, "copied     3 rows of 2 tables") || !strings.Contains(out, "stopped    the copy is complete") {
		t.Error(out)
	}
	for range 2 {
		again := run(t, []string{"run", "-c", "shop.yaml", "--once"})
		if again.code != 0 || !strings.Contains(again.out, "nothing to do: the copy is complete") || !strings.Contains(again.err, "files have no log to follow") {
			t.Errorf("%+v", again)
		}
	}
	for args, says := range map[string]string{
		"status": "position   csv", "checkpoint show": "csv", "checkpoint list": "csv", "destroy --dry-run": "nothing was removed",
		"checkpoint export kept.json": "", "-o json status": `"csv"`,
	} {
		words := strings.Fields(args)
		at := len(words)
		if strings.HasSuffix(args, ".json") {
			at--
		}
		if out := ok(t, append(append(append([]string{}, words[:at]...), "-c", "shop.yaml"), words[at:]...)...); !strings.Contains(out, says) {
			t.Errorf("%s: %s", args, out)
		}
	}
	if err := os.RemoveAll("state"); err != nil {
		t.Fatal(err)
	}
	ok(t, "checkpoint", "import", "-c", "shop.yaml", "--yes", "kept.json")
	ok(t, "run", "-c", "shop.yaml")
	for args, says := range map[string]string{
		"replay": "RF-1006", "tail": "RF-1006", "run --from earliest": "--from is for a log", "run --until 0-1-2": "--until is for a log",
		"run --schema x.sql": "source.csv.schema", "run --server-id 7": "--server-id is for", "run --chunk-rows 7": "a file is read whole",
		"run --target jsonl:-": "RF-1006", "sequences": "RF-1006",
	} {
		got := run(t, append(strings.Fields(args), "-c", "shop.yaml"))
		if got.code != 2 || !strings.Contains(got.err, says) {
			t.Errorf("%s: %+v", args, got)
		}
	}
	if got := run(t, []string{"checkpoint", "set", "-c", "shop.yaml", "--yes", "0-1-2"}); got.code != 2 || !strings.Contains(got.err, "RF-1007") {
		t.Errorf("%+v", got)
	}
	if out := ok(t, "destroy", "-c", "shop.yaml", "--yes"); !strings.Contains(out, "is gone") {
		t.Error(out)
	}
}

// TestCSVOccupied: rows that are in the way are refused.
func TestCSVOccupied(t *testing.T) {
	inExport(t)
	ok(t, "run", "-c", "shop.yaml")
	got := run(t, []string{"run", "-c", "shop.yaml", "--name", "other", "--state", "elsewhere"})
	if got.code == 0 || !strings.Contains(got.err, "RF-4007") {
		t.Errorf("%+v", got)
	}
}

// TestCSVDoctor: what a run would refuse is found beforehand.
func TestCSVDoctor(t *testing.T) {
	inExport(t)
	if err := os.WriteFile("export/orders.csv", []byte("id\n1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := run(t, []string{"doctor", "-c", "shop.yaml"})
	if got.code != 2 || !strings.Contains(got.out, "✗ files  RF-2037") || !strings.Contains(got.out, "missing") {
		t.Errorf("%+v", got)
	}
	if got := run(t, []string{"run", "-c", "shop.yaml"}); got.code != 2 || !strings.Contains(got.err, "RF-2037") {
		t.Errorf("%+v", got)
	}
	if out := run(t, []string{"status", "-c", "shop.yaml"}); !strings.Contains(out.err, "RF-4010") {
		t.Errorf("a run that was refused has begun: %+v", out)
	}
}

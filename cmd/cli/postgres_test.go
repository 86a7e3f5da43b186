package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/rowferry/rowferry/internal/testdb"
)

// newSlotted makes a PostgreSQL database with one table and shop.yaml, for that
// target, in an empty folder that becomes the test's own.
func newSlotted(t *testing.T, k testdb.Kind, target string) *origin {
	t.Helper()
	server := testdb.Start(t, k, testdb.Arg("wal_level=logical"), testdb.Arg("max_slot_wal_keep_size=4GB"))
	o := &origin{}
	o.name, o.db = testdb.NewDatabase(t, server)
	t.Cleanup(func() {
		_ = server.Exec(t.Context(), "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = '"+o.name+"'")
	})
	if err := server.CreateAccount(t.Context(), testdb.Account{User: "ferry", Password: canary, Plugin: testdb.SCRAM}); err != nil {
		t.Fatal(err)
	}
	o.exec(t, "ALTER ROLE ferry REPLICATION", "GRANT CREATE ON DATABASE "+server.Quote(o.name)+" TO ferry",
		"CREATE TABLE item (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, label VARCHAR(20) NOT NULL)", "ALTER TABLE item OWNER TO ferry")
	o.url = fmt.Sprintf("postgres://ferry@127.0.0.1:%d/%s", server.Port, o.name)
	t.Chdir(t.TempDir())
	o.file = "name: shop\nsource: {url: '" + o.url + "', password_file: pw, timeout: 10s}\ntarget: {url: '" + target + "'}\ntables: [\"public.*\"]\n"
	for name, text := range map[string]string{"pw": canary + "\n", "shop.yaml": o.file} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

// ask returns the one value of a query at the source, as text.
func (o *origin) ask(t *testing.T, query string) (text string) {
	t.Helper()
	if err := o.db.QueryRowContext(t.Context(), query).Scan(&text); err != nil {
		t.Fatal(err)
	}
	return text
}

const theirThings = "SELECT (SELECT count(*) FROM pg_replication_slots WHERE database = current_database())::text || (SELECT count(*) FROM pg_publication)"

// TestRunPostgres begins a pipeline, follows, catches up, and gives it up.
func TestRunPostgres(t *testing.T) {
	for _, k := range []testdb.Kind{testdb.Postgres15, testdb.PostgresNew} {
		t.Run(string(k), func(t *testing.T) {
			o := newSlotted(t, k, "sqlite:shop.db")
			if got := run(t, []string{"run", "-c", "shop.yaml", "--target", "jsonl:shop.jsonl"}); got.code != 2 || !strings.Contains(got.err, "RF-1015") || !strings.Contains(got.err, "that a slot has kept") {
				t.Errorf("%+v", got)
			}
			if got := run(t, []string{"run", "-c", "shop.yaml", "--from", "earliest"}); got.code != 6 || !strings.Contains(got.err, "RF-2028") {
				t.Errorf("%+v", got)
			}
			if got := ok(t, "doctor", "-c", "shop.yaml"); strings.Contains(got, "✗") || strings.Contains(got, "!") {
				t.Error(got)
			}
			ok(t, "run", "-c", "shop.yaml", "--once", "--from", "latest")
			o.insert(t, 3)
			p := start(t, "run", "-c", "shop.yaml")
			live := awaitRows(t, 3, "-c", "shop.yaml")
			if live.Source != o.url {
				t.Errorf("%+v", live)
			}
			if got := run(t, []string{"doctor", "-c", "shop.yaml"}); got.code != 0 || !strings.Contains(got.out, "reads it") {
				t.Errorf("%+v", got)
			}
			if got := run(t, []string{"destroy", "-c", "shop.yaml", "--yes"}); got.code != 7 || !strings.Contains(got.err, "RF-4003") {
				t.Errorf("a running pipeline: %+v", got)
			}
			p.signal(t)
			if _, err := io.ReadAll(p.out); err != nil {
				t.Fatal(err)
			}
			if err := p.Wait(); err != nil {
				t.Error(err)
			}
			o.insert(t, 4)
			ok(t, "run", "-c", "shop.yaml", "--once")
			if n := rows(t, "shop.db", "item"); n != "7" {
				t.Errorf("%s rows", n)
			}
			checkpoints(t, o)
			giveUp(t, o)
		})
	}
}

// checkpoints moves the pipeline's checkpoint where its slot cannot follow, and
// back.
func checkpoints(t *testing.T, o *origin) {
	t.Helper()
	was := statusOf(t, "-c", "shop.yaml").At
	if shown := ok(t, "checkpoint", "show", "-c", "shop.yaml"); !strings.Contains(shown, was.Position) || !strings.Contains(shown, was.Lineage) {
		t.Error(shown)
	}
	ok(t, "checkpoint", "export", "-c", "shop.yaml", "cp.json")
	if got := run(t, []string{"checkpoint", "set", "-c", "shop.yaml", "--yes", "mysql-bin.000001:4"}); got.code != 2 || !strings.Contains(got.err, "another kind") {
		t.Errorf("%+v", got)
	}
	ok(t, "checkpoint", "set", "-c", "shop.yaml", "--yes", "0/1")
	if got := run(t, []string{"run", "-c", "shop.yaml", "--once"}); got.code != 6 || !strings.Contains(got.err, "RF-2031") {
		t.Errorf("%+v", got)
	}
	ok(t, "checkpoint", "import", "-c", "shop.yaml", "--yes", "cp.json")
	o.insert(t, 1)
	ok(t, "run", "-c", "shop.yaml", "--once")
	if n := rows(t, "shop.db", "item"); n != "8" {
		t.Errorf("%s rows", n)
	}
	if got := run(t, []string{"run", "-c", "shop.yaml", "--once", "--from", "latest"}); got.code != 2 || !strings.Contains(got.err, "RF-1009") {
		t.Errorf("%+v", got)
	}
}

// giveUp destroys the pipeline: everything of it, and nothing else.
func giveUp(t *testing.T, o *origin) {
	t.Helper()
	o.exec(t, "CREATE PUBLICATION other", "SELECT pg_create_logical_replication_slot('other_"+o.name[len(o.name)-1:]+"', 'pgoutput')")
	for _, list := range []string{ok(t, "destroy", "-c", "shop.yaml", "--dry-run"), run(t, []string{"destroy", "-c", "shop.yaml"}).err} {
		if !strings.Contains(list, "rowferry_shop") && !strings.Contains(list, "--yes") {
			t.Error(list)
		}
	}
	if n := o.ask(t, theirThings); n != "22" {
		t.Errorf("before it was confirmed: %s", n)
	}
	out := ok(t, "destroy", "-c", "shop.yaml", "--yes")
	for _, kind := range []string{"slot", "publication", "checkpoint", "state"} {
		if !strings.Contains(out, "- "+kind+" ") {
			t.Error(out)
		}
	}
	if n := o.ask(t, theirThings); n != "11" {
		t.Errorf("after it was confirmed: %s", n)
	}
	if _, err := os.Stat("state"); !os.IsNotExist(err) {
		t.Errorf("the state directory: %v", err)
	}
	if list := ok(t, "checkpoint", "list", "-c", "shop.yaml"); list != "no checkpoints\n" || rows(t, "shop.db", "item") != "8" {
		t.Error(list)
	}
	if again := ok(t, "destroy", "-c", "shop.yaml", "--yes"); !strings.Contains(again, "nothing to remove") {
		t.Error(again)
	}
}

// TestDestroyKeeps: what is not known to be the pipeline's stays, and is named.
func TestDestroyKeeps(t *testing.T) {
	o := newSlotted(t, testdb.Postgres15, "sqlite:shop.db")
	o.exec(t, "CREATE PUBLICATION rowferry_shop FOR TABLE item", "SELECT pg_create_logical_replication_slot('rowferry_shop', 'pgoutput')")
	if out := ok(t, "destroy", "-c", "shop.yaml", "--yes"); strings.Count(out, "stays: ") != 2 || !strings.Contains(out, "nothing to remove") {
		t.Error(out)
	}
	ok(t, "run", "-c", "shop.yaml", "--once", "--from", "earliest")
	if out := ok(t, "destroy", "-c", "shop.yaml", "--yes"); strings.Count(out, "stays: ") != 1 || !strings.Contains(out, "- slot ") {
		t.Error(out)
	}
	if n := o.ask(t, theirThings); n != "01" {
		t.Errorf("left: %s", n)
	}
}

// TestDestroyOthers: a pipeline of another source has a checkpoint and its state.
func TestDestroyOthers(t *testing.T) {
	files := inDir(t)
	ok(t, "replay", "--files", files, "--target", "sqlite:shop.db", "--until", "0-1-10")
	if out := ok(t, "destroy", "--target", "sqlite:shop.db", "--dry-run"); !strings.Contains(out, "- checkpoint   0-1-10  in sqlite:shop.db\n- state        ./state  the directory\n") {
		t.Error(out)
	}
	if err := os.WriteFile("state/note.txt", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := run(t, []string{"destroy", "--target", "sqlite:shop.db", "--yes"}); got.code == 0 || !strings.Contains(got.err, "note.txt") {
		t.Errorf("%+v", got)
	}
	if err := os.Remove("state/note.txt"); err != nil {
		t.Fatal(err)
	}
	if s := statusOf(t, "--target", "sqlite:shop.db"); s.At.Position != "0-1-10" {
		t.Errorf("a refused destroy changed something: %+v", s.At)
	}
	ok(t, "destroy", "--target", "sqlite:shop.db", "--yes")
	ok(t, "replay", "--files", files, "--target", "jsonl:rows.jsonl", "--until", "0-1-10")
	if out := ok(t, "destroy", "--target", "jsonl:rows.jsonl", "--yes"); !strings.Contains(out, "- state") || strings.Contains(out, "- checkpoint") {
		t.Error(out)
	}
}

// TestTailPostgres prints what happens from now on by a slot of its own, and
// leaves the pipeline's alone.
func TestTailPostgres(t *testing.T) {
	o := newSlotted(t, testdb.Postgres15, "sqlite:shop.db")
	if got := run(t, []string{"tail", "-c", "shop.yaml"}); got.code != 2 || !strings.Contains(got.err, "CREATE PUBLICATION") {
		t.Errorf("%+v", got)
	}
	ok(t, "run", "-c", "shop.yaml", "--once", "--from", "latest")
	o.insert(t, 1)
	at := "SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = 'rowferry_shop'"
	was := o.ask(t, at)
	seesOne(t, o)
	if now := o.ask(t, at); now != was {
		t.Errorf("the pipeline's slot went from %s to %s", was, now)
	}
	ok(t, "run", "-c", "shop.yaml", "--once")
	if n := rows(t, "shop.db", "item"); n != "2" {
		t.Errorf("%s rows", n)
	}
}

// TestPostgresSettings: keys of one kind of source are refused for another.
func TestPostgresSettings(t *testing.T) {
	t.Chdir(t.TempDir())
	for source, part := range map[string]string{
		"url: postgres://a@h/b, server_id: 5":     "source.server_id",
		"url: postgres://a@h/b, schema: x.sql":    "source.schema",
		"url: mysql://a@h/b, slot: x":             "source.slot",
		"url: mysql://a@h/b, publication: x":      "source.publication",
		"url: mysql://a@h/b, origin: none":        "source.origin",
		"url: mysql://a@h/b, partitions: leaf":    "source.partitions",
		"url: postgres://a@h/b, slot: UPPER":      "name of a replication slot",
		"url: postgres://a@h":                     "names no database",
		"url: postgres://a@h/b, partitions: both": "partitions",
	} {
		if err := os.WriteFile("x.yaml", []byte("name: x\nsource: {"+source+"}\ntarget: {url: 'sqlite:x.db'}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := run(t, []string{"run", "-c", "x.yaml", "--from", "latest"}); got.code != 2 || !strings.Contains(got.err, part) {
			t.Errorf("%s: %+v", source, got)
		}
	}
	if left, err := os.ReadDir("."); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

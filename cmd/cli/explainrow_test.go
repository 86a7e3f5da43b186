package cli

import (
	"encoding/json"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/rowferry/rowferry/internal/testdb"
)

// storyOf asks how it is with a row.
func storyOf(t *testing.T, table, key string, options ...func(*program)) rowStory {
	t.Helper()
	got := run(t, []string{"explain", "row", "-o", "json", "-c", "shop.yaml", table, key}, options...)
	var e struct {
		Command string
		Result  *rowStory
	}
	if err := json.Unmarshal([]byte(got.out), &e); err != nil || got.code != 0 || e.Command != "explain row" || e.Result == nil {
		t.Fatalf("%v: %+v", err, got)
	}
	return *e.Result
}

// requireStories asks while item 2 is filtered, and part 2 waits for it.
func (o *origin) requireStories(t *testing.T) {
	t.Helper()
	for _, c := range []struct{ table, key, status string }{
		{o.name + ".item", "1", "applied"}, {o.name + ".item", "2", "filtered"}, {o.name + ".item", "77", "missing"},
		{o.name + ".part", "1", "carried"}, {o.name + ".part", "2", "waiting"}, {o.name + ".part", "3", "missing"}, {"other.item", "1", "out of scope"},
	} {
		if got := storyOf(t, c.table, c.key); got.Status != c.status {
			t.Errorf("%s %s: %+v", c.table, c.key, got)
		}
	}
	item := storyOf(t, o.name+".item", "1")
	if item.Noted == nil || len(item.Noted.Target) != 1 || item.Target != "item" || !strings.Contains(item.Rules, "secret") || strings.Join(item.Source.Becomes, " ") != "item" {
		t.Errorf("%+v", item)
	}
	text := ok(t, "explain", "row", "-c", "shop.yaml", o.name+".part", "2")
	for _, w := range []string{"status     waiting\n", "goes to    part\n", "change     insert of ", "waits for  " + o.name + ".item 2: it has not come", "behind it  0 rows\n", "source     has the row, which becomes one of part\n"} {
		if !strings.Contains(text, w) {
			t.Errorf("no %q:\n%s", w, text)
		}
	}
}

// TestExplainRow tells of rows of a pipeline that was stopped, and beside an engine.
func TestExplainRow(t *testing.T) {
	o := newOrigin(t, testdb.MariaDB1011, "sqlite:shop.db")
	o.exec(t, "CREATE TABLE part (id BIGINT PRIMARY KEY, item_id BIGINT NOT NULL)")
	if got := storyOf(t, o.name+".item", "1"); got.Status != "missing" || got.Unnoted == "" {
		t.Errorf("before the first run: %+v", got)
	}
	o.file += strings.ReplaceAll("entities: {DB.item: {where: 'label != \"secret\"'}, DB.part: {references: {item_id: DB.item.id}, missing_parent: wait}}\n", "DB", o.name)
	if err := os.WriteFile("shop.yaml", []byte(o.file), 0o600); err != nil {
		t.Fatal(err)
	}
	o.exec(t, "INSERT INTO item VALUES (1, 'one'), (2, 'secret')", "INSERT INTO part VALUES (1, 1), (2, 2)")
	ok(t, "run", "-c", "shop.yaml", "--once", "--from", "earliest")
	o.requireStories(t)
	p := start(t, "run", "-c", "shop.yaml")
	p.waitFor(t, "resume") // it has the state's lock, for which status would contend
	awaitRows(t, 0, "-c", "shop.yaml")
	o.requireStories(t)
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil {
		t.Fatal(err)
	}
	for words, code := range map[string]string{
		o.name + ".item x": "RF-5012", "item 1": "RF-1004", o.name + ".item": "RF-1006",
	} {
		if got := run(t, append([]string{"explain", "row", "-c", "shop.yaml"}, strings.Fields(words)...)); got.code != 2 || !strings.Contains(got.err, code) {
			t.Errorf("%s: %+v", words, got)
		}
	}
	away := strings.Replace(o.file, o.url, "mysql://ferry@127.0.0.1:1/"+o.name, 1)
	if err := os.WriteFile("shop.yaml", []byte(away), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := storyOf(t, o.name+".part", "2"); got.Status != "waiting" || got.Source.Asked || !strings.Contains(got.Source.Why, "RF-2024") {
		t.Errorf("with a source that is away: %+v", got)
	}
}

// TestExplainRowHandled tells what a custom handler makes of a row.
func TestExplainRowHandled(t *testing.T) {
	o := newOrigin(t, testdb.MariaDB1011, "sqlite:shop.db")
	o.insert(t, 2)
	handler := WithHandler(o.name+".item", labels{version: "7"})
	for key, status := range map[string]string{"1": "carried", "2": "filtered"} {
		if got := storyOf(t, o.name+".item", key, handler); got.Status != status || !strings.Contains(got.Rules, `handler`) || !strings.Contains(got.Rules, `"7"`) {
			t.Errorf("%s: %+v", key, got)
		}
	}
}

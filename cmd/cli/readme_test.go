package cli

import (
	"os"
	"strings"
	"testing"
)

// TestReadme asserts that the README shows what the program prints, and lists
// the commands there are.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	readme := string(text)
	for _, c := range commands() {
		row := "| `" + c.name
		if !strings.Contains(readme, row) {
			t.Errorf("the README's table of commands lacks %s", c.name)
		}
	}
	if rows := strings.Count(readme, "\n| `"); rows != len(commands()) {
		t.Errorf("the README lists %d commands of %d", rows, len(commands()))
	}
	_, config, _ := strings.Cut(readme, "```yaml\n")
	config, _, _ = strings.Cut(config, "```")
	if _, err := parseConfig("README.md", config, nil, false); err != nil {
		t.Errorf("the README's configuration: %v", err)
	}
	files := inDir(t)
	out := ok(t, "replay", "--files", files, "--target", "sqlite:shop.db")
	for _, line := range strings.Split(out, "\n") {
		if strings.Contains(line, " in 2,049 transactions") || strings.HasPrefix(line, "batches ") || strings.Contains(line, "shop.db") || strings.Contains(line, "rowferry status") {
			continue // depends on the time it took, or names the test's own paths
		}
		if !strings.Contains(readme, line) {
			t.Errorf("the README's quickstart lacks %q", line)
		}
	}
}

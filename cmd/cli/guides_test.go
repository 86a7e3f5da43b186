package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
)

// guides are the pages that people follow by hand, from the root of the
// repository.
func guides(t *testing.T) map[string]string {
	t.Helper()
	paths := []string{"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"}
	for _, pattern := range []string{"docs/*.md", "docs/guides/*.md", "docs/adr/*.md"} {
		found, err := filepath.Glob("../../" + pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range found {
			paths = append(paths, strings.TrimPrefix(path, "../../"))
		}
	}
	pages := map[string]string{}
	for _, path := range paths {
		text, err := os.ReadFile("../../" + path)
		if err != nil {
			t.Fatal(err)
		}
		pages[path] = string(text)
	}
	for _, name := range []string{"staging", "migration", "resume", "postgres"} {
		if pages["docs/guides/"+name+".md"] == "" {
			t.Errorf("there is no guide %s", name)
		}
	}
	return pages
}

// TestGuides asserts that what the pages say can be done: their configurations
// parse, their commands and flags exist, and so do the errors that they name.
func TestGuides(t *testing.T) {
	for path, text := range guides(t) {
		for i, config := range blocks(text, "yaml") {
			if _, err := parseConfig(fmt.Sprintf("%s, configuration %d", path, i+1), config, nil, false); err != nil {
				t.Errorf("%v", err)
			}
		}
		for _, line := range commandLines(text) {
			if err := checkLine(line); err != nil {
				t.Errorf("%s: %s: %v", path, line, err)
			}
		}
		for _, code := range regexp.MustCompile(`RF-\d+`).FindAllString(text, -1) {
			if _, known := rowferry.Explain(rowferry.Code(code)); !known {
				t.Errorf("%s names %s, which there is not", path, code)
			}
		}
	}
}

// TestGuideChecks asserts that what TestGuides looks at is found, and refused
// where it is wrong.
func TestGuideChecks(t *testing.T) {
	page := "Do `rowferry doctor -c a.yaml`, or\n\n   ```\n   $ rowferry run --from latest | tail -4\n   next  rowferry gone\n   ```\n\n```ini\nExecStart=/usr/local/bin/rowferry run -c %i.yaml\n```\n"
	want := []string{"rowferry doctor -c a.yaml", "rowferry run --from latest", "rowferry gone", "rowferry run -c %i.yaml"}
	if got := commandLines(page); !slices.Equal(got, want) {
		t.Errorf("the command lines are %q", got)
	}
	for line, right := range map[string]bool{
		"rowferry":                                  true,
		"rowferry run -c a.yaml --once":             true,
		"rowferry checkpoint set --yes 0-1-2":       true,
		"rowferry explain RF-2004":                  true,
		"rowferry walk":                             false,
		"rowferry run --onse":                       false,
		"rowferry checkpoint drop":                  false,
		"rowferry status --source mysql://a@b":      false,
		"rowferry run -c a.yaml once":               false,
		"rowferry replay --files 'a.*' --once=true": false,
	} {
		if err := checkLine(line); (err == nil) != right {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// blocks are the fenced blocks of a language in a page.
func blocks(text, language string) []string {
	var found []string
	for _, m := range regexp.MustCompile("(?ms)^( *)```"+language+"\n(.*?)^ *```$").FindAllStringSubmatch(text, -1) {
		var b strings.Builder
		for line := range strings.Lines(m[2]) {
			b.WriteString(strings.TrimPrefix(line, m[1]))
		}
		found = append(found, b.String())
	}
	return found
}

var (
	inText  = regexp.MustCompile("`(rowferry(?: [^`]*)?)`")
	inBlock = regexp.MustCompile(`^(?:\$ |[a-z]+ +| +|ExecStart=/usr/local/bin/)?(rowferry .*)$`)
)

// commandLines are the uses of the program in a page, in text and in blocks,
// up to a shell's pipe.
func commandLines(text string) []string {
	var lines []string
	inside := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			inside = !inside
			continue
		}
		found := inText.FindAllStringSubmatch(line, -1)
		if inside {
			found = inBlock.FindAllStringSubmatch(strings.TrimPrefix(line, "   "), -1)
		}
		for _, m := range found {
			use, _, _ := strings.Cut(m[1], " | ")
			lines = append(lines, use)
		}
	}
	return lines
}

// checkLine says what is wrong with the use of a command.
func checkLine(line string) error {
	words := strings.Fields(line)[1:]
	if len(words) == 0 {
		return nil
	}
	list, c := commands(), (*command)(nil)
	for len(words) > 0 && len(list) > 0 {
		i := slices.IndexFunc(list, func(c *command) bool { return c.name == words[0] })
		if i < 0 && c != nil && c.run != nil {
			break // its own argument
		}
		if i < 0 {
			return fmt.Errorf("there is no command %q", words[0])
		}
		c, list, words = list[i], list[i].sub, words[1:]
	}
	args := 0
	for len(words) > 0 {
		word := words[0]
		words = words[1:]
		if !strings.HasPrefix(word, "-") {
			args++
			continue
		}
		name := strings.TrimLeft(word, "-")
		i := slices.IndexFunc(c.allOptions(), func(o *option) bool { return o.name == name || o.short == name })
		switch {
		case i < 0:
			return fmt.Errorf("%s has no flag %s", c.name, word)
		case c.allOptions()[i].value != "" && len(words) > 0:
			words = words[1:]
		}
	}
	if args > c.maxArgs {
		return fmt.Errorf("%s takes %d arguments", c.name, c.maxArgs)
	}
	return nil
}

var (
	link        = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading     = regexp.MustCompile(`(?m)^#+ (.*)$`)
	notInAnchor = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// TestLinks asserts that each link to a file of the repository leads to one,
// and each to a heading to a heading.
func TestLinks(t *testing.T) {
	for path, text := range guides(t) {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			to, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(to, "://") {
				continue
			}
			target := path
			if to != "" {
				target = filepath.Join(filepath.Dir(path), to)
			}
			content, err := os.ReadFile("../../" + target)
			if err != nil {
				t.Errorf("%s links to %s: %v", path, m[1], err)
				continue
			}
			if anchor != "" && !slices.Contains(anchors(string(content)), anchor) {
				t.Errorf("%s links to %s, and there is no such heading", path, m[1])
			}
		}
	}
}

// anchors are the names by which a page's headings are linked to.
func anchors(text string) []string {
	var list []string
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		name := notInAnchor.ReplaceAllString(strings.ToLower(m[1]), "")
		list = append(list, strings.ReplaceAll(name, " ", "-"))
	}
	return list
}

package rowferry

import (
	"os"
	"regexp"
	"slices"
	"testing"
)

// TestCatalogue: every code that is declared is explained exactly once, with
// something to do about it.
func TestCatalogue(t *testing.T) {
	text, err := os.ReadFile("codes.go")
	if err != nil {
		t.Fatal(err)
	}
	var declared, explained []string
	for _, m := range regexp.MustCompile(`Code = "(RF-\d{4})"`).FindAllSubmatch(text, -1) {
		declared = append(declared, string(m[1]))
	}
	for _, c := range Codes() {
		explained = append(explained, string(c.Code))
		if c.Title == "" || c.Meaning == "" || c.Unharmed == "" || len(c.Remedies) == 0 || c.Class == 0 {
			t.Errorf("%s lacks a title, a meaning, what is unharmed, a remedy or a class: %+v", c.Code, c)
		}
	}
	slices.Sort(declared)
	slices.Sort(explained)
	if !slices.Equal(declared, explained) || len(declared) == 0 {
		t.Errorf("declared %v\nexplained %v", declared, explained)
	}
	if len(slices.Compact(declared)) != len(explained) {
		t.Error("a code is declared twice")
	}
}

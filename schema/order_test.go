package schema_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rowferry/rowferry/schema"
)

// TestParentsFirst: parents come before their children, else names decide, and
// circles are named whole.
func TestParentsFirst(t *testing.T) {
	for _, c := range []struct{ tables, order, circles string }{
		{"b a c", "a b c", ""},
		{"a>b b>c c", "c b a", ""},
		{"a>b,c b>d c>d d", "d b c a", ""},
		{"a>a b>a", "a b", "[a]"},
		{"a>b b>a c>a d", "a b c d", "[a b]"},
		{"z>a a>b b>c c>a,d d", "d a b c z", "[a b c]"},
		{"a>b b>c c>b,e e>e", "e b c a", "[e] [b c]"},
		{"a>elsewhere b>a", "a b", ""},
		{"a>b,b b>d d>c c>b x>d", "b c d a x", "[b c d]"},
	} {
		var tables []*schema.Table
		for _, word := range strings.Fields(c.tables) {
			name, parents, _ := strings.Cut(word, ">")
			x := &schema.Table{Name: schema.Name{Table: name}}
			for p := range strings.SplitSeq(parents, ",") {
				x.ForeignKeys = append(x.ForeignKeys, schema.ForeignKey{Parent: schema.Name{Table: p}})
			}
			tables = append(tables, x)
		}
		ordered, circles := schema.ParentsFirst(tables)
		var names []string
		for _, x := range ordered {
			names = append(names, x.Name.Table)
		}
		if got := strings.Join(names, " "); got != c.order || strings.Trim(fmt.Sprint(circles), "[]") != strings.Trim(c.circles, "[]") {
			t.Errorf("%s: %s with %v, want %s with %s", c.tables, got, circles, c.order, c.circles)
		}
	}
}

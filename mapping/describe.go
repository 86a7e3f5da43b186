package mapping

import (
	"strings"

	"github.com/rowferry/rowferry/schema"
)

// ParseName reads the name of a source table, "database.table".
func ParseName(text string) (schema.Name, error) { return parseName(text) }

// Describe returns what is said of the rows of a source table, as text: "" where they
// stay as they are.
func (r *Rules) Describe(source schema.Name) string {
	if c := r.custom[source]; c != nil {
		text := strings.TrimSpace(c.canonical())
		if rule := r.entities[source]; rule != nil {
			text += " " + rule.canonical()
		}
		return text
	}
	if rule := r.entities[source]; rule != nil {
		return rule.canonical()
	}
	return ""
}

// Only returns rules by which one source table is in scope, and no other.
func (r *Rules) Only(source schema.Name) *Rules {
	one := *r
	one.patterns = []pattern{{schema: escaped(source.Schema), table: escaped(source.Table)}}
	return &one
}

// escaped is the pattern that matches one text.
func escaped(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		if strings.IndexByte(`*?[\`, c) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	return b.String()
}

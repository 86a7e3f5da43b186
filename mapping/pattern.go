package mapping

import (
	"strconv"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// Pattern names tables, as those of Options.Tables do.
type Pattern struct {
	text string
	pattern
}

// ParsePattern reads a pattern. One that takes out is no name of anything.
func ParsePattern(text string) (Pattern, error) {
	p, err := parsePattern(text)
	if err == nil && p.out {
		err = rowferry.Errorf(rowferry.CodeBadValue, "table pattern %q takes out, and tables are to be named", text)
	}
	return Pattern{text, p}, err
}

// Matches reports whether the pattern names the source table.
func (p Pattern) Matches(n schema.Name) bool {
	return match(p.schema, n.Schema) && match(p.table, n.Table)
}

// String returns the pattern as it was written.
func (p Pattern) String() string { return p.text }

// OnlyScope reports whether two texts of Canonical differ in nothing but the tables
// in scope.
func OnlyScope(then, now string) bool {
	a, aOK := behindScope(then)
	b, bOK := behindScope(now)
	return aOK && bOK && a == b
}

// behindScope returns what follows the patterns, which are quoted, as Canonical
// wrote them.
func behindScope(canonical string) (rest string, ok bool) {
	rest, ok = strings.CutPrefix(canonical, "tables=")
	for ok && rest != "" && rest[0] != ' ' {
		if rest[0] == '"' {
			quoted, err := strconv.QuotedPrefix(rest)
			if err != nil {
				return "", false
			}
			rest = rest[len(quoted):]
			continue
		}
		if !strings.ContainsRune("!,.", rune(rest[0])) {
			return "", false
		}
		rest = rest[1:]
	}
	return rest, ok
}

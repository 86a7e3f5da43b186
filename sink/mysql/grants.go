package mysql

import (
	"strings"

	"github.com/rowferry/rowferry/schema"
)

// grant is one line of SHOW GRANTS that is about tables.
type grant struct {
	privileges []string // upper case; one on some columns is not what it is called
	database   string   // a pattern of LIKE where table is "*"; "*" is all
	table      string   // "*" is all
}

// parseGrants reads the lines of SHOW GRANTS. What is not about tables is left
// out: roles, routines, proxies.
func parseGrants(lines []string) []grant {
	var all []grant
	for _, line := range lines {
		list, rest, ok := strings.Cut(strings.TrimPrefix(line, "GRANT "), " ON ")
		if !ok || !strings.HasPrefix(line, "GRANT ") {
			continue
		}
		database, rest, ok := cutIdentifier(strings.TrimPrefix(rest, "TABLE "))
		if !ok || !strings.HasPrefix(rest, ".") {
			continue
		}
		table, rest, ok := cutIdentifier(rest[1:])
		if !ok || !strings.HasPrefix(rest, " TO ") {
			continue
		}
		g := grant{database: database, table: table}
		for p := range strings.SplitSeq(list, ", ") {
			g.privileges = append(g.privileges, strings.ToUpper(strings.TrimSpace(p)))
		}
		all = append(all, g)
	}
	return all
}

// cutIdentifier takes an identifier in backticks, or *, off the beginning.
func cutIdentifier(s string) (name, rest string, ok bool) {
	if rest, ok := strings.CutPrefix(s, "*"); ok {
		return "*", rest, true
	}
	if !strings.HasPrefix(s, "`") {
		return "", s, false
	}
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] != '`':
		case strings.HasPrefix(s[i:], "``"):
			i++
		default:
			return strings.ReplaceAll(s[1:i], "``", "`"), s[i+1:], true
		}
	}
	return "", s, false
}

// covers reports whether the grant is for the table, or, where the name has
// none, for the whole database.
func (g grant) covers(n schema.Name) bool {
	switch {
	case g.database == "*":
		return true
	case g.table == "*":
		return like(g.database, n.Schema)
	default:
		return g.database == n.Schema && g.table == n.Table
	}
}

// like matches as LIKE does: % is any text, _ any character, and a backslash
// takes their meaning away.
func like(pattern, s string) bool {
	p, t := []rune(pattern), []rune(s)
	switch {
	case len(p) == 0:
		return len(t) == 0
	case p[0] == '%':
		for i := range len(t) + 1 {
			if like(string(p[1:]), string(t[i:])) {
				return true
			}
		}
		return false
	case p[0] == '\\' && len(p) > 1:
		p = p[1:]
	case p[0] == '_' && len(t) > 0:
		return like(string(p[1:]), string(t[1:]))
	}
	return len(t) > 0 && p[0] == t[0] && like(string(p[1:]), string(t[1:]))
}

var (
	escaped   = strings.NewReplacer(`_`, `\_`, `%`, `\%`, `\`, `\\`)
	unescaped = strings.NewReplacer(`\_`, `_`, `\%`, `%`, `\\`, `\`)
)

// quotedPattern is a database's name as a grant on all of it has it.
func quotedPattern(database string) string { return escaped.Replace(database) }

// grantable is what a GRANT is on: a table, or a database, in whose name it
// takes _ and % for wildcards.
func grantable(n schema.Name) string {
	if n.Table != "" {
		return quoteName(n)
	}
	return quote(quotedPattern(n.Schema)) + ".*"
}

func quoteUser(user string) string {
	name, host, _ := cutLast(user, "@")
	return quote(name) + "@" + quote(host)
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

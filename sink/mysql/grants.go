package mysql

import (
	"slices"
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

func (g grant) gives(privilege string) bool {
	return slices.Contains(g.privileges, privilege) || slices.Contains(g.privileges, "ALL PRIVILEGES")
}

// granted reports whether a privilege is given on a table, or, where the name
// has none, on a whole database.
func granted(given []grant, privilege string, on schema.Name) bool {
	return slices.ContainsFunc(given, func(g grant) bool {
		return g.gives(privilege) && (g.database == "*" || g.table != "*" && g.database == on.Schema && g.table == on.Table)
	}) || databaseGrant(given, on.Schema).gives(privilege)
}

// databaseGrant returns the grant on a whole database that counts: of several
// whose patterns match, the servers look at the most exact one alone.
func databaseGrant(given []grant, database string) (best grant) {
	for _, g := range given {
		if g.database != "*" && g.table == "*" && like(g.database, database) && (best.database == "" || exactness(g.database) > exactness(best.database)) {
			best = g
		}
	}
	return best
}

// exactness orders patterns as the servers do: those without wildcards first,
// then by where the first wildcard is.
func exactness(pattern string) int {
	const whole, most = 128, 127
	for i := 0; i < len(pattern); i++ {
		switch {
		case pattern[i] == '\\' && i+1 < len(pattern):
			i++
		case pattern[i] == '%' || pattern[i] == '_':
			return min(i+1, most)
		}
	}
	return whole
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

// grantable is what a GRANT is on: a table, or a database, by the pattern of the
// grant that counts for it. Another one would take its place, and what it gives
// with it.
func grantable(given []grant, n schema.Name) string {
	if n.Table != "" {
		return quoteName(n)
	}
	if g := databaseGrant(given, n.Schema); g.database != "" {
		return quote(g.database) + ".*"
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

package mapping

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// Recopy is what has the tables that match one of the patterns copied again. Patterns are
// those of Options.Tables.
func (r *Rules) Recopy(patterns []string) (*rowferry.Recopy, error) {
	asked := &rowferry.Recopy{Check: r.recopied, Only: r.onlyOf(patterns), Scope: r.scopeOf}
	for _, text := range patterns {
		p, err := parsePattern(text)
		if err != nil {
			return nil, err
		}
		if p.out {
			return nil, rowferry.Errorf(rowferry.CodeBadValue, "tables to copy again are named, not left out: %q", text)
		}
		asked.Patterns = append(asked.Patterns, rowferry.Pattern{Text: text, Matches: p.matches})
	}
	return asked, nil
}

func (p pattern) matches(n schema.Name) bool {
	return match(p.schema, n.Schema) && match(p.table, n.Table)
}

// recopied refuses a source table of which the rules do not let it be told which rows of
// the target are no more the source's.
func (r *Rules) recopied(n schema.Name) error {
	var why string
	rule := r.entities[n]
	switch {
	case r.Fetches():
		why = "parents are fetched from the source, and newer than the log: 'missing_parent'"
	case r.follows:
		why = "rows are in the target where their parents are, which are not copied again with them: 'where_parent'"
	case r.setsAside(n):
		why = "rows that the target refuses are put aside: 'on_reject'"
	case r.custom[n] != nil:
		why = "a custom handler makes its rows"
	case rule == nil:
		return nil
	case rule.keepsRows():
		why = "rows that the source deletes stay in the target: 'deletes'"
	case rule.Keys.looks():
		why = "its rows may be those of others in the target: 'match' and 'on_duplicate'"
	case rule.Keys.Key == Offset:
		why = "its keys are moved, and not noted: 'offset'"
	default:
		return nil
	}
	return rowferry.Errorf(rowferry.CodeRecopyRefused, "table %s cannot be copied again", n).Fact("because", "%s", why)
}

// onlyOf returns what reports whether two canonical texts differ in nothing but which
// tables are in scope, and the rules of tables that match: they give the rows that were
// in scope the same keys.
func (r *Rules) onlyOf(patterns []string) func(then, now string) bool {
	return func(then, now string) bool {
		was, err := r.scopeOf(then)
		if err != nil {
			return false
		}
		a, b := partsOf(then), partsOf(now)
		if !slices.Equal(a.rest, b.rest) {
			return false
		}
		for name := range maps.Keys(a.entities) {
			if b.entities[name] == nil {
				b.entities[name] = []string{}
			}
		}
		for name, rules := range b.entities {
			if slices.Equal(rules, a.entities[name]) {
				continue
			}
			n, ok := quotedName(name)
			if !ok || !slices.ContainsFunc(patterns, func(text string) bool {
				p, err := parsePattern(text)
				return err == nil && p.matches(n)
			}) {
				return false
			}
			if was(n) && !slices.Equal(aboutRows(rules), aboutRows(a.entities[name])) {
				return false
			}
		}
		return true
	}
}

// aboutRows returns those of an entity's words that say which row of the target is
// whose: the table and the key.
func aboutRows(words []string) []string {
	return slices.DeleteFunc(slices.Clone(words), func(w string) bool { return !aboutKeys(w) && !strings.HasPrefix(w, "to=") })
}

// parts are those of a canonical text, but for the scope: the rules of tables by their
// names, which are quoted, their names in the target among them, and what else there is.
type parts struct {
	entities map[string][]string
	rest     []string
}

func partsOf(canonical string) parts {
	p := parts{entities: map[string][]string{}}
	name := ""
	for _, w := range words(canonical) {
		if before, rest, begins := strings.Cut(w, "={"); begins && strings.HasPrefix(w, `"`) {
			name, w = before, rest
		}
		renames, to := strings.CutPrefix(w, "to=")
		switch {
		case name == "" && to:
			p.rename(renames)
		case name != "":
			last := strings.HasSuffix(w, "}")
			p.entities[name] = append(p.entities[name], strings.TrimSuffix(w, "}"))
			if last {
				name = ""
			}
		case w != "entity" && !strings.HasPrefix(w, "tables="):
			p.rest = append(p.rest, w)
		}
	}
	return p
}

// rename adds which tables have other names in the target: pairs of names.
func (p *parts) rename(pairs string) {
	for pairs != "" {
		var names [4]string
		for i := range names {
			quoted, err := strconv.QuotedPrefix(pairs)
			if err != nil { // as it is then: it is compared as a whole
				p.rest = append(p.rest, pairs)
				return
			}
			names[i], pairs = quoted, strings.TrimLeft(pairs[len(quoted):], ".:,")
		}
		source := names[0] + "." + names[1]
		p.entities[source] = append(p.entities[source], "to="+names[2]+"."+names[3])
	}
}

// scopeOf returns which tables are in scope by a canonical text.
func (r *Rules) scopeOf(canonical string) (func(schema.Name) bool, error) {
	text, ok := strings.CutPrefix(words(canonical)[0], "tables=")
	was := &Rules{system: r.system}
	for ok && text != "" {
		rest, out := strings.CutPrefix(strings.TrimPrefix(text, ","), "!")
		first, a, okA := cutQuoted(rest)
		second, b, okB := cutQuoted(strings.TrimPrefix(a, "."))
		was.patterns = append(was.patterns, pattern{out: out, schema: first, table: second})
		text, ok = b, okA && okB
	}
	if !ok {
		return nil, rowferry.Errorf(rowferry.CodeInternal, "the rules that were recorded cannot be read").Fact("rules", "%s", canonical)
	}
	return was.InScope, nil
}

func quotedName(text string) (n schema.Name, ok bool) {
	first, rest, okA := cutQuoted(text)
	second, _, okB := cutQuoted(strings.TrimPrefix(rest, "."))
	return schema.Name{Schema: first, Table: second}, okA && okB
}

// cutQuoted returns the quoted text that another begins with, and the rest.
func cutQuoted(text string) (first, rest string, ok bool) {
	quoted, err := strconv.QuotedPrefix(text)
	if err != nil {
		return "", "", false
	}
	first, err = strconv.Unquote(quoted)
	return first, text[len(quoted):], err == nil
}

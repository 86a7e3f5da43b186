package mapping

import (
	"slices"
	"strconv"
	"strings"
)

// SameKeys reports whether two canonical texts give rows the same keys. Where they do
// not, what was noted under the one is not what the other needs.
func SameKeys(a, b string) bool { return slices.Equal(keyWords(a), keyWords(b)) }

// keyWords returns the words of a canonical text that are about keys, with the names
// of their entities.
func keyWords(canonical string) (found []string) {
	eachRule(canonical, func(entity, word string) {
		if aboutKeys(word) {
			found = append(found, entity+" "+word)
		}
	})
	return found
}

// aboutKeys reports whether a word of an entity is about keys.
func aboutKeys(word string) bool {
	return slices.ContainsFunc([]string{"keys=", "reference=", "missing=", "duplicates=", "where_parent="}, func(about string) bool { return strings.HasPrefix(word, about) })
}

// eachRule calls fn with the words of a canonical text that are about entities, and
// with the name of each.
func eachRule(canonical string, fn func(entity, word string)) {
	entity := ""
	for _, w := range words(canonical) {
		if name, rest, begins := strings.Cut(w, "={"); begins && strings.HasPrefix(w, `"`) {
			entity, w = name, rest
		}
		if entity != "" {
			fn(entity, strings.TrimSuffix(w, "}"))
		}
	}
}

// words splits a text at the spaces that are not in quotes.
func words(text string) (all []string) {
	word := ""
	for text != "" {
		if quoted, err := strconv.QuotedPrefix(text); err == nil {
			word += quoted
			text = text[len(quoted):]
			continue
		}
		if text[0] == ' ' {
			all, word = append(all, word), ""
		} else {
			word += text[:1]
		}
		text = text[1:]
	}
	return append(all, word)
}

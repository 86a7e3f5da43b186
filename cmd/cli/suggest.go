package cli

import (
	"cmp"
	"slices"
)

// nearest returns the candidates that word is probably a misspelling of, the
// nearest first, three at most.
func nearest(word string, candidates []string) []string {
	type scored struct {
		name string
		d    int
	}
	limit := max(1, len(word)/3)
	var best []scored
	for _, c := range candidates {
		if d := distance(word, c); d <= limit && c != word {
			best = append(best, scored{c, d})
		}
	}
	slices.SortFunc(best, func(a, b scored) int { return cmp.Or(cmp.Compare(a.d, b.d), cmp.Compare(a.name, b.name)) })
	var names []string
	for _, s := range best[:min(len(best), 3)] {
		names = append(names, s.name)
	}
	return names
}

// distance counts the insertions, deletions, substitutions and swaps of
// neighbours that turn a into b. Words longer than 64 bytes are never near.
func distance(a, b string) int {
	const longest = 64
	if len(a) > longest || len(b) > longest {
		return longest
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(a)][len(b)]
}

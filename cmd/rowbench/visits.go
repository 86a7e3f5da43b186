package main

import (
	"fmt"
	"math/rand/v2"
)

// visitsKept is how many visits of a writer there are: so many that no insert
// meets its delete in one group.
const visitsKept = 2000

// visits is rows that refer to others drawn uniformly, and those change: an
// update of a person, two new visits of others, the two oldest deleted. So each
// row takes a look at a map of so many people, and what it is to write does not
// depend on how many there are.
func visits(people int) *workload {
	return &workload{
		name: "map", guess: 30_000,
		tables: []string{
			"CREATE TABLE people (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(20) NOT NULL, seen INT NOT NULL)",
			"CREATE TABLE visits (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, person BIGINT NOT NULL, minutes INT NOT NULL, KEY person (person), CONSTRAINT visits_person FOREIGN KEY (person) REFERENCES people (id))",
		},
		indexes:   []index{{"visits", "person"}},
		allocated: []string{"people", "visits"},
		same: []string{
			"CONCAT_WS(' ', name, seen) FROM bench.people",
			"CONCAT_WS(' ', p.name, p.seen, v.minutes) FROM bench.visits v JOIN bench.people p ON p.id = v.person",
		},
		writer: func(random *rand.Rand, part, parts int, scale float64) writer {
			v := &visitsWriter{share: share{random, int64(part), int64(parts)}}
			v.people = v.rows(people, scale)
			return v
		},
	}
}

// visitsWriter has visits by number: those from gone to made are there.
type visitsWriter struct {
	share
	people, made, gone int64
}

func (v *visitsWriter) seed(emit func(string, int) error) error {
	return seedRows("people", v.people, emit, func(sql []byte, n int64) []byte {
		return append(v.text(fmt.Appendf(sql, "(%d,'", v.key(n)), 12), "',0)"...)
	})
}

func (v *visitsWriter) anybody() int64 { return v.key(v.random.Int64N(v.people)) }

func (v *visitsWriter) next(sql []byte) ([]byte, int) {
	sql = fmt.Appendf(sql, "BEGIN;UPDATE people SET seen=seen+1 WHERE id=%d;INSERT INTO visits VALUES ", v.anybody())
	for i := range 2 {
		if i > 0 {
			sql = append(sql, ',')
		}
		sql = fmt.Appendf(sql, "(%d,%d,%d)", v.key(v.made), v.anybody(), v.random.IntN(500))
		v.made++
	}
	rows := 3
	for range 2 {
		if v.made-v.gone <= visitsKept {
			break
		}
		sql = fmt.Appendf(sql, ";DELETE FROM visits WHERE id=%d", v.key(v.gone))
		v.gone++
		rows++
	}
	return append(sql, ";COMMIT;"...), rows
}

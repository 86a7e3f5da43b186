package mysql

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/rowferry/rowferry/internal/testdb"
)

// TestJSONAgainstServer compares the text of JSON with the server's own: doubles
// of every magnitude, values of SQL types, random documents.
func TestJSONAgainstServer(t *testing.T) {
	s := testdb.Start(t, testdb.MySQL97, testdb.RowMetadata("FULL"))
	name, db := testdb.NewDatabase(t, s)
	rng := rand.New(rand.NewPCG(1, 2))
	var docs []string
	for exp := -324; exp <= 308; exp++ {
		docs = append(docs, fmt.Sprintf("[1e%d, -1e%d, 1.5e%d, 9.999e%d, %s]", exp, exp, exp, min(exp, 307), randomDouble(rng, exp)))
	}
	for range 2000 {
		docs = append(docs, "["+strconv.FormatFloat(math.Ldexp(rng.Float64(), rng.IntN(120)-60), 'g', -1, 64)+"]")
	}
	for range 500 {
		b, err := json.Marshal(randomDoc(rng, 0))
		if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, string(b))
	}
	run(t, db, "CREATE TABLE j (id INT PRIMARY KEY AUTO_INCREMENT, j JSON NOT NULL)")
	for len(docs) > 0 {
		n := min(len(docs), 500)
		var values []string
		for _, d := range docs[:n] {
			values = append(values, "('"+strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(d)+"')")
		}
		run(t, db, "INSERT INTO j (j) VALUES "+strings.Join(values, ","))
		docs = docs[n:]
	}
	run(t, db, "INSERT IGNORE INTO j (j) SELECT NULL",
		"INSERT INTO j (j) VALUES (JSON_ARRAY(REPEAT(x'01FF', 100), CAST(REPEAT(x'FE', 500) AS BINARY), b'1011'))",
		"INSERT INTO j (j) VALUES (JSON_ARRAY(_latin1 x'E4', _sjis x'955C', ST_GeomFromText('POINT(1 2)'), CAST('2024-00-00' AS DATE)))",
		"INSERT INTO j (j) VALUES (JSON_ARRAY(CAST('-00:00:00.5' AS TIME(6)), CAST('838:59:59' AS TIME), CAST(-0.00 AS DECIMAL(5,2)), CAST('0000-00-00 00:00:00' AS DATETIME)))",
		"INSERT INTO j (j) VALUES (CAST(CONCAT(REPEAT('[', 100), REPEAT(']', 100)) AS JSON))", "INSERT INTO j (j) VALUES (JSON_ARRAY())")
	for _, m := range replay(t, s, name, nil) {
		compareWithSelect(t, db, m)
		if len(m.rows) < 1000 {
			t.Errorf("only %d documents", len(m.rows))
		}
	}
}

func randomDouble(rng *rand.Rand, exp int) string {
	for {
		f := (1 + 9*rng.Float64()) * math.Pow10(exp)
		if !math.IsInf(f, 0) && !math.IsNaN(f) {
			return strconv.FormatFloat(f, 'e', -1, 64)
		}
		exp--
	}
}

func randomDoc(rng *rand.Rand, depth int) any {
	kinds := 8
	if depth > 5 {
		kinds = 6
	}
	switch rng.IntN(kinds) {
	case 0:
		return nil
	case 1:
		return rng.IntN(2) == 0
	case 2:
		return int64(rng.Uint64() >> rng.IntN(64))
	case 3:
		return -int64(rng.Uint64()>>1) >> rng.IntN(63)
	case 4:
		return rng.NormFloat64()
	case 5:
		r := make([]rune, rng.IntN(300))
		for i := range r {
			r[i] = []rune{rune(rng.IntN(128)), 'é', '日', '😀', '"', '\\'}[rng.IntN(6)]
		}
		return string(r)
	case 6:
		a := make([]any, rng.IntN(6))
		for i := range a {
			a[i] = randomDoc(rng, depth+1)
		}
		return a
	default:
		m := map[string]any{}
		for range rng.IntN(6) {
			m[strings.Repeat("k", rng.IntN(5))+strconv.Itoa(rng.IntN(100))] = randomDoc(rng, depth+1)
		}
		return m
	}
}

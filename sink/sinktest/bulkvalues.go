package sinktest

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// bulkValueClauses are about values and keys that are written in bulk.
var bulkValueClauses = []clause{
	{"bulk: every kind of value", func(e *env) {
		for _, v := range kinds() {
			values := slices.DeleteFunc(slices.Clone(v.values), func(x any) bool { return e.refuses(v.typ, x) })
			t := table(v.name, 1, column("id", integer), nullable("v", v.typ))
			e.apply(shape(t))
			n := 4 * len(values)
			at := func(i int) any { return values[i%len(values)] }
			step := func(from, to func(i int) any) {
				e.bulk(each(n, func(i int) rowferry.Mutation { return update(t, vals(i, from(i)), vals(i, to(i))) })...)
				e.rows(t, rowsOf(n, func(i int) []any { return vals(i, to(i)) })...)
			}
			none := func(int) any { return nil }
			e.bulk(each(n, func(i int) rowferry.Mutation { return insert(t, i, at(i)) })...)
			e.rows(t, rowsOf(n, func(i int) []any { return vals(i, at(i)) })...)
			if len(values) > 1 {
				next := func(i int) any { return at(i + 1) }
				step(at, next)
				step(next, at)
			}
			step(at, none)
			step(none, at)
			step(at, func(i int) any { return map[bool]any{true: at(i)}[i%2 == 0] })
			step(func(i int) any { return map[bool]any{true: at(i)}[i%2 == 0] }, at)
			e.bulk(each(n, func(i int) rowferry.Mutation { return remove(t, i, at(i)) })...)
			e.rows(t)
		}
	}},
	{"bulk: a value that the target has no room for is refused", func(e *env) {
		for _, v := range kinds() {
			for _, x := range v.values {
				if !e.refuses(v.typ, x) {
					continue
				}
				t := table(v.name, 1, column("id", integer), nullable("v", v.typ))
				e.apply(shape(t), insert(t, 1, nil), insert(t, 2, nil), insert(t, 3, nil), insert(t, 4, nil))
				out := []rowferry.Code{rowferry.CodeOutOfRange}
				e.refusedInBulk(t, out, each(5, func(i int) rowferry.Mutation { return insert(t, 10+i, x) })...)
				e.refusedInBulk(t, out, each(4, func(i int) rowferry.Mutation { return update(t, vals(i+1, nil), vals(i+1, x)) })...)
				if !v.typ.Kind.Approximate() { // which is not compared
					e.refusedInBulk(t, []rowferry.Code{rowferry.CodeRowDiffers, rowferry.CodeRowMissing}, each(4, func(i int) rowferry.Mutation { return remove(t, i+1, x) })...)
				}
				break
			}
		}
	}},
	{"bulk: every kind of key", func(e *env) {
		for n, k := range keyKinds() {
			t := table(fmt.Sprintf("k%d", n), 2, column("k", k.typ), column("l", k.typ), nullable("v", integer))
			e.apply(shape(t))
			keys := len(k.values)
			row := func(i, v int) []any { return vals(k.values[i%keys], k.values[i/keys], v) }
			all := keys * keys
			e.bulk(each(all, func(i int) rowferry.Mutation { return insert(t, row(i, i)...) })...)
			e.bulk(each(all, func(i int) rowferry.Mutation { return update(t, row(i, i), row(i, -i-1)) })...)
			e.bulk(each(all, func(i int) rowferry.Mutation {
				return update(t, vals(row(i, 0)[0], row(i, 0)[1], absent{}), vals(absent{}, absent{}, 1000+i))
			})...)
			e.rows(t, rowsOf(all, func(i int) []any { return row(i, 1000+i) })...)
			for _, x := range k.others { // equal to a row's key by some collation
				e.refusedInBulk(t, missed, each(all, func(i int) rowferry.Mutation {
					r := row(i, 1000+i)
					if i == all-1 {
						r[0] = x
					}
					return update(t, r, vals(r[0], r[1], 7))
				})...)
				e.refusedInBulk(t, missed, each(all, func(i int) rowferry.Mutation {
					r := vals(row(i, 0)[0], row(i, 0)[1], absent{})
					if i == all-1 {
						r[1] = x
					}
					return remove(t, r...)
				})...)
			}
			e.rows(t, rowsOf(all, func(i int) []any { return row(i, 1000+i) })...)
			e.bulk(each(all, func(i int) rowferry.Mutation { return remove(t, row(i, 1000+i)...) })...)
			e.rows(t)
		}
	}},
	{"bulk: updates of ever other columns", func(e *env) {
		const wide = 7 // columns, and two to the power of that patterns
		for _, v := range kinds() {
			if strings.HasPrefix(v.name, "own_") && v.typ.Kind != schema.Other && v.typ.Kind != schema.Decimal {
				continue // to be told from others by the type alone
			}
			values := slices.DeleteFunc(slices.Clone(v.values), func(x any) bool { return e.refuses(v.typ, x) })
			values = append(values, nil)
			columns := []schema.Column{column("id", integer)}
			for c := range wide {
				columns = append(columns, nullable(fmt.Sprintf("c`%d?", c), v.typ))
			}
			t := table(v.name, 1, columns...)
			e.apply(shape(t))
			state := func(i, changed int) []any {
				r := vals(i)
				for c := range wide {
					r = append(r, values[(i+c+changed>>c&1)%len(values)])
				}
				return r
			}
			const n = 1 << wide
			e.bulk(each(n, func(i int) rowferry.Mutation { return insert(t, state(i, 0)...) })...)
			turn := each(n, func(i int) rowferry.Mutation { return update(t, state(i, 0), state(i, i)) })
			e.apply(turn[:n/2]...)
			e.bulk(turn[n/2:]...)
			e.rows(t, rowsOf(n, func(i int) []any { return state(i, i) })...)
			e.refusedInBulk(t, missed, update(t, state(n, 0), state(n, 5)))
		}
	}},
	{"bulk: many tables and patterns at once", func(e *env) {
		var shapes, inserts, updates, deletes []rowferry.Mutation
		want := map[*schema.Table][]rowferry.Row{}
		for n := range 7 {
			columns := []schema.Column{column("id", integer)}
			for c := range n + 1 {
				columns = append(columns, nullable(fmt.Sprintf("c%d", c), []schema.Type{integer, text, double, blob}[c%4]))
			}
			t := table(fmt.Sprintf("t%d", n), 1, columns...)
			shapes = append(shapes, shape(t))
			value := func(c, x int) any {
				return []any{x, fmt.Sprintf("%d ", x), float64(x) / 8, []byte{0, byte(x), ' '}}[c%4]
			}
			for i := range 20 {
				first, then := vals(i), vals(i)
				for c := range n + 1 {
					first = append(first, value(c, i))
					then = append(then, value(c, i+i>>(c%5)&1))
				}
				inserts = append(inserts, insert(t, first...))
				if i%7 == 6 {
					deletes = append(deletes, remove(t, first...))
					continue
				}
				updates = append(updates, update(t, first, then))
				want[t] = append(want[t], row(then))
			}
		}
		e.apply(shapes...)
		e.bulk(inserts...)
		e.bulk(append(updates, deletes...)...)
		for t, rows := range want {
			e.rows(t, rows...)
		}
	}},
}

type keyKind struct {
	typ    schema.Type
	values []any
	others []any // none of values, but equal to one by some collation
}

// keyKinds are types of keys with values of which no two are equal by the
// column's collation.
func keyKinds() []keyKind {
	textual := func(kind schema.Kind, charset, collation string) schema.Type {
		return schema.Type{Kind: kind, Length: 20, Charset: charset, Collation: collation}
	}
	return append(ownKeys(), []keyKind{
		{integer, vals(0, -1, 1<<62), nil},
		{schema.Type{Kind: schema.Int, Bits: 64, Unsigned: true}, vals(uint64(0), uint64(1)<<62+1, uint64(math.MaxUint64)), nil},
		{text, vals("a", "A", "a ", "á"), vals("a  ", "Á")},
		{textual(schema.VarChar, "utf8mb4", "utf8mb4_general_ci"), vals("a", "b ", "é1", "Straße"), vals("A", "b", "e1", "strase")},
		{textual(schema.VarChar, "latin1", "latin1_swedish_ci"), vals("a", "b ", "é", ""), vals("A", "b", "e", "日")},
		{textual(schema.Char, "utf8mb4", "utf8mb4_general_ci"), vals("a", "b", ""), vals("A", "é")},
		{textual(schema.VarChar, "utf8mb4", "utf8mb4_bin"), vals("a", "A", "á"), vals("B", "á1")},
		{schema.Type{Kind: schema.Decimal, Precision: 20, Scale: 4}, vals("0.0000", "-1.5000", "9999999999999999.9999"), nil},
		{schema.Type{Kind: schema.VarBinary, Length: 9}, vals([]byte("a"), []byte("a\x00"), []byte("A"), []byte("a ")), vals([]byte(""), []byte("a  "))},
		{schema.Type{Kind: schema.Binary, Length: 4}, vals([]byte("a\x00\x00\x00"), []byte("a   "), []byte("\x00\xff\x00\x01")), nil},
		{schema.Type{Kind: schema.Date}, vals("2025-01-15", "1999-12-31"), nil},
		{schema.Type{Kind: schema.DateTime, Fsp: 6}, vals("2025-01-15 00:00:00.000001", "2025-01-15 00:00:00.000000"), nil},
		{schema.Type{Kind: schema.Enum, Labels: []string{"a", "b", "1"}}, vals("a", "1", "b"), nil},
	}...)
}

package cli

import (
	"slices"
	"strconv"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/mapping"
	"github.com/rowferry/rowferry/schema"
)

// strategies are the ways to give keys, by what they are called.
var strategies = map[string]mapping.Strategy{"keep": mapping.Keep, "allocate": mapping.Allocate}

// duplicates are what an insert can come to that meets a row.
var duplicates = []string{"error", "update", "merge", "skip"}

// matchBy adds a natural key of a source table, of the columns that a text names.
func (s *settings) matchBy(table, columns string) {
	s.entity(table, func(e *mapping.Entity) {
		e.Keys.Key = mapping.Match
		e.Keys.Match = append(e.Keys.Match, namesOf(columns))
	})
}

// namesOf are the columns that a text names, with commas between.
func namesOf(columns string) (names []string) {
	for name := range strings.SplitSeq(columns, ",") {
		names = append(names, strings.TrimSpace(name))
	}
	return names
}

func checkFollowing(text string) error {
	if slices.Contains(namesOf(text), "") {
		return rowferry.Errorf(rowferry.CodeBadValue, "where_parent names the columns of a reference, with commas between, not %q", text)
	}
	return nil
}

func checkMatchBy(text string) error {
	for name := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(name) == "" {
			return rowferry.Errorf(rowferry.CodeBadValue, "rows are matched by a column, or by several with commas between, not by %q", text)
		}
	}
	return nil
}

// refer adds a reference of a source table, by "column", or by "kind,column" where
// text is what the first of them has.
func (s *settings) refer(table, columns, text, to string) {
	ref := mapping.Reference{Column: columns, Text: text}
	if kind, column, two := strings.Cut(columns, ","); two {
		ref.Kind, ref.Column = strings.TrimSpace(kind), strings.TrimSpace(column)
	}
	parts := strings.SplitN(to, ".", 3)
	ref.To = mapping.Column{Table: schema.Name{Schema: parts[0], Table: parts[1]}, Name: parts[2]}
	s.entity(table, func(e *mapping.Entity) { e.Keys.References = append(e.Keys.References, ref) })
}

func checkReferring(text string) error {
	kind, column, two := strings.Cut(text, ",")
	if kind == "" || two && strings.TrimSpace(column) == "" || strings.Contains(column, ",") {
		return rowferry.Errorf(rowferry.CodeBadValue, "a reference is by one column, or by two of which the first says where the second leads, not by %q", text)
	}
	return nil
}

func checkColumnPath(text string) error {
	parts := strings.SplitN(text, ".", 3)
	if len(parts) != 3 || parts[0] == "" || parts[1] == "" || parts[2] == "" {
		return rowferry.Errorf(rowferry.CodeBadValue, "%q is not of the form database.table.column", text)
	}
	return nil
}

func checkOffset(text string) error {
	if n, err := strconv.ParseInt(text, 10, 64); err != nil || n == 0 {
		return rowferry.Errorf(rowferry.CodeBadValue, "an offset is an integer other than 0, not %q", text)
	}
	return nil
}

func checkWaiting(text string) error {
	if n, err := strconv.Atoi(text); err != nil || n < 1 {
		return rowferry.Errorf(rowferry.CodeBadValue, "waiting_rows is a number above 0, not %q", text)
	}
	return nil
}

// keyKeys are the rules of one source table about its keys and parents.
func keyKeys() []*key {
	return []*key{
		{
			name: "key", values: []string{"keep", "allocate"}, def: "keep", example: "allocate",
			doc: "The key that a row has in the target. `keep`: the source's. `allocate`: a new one, of the target table's own counter, for tables that hold other rows already; its key is one integer column. `offset`: the source's and a number. `match`: that of the row of the target with the same values in other columns, or else a new one. Foreign keys follow: the columns that refer to a row have its key in the target.",
			set: func(s *settings, under []string, v string) {
				s.entity(under[0], func(e *mapping.Entity) { e.Keys.Key = strategies[v] })
			},
			or: &key{kind: mappingKey, one: true, keys: []*key{
				{
					name: "offset", kind: numberKey, example: "1000000", check: checkOffset,
					doc: "What is added to the source's key, an integer. It may be negative.",
					set: func(s *settings, under []string, v string) {
						n, _ := strconv.ParseInt(v, 10, 64) // checked before it is set
						s.entity(under[0], func(e *mapping.Entity) { e.Keys.Key, e.Keys.Offset = mapping.Offset, n })
					},
				},
				{
					name: "match", kind: listKey, example: `[email, "first,last"]`, check: checkMatchBy,
					doc: "Source columns by which a new row finds its row of the target, several of one natural key with commas between. They are tried in this order; one that is NULL or empty in the row is passed over. Where several rows of the target match, the pipeline stops. The table's key is one integer column that counts. See [Rows that are there already](../guides/keys.md#rows-that-are-there-already).",
					set: func(s *settings, under []string, v string) { s.matchBy(under[0], v) },
				},
			}},
		},
		entityText(key{
			name: "on_duplicate", values: duplicates, example: "merge",
			doc: "What an insert comes to that meets a row of the target, by its key or by `match`. `error`: the pipeline stops. `update`: the row gets all values of the new one. `merge`: it gets those that are not NULL or empty. `skip`: it stays as it is, and later changes and the delete of the source's row do not touch it either. Without the key, `update` with `match`, and else `error`.",
		}, func(e *mapping.Entity, v string) { e.Keys.Duplicates = mapping.Duplicates(v) }),
		{
			name: "references", kind: namedKey, named: checkReferring, example: "{author_id: shop.users.id}",
			doc: "Foreign keys that the source does not declare, by column. `\"subject_type,subject_id\": {user: shop.users.id, order: shop.orders.id}` has the second column lead to a table that the text in the first one names.",
			each: &key{
				name: "columns", check: checkColumnPath, doc: "The column that it leads to, as `database.table.column`: the table's key.",
				set: func(s *settings, under []string, v string) { s.refer(under[0], under[1], "", v) },
				or: &key{kind: namedKey, named: checkColumn, each: &key{
					name: "text", check: checkColumnPath, doc: "The column that it leads to where the first column has this text.",
					set: func(s *settings, under []string, v string) { s.refer(under[0], under[1], under[2], v) },
				}},
			},
		},
		entityText(key{
			name: "where_parent", example: "customer_id", check: checkFollowing,
			doc: "The columns of a foreign key, or of one under `references`, several with commas between: a row is in the target only where the row that it refers to there is. One with NULL there follows nothing. With `where`, both have to take it. See [Rows that follow their parents](../guides/keys.md#rows-that-follow-their-parents).",
		}, func(e *mapping.Entity, v string) { e.Keys.WhereParent = namesOf(v) }),
		entityText(key{
			name: "missing_parent", values: []string{"wait", "fetch", "null", "reject"}, example: "wait",
			doc: "What becomes of a row that refers to one which is not in the target. `wait`: it waits in the state directory, with its later changes, until its parent comes. `fetch`: the parent is read from the source and comes first, with its own parents; see [Parents from before](../guides/keys.md#parents-from-before). `null`: it is written with NULL in its place. `reject`: the pipeline stops. It is about references to tables with `key: allocate`, and, where it is given, about those under `references`; other foreign keys are left to the target. Without the key, `wait`.",
		}, func(e *mapping.Entity, v string) { e.Keys.Missing = mapping.Missing(v) }),
	}
}

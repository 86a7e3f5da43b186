package e2e

import (
	"errors"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"unicode"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
	"github.com/rowferry/rowferry/source/mysql"
)

// TestShippedLog finds in the quickstart's log every case that it is there to
// show.
func TestShippedLog(t *testing.T) {
	besideOthers(t)
	found := map[string]int{}
	source := mysql.Files(mysql.Options{
		Paths: []string{filepath.Join(quickstart, "binlog", "mysql-bin.*")},
		Scope: func(n schema.Name) bool { return n.Schema == "shop" },
	})
	r, err := source.Open(t.Context(), rowferry.Start{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	for {
		tx, err := r.Next(t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if !tx.Last {
			t.Fatal("a transaction of the shop is in chunks")
		}
		look(found, tx)
	}
	for what, least := range map[string]int{
		"transaction": 1000, "logged rollback": 1, "insert": 1000, "update": 100, "delete": 100,
		"key change": 1, "unique value moves": 1, "moves in the tree": 1, "DECIMAL": 1, "JSON": 1, "DATE": 1, "DATETIME": 1,
		"TIMESTAMP": 1, "TIME": 1, "Latin": 1, "Greek": 1, "Cyrillic": 1, "Han": 1, "Hangul": 1, "Arabic": 1, "Hebrew": 1,
		"Devanagari": 1, "Thai": 1, "beyond the BMP": 1,
		"customers": 1, "addresses": 1, "categories": 1, "products": 1, "orders": 1, "order_items": 1, "payments": 1,
	} {
		if found[what] < least {
			t.Errorf("%s: found %d, want at least %d", what, found[what], least)
		}
	}
	if t.Failed() {
		t.Log(slices.Sorted(maps.Keys(found)))
	}
}

// look counts what one transaction shows.
func look(found map[string]int, tx *rowferry.Tx) {
	found["transaction"]++
	if tx.Discard {
		if len(tx.Changes) > 0 {
			found["logged rollback"]++
		}
		return
	}
	holders := map[string]map[int64]bool{} // of a loyalty card, in this transaction
	for i := range tx.Changes {
		c := &tx.Changes[i]
		found[c.Op.String()]++
		found[c.Table.Name.Table]++
		if c.After == nil {
			continue
		}
		lookAtValues(found, c)
		if c.Op != rowferry.Update {
			continue
		}
		for _, o := range c.Table.PrimaryKey {
			if c.Before[o] != c.After[o] {
				found["key change"]++
			}
		}
		if o := c.Table.Column("parent_id"); o >= 0 && c.Before[o] != c.After[o] {
			found["moves in the tree"]++
		}
		if o := c.Table.Column("loyalty_card"); o >= 0 && !c.After[o].IsNull() && c.Before[o] != c.After[o] {
			card := c.After[o].Str()
			if holders[card] == nil {
				holders[card] = map[int64]bool{}
			}
			holders[card][int64(c.After[0].Uint())] = true
			if len(holders[card]) > 1 {
				found["unique value moves"]++
			}
		}
	}
}

var kinds = map[schema.Kind]string{
	schema.Decimal: "DECIMAL", schema.JSON: "JSON", schema.Date: "DATE", schema.DateTime: "DATETIME", schema.Timestamp: "TIMESTAMP", schema.Time: "TIME",
}

var scripts = []string{"Latin", "Greek", "Cyrillic", "Han", "Hangul", "Arabic", "Hebrew", "Devanagari", "Thai"}

func lookAtValues(found map[string]int, c *rowferry.Change) {
	for o, v := range c.After {
		if v.IsNull() {
			continue
		}
		if name := kinds[c.Table.Columns[o].Type.Kind]; name != "" {
			found[name]++
		}
		if v.Kind() != rowferry.Text {
			continue
		}
		for _, r := range v.Str() {
			for _, s := range scripts {
				if unicode.Is(unicode.Scripts[s], r) {
					found[s]++
				}
			}
			if r > 0xffff {
				found["beyond the BMP"]++
			}
		}
	}
}

package cli

import (
	"strings"

	"github.com/rowferry/rowferry"
)

// summaryOrphans are rows of one table of which one foreign key had no parent.
type summaryOrphans struct {
	Table  string   `json:"table"`
	Key    string   `json:"foreign_key"`
	Policy string   `json:"policy"` // null or skip
	Rows   int64    `json:"rows"`
	First  []string `json:"first"` // the keys of up to 20 of them
}

func summaryOrphan(found []rowferry.Orphans) []summaryOrphans {
	all := []summaryOrphans{}
	for _, o := range found {
		all = append(all, summaryOrphans{o.Table.String(), o.Key, string(o.Policy), o.Rows, o.Keys})
	}
	return all
}

// text says it for people.
func (o summaryOrphans) text() string {
	did := "taken out of"
	if o.Policy == string(rowferry.NullOrphans) {
		did = "set to NULL in"
	}
	text := plural(uint64(o.Rows), "row", "rows") + " " + did + " " + o.Table + ", without a parent by " + o.Key + ": " + strings.Join(o.First, ", ")
	if o.Rows > int64(len(o.First)) {
		text += ", …"
	}
	return text
}

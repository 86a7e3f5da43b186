package cli

import (
	"strconv"

	"github.com/rowferry/rowferry"
)

var (
	limitOption = &option{name: "limit", value: "NUMBER", usage: "copy at most so many rows of each table, the first by its key, and their parents, then end"}
	idsOption   = &option{name: "ids", value: "ENTITY=KEY,…", usage: "copy the rows of a table with these keys, as shop.orders=1,2, and their parents, then end", list: true}
	sinceOption = &option{name: "since", value: "ENTITY.COLUMN=VALUE", usage: "copy the rows of a table whose column is at least this, as shop.orders.created=2026-01-31, and their parents, then end", list: true}
)

// partAsked reads what is to be copied of a source, nil for all of it.
func (in *invocation) partAsked(s *settings) error {
	if !in.given("limit") && !in.given("ids") && !in.given("since") {
		return nil
	}
	p := &rowferry.Part{IDs: in.values["ids"], Since: in.values["since"]}
	if in.given("limit") {
		n, err := strconv.Atoi(in.text("limit"))
		if err != nil || n < 1 {
			return rowferry.Errorf(rowferry.CodeBadValue, "%q is not a number of rows", in.text("limit")).Remedy("write", "1 or more")
		}
		p.Limit = n
	}
	for _, other := range []string{"from", "until", "once"} {
		if in.given(other) {
			return rowferry.Errorf(rowferry.CodeUsage, "a partial copy reads no log, and --%s is about the log", other).
				Remedy("copy a part", "without --%s", other).Remedy("copy all", "without --limit, --ids and --since")
		}
	}
	if s.fromCSV() {
		return rowferry.Errorf(rowferry.CodeUsage, "CSV files are copied whole").Remedy("copy all", "without --limit, --ids and --since")
	}
	if s.targetScheme() == "jsonl" {
		return rowferry.Errorf(rowferry.CodeUsage, "nothing can be copied into JSON lines").Remedy("copy into", "a database, or a SQLite file")
	}
	s.part = p
	return nil
}

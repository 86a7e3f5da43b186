package sqlsink

import (
	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// NotMade is the error for a table that may not be emptied: its rows may be those
// of somebody else.
func NotMade(t *schema.Table) error {
	return rowferry.Errorf(rowferry.CodeAgainRefused, "the target's table was not made by Rowferry, and rows of somebody else's are never removed").
		Fact("table", "%s", t.Name).
		Remedy("empty it yourself", "when no engine runs, and the same command again")
}

// HeldBy is the error for a foreign key to a table that is to be emptied, which
// Rowferry did not make and would not make again.
func HeldBy(t *schema.Table, child schema.Name, columns string) error {
	return rowferry.Errorf(rowferry.CodeAgainRefused, "a foreign key refers to the target's table that Rowferry did not make").
		Fact("table", "%s", t.Name).Fact("referring", "%s (%s)", child, columns).
		Remedy("for the time of the copy", "drop that foreign key")
}

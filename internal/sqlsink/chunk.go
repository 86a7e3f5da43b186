package sqlsink

import (
	"strings"

	"github.com/rowferry/rowferry"
)

// ChunkTable is the table with one row for each part of a table that a copy has
// begun to load, written in the transaction that loads it.
const ChunkTable = "rowferry_chunk"

// ChunkColumns are the table's columns, in the order of ChunkArgs and of what
// reads them. The first four are its key.
var ChunkColumns = []string{"pipeline", "source_schema", "source_table", "number", "upto", "done", "loaded", "saw"}

// ChunkArgs returns the row's columns in order: three texts, an integer, a text,
// two integers and a text.
func ChunkArgs(pipeline string, c rowferry.Chunk) []any {
	done := int64(0)
	if c.Done {
		done = 1
	}
	return []any{pipeline, c.Table.Schema, c.Table.Table, int64(c.Number), c.Upto, done, c.Rows, string(c.Saw)}
}

// Own reports whether a table with this name, in lower case, is one of Rowferry's.
func Own(name string) bool {
	lower := strings.ToLower(name)
	return lower == CheckpointTable || lower == ChunkTable
}

// Unclaimed is the error for a chunk that is done and was not claimed.
func Unclaimed(c rowferry.Chunk) error {
	return rowferry.Errorf(rowferry.CodeInternal, "a chunk was loaded that was not claimed").
		Fact("table", "%s", c.Table).Fact("chunk", "%d", c.Number)
}

package rowferry

import (
	"context"
	"slices"

	"github.com/rowferry/rowferry/schema"
)

// A part is a copy of some rows, which ends when they are there and is not
// followed: those that are selected, and their parents by the declared foreign
// keys, and theirs, so that no reference is broken. All are read in one snapshot of
// the source, whose log is not needed.

// PartSource is a Source rows of which can be read without its log.
type PartSource interface {
	Source
	// Part looks at the tables in scope, and opens a snapshot of them.
	Part(ctx context.Context) (PartReader, error)
}

// PartReader reads rows in one snapshot, on one connection. It is used by one
// goroutine. Rows are those that a ChunkReader would read.
type PartReader interface {
	// Tables are those in scope, with their shapes.
	Tables() []CopyTable
	// Pick reads the rows of a table that p asks for, and calls each with consecutive
	// ones, which are valid during the call. It ends with the error of each.
	Pick(ctx context.Context, t *CopyTable, p Pick, each func([]Row) error) error
	// Close ends the snapshot.
	Close() error
}

// Pick says which rows of a table are read. Where it has neither Since nor Keys,
// those are all.
type Pick struct {
	// Since has the rows whose column at the ordinal is at least the value.
	Since *PartBound
	// Keys are values of the columns at the ordinals By: the rows that have one of
	// them. They are compared as the source does.
	By   []int
	Keys [][]Value
	// Limit is how many rows there are at most, the first ones by the table's key;
	// 0 is no limit.
	Limit int
}

// PartBound is the least value of a column.
type PartBound struct {
	Column int
	Value  Value
}

// Part says which rows a partial copy begins with: those that IDs and Since name, or
// of all tables where they name none.
type Part struct {
	// Limit is how many rows of a table there are at most, the first ones by its key,
	// those that IDs names aside. 0 is no limit.
	Limit int
	// IDs are "table=key,key,…", by source names. The table's key is one column.
	IDs []string
	// Since are "table.column=value": rows whose column is at least the value.
	Since []string
}

// selection is what a Part says of one table.
type selection struct {
	table *CopyTable
	picks []Pick
}

// selections reads a Part for the tables that there are. The error tells of
// everything that is wrong with the first of its texts that is.
func (p *Part) selections(tables []CopyTable) ([]*selection, error) {
	var all []*selection
	of := func(t *CopyTable) *selection {
		for _, s := range all {
			if s.table == t {
				return s
			}
		}
		s := &selection{table: t}
		all = append(all, s)
		return s
	}
	for _, text := range p.IDs {
		t, pick, err := pickIDs(tables, text)
		if err != nil {
			return nil, err
		}
		for part := range slices.Chunk(pick.Keys, mostParents) {
			of(t).picks = append(of(t).picks, Pick{By: pick.By, Keys: part})
		}
	}
	for _, text := range p.Since {
		t, pick, err := pickSince(tables, text)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(of(t).picks, func(x Pick) bool { return x.Since != nil }) {
			return nil, Errorf(CodeBadValue, "--since names a table twice").Fact("table", "%s", t.Shape.Name)
		}
		pick.Limit = p.Limit
		of(t).picks = append(of(t).picks, pick)
	}
	if len(all) > 0 {
		return all, nil
	}
	for i := range tables {
		of(&tables[i]).picks = []Pick{{Limit: p.Limit}}
	}
	return all, nil
}

// findTable returns the table with the source name.
func findTable(tables []CopyTable, name schema.Name) *CopyTable {
	for i := range tables {
		if tables[i].Shape.Name == name {
			return &tables[i]
		}
	}
	return nil
}

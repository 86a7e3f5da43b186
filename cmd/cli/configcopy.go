package cli

import (
	"strconv"

	"github.com/rowferry/rowferry"
)

// copySettings are how a pipeline copies what is there before it follows.
type copySettings struct {
	workers, rows int
	orphans       rowferry.OrphanPolicy
}

// mostWorkers is how many connections a copy may have to either side.
const mostWorkers = 64

// copyKeys are the keys of a copy.
func copyKeys() []*key {
	return []*key{
		{
			name: "workers", kind: numberKey, def: strconv.Itoa(rowferry.DefaultCopyWorkers), flag: "copy-workers", example: "8", check: checkWorkers,
			doc: "How many parts of tables are copied at the same time, from `1` to `64`, each on a connection of its own to the source and one to the target.",
			set: func(s *settings, _ []string, v string) { s.copies.workers, _ = strconv.Atoi(v) }, // checked before it is set
		},
		{
			name: "chunk_rows", kind: numberKey, flag: "chunk-rows", example: "50000", check: checkChunkRows,
			doc: "How many rows are read in one transaction of the source. Without the key, as many as are copied in about a second.",
			set: func(s *settings, _ []string, v string) { s.copies.rows, _ = strconv.Atoi(v) },
		},
	}
}

func checkWorkers(text string) error {
	if n, err := strconv.Atoi(text); err != nil || n < 1 || n > mostWorkers {
		return rowferry.Errorf(rowferry.CodeBadValue, "%q is not a number of workers", text).Remedy("write", "a number from 1 to %d", mostWorkers)
	}
	return nil
}

func checkChunkRows(text string) error {
	if n, err := strconv.Atoi(text); err != nil || n < 1 {
		return rowferry.Errorf(rowferry.CodeBadValue, "%q is not a number of rows", text).Remedy("write", "1 or more")
	}
	return nil
}

// orphansKey is what a copy does with rows without a parent.
var orphansKey = &key{
	name: "orphans", values: orphanPolicies, def: string(rowferry.StopOrphans),
	doc: "What a copy does, when its rows are there and before it makes foreign keys, with rows whose foreign key has no parent in the target: a source has them where its foreign keys were not checked. `stop` ends there by name, and the same command goes on with another policy or when the rows are mended. `null` sets the foreign key's columns to NULL in these rows, and stops where one is NOT NULL. `skip` deletes these rows, and what refers to them, until every row has its parent. Both list the rows, in the log and in the summary. Only tables that Rowferry made for the copy are changed. A later change to such a row stops the pipeline.",
	set: func(s *settings, _ []string, v string) { s.copies.orphans = rowferry.OrphanPolicy(v) },
}

var orphanPolicies = []string{string(rowferry.StopOrphans), string(rowferry.NullOrphans), string(rowferry.SkipOrphans)}

var (
	workersOption   = &option{name: "copy-workers", value: "NUMBER", usage: "how many parts of tables are copied at the same time", def: strconv.Itoa(rowferry.DefaultCopyWorkers), key: "copy.workers"}
	chunkRowsOption = &option{name: "chunk-rows", value: "NUMBER", usage: "how many rows are read in one transaction of the source; without it, as many as are copied in about a second", key: "copy.chunk_rows"}
)

package cli

import "github.com/rowferry/rowferry/source/postgres"

// slotNames are what a PostgreSQL source can be told of how its log is read.
type slotNames struct {
	slot, publication, partitions, origin string
}

// given names the keys that were given.
func (n slotNames) given() (keys []string) {
	for _, k := range []struct{ name, value string }{
		{"slot", n.slot}, {"publication", n.publication}, {"partitions", n.partitions}, {"origin", n.origin},
	} {
		if k.value != "" {
			keys = append(keys, k.name)
		}
	}
	return keys
}

// slotKeys are the keys of a PostgreSQL source.
func slotKeys() []*key {
	return []*key{
		{
			name: "slot", example: "rowferry_shop", check: postgres.CheckSlotName,
			doc: "PostgreSQL: the replication slot to read by, made where it is missing and the pipeline begins with `--from latest`. Up to 63 lower-case letters, digits and `_`. Without the key, `rowferry_` and the pipeline's name.",
			set: func(s *settings, _ []string, v string) { s.slot.slot = v },
		},
		{
			name: "publication", example: "rowferry_shop", check: postgres.CheckPublicationName,
			doc: "PostgreSQL: the publication to read. One that exists is used as it is, with its row filters and column lists, and has to have all tables in scope; a missing one is made, of the tables in scope, where the pipeline begins with `--from latest`. Without the key, `rowferry_` and the pipeline's name.",
			set: func(s *settings, _ []string, v string) { s.slot.publication = v },
		},
		{
			name: "partitions", values: []string{postgres.PartitionsRoot, postgres.PartitionsLeaf},
			doc: "PostgreSQL: whether rows of partitioned tables arrive as rows of the partitioned table (`root`) or as those of each partition (`leaf`). Without the key, `root` for a publication that is made, and as it was made for one that exists.",
			set: func(s *settings, _ []string, v string) { s.slot.partitions = v },
		},
		{
			name: "origin", values: []string{postgres.OriginAny, postgres.OriginNone}, def: postgres.OriginAny,
			doc: "PostgreSQL 16 and newer: `none` leaves out changes that the source received by replication itself, so that two servers can follow each other; `any` reads them all.",
			set: func(s *settings, _ []string, v string) { s.slot.origin = v },
		},
	}
}

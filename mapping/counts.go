package mapping

import (
	"context"
	"slices"

	"github.com/rowferry/rowferry/schema"
)

// Count is how many notes there are of the rows of an entity.
type Count struct {
	Entity   schema.Name
	Key      Strategy
	Columns  []schema.Column // of the key, as the target calls them
	Noted    bool            // its rows' keys are in the notes
	Mapped   int64
	Filtered int64 // that are noted as left out of the target
	Waiting  int64 // those that were put aside among them
	Rejected int64 // that were put aside, of which some were given up
	Bytes    int64 // of keys and rows that wait, before they are packed
}

// Counts returns how many notes there are of each table that was seen, by name. It
// goes through all of them.
func (r *Reader) Counts(ctx context.Context) ([]Count, error) {
	counts := map[schema.Name]*Count{} // by the target's name
	for _, e := range r.all() {
		if e.table == nil {
			continue
		}
		c := &Count{Entity: e.source, Key: e.rule.Key, Noted: e.noted}
		for _, o := range e.identity {
			c.Columns = append(c.Columns, e.table.Columns[o])
		}
		counts[e.name] = c
	}
	if err := r.count(ctx, counts); err != nil {
		return nil, err
	}
	var all []Count
	for _, c := range counts {
		all = append(all, *c)
	}
	slices.SortFunc(all, func(a, b Count) int { return a.Entity.Compare(b.Entity) })
	return all, nil
}

func (r *Reader) count(ctx context.Context, counts map[schema.Name]*Count) error {
	none := &Count{} // of tables that were not seen
	of := func(named []byte) (*Count, error) {
		rd := reader{rest: named}
		if c := counts[schema.Name{Schema: rd.text(), Table: rd.text()}]; c != nil {
			return c, rd.err
		}
		return none, rd.err
	}
	for _, prefix := range []byte{mapNote, backNote} {
		err := r.scan(ctx, []byte{prefix}, func(key, value []byte) error {
			c, err := of(key)
			c.Bytes += int64(1 + len(key) + len(value))
			if prefix == mapNote && isFiltered(value) {
				c.Filtered++
			} else if prefix == mapNote {
				c.Mapped++
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return r.scan(ctx, []byte{waitingNote}, func(key, value []byte) error {
		w, err := parseWaiting(0, value)
		if err != nil {
			return err
		}
		c, err := of(value)
		c.Waiting++
		c.Bytes += int64(1 + len(key) + len(value))
		if isAside(w.lacks.list) {
			c.Rejected++
		}
		return err
	})
}

// metBy is what flags say was made of a row of the target's own.
func metBy(flags byte) Duplicates {
	switch {
	case flags&skipped != 0:
		return SkipDuplicates
	case flags&merged != 0:
		return MergeDuplicates
	case flags&adopted != 0:
		return UpdateDuplicates
	default:
		return ""
	}
}

// flagsOf is the reverse of metBy; false where the word is none.
func flagsOf(met Duplicates) (flags byte, ok bool) {
	for _, flags := range []byte{0, adopted, adopted | merged, adopted | skipped} {
		if metBy(flags) == met {
			return flags, true
		}
	}
	return 0, false
}

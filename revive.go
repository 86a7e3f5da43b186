package rowferry

import (
	"context"
	"slices"
)

// ReviveTx is a SinkTx that can tell which rows were marked as deleted.
type ReviveTx interface {
	SinkTx
	// Marked reports, for each of the given inserts, which are of one table and of
	// different keys, whether there is a row with its key that is marked: the column
	// that Revives names is not NULL. It sees what was written before.
	Marked(ctx context.Context, ms []Mutation) ([]bool, error)
}

// mostProbed is how many rows are asked for together.
const mostProbed = 64

// revived returns the mutations with inserts as updates where they take up a row
// that is marked as deleted. The given ones stay as they are.
func revived(ctx context.Context, tx ReviveTx, ms []Mutation) ([]Mutation, error) {
	own := false
	for i := 0; i < len(ms); {
		n := 0
		for i+n < len(ms) && n < mostProbed && ms[i+n].revives() && ms[i+n].Table == ms[i].Table {
			n++
		}
		if n == 0 {
			i++
			continue
		}
		marked, err := tx.Marked(ctx, ms[i:i+n])
		if err != nil {
			return nil, err
		}
		for k, is := range marked {
			if !is {
				continue
			}
			if !own {
				ms, own = slices.Clone(ms), true
			}
			m := &ms[i+k]
			m.Op, m.Before = Update, make(Row, len(m.After))
			for _, o := range m.Table.Identity() {
				m.Before[o] = m.After[o]
			}
		}
		i += n
	}
	return ms, nil
}

// revives reports whether the mutation is an insert that may take up a row.
func (m *Mutation) revives() bool { return m.Op == Insert && m.Revives > 0 && !m.Merges }

// writeReviving writes mutations in their order, so that each insert which may take
// up a row sees what was written before it.
func writeReviving(ctx context.Context, tx ReviveTx, ms []Mutation) error {
	for len(ms) > 0 {
		n := 1
		for n < len(ms) && ms[n].revives() == ms[0].revives() && (!ms[0].revives() || n < mostProbed) {
			n++
		}
		part := ms[:n]
		if ms[0].revives() {
			var err error
			if part, err = revived(ctx, tx, part); err != nil {
				return err
			}
		}
		if err := tx.Write(ctx, part); err != nil {
			return err
		}
		ms = ms[n:]
	}
	return nil
}

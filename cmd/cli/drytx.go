package cli

import (
	"context"
	"slices"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/mapping"
	"github.com/rowferry/rowferry/schema"
)

// dryCounts is what would become of the rows of one source table.
type dryCounts struct {
	inserts, updates, merges, deletes, clears, skips, rejects int64
	first                                                     *rowferry.Error // the first refusal
}

func (c *dryCounts) add(o *dryCounts) {
	c.inserts, c.updates, c.merges, c.deletes = c.inserts+o.inserts, c.updates+o.updates, c.merges+o.merges, c.deletes+o.deletes
	c.clears, c.skips, c.rejects = c.clears+o.clears, c.skips+o.skips, c.rejects+o.rejects
	if c.first == nil {
		c.first = o.first
	}
}

func countsOf(all map[schema.Name]*dryCounts, name schema.Name) *dryCounts {
	if all[name] == nil {
		all[name] = &dryCounts{}
	}
	return all[name]
}

// mostDryRows is how many rows of one transaction are remembered in memory.
const mostDryRows = 100_000

// dryTx counts what one batch would write.
type dryTx struct {
	sink    *drySink
	rows    map[string]dryRow
	cleared []schema.Name
	counts  map[schema.Name]*dryCounts
	spilled bool // rows of it are remembered already
}

// dryRow is whether a row would be there.
type dryRow struct {
	table schema.Name
	key   []rowferry.Value
	there bool
}

// Write implements rowferry.SinkTx.
func (x *dryTx) Write(ctx context.Context, ms []rowferry.Mutation) error {
	if err := x.learn(ctx, ms); err != nil {
		return err
	}
	for i := range ms {
		if err := x.write(&ms[i]); err != nil {
			return err
		}
	}
	if len(x.rows) < mostDryRows {
		return nil
	}
	x.spilled = true
	return x.flush()
}

// learn asks for the rows that mutations are about and that nothing is known of.
func (x *dryTx) learn(ctx context.Context, ms []rowferry.Mutation) error {
	asked := map[*schema.Table][][]rowferry.Value{}
	for i := range ms {
		m := &ms[i]
		for _, key := range keysOf(m) {
			at := keyText(m.Table.Name, key)
			if _, known := x.rows[at]; known {
				continue
			}
			there, known, err := x.sink.remembered(m.Table.Name, key)
			if err != nil {
				return err
			}
			gone := slices.Contains(x.cleared, m.Table.Name)
			x.rows[at] = dryRow{m.Table.Name, key, there && !gone}
			if !known && !gone {
				asked[m.Table] = append(asked[m.Table], key)
			}
		}
	}
	for t, keys := range asked {
		identity := t.Identity()
		found, err := x.sink.Find(ctx, t, identity, keys, identity)
		if err != nil {
			return err
		}
		for _, f := range found {
			x.rows[keyText(t.Name, keys[f.Value])] = dryRow{t.Name, keys[f.Value], true}
		}
	}
	return nil
}

// keysOf are the keys that a change of a row is about: the one that it has, and the
// one that it gets. None where the table has no key.
func keysOf(m *rowferry.Mutation) (keys [][]rowferry.Value) {
	identity := m.Table.Identity()
	for _, row := range []rowferry.Row{m.Before, m.After} {
		if row == nil || identity == nil {
			continue
		}
		key := make([]rowferry.Value, len(identity))
		for i, o := range identity {
			if key[i] = row[o]; key[i].IsAbsent() && m.Before != nil {
				key[i] = m.Before[o]
			}
		}
		if !slices.ContainsFunc(key, func(v rowferry.Value) bool { return v.IsAbsent() || v.IsNull() }) {
			keys = append(keys, key)
		}
	}
	return keys
}

// write counts what a mutation would do.
func (x *dryTx) write(m *rowferry.Mutation) error {
	c := countsOf(x.counts, m.Source)
	keys := keysOf(m)
	switch m.Op {
	case rowferry.Shape:
		return nil
	case rowferry.Truncate:
		c.clears++
		x.cleared = append(x.cleared, m.Table.Name)
		for at, r := range x.rows {
			if r.table == m.Table.Name {
				r.there = false
				x.rows[at] = r
			}
		}
		return nil
	case rowferry.Insert:
		if len(keys) > 0 && x.there(m, keys[0]) {
			if m.Revives == 0 {
				return x.refuse(m, rowferry.CodeForeignRow, "the target has a row of that key", keys[0])
			}
			c.updates++
			return nil
		}
		c.inserts++
	case rowferry.Update:
		if len(keys) > 0 && !x.there(m, keys[0]) {
			return x.refuse(m, rowferry.CodeRowMissing, "the target lacks the row that would be changed", keys[0])
		}
		if moves := len(keys) == 2 && keyText(m.Table.Name, keys[0]) != keyText(m.Table.Name, keys[1]); moves {
			if x.there(m, keys[1]) {
				return x.refuse(m, rowferry.CodeForeignRow, "the target has a row of the key that the row would get", keys[1])
			}
			x.set(m, keys[0], false)
		}
		c.updates++
	case rowferry.Delete:
		if len(keys) > 0 && !x.there(m, keys[0]) {
			return x.refuse(m, rowferry.CodeRowMissing, "the target lacks the row that would be deleted", keys[0])
		}
		c.deletes++
	default:
		return rowferry.Errorf(rowferry.CodeInternal, "an operation %s cannot be foreseen", m.Op)
	}
	if len(keys) > 0 {
		x.set(m, keys[len(keys)-1], m.Op != rowferry.Delete)
	}
	return nil
}

func (x *dryTx) there(m *rowferry.Mutation, key []rowferry.Value) bool {
	return x.rows[keyText(m.Table.Name, key)].there
}

func (x *dryTx) set(m *rowferry.Mutation, key []rowferry.Value, there bool) {
	x.rows[keyText(m.Table.Name, key)] = dryRow{m.Table.Name, key, there}
}

// refuse counts a row that the target would refuse, or has the engine put it aside
// where it would.
func (x *dryTx) refuse(m *rowferry.Mutation, code rowferry.Code, why string, key []rowferry.Value) error {
	err := rowferry.Errorf(code, "%s", why).Fact("table", "%s", m.Source).Fact("key in the target", "%s", dryKey(key))
	if r := x.sink.resolver; r != nil && code == rowferry.CodeForeignRow && r.SetsAside(m) {
		refused := *m
		err.Mutation = &refused
		return err
	}
	c := countsOf(x.counts, m.Source)
	c.rejects++
	if c.first == nil {
		c.first = err
	}
	return nil
}

// dryKey is a key for people: one that stands for another is not told.
func dryKey(key []rowferry.Value) string {
	texts := mapping.KeyTexts(key)
	for i, v := range key {
		if v.Kind() == rowferry.Int && v.Int() >= firstStandIn {
			texts[i] = "(new)"
		}
	}
	return mapping.JoinKey(texts)
}

// flush has the sink remember the rows.
func (x *dryTx) flush() error {
	rows := map[schema.Name][]rowferry.StagedRow{}
	for _, r := range x.rows {
		there := int64(0)
		if r.there {
			there = 1
		}
		rows[r.table] = append(rows[r.table], rowferry.StagedRow{Key: normalKey(r.key), Row: rowferry.Row{rowferry.IntValue(there)}})
	}
	for _, t := range x.cleared {
		x.sink.cleared[t] = true
		if x.sink.changed == nil {
			continue
		}
		if err := x.sink.changed.Clear(dryShape(t)); err != nil {
			return err
		}
	}
	x.rows, x.cleared = map[string]dryRow{}, nil
	return x.sink.remember(rows)
}

// Commit implements rowferry.SinkTx.
func (x *dryTx) Commit(_ context.Context, cp rowferry.Checkpoint) error {
	if err := x.flush(); err != nil {
		return err
	}
	for _, m := range mapping.MetSince(x.sink.resolver) {
		c := countsOf(x.counts, m.Entity)
		c.merges, c.updates, c.skips = c.merges+m.Written, c.updates-m.Written, c.skips+m.Skipped
	}
	for name, c := range x.counts {
		countsOf(x.sink.counts, name).add(c)
	}
	x.sink.row, x.sink.written = &cp, true
	return nil
}

// Rollback implements rowferry.SinkTx.
func (x *dryTx) Rollback() error {
	if x.spilled {
		return rowferry.Errorf(rowferry.CodeDryRun, "a transaction of which a row would be put aside changes more than %d rows", mostDryRows)
	}
	return nil
}

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

// dryRow is how a row would stand.
type dryRow struct {
	table schema.Name
	key   []rowferry.Value
	is    rowStands
}

// rowStands is how a row would stand in the target.
type rowStands int64

const (
	gone    rowStands = iota
	there             // as the source has it
	foreign           // another row has its key: the source's was refused, and what comes of it with it
	missing           // it was refused, since it is not there
)

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
			is, known, err := x.sink.remembered(m.Table.Name, key)
			if err != nil {
				return err
			}
			if slices.Contains(x.cleared, m.Table.Name) {
				is, known = gone, true
			}
			x.rows[at] = dryRow{m.Table.Name, key, is}
			if !known {
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
			x.rows[keyText(t.Name, keys[f.Value])] = dryRow{t.Name, keys[f.Value], there}
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
				r.is = gone
				x.rows[at] = r
			}
		}
		return nil
	case rowferry.Insert, rowferry.Update, rowferry.Delete:
		if len(keys) == 0 {
			c.count(m.Op)
			return nil
		}
		return x.writeRow(m, c, keys[0], keys[len(keys)-1])
	default:
		return rowferry.Errorf(rowferry.CodeInternal, "an operation %s cannot be foreseen", m.Op)
	}
}

// count counts a change of a row.
func (c *dryCounts) count(op rowferry.Op) {
	switch op {
	case rowferry.Insert:
		c.inserts++
	case rowferry.Update:
		c.updates++
	default: // a delete
		c.deletes++
	}
}

// writeRow counts a change of a row that has the key was, and gets the key now: the
// same, unless it moves.
func (x *dryTx) writeRow(m *rowferry.Mutation, c *dryCounts, was, now []rowferry.Value) error {
	is, moves := x.at(m, was), keyText(m.Table.Name, was) != keyText(m.Table.Name, now)
	switch {
	case is == foreign || is == missing && m.Op != rowferry.Insert: // it was refused before
		if moves {
			x.set(m, now, missing)
		}
		if m.Op == rowferry.Delete && is == missing {
			x.set(m, was, gone)
		}
		return nil
	case m.Op == rowferry.Insert && is == there && m.Revives > 0:
		c.updates++
		return nil
	case m.Op == rowferry.Insert && is == there:
		return x.refuse(m, rowferry.CodeForeignRow, "the target has a row of that key", was, foreign)
	case m.Op != rowferry.Insert && is != there:
		return x.refuse(m, rowferry.CodeRowMissing, "the target lacks a row that would be changed or deleted", was, missing)
	case moves && x.at(m, now) == there:
		return x.refuse(m, rowferry.CodeForeignRow, "the target has a row of the key that the row would get", now, there)
	}
	c.count(m.Op)
	x.set(m, was, gone)
	if m.Op != rowferry.Delete {
		x.set(m, now, there)
	}
	return nil
}

func (x *dryTx) at(m *rowferry.Mutation, key []rowferry.Value) rowStands {
	return x.rows[keyText(m.Table.Name, key)].is
}

func (x *dryTx) set(m *rowferry.Mutation, key []rowferry.Value, is rowStands) {
	x.rows[keyText(m.Table.Name, key)] = dryRow{m.Table.Name, key, is}
}

// refuse counts a row that the target would refuse, or has the engine put it aside
// where it would. The row of the key is from then on as is says.
func (x *dryTx) refuse(m *rowferry.Mutation, code rowferry.Code, why string, key []rowferry.Value, is rowStands) error {
	err := rowferry.Errorf(code, "%s", why).Fact("table", "%s", m.Source).Fact("key in the target", "%s", dryKey(key))
	if r := x.sink.resolver; r != nil && code == rowferry.CodeForeignRow && r.SetsAside(m) {
		refused := *m
		err.Mutation = &refused
		return err
	}
	x.set(m, key, is)
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
		rows[r.table] = append(rows[r.table], rowferry.StagedRow{Key: normalKey(r.key), Row: rowferry.Row{rowferry.IntValue(int64(r.is))}})
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

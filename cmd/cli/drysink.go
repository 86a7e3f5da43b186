package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// drySink is a target that is asked and never written to. What an engine writes is
// counted, and remembered by key, so that later changes meet what earlier ones would
// have left. Checkpoints, and keys that are set aside, are its own.
type drySink struct {
	real     rowferry.Planner
	finder   rowferry.Finder
	state    rowferry.State    // temporary; its stage has the rows that come and go
	resolver rowferry.Resolver // nil where keys are the source's
	// loads tells that a copy is ahead which loads its tables, and so takes none with
	// rows or with keys of others.
	loads bool

	row     *rowferry.Checkpoint // as the engine has written it
	written bool
	exists  map[schema.Name]bool // tables of the target that were looked at
	lent    map[schema.Name]int64
	cleared map[schema.Name]bool // tables that were emptied
	changed rowferry.Stage       // nil before the first row
	counts  map[schema.Name]*dryCounts
}

// firstStandIn begins the keys that stand for those which the target would set aside.
const firstStandIn = 1 << 62

var (
	_ rowferry.CheckpointKeeper = (*drySink)(nil)
	_ rowferry.Preparer         = (*drySink)(nil)
	_ rowferry.Reserver         = (*drySink)(nil)
	_ rowferry.Finder           = (*drySink)(nil)
)

func newDrySink(sink rowferry.Sink, state rowferry.State) (*drySink, error) {
	d := &drySink{state: state, exists: map[schema.Name]bool{}, lent: map[schema.Name]int64{}, cleared: map[schema.Name]bool{}, counts: map[schema.Name]*dryCounts{}}
	var asks, finds bool
	d.real, asks = sink.(rowferry.Planner)
	d.finder, finds = sink.(rowferry.Finder)
	if !asks || !finds {
		return nil, rowferry.Errorf(rowferry.CodeInternal, "the target takes rows and cannot be asked for them")
	}
	return d, nil
}

// ReadCheckpoint implements rowferry.CheckpointKeeper.
func (d *drySink) ReadCheckpoint(ctx context.Context, pipeline string) (*rowferry.Checkpoint, error) {
	if d.written {
		at := *d.row
		return &at, nil
	}
	return d.real.ReadCheckpoint(ctx, pipeline)
}

// ListCheckpoints implements rowferry.CheckpointKeeper.
func (d *drySink) ListCheckpoints(ctx context.Context) ([]rowferry.Checkpoint, error) {
	return d.real.ListCheckpoints(ctx)
}

// WriteCheckpoint implements rowferry.CheckpointKeeper. Nobody else writes this one.
func (d *drySink) WriteCheckpoint(_ context.Context, _ *rowferry.Checkpoint, now rowferry.Checkpoint) error {
	d.row, d.written = &now, true
	return nil
}

// Occupied implements rowferry.CheckpointKeeper.
func (d *drySink) Occupied(ctx context.Context, tables []schema.Name) ([]schema.Name, error) {
	return d.real.Occupied(ctx, tables)
}

// Tables implements rowferry.CheckpointKeeper.
func (d *drySink) Tables(ctx context.Context) ([]*schema.Table, error) { return d.real.Tables(ctx) }

// Prepare implements rowferry.Preparer: it finds out which tables there are, and
// refuses what the target would.
func (d *drySink) Prepare(ctx context.Context, shapes []rowferry.Mutation) error {
	shapes = slices.DeleteFunc(slices.Clone(shapes), func(m rowferry.Mutation) bool {
		_, known := d.exists[m.Table.Name]
		return known
	})
	if len(shapes) == 0 {
		return nil
	}
	plans, err := d.real.Plan(ctx, shapes)
	if err != nil {
		return err
	}
	for i := range plans {
		refused := plans[i].Refused
		if rowferry.CodeOf(refused) == rowferry.CodeCopyRefused && !d.loads {
			refused = nil // rows come into it one by one
		}
		if refused != nil {
			return refused
		}
		name := shapes[i].Table.Name
		if d.exists[name] = plans[i].Exists; !plans[i].Exists || !d.loads {
			continue
		}
		occupied, err := d.real.Occupied(ctx, []schema.Name{name})
		if err == nil {
			err = rowferry.CheckOccupied(occupied)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Reserve implements rowferry.Reserver: the keys stand for others.
func (d *drySink) Reserve(_ context.Context, table schema.Name, _ string, n int) ([]rowferry.KeyRange, error) {
	first := firstStandIn + d.lent[table]
	d.lent[table] += int64(n)
	return []rowferry.KeyRange{{First: first, Last: first + int64(n) - 1}}, nil
}

// Find implements rowferry.Finder: rows as the target has them now, without those
// that would be gone.
func (d *drySink) Find(ctx context.Context, t *schema.Table, columns []int, values [][]rowferry.Value, key []int) ([]rowferry.Found, error) {
	if !d.exists[t.Name] || d.cleared[t.Name] {
		return nil, nil
	}
	found, err := d.finder.Find(ctx, t, columns, values, key)
	if err != nil {
		return nil, err
	}
	kept := found[:0]
	for _, f := range found {
		is, known, err := d.remembered(t.Name, f.Key)
		if err != nil {
			return nil, err
		}
		if !known || is == there || is == foreign {
			kept = append(kept, f)
		}
	}
	return kept, nil
}

// remembered returns how a row would stand, where an earlier change says so.
func (d *drySink) remembered(table schema.Name, key []rowferry.Value) (is rowStands, known bool, err error) {
	if d.changed == nil {
		return gone, false, nil
	}
	row, err := d.changed.Get(dryShape(table), normalKey(key))
	if row == nil || err != nil {
		return gone, false, err
	}
	return rowStands(row[0].Int()), true, nil
}

// remember notes which rows would be there, by table and key.
func (d *drySink) remember(rows map[schema.Name][]rowferry.StagedRow) (err error) {
	if d.changed == nil {
		if d.changed, err = d.state.Stage(true); err != nil {
			return err
		}
	}
	for table, list := range rows {
		if err := d.changed.Put(dryShape(table), list); err != nil {
			return err
		}
	}
	return nil
}

// dryShape is the table of a stage that says of each key how its row stands.
func dryShape(name schema.Name) *schema.Table {
	return &schema.Table{Name: name, Columns: []schema.Column{{Name: "is"}}}
}

// normalKey has a key of equal numbers be equal, whether columns are signed or not.
func normalKey(key []rowferry.Value) []rowferry.Value {
	key = slices.Clone(key)
	for i, v := range key {
		if v.Kind() == rowferry.Int && v.Int() >= 0 {
			key[i] = rowferry.UintValue(uint64(v.Int()))
		}
	}
	return key
}

// keyText is a key as a map's key.
func keyText(table schema.Name, key []rowferry.Value) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%q.%q", table.Schema, table.Table)
	for _, v := range normalKey(key) {
		fmt.Fprintf(&b, " %d:%q", v.Kind(), v.String())
	}
	return b.String()
}

// Begin implements rowferry.Sink.
func (d *drySink) Begin(context.Context) (rowferry.SinkTx, error) {
	return &dryTx{sink: d, rows: map[string]dryRow{}, counts: map[schema.Name]*dryCounts{}}, nil
}

// Close implements rowferry.Sink. The target itself is its opener's.
func (d *drySink) Close() error {
	if d.changed == nil {
		return nil
	}
	return d.changed.Close()
}

package rowferry

import (
	"context"
	"slices"

	"github.com/rowferry/rowferry/internal/failpoint"
	"github.com/rowferry/rowferry/schema"
)

// mergeChunk is how many mutations become merges together.
const mergeChunk = 8192

// merger turns mutations into merges: what each row comes to.
type merger struct {
	engine *Engine
	copy   *copying
	tx     MergeTx
	told   map[schema.Name]*schema.Table
	orders map[*schema.Table]int
	acting map[schema.Name][]int // by source table: the target's columns that foreign keys refer to which act, and are not logged
	nets   map[string]int        // by table and key: the row's place in ms
	ms     []Mutation
	key    []byte
	strict []Mutation // of tables without a key
	saw    map[sight]bool
}

// sight is whether the snapshot of a table without a key saw a transaction.
type sight struct {
	table schema.Name
	of    *Origin
}

// newMerger returns one that merges into a batch. told are the shapes that the
// batch tells, as far as it has come.
func newMerger(e *Engine, c *copying, tx MergeTx, told map[schema.Name]*schema.Table) *merger {
	m := &merger{engine: e, copy: c, tx: tx, told: told, orders: map[*schema.Table]int{}, nets: map[string]int{}, saw: map[sight]bool{}}
	m.learn()
	return m
}

// learn finds the foreign keys that act.
func (m *merger) learn() {
	m.acting = map[schema.Name][]int{}
	known := map[schema.Name]*Mutation{} // by target table
	for i := range m.copy.shapes {
		known[m.copy.shapes[i].Table.Name] = &m.copy.shapes[i]
	}
	for _, child := range known {
		for _, f := range child.Table.ForeignKeys {
			parent := known[f.Parent]
			if !f.Acts() || parent == nil {
				continue
			}
			for _, name := range f.Referenced {
				m.acting[parent.Source] = append(m.acting[parent.Source], max(0, parent.Table.Column(name)))
			}
		}
	}
}

// write merges mutations, in their order.
func (m *merger) write(ctx context.Context, ms []Mutation) error {
	for i := range ms {
		if err := m.add(ctx, &ms[i]); err != nil {
			return err
		}
	}
	return m.flush(ctx)
}

func (m *merger) add(ctx context.Context, mu *Mutation) error {
	if err := m.checkActing(mu); err != nil {
		return err
	}
	if mu.Op != Shape && mu.Table.Identity() == nil {
		return m.once(mu)
	}
	switch mu.Op {
	case Insert:
		m.set(mu, Insert, nil, mu.After)
	case Delete:
		m.set(mu, Delete, mu.Before, nil)
	case Update:
		return m.update(ctx, mu)
	case Truncate, Shape:
		if err := m.flush(ctx); err != nil {
			return err
		}
		if mu.Op == Shape {
			m.learn()
		}
		return m.tx.Write(ctx, []Mutation{*mu})
	default:
		return Errorf(CodeInternal, "the operation %s cannot be merged", mu.Op)
	}
	return nil
}

// once takes a change of a table without a key: unless the table's snapshot has it
// already it is applied as it is, in its order among those of its table.
func (m *merger) once(mu *Mutation) error {
	snapshot, copied := m.copy.seen[mu.Source]
	if copied && !failpoint.On("forget-snapshots") {
		at := sight{mu.Source, mu.Origin}
		saw, known := m.saw[at]
		if !known {
			var err error
			if saw, err = m.copy.copier.Saw(mu.Origin.Tx, mu.Origin.Log, snapshot); err != nil {
				return err
			}
			m.saw[at] = saw
		}
		if saw {
			return nil
		}
	}
	m.strict = append(m.strict, *mu)
	return nil
}

// checkActing stops where a foreign key changes rows that the log does not tell
// of: their tables have no foreign keys yet.
func (m *merger) checkActing(mu *Mutation) error {
	columns, acts := m.acting[mu.Source]
	if !acts || mu.Op == Insert || mu.Op == Shape || mu.Op == Update && !mu.changes(columns) {
		return nil
	}
	return Errorf(CodeCascades, "a foreign key changed rows while the copy was going, and the log does not have those changes").
		Fact("table", "%s", mu.Source).Fact("change", "%s", mu.Op).
		Remedy("copy again", "when nothing is deleted from %s, or the keys that refer to it do not act", mu.Source)
}

// update merges an update. One that changes the key and does not tell the whole
// row is read from the source again, as it is by now.
func (m *merger) update(ctx context.Context, mu *Mutation) error {
	identity := mu.Table.Identity()
	after := mu.completed(identity)
	if sameAt(identity, mu.Before, after) {
		m.patch(mu, after)
		return nil
	}
	m.set(mu, Delete, mu.Before, nil)
	if !slices.ContainsFunc(after, Value.IsAbsent) {
		m.set(mu, Insert, nil, after)
		return nil
	}
	shape, rows, err := m.copy.fetch(ctx, mu.Source, [][]Value{keyOf(after, identity)})
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		m.set(mu, Delete, after, nil)
		return nil
	}
	known := m.told[mu.Source]
	if known == nil {
		known = m.engine.shapes[mu.Source]
	}
	if d := schema.Diff(known, shape); len(d) > 0 {
		return shapeChanged(mu.Source, d)
	}
	ms, err := copied(m.copy.handler, nil, known, rows[0], mu.Origin.Commit)
	if len(ms) == 0 { // by now the rules leave it out
		m.set(mu, Delete, after, nil)
	}
	for i := range ms {
		m.set(&ms[i], Insert, nil, ms[i].After)
	}
	return err
}

// set says what a row is, or that there is none.
func (m *merger) set(mu *Mutation, op Op, before, after Row) {
	row := after
	if op == Delete {
		row = before
	}
	net := *mu
	net.Op, net.Before, net.After = op, before, after
	if i, ok := m.find(mu.Table, row); ok {
		m.ms[i] = net
		return
	}
	m.nets[string(m.key)] = len(m.ms)
	m.ms = append(m.ms, net)
}

// patch writes the columns that after has, where there is such a row.
func (m *merger) patch(mu *Mutation, after Row) {
	i, ok := m.find(mu.Table, after)
	if !ok {
		net := *mu
		net.After = after
		m.nets[string(m.key)] = len(m.ms)
		m.ms = append(m.ms, net)
		return
	}
	n := &m.ms[i]
	if n.Op != Delete { // else it was fetched, and is gone by now
		n.After = over(n.After, after)
	}
}

// find returns the place of the row with the key of r, and leaves that in m.key.
func (m *merger) find(t *schema.Table, r Row) (int, bool) {
	number, ok := m.orders[t]
	if !ok {
		number = len(m.orders)
		m.orders[t] = number
	}
	m.key = append(m.key[:0], byte(number), byte(number>>8), byte(number>>16))
	for _, o := range t.Identity() {
		m.key = r[o].appendTo(m.key)
	}
	i, ok := m.nets[string(m.key)]
	return i, ok
}

// flush merges what was added: deletes first, since a new row may have the key of
// one by the target's collation.
func (m *merger) flush(ctx context.Context) error {
	slices.SortStableFunc(m.ms, func(a, b Mutation) int { return int(b.Op) - int(a.Op) }) // Delete, Update, Insert
	deletes := 0
	for deletes < len(m.ms) && m.ms[deletes].Op == Delete {
		deletes++
	}
	for _, part := range [][]Mutation{m.ms[:deletes], m.ms[deletes:]} {
		if len(part) == 0 {
			continue
		}
		if err := m.tx.Merge(ctx, part); err != nil {
			return err
		}
	}
	clear(m.ms)
	m.ms = m.ms[:0]
	clear(m.nets)
	if len(m.strict) == 0 {
		return nil
	}
	err := m.tx.Write(ctx, m.strict)
	clear(m.strict)
	m.strict = m.strict[:0]
	return err
}

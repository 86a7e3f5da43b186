package rowferry

import (
	"context"
	"errors"
	"hash/maphash"
	"slices"
	"time"

	"github.com/rowferry/rowferry/internal/failpoint"
	"github.com/rowferry/rowferry/schema"
)

// openPart begins a partial copy. kind is how the pipeline was found.
func (e *Engine) openPart(ctx context.Context, kind ResumeKind, f found) error {
	source, reads := e.parts.Source.(PartSource)
	loader, loads := e.parts.Sink.(Loader)
	switch {
	case !reads:
		return Errorf(CodeUsage, "this source cannot be copied in part").Remedy("copy it whole", "without --limit, --ids and --since")
	case !loads:
		return Errorf(CodeUsage, "nothing can be copied into this target")
	case e.givesKeys():
		return Errorf(CodeUsage, "rows whose keys are not kept cannot be copied in part").Remedy("copy them whole", "without --limit, --ids and --since")
	case kind != Fresh:
		return e.partOver(f)
	}
	r, err := source.Part(ctx)
	if err != nil {
		return err
	}
	p := &parting{engine: e, reader: r, tables: r.Tables(), seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, seen: map[keyHash]bool{}, asked: map[keyHash]bool{}}
	e.part = p
	if p.selected, err = e.opts.Part.selections(p.tables); err != nil {
		return err
	}
	e.shapes = map[schema.Name]*schema.Table{}
	for _, t := range p.tables {
		e.shapes[t.Shape.Name] = t.Shape
	}
	e.copying = &copying{loader: loader, handler: e.parts.Handler}
	if err := e.tellShapes(); err != nil {
		return err
	}
	if err := e.checkCopyInto(ctx); err != nil {
		return err
	}
	if err := loader.ForgetChunks(ctx, e.opts.Pipeline); err != nil {
		return err
	}
	e.at = Checkpoint{
		Pipeline: e.opts.Pipeline, Fence: 1, Sequence: 1,
		Config: e.opts.Config, StateID: e.parts.State.ID(), Updated: time.Now().UTC(), Format: CheckpointFormat,
		Held: Held{Shapes: len(e.shapes), Copy: CopyState{Phase: Loading, Partial: true}},
	}
	if err := e.parts.State.Record(Record{Checkpoint: e.at, Shapes: sortedShapes(e.shapes), Rules: e.opts.Rules}); err != nil {
		return err
	}
	if err := loader.WriteCheckpoint(ctx, nil, e.at); err != nil {
		return err
	}
	e.resume.Detail = "no checkpoint; copying a part of what there is"
	return loader.PrepareLoad(ctx, e.copying.shapes)
}

// partOver refuses a partial copy into what a pipeline already has.
func (e *Engine) partOver(f found) error {
	at := f.row
	if at == nil {
		at = &f.newest.Checkpoint
	}
	if err := e.refusePart(*at); err != nil {
		return err
	}
	return Errorf(CodePartial, "pipeline %q has a checkpoint, and a partial copy begins a pipeline", e.opts.Pipeline).
		Fact("checkpoint", "%s", at.Position).
		Remedy("beside it", "use another --name, --state and target").Remedy("follow on", "without --limit, --ids and --since")
}

// refusePart refuses to go on from a partial copy: the log would tell of rows that
// are not there, and nobody knows where to begin.
func (e *Engine) refusePart(at Checkpoint) error {
	if !at.Held.Copy.Partial || failpoint.On("follow-part") {
		return nil
	}
	what := "is complete, and has no place in the log to be followed from"
	if at.Held.Copy.Phase != Copied {
		what = "was cut off"
	}
	return Errorf(CodePartial, "the partial copy of pipeline %q %s", e.opts.Pipeline, what).
		Remedy("start over", "rowferry destroy, empty or drop the tables, then run again").
		Remedy("beside it", "use another --name, --state and target")
}

// parting is a partial copy on its way.
type parting struct {
	engine   *Engine
	reader   PartReader
	tables   []CopyTable
	selected []*selection
	load     Load
	number   map[schema.Name]int // of each table's next chunk
	wanted   []*wantedRows
	// By their hashes, of which no two are alike: rows that are written, of tables
	// with a key, and parents that were asked for.
	seeds       [2]maphash.Seed
	seen, asked map[keyHash]bool
	key         []byte
}

type keyHash [2]uint64

// wantedRows are parents in one table that are to be brought along.
type wantedRows struct {
	table *CopyTable
	by    []int
	keys  [][]Value
}

// mostParents is how many parents are asked for at once.
const mostParents = 200

// copyPart carries a partial copy through its parts.
func (e *Engine) copyPart(ctx context.Context) (err error) {
	p := e.part
	var tables []*loadTable
	for i := range p.tables {
		t := p.tables[i]
		t.Rows = 0 // which of them come nobody knows
		tables = append(tables, &loadTable{CopyTable: &t})
	}
	e.stats.loading(Loading, tables, nil)
	if err := p.run(ctx); err != nil {
		return err
	}
	if err := e.enter(ctx, CopyState{Phase: Completing, Partial: true}); err != nil {
		return err
	}
	if err := p.loaded(ctx); err != nil {
		return err
	}
	if err := e.throttled(ctx, false, func() error { return e.complete(ctx) }); err != nil {
		return err
	}
	return e.enter(ctx, CopyState{Phase: Copied, Partial: true, Orphans: e.opts.Orphans.changing()})
}

// run loads the rows that are selected, then parents until none is missing.
func (p *parting) run(ctx context.Context) (err error) {
	if p.load, err = p.engine.copying.loader.Load(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.load.Close()) }()
	p.number = map[schema.Name]int{}
	for _, s := range p.selected {
		for _, pick := range s.picks {
			if err := p.pick(ctx, s.table, pick); err != nil {
				return err
			}
		}
	}
	for len(p.wanted) > 0 {
		w := p.wanted[0]
		n := min(len(w.keys), mostParents)
		pick := Pick{By: w.by, Keys: w.keys[:n:n]}
		if w.keys = w.keys[n:]; len(w.keys) == 0 {
			p.wanted = p.wanted[1:]
		}
		if err := p.pick(ctx, w.table, pick); err != nil {
			return err
		}
	}
	return nil
}

// pick loads rows of a table, in chunks.
func (p *parting) pick(ctx context.Context, t *CopyTable, pick Pick) error {
	c := &partChunk{parting: p, table: t}
	i := slices.IndexFunc(p.engine.copying.shapes, func(m Mutation) bool { return m.Source == t.Shape.Name })
	c.shape = &p.engine.copying.shapes[i]
	err := p.reader.Pick(ctx, t, pick, func(rows []Row) error { return c.write(ctx, rows) })
	if err == nil {
		err = c.commit(ctx)
	}
	if err != nil && c.open {
		err = errors.Join(err, p.load.Rollback())
		p.engine.throttle.done()
	}
	return err
}

// fresh reports whether a row was not written yet. Rows of a table without a key
// cannot be told apart, and come once: none of them is a parent.
func (p *parting) fresh(t *CopyTable, r Row) bool {
	identity := t.Shape.Identity()
	return identity == nil || p.note(p.seen, t.Shape.Name, identity, keyOf(r, identity))
}

// note adds a key to a set, and reports whether it is new.
func (p *parting) note(set map[keyHash]bool, name schema.Name, by []int, key []Value) bool {
	p.key = append(append(p.key[:0], name.String()...), 0)
	for _, o := range by {
		p.key = append(p.key, byte(o), byte(o>>8))
	}
	for _, v := range key {
		p.key = v.appendTo(p.key)
	}
	h := keyHash{maphash.Bytes(p.seeds[0], p.key), maphash.Bytes(p.seeds[1], p.key)}
	if set[h] {
		return false
	}
	set[h] = true
	return true
}

// bring asks for the parents of a row.
func (p *parting) bring(t *CopyTable, r Row) error {
	for _, f := range t.Shape.ForeignKeys {
		key := keyOf(r, f.Columns)
		parent := findTable(p.tables, f.Parent)
		if parent == nil || slices.ContainsFunc(key, Value.IsNull) || failpoint.On("leave-parents") {
			continue // the target has no such key, or needs no parent
		}
		by := make([]int, len(f.Referenced))
		for i, name := range f.Referenced {
			if by[i] = parent.Shape.Column(name); by[i] < 0 {
				return shapeChanged(f.Parent, []string{"column " + name + " is not there"})
			}
		}
		if parent.Shape.Identity() == nil {
			return Errorf(CodeCopyRefused, "rows refer to a table without a key, whose rows cannot be brought along one by one").
				Fact("table", "%s", t.Shape.Name).Fact("parent", "%s", f.Parent).
				Remedy("leave out", "%s, in 'tables'", t.Shape.Name).Remedy("give it a key", "a primary key of %s", f.Parent)
		}
		if !p.note(p.asked, f.Parent, by, key) {
			continue
		}
		i := slices.IndexFunc(p.wanted, func(w *wantedRows) bool { return w.table == parent && slices.Equal(w.by, by) })
		if i < 0 {
			i = len(p.wanted)
			p.wanted = append(p.wanted, &wantedRows{table: parent, by: by})
		}
		p.wanted[i].keys = append(p.wanted[i].keys, []Value(keep(key)))
	}
	return nil
}

// loaded looks whether every chunk is there: a target that crashed may have lost its
// last commits.
func (p *parting) loaded(ctx context.Context) error {
	chunks, err := p.engine.copying.loader.Chunks(ctx, p.engine.opts.Pipeline)
	if err != nil {
		return err
	}
	done := map[schema.Name]int{}
	for _, c := range chunks {
		if c.Done {
			done[c.Table]++
		}
	}
	for name, n := range p.number {
		if done[name] != n {
			return Errorf(CodeTargetLost, "the target lost rows of the copy").Fact("table", "%s", name).
				Remedy("start over", "rowferry destroy, empty or drop the tables, then run again")
		}
	}
	return nil
}

// partChunk is a chunk of a partial copy.
type partChunk struct {
	*parting
	table *CopyTable
	shape *Mutation
	chunk Chunk
	open  bool
	bytes int
	eased TableStats // see claimed
}

func (c *partChunk) write(ctx context.Context, rows []Row) error {
	e := c.engine
	var ms []Mutation
	var err error
	for _, r := range rows {
		if !c.fresh(c.table, r) {
			continue
		}
		if err := c.bring(c.table, r); err != nil {
			return err
		}
		c.bytes += r.Size()
		if ms, err = copied(e.handler(), ms, c.table.Shape, r, 0); err != nil {
			return err
		}
	}
	if len(ms) == 0 {
		return nil
	}
	if err := c.begin(ctx); err != nil {
		return err
	}
	c.eased.ease(ms)
	if err := c.load.Write(ctx, ms); err != nil {
		return err
	}
	e.throttle.wrote(len(ms))
	if c.chunk.Rows += int64(len(ms)); c.bytes < chunkBytes {
		return nil
	}
	return c.commit(ctx)
}

func (c *partChunk) begin(ctx context.Context) error {
	if c.open {
		return nil
	}
	e, name := c.engine, c.table.Shape.Name
	if _, err := e.throttle.begin(ctx, true, 0); err != nil {
		return err
	}
	c.open = true
	c.chunk = Chunk{Table: name, Number: c.number[name]}
	c.number[name]++
	if err := c.load.Claim(ctx, e.at, c.chunk); err != nil {
		return err
	}
	return c.load.Begin(ctx, c.shape, false)
}

func (c *partChunk) commit(ctx context.Context) error {
	if !c.open {
		return nil
	}
	c.chunk.Done = true
	if err := c.load.Commit(ctx, c.engine.at, c.chunk); err != nil {
		return err
	}
	c.open, c.bytes = false, 0
	c.engine.throttle.done()
	c.engine.stats.loadedChunk(&claimed{Chunk: c.chunk, eased: c.eased})
	c.eased = TableStats{}
	return failpoint.Hit("part.committed")
}

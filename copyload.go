package rowferry

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/rowferry/rowferry/internal/failpoint"
	"github.com/rowferry/rowferry/schema"
)

// How large chunks are: as many rows as take about chunkTime and are no more than
// chunkBytes, as the chunk before it says.
const (
	chunkTime     = time.Second
	chunkBytes    = 16 << 20
	leastRows     = 100
	mostRows      = 1 << 20
	firstRows     = 2000
	firstRowBytes = 256 // where nothing is known of a table's rows
)

// loadTable is a table that is being loaded.
type loadTable struct {
	*CopyTable
	known *schema.Table // Shape, as the engine has it from an earlier run
	shape *Mutation
	// Guarded by loading.mu:
	after  []Value   // the end of the last chunk that was claimed
	next   int       // the number of the next one
	left   []claimed // were claimed, and not loaded, by an engine before this one
	ended  bool      // every chunk is claimed
	splits bool      // a worker looks for the end of the next chunk
	active int       // workers on it
	rows   int       // of the next chunk
}

// claimed is a chunk that a worker loads.
type claimed struct {
	Chunk
	table       *loadTable
	after, upto []Value
	eased       TableStats // Defaulted and LeftOut alone
}

// loading is the copy's first part. Its workers each have a connection to the
// source and one to the target.
type loading struct {
	engine  *Engine
	copy    *copying
	at      Checkpoint // zero where tables are copied again: the stage is this engine's alone
	tables  []*loadTable
	mu      sync.Mutex // guards the handler, and what loadTable says
	changed *sync.Cond
	stopped bool
	held    bool    // a worker left since it would have had to wait for long
	chunks  []Chunk // that were claimed when it was made
}

// load loads all chunks that are not loaded yet, and returns a mark behind them.
func (e *Engine) load(ctx context.Context, c *copying) (Mark, error) {
	defer e.leaveSource()
	if err := e.insistOn(ctx, func() error { return e.seeSource(ctx, c) }); err != nil {
		return "", err
	}
	var r retry
	for first := true; ; first = false {
		if err := e.throttled(ctx, true, func() error { return nil }); err != nil {
			return "", err
		}
		var l *loading
		err := e.insistOn(ctx, func() (err error) { l, err = e.newLoading(ctx, c); return err })
		if err != nil {
			return "", err
		}
		if first {
			e.stats.loading(c.phase(), l.tables, l.chunks)
		}
		before := e.stats.loaded()
		if err = l.run(ctx); err == nil && l.held {
			continue
		}
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return "", errors.Join(context.Canceled, err)
		}
		if e.stats.loaded() != before {
			r = retry{}
		}
		if err := e.pause(ctx, &r, err); err != nil {
			return "", err
		}
	}
	var mark Mark
	err := e.insistOn(ctx, func() (err error) { mark, err = c.source.End(ctx); return err })
	return mark, err
}

// newLoading finds what is left to load.
func (e *Engine) newLoading(ctx context.Context, c *copying) (*loading, error) {
	l := &loading{engine: e, copy: c}
	l.changed = sync.NewCond(&l.mu)
	byName := map[schema.Name]*loadTable{}
	shapes := map[schema.Name]*Mutation{}
	for i := range c.shapes {
		shapes[c.shapes[i].Source] = &c.shapes[i]
	}
	tables := c.source.Tables()
	for i := range tables {
		name := tables[i].Shape.Name
		t := &loadTable{CopyTable: &tables[i], shape: shapes[name]}
		if t.shape == nil {
			continue // new since the copy began: told by the log; or not copied again
		}
		if t.known = t.shape.Table; c.tables == nil {
			t.known = e.shapes[name]
		}
		t.rows = min(firstRows, rowsIn(chunkBytes, t.rowBytes()))
		if e.opts.ChunkRows > 0 {
			t.rows = e.opts.ChunkRows
		}
		byName[name] = t
		l.tables = append(l.tables, t)
	}
	slices.SortStableFunc(l.tables, func(a, b *loadTable) int { return cmp.Compare(b.Bytes, a.Bytes) })
	if c.tables == nil {
		l.at = e.at
		if err := e.still(ctx, c.loader); err != nil {
			return nil, err
		}
	}
	chunks, err := c.loader.Chunks(ctx, e.opts.Pipeline)
	if err != nil {
		return nil, err
	}
	for _, c := range chunks {
		t := byName[c.Table]
		if t == nil {
			return nil, shapeChanged(c.Table, []string{"table dropped or renamed"})
		}
		if err := t.recall(c); err != nil {
			return nil, err
		}
	}
	l.chunks = chunks
	if c.tables != nil { // the log is being read: merging expects what they saw
		return l, nil
	}
	return l, c.expect(chunks)
}

// still makes sure that the checkpoint is the engine's. A commit whose answer was lost
// may be on its way still: this waits for it.
func (e *Engine) still(ctx context.Context, keeper CheckpointKeeper) error {
	row, err := keeper.ReadCheckpoint(ctx, e.opts.Pipeline)
	if err != nil {
		return err
	}
	if row == nil || row.Fence != e.at.Fence || row.Sequence != e.at.Sequence {
		return fenced(e.at, row)
	}
	return nil
}

// whole reports whether the table is read as one chunk.
func (t *loadTable) whole() bool { return t.Unordered || t.Shape.Identity() == nil }

// done reports whether nothing is left.
func (l *loading) done() bool {
	return !slices.ContainsFunc(l.tables, func(t *loadTable) bool { return !t.ended || len(t.left) > 0 })
}

// recall takes in a chunk that was claimed before. They come by number.
func (t *loadTable) recall(c Chunk) error {
	if c.Number != t.next || t.ended {
		return Errorf(CodeTarget, "the target's record of what was copied has a hole").Fact("table", "%s", c.Table).Fact("chunk", "%d", c.Number)
	}
	p := claimed{Chunk: c, table: t, after: t.after}
	if c.Upto != "" {
		key, err := readKey(c.Upto)
		if err != nil || len(key) != len(t.Shape.Identity()) {
			return Errorf(CodeTarget, "the target's record of what was copied cannot be read: %w", err).Fact("table", "%s", c.Table).Fact("chunk", "%d", c.Number)
		}
		p.upto = key
	}
	if !c.Done && !failpoint.On("lose-chunks") {
		t.left = append(t.left, p)
	}
	t.after, t.ended = p.upto, c.Upto == ""
	t.next++
	return nil
}

// rowBytes is about how large a row is.
func (t *loadTable) rowBytes() int {
	if t.Rows <= 0 {
		return firstRowBytes
	}
	return max(1, int(t.Bytes/t.Rows))
}

func rowsIn(bytes, row int) int { return min(mostRows, max(leastRows, bytes/max(1, row))) }

// run has workers load until nothing is left, or something is wrong.
func (l *loading) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, l.stop)()
	var wg sync.WaitGroup
	errs := make([]error, l.engine.opts.CopyWorkers)
	for i := range errs {
		load, err := l.copy.loader.Load(ctx)
		if err != nil {
			errs[i] = err
			cancel()
			break
		}
		if load == nil {
			break
		}
		wg.Go(func() { // a "load"
			err := l.work(ctx, load)
			if errs[i] = errors.Join(err, load.Close()); errs[i] != nil {
				cancel()
			}
		})
	}
	wg.Wait()
	return firstCause(errs)
}

// firstCause returns the error that stopped the others, which then say no more
// than that they were cancelled.
func firstCause(errs []error) error {
	for _, err := range errs {
		if err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
	}
	return errors.Join(errs...)
}

func (l *loading) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopped = true
	l.changed.Broadcast()
}

// claim returns a chunk that is this worker's, nil where all are taken.
func (l *loading) claim(ctx context.Context, reader ChunkReader, load Load) (*claimed, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		if l.stopped {
			return nil, context.Canceled
		}
		t, waits := l.choose()
		switch {
		case t == nil && waits:
			l.changed.Wait()
			continue
		case t == nil:
			return nil, nil
		}
		t.active++
		if n := len(t.left); n > 0 {
			c := t.left[n-1]
			t.left = t.left[:n-1]
			return &c, nil
		}
		t.splits = true
		c := claimed{Chunk: Chunk{Table: t.Shape.Name, Number: t.next}, table: t, after: t.after}
		l.mu.Unlock()
		var upto []Value
		var err error
		if !t.whole() { // else it is one chunk
			upto, err = reader.Split(ctx, t.CopyTable, c.after, l.engine.throttle.share(t.rows, l.engine.opts.CopyWorkers))
		}
		if err == nil {
			if upto != nil {
				c.upto, c.Upto = upto, writeKey(upto)
			}
			err = load.Claim(ctx, l.at, c.Chunk)
		}
		l.mu.Lock()
		t.splits = false
		l.changed.Broadcast()
		if err != nil {
			return nil, err
		}
		t.after, t.ended = c.upto, c.upto == nil
		t.next++
		return &c, nil
	}
}

// choose returns the table with the fewest workers that has a chunk left, the
// largest of those; but first come chunks of an engine before this one, so that never
// more are in hand than there are workers, however often engines are killed. Where
// there is none but may be soon, waits is true.
func (l *loading) choose() (t *loadTable, waits bool) {
	for _, x := range l.tables {
		switch {
		case len(x.left) == 0 && x.ended:
		case len(x.left) == 0 && x.splits:
			waits = true
		case t == nil || len(x.left) > 0 && len(t.left) == 0:
			t = x
		case x.active < t.active && (len(x.left) > 0 || len(t.left) == 0):
			t = x
		}
	}
	return t, waits
}

// chunk loads one chunk.
func (l *loading) chunk(ctx context.Context, reader ChunkReader, load Load, c *claimed) error {
	begun := time.Now()
	if err := load.Begin(ctx, c.table.shape, false); err != nil {
		return err
	}
	bytes, rows := 0, 0
	c.eased = TableStats{}
	each := func(part []Row) error {
		ms, err := l.handle(c.table, part)
		if err != nil {
			return err
		}
		c.eased.ease(ms)
		for i := range part {
			bytes += part[i].Size()
		}
		rows += len(part)
		l.engine.throttle.wrote(len(part))
		return load.Write(ctx, ms)
	}
	var err error
	if c.table.whole() {
		c.Saw, err = reader.ReadWhole(ctx, c.table.CopyTable, each)
	} else {
		c.Saw, err = reader.Read(ctx, c.table.CopyTable, c.after, c.upto, each)
	}
	if err == nil {
		err = failpoint.Hit("copy.chunk")
	}
	if err != nil {
		return errors.Join(err, load.Rollback())
	}
	if l.copy.tables != nil { // the log is being followed, and may pass the chunk's place soon
		if err := l.copy.copier.Expect([]Snapshot{c.Saw}); err != nil {
			return errors.Join(err, load.Rollback())
		}
	}
	c.Done, c.Rows = true, int64(rows)
	if err := load.Commit(ctx, l.at, c.Chunk); err != nil {
		return errors.Join(err, load.Rollback())
	}
	if err := failpoint.Hit("copy.committed"); err != nil {
		return err
	}
	l.engine.stats.loadedChunk(c)
	l.adapt(c.table, rows, bytes, time.Since(begun))
	return nil
}

// handle takes rows through the handler.
func (l *loading) handle(t *loadTable, rows []Row) (ms []Mutation, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ms = make([]Mutation, 0, len(rows))
	for _, r := range rows {
		if ms, err = copied(l.copy.handler, ms, t.known, r, 0); err != nil {
			return nil, err
		}
	}
	return ms, nil
}

// adapt says how many rows the table's next chunk has.
func (l *loading) adapt(t *loadTable, rows, bytes int, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t.active--
	if l.engine.opts.ChunkRows > 0 || rows < t.rows/2 {
		return
	}
	by := float64(chunkTime) / float64(max(took, time.Millisecond))
	t.rows = min(rowsIn(chunkBytes, bytes/max(1, rows)), max(leastRows, int(float64(t.rows)*min(2, max(0.5, by)))))
}

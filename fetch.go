package rowferry

import (
	"context"
	"errors"
	"slices"

	"github.com/rowferry/rowferry/schema"
)

// A row whose parent is not in the target may have it fetched: read from the source
// by its key, while the log is followed. What was read is newer than the change in
// hand, so that later changes of that row are merged over it until the log has passed
// a mark which was read behind it. A Resolver asks, in Notes, and says what becomes of
// rows and changes; the Engine reads.

// Fetcher is a Copier of which rows can be read while its log is followed.
type Fetcher interface {
	Copier
	// Rows looks at the tables in scope as they are now, beside a Reader, and makes
	// nothing at the source.
	Rows(ctx context.Context) (RowCopy, error)
}

// RowCopy is a Copy of which nothing but single rows is read. It has no From. It is
// used by one goroutine.
type RowCopy interface {
	Copy
	// Reach waits until snapshots see everything that was logged up to a place (see
	// Copier.Passed): a reader of the log may be told of a transaction before it is
	// seen. Open is called behind it. CodeSourceAway where that takes too long.
	Reach(ctx context.Context, p Position, log string) error
}

// Fetched is what was found of a row that was asked for.
type Fetched struct {
	// Rows are inserts as the Handler makes them: none where there is no such row, or
	// the rules leave it out.
	Rows []Mutation
	Mark Mark // a place in the log behind what was read
}

// mostFetched bounds the rows that are read for one batch, in bytes.
const mostFetched = 64 << 20

// fetches is what one batch asked for, and its parts if it is split, and what came of
// that. It is read once, so that the batch comes to the same when it is resolved again.
type fetches struct {
	found map[string]*Fetched // by table and key
	asked []fetchKey
	bytes int
	ends  bool // nothing is read: the log is not what is followed
}

// fetchKey is a row that was asked for.
type fetchKey struct {
	table schema.Name
	key   []Value
}

// name is equal for equal keys, whether their columns are signed or not.
func (f *fetchKey) name() string {
	name := Value{str: f.table.Schema, kind: Text}.appendTo(nil)
	name = Value{str: f.table.Table, kind: Text}.appendTo(name)
	for _, v := range f.key {
		if v.Kind() == Int && v.Int() >= 0 {
			v = UintValue(uint64(v.Int()))
		}
		name = v.appendTo(name)
	}
	return string(name)
}

// get returns what was found of a row, or nil and asks for it.
func (f *fetches) get(k fetchKey) *Fetched {
	if f.ends {
		return &Fetched{}
	}
	name := k.name()
	found, asked := f.found[name]
	if !asked {
		f.found[name] = nil
		f.asked = append(f.asked, k)
	}
	return found
}

// fetchAll reads all rows that a batch asks for, and those that these ask for, their
// parents.
func (e *Engine) fetchAll(ctx context.Context, b *batch) error {
	if err := e.lookThrough(ctx, b); err != nil {
		return err
	}
	for f := b.notes.fetches; len(f.asked) > 0; {
		asked := f.asked
		f.asked = nil
		slices.SortStableFunc(asked, func(a, b fetchKey) int { return a.table.Compare(b.table) })
		err := e.fetchRows(ctx, b, asked)
		if err == nil {
			err = e.lookThrough(ctx, b)
		}
		if err == nil {
			continue
		}
		for i := range asked { // they are asked for again
			delete(f.found, asked[i].name())
		}
		return errors.Join(err, e.closeFetching()) // where it may be another server's by now
	}
	return nil
}

func (e *Engine) fetchRows(ctx context.Context, b *batch, asked []fetchKey) error {
	if e.fetching == nil {
		source, ok := e.parts.Source.(Fetcher)
		if !ok {
			return Errorf(CodeInternal, "rows are fetched from a source that cannot be read")
		}
		c, err := source.Rows(ctx)
		if err != nil {
			return err
		}
		e.fetching = c
	}
	if err := e.fetching.Reach(ctx, b.last().Position, b.last().Log); err != nil {
		return err
	}
	r, err := e.fetching.Open(ctx)
	if err != nil {
		return err
	}
	var found []*Fetched
	for len(asked) > 0 && err == nil {
		n := slices.IndexFunc(asked, func(k fetchKey) bool { return k.table != asked[0].table })
		if n < 0 {
			n = len(asked)
		}
		var some []*Fetched
		some, err = e.fetchTable(ctx, b, r, asked[:n])
		found, asked = append(found, some...), asked[n:]
	}
	if err = errors.Join(err, r.Close()); err != nil {
		return err
	}
	mark, err := e.fetching.End(ctx)
	for _, x := range found {
		x.Mark = mark
	}
	return err
}

// fetchTable reads rows of one table, and has the handler make of them what it makes
// of rows of a copy.
func (e *Engine) fetchTable(ctx context.Context, b *batch, r ChunkReader, asked []fetchKey) ([]*Fetched, error) {
	name, f := asked[0].table, b.notes.fetches
	tables := e.fetching.Tables()
	i := slices.IndexFunc(tables, func(t CopyTable) bool { return t.Shape.Name == name })
	known := e.shapes[name]
	for _, t := range b.txs {
		for _, s := range t.shapes {
			if s.Name == name && (known == nil || len(schema.Diff(known, s)) == 0) {
				known = s
			}
		}
	}
	switch {
	case known == nil:
		return nil, Errorf(CodeInternal, "a row of %s is fetched, whose shape is not known", name)
	case i < 0:
		return nil, shapeChanged(name, []string{"table dropped or renamed"})
	}
	if d := schema.Diff(known, tables[i].Shape); len(d) > 0 {
		return nil, shapeChanged(name, d)
	}
	var all []*Fetched
	keys := make([][]Value, len(asked))
	for k := range asked {
		keys[k] = asked[k].key
		x := &Fetched{}
		f.found[asked[k].name()] = x
		all = append(all, x)
	}
	identity := tables[i].Shape.Identity()
	if len(identity) != len(keys[0]) {
		return nil, Errorf(CodeKeyRefused, "rows of %s cannot be fetched: their key in the target is another than in the source", name)
	}
	return all, r.Fetch(ctx, &tables[i], keys, func(rows []Row) error {
		for _, row := range rows {
			at := fetchKey{name, keyOf(row, identity)}
			x := f.found[at.name()]
			if x == nil || x.Rows != nil {
				continue // what a collation takes for the same, or what was read already
			}
			if f.bytes += row.Size(); f.bytes > mostFetched {
				return Errorf(CodeNotesLarge, "the parents that the rows of one batch lack do not fit into memory").Fact("table", "%s", name)
			}
			var err error
			if x.Rows, err = e.parts.Handler.Handle(nil, &Change{Op: Insert, Table: known, After: keep(row)}); err != nil {
				return err
			}
		}
		return nil
	})
}

// closeFetching releases what rows are fetched from.
func (e *Engine) closeFetching() error {
	if e.fetching == nil {
		return nil
	}
	err := e.fetching.Close()
	e.fetching = nil
	return err
}

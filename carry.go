package rowferry

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/rowferry/rowferry/internal/failpoint"
	"github.com/rowferry/rowferry/schema"
)

// carryRows is how many rows of the stage come as one transaction, which is resolved as
// a whole with all rows that it sets free. aheadRows and aheadBytes bound what is read
// at once.
const (
	carryRows  = 100
	aheadRows  = 10 * carryRows
	aheadBytes = 1 << 20
)

// carried is how far the stage is carried into the target, as CopyState has it.
type carried struct {
	Table schema.Name `json:"table"`
	After []byte      `json:"after,omitempty"` // the place of its last row
}

// readCarried returns what a carry has noted, nil where that is nothing.
func readCarried(at string) (*carried, error) {
	if at == "" {
		return nil, nil
	}
	c := &carried{}
	if err := json.Unmarshal([]byte(at), c); err != nil {
		return nil, Errorf(CodeTarget, "the target's record of how far a copy is cannot be read: %w", err)
	}
	return c, nil
}

// carry brings the rows of the stage into the target, like a log of inserts: in
// batches whose commits say how far it is, while the source's own position stays.
func (e *Engine) carry(ctx context.Context) error {
	c := e.copying
	s, ok := c.loader.(*staging)
	if !ok {
		return Errorf(CodeInternal, "rows are carried that were not staged")
	}
	tables, err := e.carryOrder()
	if err != nil {
		return err
	}
	r := &stageReader{stage: s.stage, tables: tables, begin: e.at.Position}
	if err := r.seek(e.at.Held.Copy.Carried); err != nil {
		return err
	}
	chunks, err := s.stage.Chunks()
	if err != nil {
		return err
	}
	e.stats.carrying(tables, chunks, len(r.tables))
	if e.givesKeys() { // and notes tell which rows are there
		e.parts.Resolver.Carry(nil)
	} else {
		e.brought = newBrought(s.stage, tables, r)
		e.parts.Resolver.Carry(e.brought.been)
		defer func() { e.brought = nil }()
	}
	e.copying = nil // from here on nothing is merged
	defer func() { e.copying = c }()
	if err := e.closeReader(); err != nil {
		return err
	}
	if source := c.source; source != nil { // which has no more to tell, and takes long
		c.source = nil
		if err := source.Close(); err != nil {
			return err
		}
	}
	return errors.Join(e.carryFrom(ctx, r), e.parts.Resolver.Carried())
}

// carryFrom applies what a stage's reader has.
func (e *Engine) carryFrom(ctx context.Context, r *stageReader) error {
	e.mu.Lock()
	e.reader, e.readSince = r, time.Now()
	e.mu.Unlock()
	if err := e.runReader(ctx); !errors.Is(err, io.EOF) {
		return err
	}
	return e.closeReader()
}

// brought is which rows of a stage have been brought, as of the change that is
// resolved now: those before it in the order of the stage, and its own.
type brought struct {
	stage  Stage
	tables map[schema.Name]int
	now    int    // its table
	place  string // and its place there, "" before the first
}

// newBrought begins where r does.
func newBrought(stage Stage, tables []*schema.Table, r *stageReader) *brought {
	b := &brought{stage: stage, tables: map[schema.Name]int{}, now: len(tables) - len(r.tables), place: r.after}
	for i, t := range tables {
		b.tables[t.Name] = i
	}
	return b
}

// committed goes to where a carry is, for what is resolved between its batches: one of
// them may have been resolved again since the one behind it was.
func (b *brought) committed(at string) error {
	c, err := readCarried(at)
	if c != nil {
		b.now, b.place = b.tables[c.Table], string(c.After)
	}
	return err
}

// reach says which row is brought next.
func (b *brought) reach(t *schema.Table, r Row) {
	b.now, b.place = b.tables[t.Name], b.stage.Place(keyOf(r, t.Identity()))
}

// been reports whether the row of a source table with a key has been, if there is one.
func (b *brought) been(source schema.Name, key []Value) bool {
	at, known := b.tables[source]
	return !known || at < b.now || at == b.now && b.stage.Place(key) <= b.place
}

// carryOrder returns the source's tables in the order of CopyOrder.
func (e *Engine) carryOrder() ([]*schema.Table, error) {
	return CopyOrder(sortedShapes(e.shapes), e.parts.Resolver)
}

// CopyOrder returns the source's tables, which the resolver was told of, parents
// first. In a circle of tables rows come before their parents, and so have to wait for
// them: where they cannot, since they refer to something else than a key, the circle is
// refused.
func CopyOrder(shapes []*schema.Table, r Resolver) ([]*schema.Table, error) {
	shadows := make([]*schema.Table, len(shapes))
	byName := map[schema.Name]*schema.Table{}
	for i, t := range shapes {
		byName[t.Name] = t
		shadows[i] = &schema.Table{Name: t.Name}
		for _, p := range r.Parents(t.Name) {
			shadows[i].ForeignKeys = append(shadows[i].ForeignKeys, schema.ForeignKey{Parent: p.Source})
		}
	}
	ordered, circles := schema.ParentsFirst(shadows)
	for _, circle := range circles {
		for _, n := range circle {
			for _, p := range r.Parents(n) {
				if !p.Awaited && slices.Contains(circle, p.Source) {
					return nil, Errorf(CodeCopyRefused, "rows of %s refer to rows of %s that may come after them, and not by their key: they cannot wait for them", n, p.Source).
						Fact("circle", "%v", circle).
						Remedy("leave out", "one of these tables, in 'tables'").
						Remedy("only follow", "run with --from where the tables were empty")
				}
			}
		}
	}
	for i, t := range ordered {
		ordered[i] = byName[t.Name]
	}
	return ordered, nil
}

// stageReader reads a stage as a log of inserts: of transactions that end at the
// place of their last row.
type stageReader struct {
	stage  Stage
	tables []*schema.Table // those that are left
	after  string          // in the first of them
	begin  Position
	ahead  []placed // rows behind it that are read
}

// placed is a row of a stage, and its place.
type placed struct {
	place string
	row   Row
}

// seek goes to where a carry was.
func (r *stageReader) seek(at string) error {
	c, err := readCarried(at)
	if c == nil {
		return err
	}
	for i, t := range r.tables {
		if t.Name == c.Table {
			r.tables, r.after = r.tables[i:], string(c.After)
			return nil
		}
	}
	return shapeChanged(c.Table, []string{"table dropped or renamed"})
}

// Begin implements Reader.
func (r *stageReader) Begin() Position { return r.begin }

var errFull = errors.New("enough at once")

// Next implements Reader.
func (r *stageReader) Next(ctx context.Context) (*Tx, error) {
	if err := cmp.Or(ctx.Err(), failpoint.Hit("carry")); err != nil {
		return nil, err
	}
	for len(r.tables) > 0 {
		if err := r.read(); err != nil {
			return nil, err
		}
		if n := min(len(r.ahead), carryRows); n > 0 {
			tx := &Tx{Last: true, CommitTime: time.UnixMilli(0), Changes: make([]Change, n)}
			for i, x := range r.ahead[:n] {
				tx.Changes[i] = Change{Op: Insert, Table: r.tables[0], After: x.row}
			}
			from := r.after
			r.after, r.ahead = r.ahead[n-1].place, r.ahead[n:]
			return r.ends(tx, r.tables[0], from)
		}
		r.tables, r.after = r.tables[1:], ""
	}
	return nil, io.EOF
}

// read reads more rows of the table, where none are left.
func (r *stageReader) read() error {
	if len(r.ahead) > 0 {
		return nil
	}
	r.ahead = make([]placed, 0, carryRows)
	bytes := 0
	err := r.stage.Each(r.tables[0], r.after, func(place string, row Row) error {
		if len(r.ahead) == aheadRows || bytes > aheadBytes {
			return errFull
		}
		r.ahead = append(r.ahead, placed{place, row})
		bytes += row.Size()
		return nil
	})
	if errors.Is(err, errFull) {
		return nil
	}
	return err
}

func (r *stageReader) ends(tx *Tx, t *schema.Table, from string) (*Tx, error) {
	at, err := json.Marshal(carried{t.Name, []byte(r.after)})
	if err != nil {
		return nil, err
	}
	tx.Position = Position(at)
	tx.ID = fmt.Sprintf("copy of %s behind %x", t.Name, from)
	tx.Log = t.Name.String()
	return tx, nil
}

// Progress implements Reader.
func (r *stageReader) Progress() (done, total int64) { return 0, 0 }

// Notices implements Reader.
func (r *stageReader) Notices() []string { return nil }

// Close implements Reader. The stage stays open.
func (r *stageReader) Close() error { return nil }

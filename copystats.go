package rowferry

import (
	"slices"
	"time"

	"github.com/rowferry/rowferry/schema"
)

// CopyProgress is how far a copy is.
type CopyProgress struct {
	Phase  CopyPhase
	Tables []CopiedTable // in order of name
	// Making is the key that is being made, before Merging or while Completing.
	Making string
	At     string // the table whose rows come, while Carrying
	Carry  CarryProgress
	// Began is when this engine began to load, and Before how many rows had been
	// loaded by then.
	Began  time.Time
	Before int64
	Took   time.Duration // of loading; 0 until it is done
	// Orphans are the rows without a parent that this engine dealt with.
	Orphans []Orphans
}

// CarryProgress is how many rows of a copy that is staged are brought, while Carrying or
// Renewing.
type CarryProgress struct {
	Rows, Estimate int64
	// Began is when this engine began with it, and Before how many had been brought by
	// then, about.
	Began  time.Time
	Before int64
}

// CopiedTable is how far one table of a copy is.
type CopiedTable struct {
	Table    schema.Name
	Rows     int64 // loaded
	Before   int64 // of those, by engines before this one
	Estimate int64 // by the server, 0 where it has none
	Done     bool
}

// Going reports whether there is a copy to go on with.
func (p *CopyProgress) Going() bool { return CopyState{Phase: p.Phase}.Going() }

// Rows returns how many rows are loaded, or while they are carried how many of them are
// brought, and about how many there are.
func (p *CopyProgress) Rows() (loaded, estimate int64) {
	if (CopyState{Phase: p.Phase}).carries() {
		return p.Carry.Rows, max(p.Carry.Rows, p.Carry.Estimate)
	}
	for _, t := range p.Tables {
		loaded += t.Rows
		if t.Done {
			estimate += t.Rows
			continue
		}
		estimate += max(t.Rows, t.Estimate)
	}
	return loaded, estimate
}

func (s *stats) loading(phase CopyPhase, tables []*loadTable, chunks []Chunk) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := CopyProgress{Phase: phase, Began: time.Now()}
	for _, t := range tables {
		row := CopiedTable{Table: t.Shape.Name, Estimate: t.Rows, Done: t.ended && len(t.left) == 0}
		for _, c := range chunks {
			if c.Table == row.Table {
				row.Rows += c.Rows
			}
		}
		row.Before = row.Rows
		p.Before += row.Rows
		p.Tables = append(p.Tables, row)
	}
	slices.SortFunc(p.Tables, func(a, b CopiedTable) int { return a.Table.Compare(b.Table) })
	s.progress.Copy = p
}

func (s *stats) loadedChunk(c *claimed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tables := slices.Clone(s.progress.Copy.Tables) // others may hold the former ones
	for i := range tables {
		if tables[i].Table == c.Table {
			tables[i].Rows += c.Rows
			tables[i].Done = c.Upto == ""
		}
	}
	s.progress.Copy.Tables = tables
	if c.eased != (TableStats{}) {
		sum := s.tables.of(c.Table)
		sum.Defaulted, sum.LeftOut = sum.Defaulted+c.eased.Defaulted, sum.LeftOut+c.eased.LeftOut
	}
}

// Rate returns how many rows this engine has brought so far, and for how long it has.
func (p *CopyProgress) Rate() (rows int64, took time.Duration) {
	rows, _ = p.Rows()
	if (CopyState{Phase: p.Phase}).carries() {
		return rows - p.Carry.Before, time.Since(p.Carry.Began)
	}
	return rows - p.Before, time.Since(p.Began)
}

// carryTable is a table whose rows are carried, and about how many are left of it.
type carryTable struct {
	name string
	left int64
}

// carrying begins to count rows that are carried. Those of the tables, which come in
// this order, are about as many as were loaded.
func (s *stats) carrying(tables []*schema.Table, chunks []Chunk, left int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := CarryProgress{Began: time.Now()}
	s.carry = nil
	for i, t := range tables {
		x := carryTable{name: t.Name.String()}
		for _, c := range chunks {
			if c.Table == t.Name {
				x.left += c.Rows
			}
		}
		p.Estimate += x.left
		if i >= len(tables)-left {
			s.carry = append(s.carry, x)
		} else {
			p.Before += x.left
		}
	}
	p.Rows = p.Before
	s.progress.Copy.Carry = p
}

// carried counts the rows of a batch.
func (s *stats) carried(b *batch) {
	s.progress.Copy.At = b.last().Log
	p := &s.progress.Copy.Carry
	for _, tx := range b.txs {
		if tx.wish != nil {
			continue
		}
		for len(s.carry) > 0 && s.carry[0].name != tx.end.Log { // it had fewer or more
			p.Rows += max(0, s.carry[0].left)
			s.carry = s.carry[1:]
		}
		p.Rows += int64(tx.count)
		if len(s.carry) > 0 {
			s.carry[0].left -= int64(tx.count)
		}
	}
}

// loaded returns how many rows are loaded.
func (s *stats) loaded() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, _ := s.progress.Copy.Rows()
	return n
}

func (s *stats) completing(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.progress.Copy.Making = what
}

func (s *stats) orphaned(o Orphans) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &s.progress.Copy
	p.Orphans = append(slices.Clip(p.Orphans), o)
}

// entered notes a checkpoint that a copy wrote by itself.
func (s *stats) entered(cp Checkpoint) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := &s.progress.Copy; (p.Phase == Loading || p.Phase == Reloading) && !p.Began.IsZero() {
		p.Took = max(1, time.Since(p.Began))
	}
	s.progress.Copy.Phase, s.progress.Copy.Making = cp.Held.Copy.Phase, ""
	s.progress.Checkpoint = cp
}

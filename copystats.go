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
	// Began is when this engine began to load, and Before how many rows had been
	// loaded by then.
	Began  time.Time
	Before int64
	Took   time.Duration // of loading; 0 until it is done
	// Orphans are the rows without a parent that this engine dealt with.
	Orphans []Orphans
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

// Rows returns how many rows are loaded, and about how many there are.
func (p *CopyProgress) Rows() (loaded, estimate int64) {
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

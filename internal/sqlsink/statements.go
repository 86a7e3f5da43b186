package sqlsink

import "container/list"

// MaxStatements and MaxParams bound the prepared statements that are kept.
// Partial images and updates of changing column sets would otherwise keep one
// for each combination.
const (
	MaxStatements = 512
	MaxParams     = 128 << 10
)

// Statements keeps the most recently used prepared statements of all tables.
// The zero value is not ready: see NewStatements. It is used by one goroutine.
type Statements[S any] struct {
	order  *list.List // of *kept[S], most recent first
	found  map[*Table]map[string]*list.Element
	params int
	closer func(S)
}

type kept[S any] struct {
	table     *Table
	pattern   string
	params    int
	statement S
}

// NewStatements returns an empty set. What leaves it goes to closer.
func NewStatements[S any](closer func(S)) *Statements[S] {
	return &Statements[S]{order: list.New(), found: map[*Table]map[string]*list.Element{}, closer: closer}
}

// Get returns the statement for a table and pattern.
func (c *Statements[S]) Get(t *Table, pattern []byte) (s S, ok bool) {
	place := c.found[t][string(pattern)]
	if place == nil {
		return s, false
	}
	c.order.MoveToFront(place)
	return place.Value.(*kept[S]).statement, true
}

// Add keeps a statement with so many parameters, and lets go of those used
// longest ago where there are too many.
func (c *Statements[S]) Add(t *Table, pattern []byte, s S, params int) {
	k := &kept[S]{t, string(pattern), params, s}
	if c.found[t] == nil {
		c.found[t] = map[string]*list.Element{}
	}
	c.found[t][k.pattern] = c.order.PushFront(k)
	c.params += params
	for c.order.Len() > MaxStatements || c.params > MaxParams && c.order.Len() > 1 {
		c.remove(c.order.Back())
	}
}

// Drop lets go of all statements of a table.
func (c *Statements[S]) Drop(t *Table) {
	for _, place := range c.found[t] {
		c.remove(place)
	}
}

// Clear lets go of all statements.
func (c *Statements[S]) Clear() {
	for c.order.Len() > 0 {
		c.remove(c.order.Back())
	}
}

// Len returns how many statements are kept, and their parameters.
func (c *Statements[S]) Len() (statements, params int) { return c.order.Len(), c.params }

func (c *Statements[S]) remove(place *list.Element) {
	k := c.order.Remove(place).(*kept[S])
	delete(c.found[k.table], k.pattern)
	if len(c.found[k.table]) == 0 {
		delete(c.found, k.table)
	}
	c.params -= k.params
	c.closer(k.statement)
}

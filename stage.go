package rowferry

import "github.com/rowferry/rowferry/schema"

// Stage holds the rows of a copy, as the source has them, until they are what the
// source had at one place of its log. Only then can rows be given keys of the
// target's, and find their parents. It lies in the state directory, and is safe for
// concurrent use. What a method has written is durable when it returns.
type Stage interface {
	// Chunks returns the chunks that were noted, by table and number; see Loader.
	Chunks() ([]Chunk, error)
	// Note notes a chunk, behind its rows.
	Note(c Chunk) error
	// Put sets rows of a table, or removes those that are nil. A key comes once.
	Put(t *schema.Table, rows []StagedRow) error
	// Get returns a row, nil where it is not there.
	Get(t *schema.Table, key []Value) (Row, error)
	// Clear removes all rows of a table.
	Clear(t *schema.Table) error
	// Each calls fn with rows in the order of their keys, from behind the place after
	// on, and with the place of each. "" is before the first. It ends with fn's error.
	Each(t *schema.Table, after string, fn func(place string, r Row) error) error
	// Place returns the place of a row with the key, whether there is one or not.
	Place(key []Value) string
	// List notes the changes that each calls add with, as those of the batch with the
	// sequence, behind those of the batches before it.
	List(sequence uint64, each func(add func(*Change) error) error) error
	// Unlist removes the changes of batches after the given sequence.
	Unlist(after uint64) error
	// Listed calls fn with the changes of the batches after the given sequence, in their
	// order. tables have their shapes, by name.
	Listed(after uint64, tables map[schema.Name]*schema.Table, fn func(sequence uint64, c *Change) error) error
	// Close closes it; what it holds stays.
	Close() error
}

// StagedRow is a row, nil where there is none, and the values of its key.
type StagedRow struct {
	Key []Value
	Row Row
}

package checkpoint

import "github.com/rowferry/rowferry"

// Get implements rowferry.State.
func (s *Store) Get(key []byte) ([]byte, error) {
	return nil, rowferry.Errorf(rowferry.CodeInternal, "notes cannot be read yet")
}

// Scan implements rowferry.State.
func (s *Store) Scan(prefix []byte, fn func(key, value []byte) error) error {
	return rowferry.Errorf(rowferry.CodeInternal, "notes cannot be read yet")
}

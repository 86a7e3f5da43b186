package postgres

import (
	"testing"

	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
)

// Prepared returns how many statements the sink's session has prepared.
func Prepared(t *testing.T, s *Sink) (n int64) {
	t.Helper()
	err := s.query(t.Context(), "SELECT count(*) FROM pg_prepared_statements", func(r dialect.Row) (err error) {
		n, err = r.Int(0)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// JoinFewer has even a single change written in its bulk form, until the
// function that it returns is called.
func JoinFewer() (restore func()) {
	was := fewest
	fewest = 1
	return func() { fewest = was }
}

// EnlargeRows has every row travel by itself, until the function that it returns
// is called.
func EnlargeRows() (restore func()) {
	was := largeRow
	largeRow = 0
	return func() { largeRow = was }
}

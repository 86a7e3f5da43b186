package mysqlwire_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/rowferry/rowferry/internal/testdb"
)

// TestRowRefused: what whoever is given a row says of it is returned, and the
// connection is as good as before, however much the query sent.
func TestRowRefused(t *testing.T) {
	onEach(t, func(t *testing.T, server *testdb.Server, _ string) {
		c := dial(t, server)
		for _, size := range []int{1, 300 << 10} {
			said := errors.New("not this one")
			err := c.Query(t.Context(), "SELECT LENGTH(?)", func(func(...any) error) error { return said }, strings.Repeat("x", size))
			if !errors.Is(err, said) || c.Broken() {
				t.Errorf("%d bytes: %v, broken %v", size, err, c.Broken())
			}
			if got := one(t, c, "SELECT 7"); got != "7" {
				t.Errorf("%d bytes: then %q", size, got)
			}
		}
	})
}

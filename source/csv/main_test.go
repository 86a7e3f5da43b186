package csv

import (
	"testing"

	"github.com/rowferry/rowferry/internal/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

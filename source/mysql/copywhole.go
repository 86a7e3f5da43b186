package mysql

import (
	"context"

	"github.com/rowferry/rowferry"
)

// ReadWhole is refused: MySQL does not tell what a snapshot sees, and MariaDB's
// place of it is not exact around a new file (see copyplace.go), which would cost a
// row. See rowferry.ChunkReader.
func (r *chunkReader) ReadWhole(_ context.Context, t *rowferry.CopyTable, _ func([]rowferry.Row) error) (rowferry.Snapshot, error) {
	return "", rowferry.Errorf(rowferry.CodeInternal, "table %s was to be read whole, and what a snapshot of it sees is not known", t.Shape.Name)
}

// Saw is refused: there is no Snapshot of this source. See rowferry.Copier.
func (s *liveSource) Saw(tx, _ string, _ rowferry.Snapshot) (bool, error) {
	return false, rowferry.Errorf(rowferry.CodeInternal, "whether a snapshot saw the transaction %s is not known", tx)
}

// Expect has nothing to expect. See rowferry.Copier.
func (s *liveSource) Expect([]rowferry.Snapshot) error { return nil }

package postgres

import (
	"log/slog"

	"github.com/rowferry/rowferry/internal/connect"
	"github.com/rowferry/rowferry/schema"
)

// Options stand in for those of the source.
type Options struct {
	Endpoint   connect.Endpoint
	Origin     string
	Scope      func(schema.Name) bool
	ChunkBytes int
	Log        *slog.Logger
}

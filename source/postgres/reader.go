package postgres

import (
	"context"
	"errors"

	"github.com/rowferry/rowferry"
)

type reader struct{ rowferry.Reader }

func newReader(ctx context.Context, o opened) (*reader, error) {
	return nil, errors.New("to come")
}

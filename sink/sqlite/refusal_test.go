package sqlite

import (
	"errors"

	"github.com/rowferry/rowferry"
)

// isRefusal reports whether err says which mutation it is about.
func isRefusal(err error) bool {
	var e *rowferry.Error
	return errors.As(err, &e) && e.Mutation != nil
}

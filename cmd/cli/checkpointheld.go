package cli

import (
	"github.com/rowferry/rowferry"
)

// settled refuses a pipeline that is in the middle of something which a position does
// not tell: one that is moved, or whose checkpoint is copied, would go on without it.
func settled(at *rowferry.Checkpoint) error {
	if at == nil {
		return nil
	}
	unsettled := func(what string, args ...any) *rowferry.Error {
		return rowferry.Errorf(rowferry.CodeUnsettled, "the pipeline cannot be moved, nor its checkpoint copied: "+what, args...)
	}
	switch c := at.Held.Copy; {
	case at.Held.Removing:
		return unsettled("its rows are being removed").Remedy("end that", "rowferry destroy --rows")
	case c.Going():
		return unsettled("a copy is %s", c.Phase).Remedy("end it", "rowferry run").Remedy("give it up", "rowferry destroy, and empty its tables")
	default:
		return nil
	}
}

// alone refuses to take a checkpoint out of its state directory, or put another in its
// place, where rows wait that are nowhere else.
func alone(at *rowferry.Checkpoint) error {
	if err := settled(at); err != nil || at == nil || at.Held.Notes.Waiting == 0 {
		return err
	}
	n := at.Held.Notes.Waiting
	return rowferry.Errorf(rowferry.CodeUnsettled, "%s, in the state directory alone, and would be lost", plural(uint64(n), "row waits", "rows wait")).
		Remedy("look", "rowferry map waiting, and rowferry rejects list").
		Remedy("move within this log", "rowferry checkpoint set, which leaves them")
}

// replaceable refuses to put another checkpoint in the place of the pipeline's, where
// that would lose what its state directory has beside the tables' shapes.
func (h *held) replaceable() error {
	at := h.checkpoint()
	if err := alone(at); err != nil || at == nil || at.Held.Notes.Mapped+at.Held.Notes.Filtered == 0 || !h.usable() {
		return err
	}
	return rowferry.Errorf(rowferry.CodeUnsettled, "the state directory has the keys of %d rows, which would be lost", at.Held.Notes.Mapped+at.Held.Notes.Filtered).
		Remedy("move within this log", "rowferry checkpoint set, which leaves them").
		Remedy("move to another directory", "--state, and rowferry map export and map import")
}

package rowferry

import "fmt"

// ResumeKind says how a pipeline was found on start.
type ResumeKind string

// The ways a pipeline is found.
const (
	Fresh       ResumeKind = "fresh"        // no checkpoint anywhere: begin at the source's start
	Resumed     ResumeKind = "resumed"      // target and state agree
	Undone      ResumeKind = "undone"       // the state was one batch ahead: that batch never committed
	Rewound     ResumeKind = "rewound"      // the target went back (restored): follow it
	Rebuilt     ResumeKind = "rebuilt"      // the state was missing and is learnt anew
	StartedOver ResumeKind = "started over" // the target was emptied: begin at the pipeline's own start
)

// Resume says how Open found the pipeline, for people.
type Resume struct {
	Kind   ResumeKind
	From   Position
	Detail string
}

// found is what Open saw: the target's row (nil: none, or a target that keeps
// none), the state's newest record (nil: none) and the state's identity.
type found struct {
	keeps   bool // the target keeps the checkpoint
	row     *Checkpoint
	state   *Remembered
	stateID string
}

// reconcile decides, from what was found alone, how to go on. It guesses
// nothing: what it cannot tell is an error. The caller still has to verify
// what a decision requires: that the source reaches the position, for
// StartedOver that the target's tables are empty, for Rewound that the state
// still has the record.
func reconcile(f found) (ResumeKind, error) {
	switch {
	case !f.keeps && f.state == nil:
		return Fresh, nil
	case !f.keeps:
		return Resumed, nil
	case f.row == nil && f.state == nil:
		return Fresh, nil
	case f.row == nil:
		return StartedOver, nil
	case f.row.Format > CheckpointFormat:
		return "", Errorf(CodeCheckpointNew, "the checkpoint has format %d, this program knows %d", f.row.Format, CheckpointFormat)
	case f.missing():
		return Rebuilt, nil
	}
	switch ahead := f.state.Checkpoint.Sequence - f.row.Sequence; ahead {
	case 0:
		return Resumed, nil
	case 1:
		return Undone, nil
	default:
		return Rewound, nil
	}
}

// missing reports whether the state directory says nothing usable about the
// target's row: it is empty, of another history, or older.
func (f found) missing() bool {
	return f.state == nil || f.stateID != f.row.StateID ||
		f.state.Checkpoint.StateID != f.row.StateID ||
		f.state.Checkpoint.Sequence < f.row.Sequence
}

// whyMissing says for people why the state counts as missing.
func (f found) whyMissing() string {
	switch {
	case f.state == nil:
		return "the state directory is empty"
	case f.stateID != f.row.StateID:
		return "the state directory belongs to another history"
	default:
		return fmt.Sprintf("the state directory is older (sequence %d) than the target (%d)", f.state.Checkpoint.Sequence, f.row.Sequence)
	}
}

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
// none), the state's newest record, its record of the very batch that the row
// names (nil: none), and the state's identity.
type found struct {
	keeps   bool // the target keeps the checkpoint
	row     *Checkpoint
	newest  *Remembered
	at      *Remembered
	stateID string
}

// reconcile decides, from what was found alone, how to go on. It guesses
// nothing: what it cannot tell is an error. The caller still has to verify
// what a decision requires: that the source reaches the position, and for
// StartedOver that the target's tables are empty.
func reconcile(f found) (ResumeKind, error) {
	switch {
	case !f.keeps && f.newest == nil:
		return Fresh, nil
	case !f.keeps:
		return Resumed, nil
	case f.row == nil && f.newest == nil:
		return Fresh, nil
	case f.row == nil:
		return StartedOver, nil
	case f.row.Format > CheckpointFormat:
		return "", Errorf(CodeCheckpointNew, "the checkpoint has format %d, this program knows %d", f.row.Format, CheckpointFormat)
	case f.whyMissing() != "":
		return Rebuilt, nil
	}
	switch ahead := f.newest.Checkpoint.Sequence - f.row.Sequence; ahead {
	case 0:
		return Resumed, nil
	case 1:
		return Undone, nil
	default:
		return Rewound, nil
	}
}

// whyMissing says for people why the state directory counts as missing, or ""
// where it has what belongs to the target's row. A directory that was made
// anew counts as missing until a batch has brought it what only it holds.
func (f found) whyMissing() string {
	switch {
	case f.newest == nil:
		return "the state directory is empty"
	case f.stateID != f.row.StateID:
		return "the state directory belongs to another history"
	case f.newest.Checkpoint.Sequence < f.row.Sequence:
		return fmt.Sprintf("the state directory is older (sequence %d) than the target (%d)", f.newest.Checkpoint.Sequence, f.row.Sequence)
	case f.at == nil || f.at.Checkpoint.Sequence != f.row.Sequence:
		return fmt.Sprintf("the state directory no longer knows the target's batch (sequence %d)", f.row.Sequence)
	case f.at.Checkpoint.StateID != f.row.StateID || f.at.Checkpoint.Position != f.row.Position || f.at.Checkpoint.Held.Fence != f.row.Held.Fence:
		return "target and state directory disagree about the same batch"
	default:
		return ""
	}
}

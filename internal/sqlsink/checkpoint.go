package sqlsink

import (
	"encoding/json"
	"math"
	"time"

	"github.com/rowferry/rowferry"
)

// CheckpointTable is the table with one row per pipeline, written in the
// transaction of each batch. Its columns are readable as they are.
const CheckpointTable = "rowferry_checkpoint"

// CheckpointColumns are the table's columns, in the order of CheckpointArgs and
// CheckpointRow. All are text, but for the integers fence, sequence (64 bits)
// and format. None needs quotes in any dialect, except where a dialect
// reserves "position", "start" or "sequence".
var CheckpointColumns = []string{"pipeline", "position", "lineage", "start", "fence", "sequence", "config", "state_id", "held", "log", "commit_time", "updated", "format"}

// CheckpointArgs returns the row's columns in order, as string and int64.
// Counters are signed in SQL, so they end at 2^63-1.
func CheckpointArgs(cp rowferry.Checkpoint) ([]any, error) {
	if cp.Fence > math.MaxInt64 || cp.Sequence > math.MaxInt64 {
		return nil, rowferry.Errorf(rowferry.CodeInternal, "a checkpoint counter is beyond 2^63-1: fence %d, sequence %d", cp.Fence, cp.Sequence)
	}
	held, err := json.Marshal(cp.Held)
	if err != nil {
		return nil, rowferry.Errorf(rowferry.CodeInternal, "a checkpoint cannot be written: %w", err)
	}
	return []any{
		cp.Pipeline, string(cp.Position), cp.Lineage, string(cp.Start), int64(cp.Fence), int64(cp.Sequence),
		cp.Config, cp.StateID, string(held), cp.Log, formatTime(cp.Commit), formatTime(cp.Updated), int64(cp.Format),
	}, nil
}

// Before returns the checkpoint that a batch which ends with cp must find: the
// same fence, and the sequence before.
func Before(cp rowferry.Checkpoint) (rowferry.Checkpoint, error) {
	if cp.Sequence == 0 {
		return rowferry.Checkpoint{}, rowferry.Errorf(rowferry.CodeInternal, "a batch cannot have sequence 0")
	}
	return rowferry.Checkpoint{Pipeline: cp.Pipeline, Fence: cp.Fence, Sequence: cp.Sequence - 1}, nil
}

// CheckReplacement refuses a WriteCheckpoint that contradicts itself.
func CheckReplacement(was *rowferry.Checkpoint, now rowferry.Checkpoint) error {
	if now.Pipeline == "" || was != nil && was.Pipeline != now.Pipeline {
		return rowferry.Errorf(rowferry.CodeInternal, "a checkpoint of pipeline %q cannot be written", now.Pipeline)
	}
	return nil
}

// CheckpointRow is a row as it is read.
type CheckpointRow struct {
	Pipeline, Position, Lineage, Start        string
	Fence, Sequence                           int64
	Config, StateID, Held, Log, Commit, Saved string
	Format                                    int64
}

// Fields returns pointers to *string and *int64 for each of CheckpointColumns.
func (r *CheckpointRow) Fields() []any {
	return []any{&r.Pipeline, &r.Position, &r.Lineage, &r.Start, &r.Fence, &r.Sequence,
		&r.Config, &r.StateID, &r.Held, &r.Log, &r.Commit, &r.Saved, &r.Format}
}

// Checkpoint returns what the row says.
func (r *CheckpointRow) Checkpoint() (rowferry.Checkpoint, error) {
	cp := rowferry.Checkpoint{
		Pipeline: r.Pipeline, Position: rowferry.Position(r.Position), Lineage: r.Lineage, Start: rowferry.Position(r.Start),
		Fence: uint64(r.Fence), Sequence: uint64(r.Sequence), Config: r.Config, StateID: r.StateID, Log: r.Log, Format: int(r.Format),
	}
	err := json.Unmarshal([]byte(r.Held), &cp.Held)
	if err == nil {
		cp.Commit, err = parseTime(r.Commit)
	}
	if err == nil {
		cp.Updated, err = parseTime(r.Saved)
	}
	if err != nil {
		return cp, rowferry.Errorf(rowferry.CodeTarget, "the checkpoint row in the target cannot be read: %w", err).Fact("pipeline", "%s", cp.Pipeline)
	}
	return cp, nil
}

// Newer is the error of a row of a format that this program does not know. The
// format is to be looked at first: a newer table may have other columns.
func Newer(pipeline string, format int64) error {
	return rowferry.Errorf(rowferry.CodeCheckpointNew, "the checkpoint in the target was written by a newer Rowferry").
		Fact("pipeline", "%s", pipeline).Fact("format", "%d, this program knows %d", format, rowferry.CheckpointFormat)
}

// Fenced says that the row is not as the engine that wants to write now left
// it, and what was found instead; nil is no row.
func Fenced(now rowferry.Checkpoint, found *rowferry.Checkpoint) error {
	e := rowferry.Errorf(rowferry.CodeFenced, "the pipeline's checkpoint in the target is not as this engine left it").
		Fact("pipeline", "%s", now.Pipeline).Fact("this engine", "fence %d, sequence %d to write", now.Fence, now.Sequence)
	if found == nil {
		return e.Fact("target", "no row")
	}
	return e.Fact("target", "fence %d, sequence %d, at %s", found.Fence, found.Sequence, found.Position)
}

func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func parseTime(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	return time.Parse(time.RFC3339Nano, s)
}

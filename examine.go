package rowferry

import "context"

// Level is how a finding is meant.
type Level string

// The levels.
const (
	Passed  Level = "passed"
	Warning Level = "warning" // worth knowing; nothing is lost by going on
	Failed  Level = "failed"  // going on would stop, or lose something
)

// Finding is one precondition that was looked at.
type Finding struct {
	Name     string // stable and short: "row format", "privileges"
	Level    Level
	What     string // one sentence: what was found
	Facts    []Fact
	Remedies []Remedy
	Code     Code // of a failed one: what a run would stop with
}

// Err returns a failed finding as the error that a run stops with, else nil.
func (f Finding) Err() error {
	if f.Level != Failed {
		return nil
	}
	return &Error{Code: f.Code, What: f.What, Facts: f.Facts, Remedies: f.Remedies}
}

// Examiner is a Source or Sink that can say beforehand whether its server
// fits. Nothing is changed. An error means that it could not look; what it
// found before is returned with it.
type Examiner interface {
	Examine(ctx context.Context) ([]Finding, error)
}

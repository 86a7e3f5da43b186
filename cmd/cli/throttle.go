package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rowferry/rowferry"
)

// gaugeWait is how long a server is asked at most before a limit that needs it is
// set: less than a client waits.
const gaugeWait = controlWait / 2

// throttleView is what holds a pipeline back. Fields may be added; none changes its
// meaning.
type throttleView struct {
	Paused    bool       `json:"paused"`
	Throttled bool       `json:"throttled"` // a limit holds something back
	Reason    string     `json:"reason"`    // pause, the name of the limit, or ""
	Since     *time.Time `json:"since"`
	Why       string     `json:"why"`     // for people
	Writing   bool       `json:"writing"` // what was begun is not committed yet

	// The limits; 0 is none.
	MaxRows int     `json:"max_rows_per_second"`
	Running int     `json:"source_max_running"`
	Lag     float64 `json:"target_max_lag_seconds"`

	Unseen string             `json:"unseen"`         // why a limit cannot be looked at now, and holds nothing back
	Waited map[string]float64 `json:"waited_seconds"` // by reason
}

func viewThrottle(s rowferry.ThrottleState) *throttleView {
	v := &throttleView{
		Paused: s.Paused, Throttled: s.Held != "" && !s.Paused, Reason: string(s.Held), Why: whyHeld(s), Writing: s.Writing,
		MaxRows: s.Limits.RowsPerSecond, Running: s.Limits.SourceRunning, Lag: s.Limits.TargetLag.Seconds(),
		Unseen: s.Unseen, Waited: waitedSeconds(s),
	}
	if s.Held != "" {
		since := s.Since.UTC()
		v.Since = &since
	}
	return v
}

func waitedSeconds(s rowferry.ThrottleState) map[string]float64 {
	waited := map[string]float64{}
	for h, d := range s.Waited {
		if d > 0 {
			waited[string(h)] = d.Seconds()
		}
	}
	return waited
}

// whyHeld says why nothing more is begun, for people; "" where nothing holds.
func whyHeld(s rowferry.ThrottleState) string {
	switch s.Held {
	case "":
		return ""
	case rowferry.HeldByPause:
		if s.Writing {
			return "what was begun is being finished"
		}
		return "nothing is written"
	case rowferry.HeldByRate:
		return fmt.Sprintf("%s is %d", maxRowsSetting, s.Limits.RowsPerSecond)
	case rowferry.HeldBySource:
		return fmt.Sprintf("%s is %d, and %d sessions are at work on the source", runningSetting, s.Limits.SourceRunning, s.Running)
	case rowferry.HeldByTarget:
		return fmt.Sprintf("%s is %s, and a replica of the target is %s behind", lagSetting, s.Limits.TargetLag, shortly(s.Lag))
	default:
		return string(s.Held)
	}
}

// lines is the view for people.
func (v *throttleView) lines() (lines [][2]string) {
	name := "throttled"
	if v.Paused {
		name = "paused"
	}
	if v.Since != nil {
		lines = append(lines, [2]string{name, "since " + v.Since.Format(time.RFC3339) + ": " + v.Why})
	}
	if v.Unseen != "" {
		lines = append(lines, [2]string{"unseen", "a limit holds nothing back: " + v.Unseen})
	}
	return lines
}

// heldLine is what a terminal shows while something holds; "" otherwise.
func heldLine(now time.Time, s rowferry.ThrottleState) string {
	if s.Held == "" {
		return ""
	}
	name := "throttled "
	if s.Paused {
		name = "paused    "
	}
	return name + "for " + shortly(max(0, now.Sub(s.Since))) + ": " + whyHeld(s)
}

// waitedText is how long each reason held a run back, for the summary; "" where
// nothing did.
func waitedText(waited map[string]float64) string {
	var parts []string
	for _, h := range rowferry.Holds() {
		if seconds, held := waited[string(h)]; held {
			parts = append(parts, shortly(time.Duration(seconds*float64(time.Second)))+" by "+string(h))
		}
	}
	return strings.Join(parts, ", ")
}

// controlArgs are those of pause, resume and set.
type controlArgs struct {
	Pipeline string            `json:"pipeline"`
	Values   map[string]string `json:"values,omitempty"` // of set, by setting
}

// controlResult is their answer.
type controlResult struct {
	Pipeline string        `json:"pipeline"`
	Changed  bool          `json:"changed"` // else it was so already
	Throttle *throttleView `json:"throttle"`
}

// controlled answers a command that changes the throttle, if it is for this
// pipeline. change reports whether it changed anything.
func (m *monitor) controlled(change func(args controlArgs) (bool, error)) func(json.RawMessage) (any, error) {
	return func(raw json.RawMessage) (any, error) {
		var args controlArgs
		if err := json.Unmarshal(raw, &args); err != nil {
			return nil, rowferry.Errorf(rowferry.CodeUsage, "this is not a request: %w", err)
		}
		if own := m.w.settings.name; args.Pipeline != own {
			return nil, rowferry.Errorf(rowferry.CodeNoEngine, "the engine in this state directory runs pipeline %q, not %q", own, args.Pipeline)
		}
		m.control.Lock()
		defer m.control.Unlock()
		changed, err := change(args)
		if err != nil {
			return nil, err
		}
		return controlResult{args.Pipeline, changed, viewThrottle(m.w.throttle.State())}, nil
	}
}

// setLimits sets the limits that are named, all or none.
func (m *monitor) setLimits(args controlArgs) (bool, error) {
	was := m.w.throttle.State().Limits
	now := was
	if err := putLimits(&now, args.Values); err != nil || now == was {
		return false, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), gaugeWait)
	defer cancel()
	return true, m.w.throttle.Set(ctx, now)
}

// putLimits checks values and puts them over limits.
func putLimits(to *rowferry.Limits, values map[string]string) error {
	var errs []error
	left := len(values)
	for _, l := range throttleLimits() {
		v, given := values[l.name]
		if !given {
			continue
		}
		left--
		if err := l.check(v); err != nil {
			errs = append(errs, err)
			continue
		}
		l.set(to, v)
	}
	if left > 0 {
		errs = append(errs, rowferry.Errorf(rowferry.CodeUsage, "a setting is to be set that the engine does not know").
			Remedy("known", "%s", strings.Join(limitNames(), ", ")))
	}
	return errors.Join(errs...)
}

func limitNames() (names []string) {
	for _, l := range throttleLimits() {
		names = append(names, l.name)
	}
	return names
}

package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rowferry/rowferry"
)

func statusCommand() *command {
	return &command{
		name:    "status",
		summary: "show how far a pipeline is, and whether an engine runs it",
		about:   "Asks the engine that runs the pipeline, through the socket in its state directory. Where none runs, reads the checkpoint in the target and the state directory, and changes neither.",
		example: "rowferry status --target sqlite:shop.db",
		options: []*option{targetOption, stateOption, nameOption},
		run:     status,
	}
}

// statusResult is what status found.
type statusResult struct {
	Pipeline  string          `json:"pipeline"`
	Running   bool            `json:"running"`
	Agreement string          `json:"agreement"` // how target and state stand to each other, for people
	Target    statusTarget    `json:"target"`
	State     statusState     `json:"state"`
	At        *checkpointView `json:"at"`     // the checkpoint that decides
	Engine    *liveStatus     `json:"engine"` // what a running engine says of itself
	Resume    string          `json:"resume"`
}

type statusTarget struct {
	URL        string          `json:"url"`
	Keeps      bool            `json:"keeps_checkpoint"`
	Checkpoint *checkpointView `json:"checkpoint"`
}

type statusState struct {
	Dir        string          `json:"dir"`
	Exists     bool            `json:"exists"`
	ID         string          `json:"id,omitempty"`
	Checkpoint *checkpointView `json:"checkpoint"`
}

// checkpointView is a checkpoint as it is printed.
type checkpointView struct {
	Pipeline  string     `json:"pipeline"`
	Position  string     `json:"position"`
	Log       string     `json:"log"`
	Committed *time.Time `json:"committed"`
	Recorded  time.Time  `json:"recorded"`
	Start     string     `json:"start"`
	Sequence  uint64     `json:"sequence"`
	Fence     uint64     `json:"fence"`
	Lineage   string     `json:"lineage"`
	Config    string     `json:"config"`
	StateID   string     `json:"state_id"`
	Copy      string     `json:"copy"`          // the phase of a copy that has not ended, or ""
	Again     []string   `json:"copying_again"` // the tables that it is of, where it is of some again
	Shapes    int        `json:"shapes"`
	Mapped    int64      `json:"mapped_rows"`   // whose key in the target is noted
	Filtered  int64      `json:"filtered_rows"` // that are noted as left out of the target
	Waiting   int64      `json:"waiting_rows"`  // for others to come, or because the target refused them
	Rejected  int64      `json:"rejected_rows"`
	Format    int        `json:"format"`
}

func viewOf(c *rowferry.Checkpoint) *checkpointView {
	if c == nil {
		return nil
	}
	v := &checkpointView{
		Pipeline: c.Pipeline, Position: string(c.Position), Log: c.Log, Recorded: c.Updated.UTC(), Start: string(c.Start),
		Sequence: c.Sequence, Fence: c.Fence, Lineage: c.Lineage, Config: c.Config, StateID: c.StateID,
		Shapes: c.Held.Shapes, Mapped: c.Held.Notes.Mapped, Filtered: c.Held.Notes.Filtered, Waiting: c.Held.Notes.Waiting, Rejected: c.Held.Notes.Rejected, Format: c.Format,
	}
	if !c.Commit.IsZero() {
		at := c.Commit.UTC()
		v.Committed = &at
	}
	if c.Held.Copy.Going() {
		v.Copy = string(c.Held.Copy.Phase)
		for _, n := range c.Held.Copy.Tables {
			v.Again = append(v.Again, n.String())
		}
	}
	return v
}

// survey is what can be seen of a pipeline without taking it.
type survey struct {
	keeps   bool // the target is one that keeps checkpoints
	row     *rowferry.Checkpoint
	peeked  peeked
	decides *rowferry.Checkpoint
}

// keeps reports whether the target keeps checkpoints.
func (s *settings) keeps() bool { return s.targetScheme() != "jsonl" }

// look reads target and state as far as they can be read.
func look(ctx context.Context, in *invocation, s *settings) (sv survey, err error) {
	if sv.peeked, err = s.peek(ctx); err != nil {
		return sv, err
	}
	sv.keeps = s.keeps()
	keeper, err := s.openKeeper(ctx, in, true)
	if err != nil {
		return sv, err
	}
	if keeper != nil {
		sv.row, err = keeper.ReadCheckpoint(ctx, s.name)
		if err = errors.Join(err, keeper.Close()); err != nil {
			return sv, err
		}
	}
	sv.decides = sv.row
	if sv.decides == nil {
		sv.decides = sv.peeked.checkpoint
	}
	return sv, nil
}

// agreement says how target and state stand to each other.
func (sv survey) agreement() string {
	state := sv.peeked.checkpoint
	switch {
	case sv.peeked.holder != "":
		return "the state is held by " + sv.peeked.holder
	case sv.peeked.other != "":
		return "the state belongs to another pipeline: " + sv.peeked.other
	case !sv.keeps:
		return "the state alone decides: this target keeps no checkpoint"
	case sv.row == nil && state != nil:
		return "the target has no checkpoint, the state remembers one"
	case sv.row == nil:
		return "neither has a checkpoint"
	case !sv.peeked.exists || state == nil:
		return "the state is missing; the target decides"
	case state.StateID != sv.row.StateID:
		return "the state belongs to another history; the target decides"
	case state.Sequence == sv.row.Sequence:
		return "target and state agree"
	case state.Sequence < sv.row.Sequence:
		return "the state is older than the target, which decides"
	case state.Sequence == sv.row.Sequence+1:
		return "the state is one batch ahead that never committed; the target decides"
	default:
		return fmt.Sprintf("the state is %d batches ahead: the target went back", state.Sequence-sv.row.Sequence)
	}
}

func status(ctx context.Context, in *invocation) error {
	s, err := in.settings()
	if err == nil {
		err = s.need("target")
	}
	if err != nil {
		return err
	}
	live, err := s.askStatus(ctx)
	if err != nil {
		return err
	}
	if live != nil {
		return in.showStatus(&statusResult{
			Pipeline: live.Pipeline, Running: true, Agreement: "an engine runs the pipeline", At: live.Checkpoint, Engine: live,
			Target: statusTarget{URL: live.Target, Keeps: s.keeps()}, State: statusState{Dir: s.state, Exists: true}, Resume: s.goOn(),
		})
	}
	sv, err := look(ctx, in, s)
	r := &statusResult{
		Pipeline: s.name, Running: sv.peeked.holder != "", Agreement: sv.agreement(), At: viewOf(sv.decides),
		Target: statusTarget{s.target, sv.keeps, viewOf(sv.row)},
		State:  statusState{s.state, sv.peeked.exists, sv.peeked.id, viewOf(sv.peeked.checkpoint)},
		Resume: s.goOn(),
	}
	switch {
	case err != nil && sv.peeked.checkpoint != nil: // the state is still worth seeing
		r.At, r.Agreement = r.State.Checkpoint, "the target, which decides, cannot be read"
		return errors.Join(in.showStatus(r), err)
	case err != nil:
		return err
	case sv.decides == nil && sv.peeked.holder == "":
		in.result = r
		return noCheckpoint(s)
	default:
		return in.showStatus(r)
	}
}

func (in *invocation) showStatus(r *statusResult) error {
	in.result = r
	if in.json {
		return nil
	}
	return writeAll(in.stdout, r.text(in.clock.Now()))
}

// askStatus asks the engine that runs the pipeline; nil where none answers.
func (s *settings) askStatus(ctx context.Context) (*liveStatus, error) {
	var live liveStatus
	err := askEngine(ctx, s.state, "status", nil, &live)
	switch {
	case errors.Is(err, errNoEngine):
		return nil, nil
	case err != nil:
		return nil, err
	case live.Pipeline != s.name:
		return nil, nil // the state directory is another's, which is told below
	default:
		return &live, nil
	}
}

func noCheckpoint(s *settings) error {
	return rowferry.Errorf(rowferry.CodeNoCheckpoint, "there is no checkpoint of pipeline %q", s.name).
		Fact("target", "%s", s.target).Fact("state", "%s", s.state).
		Remedy("what there is", "%s", s.again("checkpoint list"))
}

func (r *statusResult) text(now time.Time) string {
	engine := "not running"
	if r.Running {
		engine = "running"
	}
	if r.Engine != nil {
		return r.Engine.text(now) + pairs([][2]string{{"state", r.State.Dir}})
	}
	lines := [][2]string{{"pipeline", r.Pipeline}, {"engine", engine}}
	if r.At != nil {
		lines = append(append(lines, r.At.lines(now)...), r.At.copying()...)
	}
	lines = append(lines, [2]string{"target", r.Target.URL}, [2]string{"state", r.State.Dir}, [2]string{"", r.Agreement})
	return pairs(lines)
}

// lines is a checkpoint for people.
func (v *checkpointView) lines(now time.Time) [][2]string {
	lines := [][2]string{{"position", v.Position}}
	if v.Log != "" {
		lines = append(lines, [2]string{"log", v.Log})
	}
	if v.Committed != nil {
		lines = append(lines, [2]string{"committed", v.Committed.Format(time.RFC3339) + " at the source"})
	}
	recorded := fmt.Sprintf("%s (%s)", v.Recorded.Format(time.RFC3339), ago(now.Sub(v.Recorded)))
	lines = append(lines, [2]string{"recorded", recorded}, [2]string{"started", v.Start},
		[2]string{"batch", fmt.Sprintf("%d, fence %d", v.Sequence, v.Fence)})
	if v.Mapped+v.Filtered+v.Waiting > 0 {
		lines = append(lines, [2]string{"keys", keysText(v.Mapped, v.Filtered, v.Waiting, v.Rejected)})
	}
	return lines
}

// copying tells of a copy that the next run goes on with.
func (v *checkpointView) copying() [][2]string {
	switch {
	case v.Copy == "":
		return nil
	case len(v.Again) == 0:
		return [][2]string{{"copy", v.Copy}}
	default:
		return [][2]string{{"copy", v.Copy + " again " + strings.Join(v.Again, ", ")}}
	}
}

// keysText is what is noted of keys, for people.
func keysText(mapped, filtered, waiting, rejected int64) string {
	text := plural(uint64(mapped), "row", "rows") + " mapped"
	if filtered > 0 {
		text += ", filtered " + count(uint64(filtered))
	}
	text += ", waiting " + count(uint64(waiting))
	if rejected > 0 {
		text += ", rejected " + count(uint64(rejected))
	}
	return text
}

func ago(d time.Duration) string {
	if d < 10*time.Second { // or less than nothing, where clocks differ
		return "just now"
	}
	return shortly(d) + " ago"
}

// pairs prints names and values in two columns.
func pairs(lines [][2]string) string {
	var b strings.Builder
	for _, l := range lines {
		fmt.Fprintf(&b, "%s\n", strings.TrimRight(fmt.Sprintf("%-10s %s", l[0], clean(l[1])), " "))
	}
	return b.String()
}

// text is a running engine for people.
func (l *liveStatus) text(now time.Time) string {
	engine := fmt.Sprintf("running (%s), process %d since %s", l.Phase, l.PID, l.Since.Format(time.RFC3339))
	lines := [][2]string{{"pipeline", l.Pipeline}, {"engine", engine}}
	add := func(name, value string) { lines = append(lines, [2]string{name, value}) }
	if l.Waiting != "" {
		add("waiting", l.Waiting)
	}
	if l.Throttle != nil {
		lines = append(append(lines, l.Throttle.lines()...), l.Throttle.limits()...)
	}
	if l.Copy != nil {
		add("copy", l.Copy.text())
	}
	switch {
	case l.CaughtUp:
		add("lag", "none: caught up")
	case l.Lag != nil:
		add("lag", shortly(time.Duration(*l.Lag*float64(time.Second))))
	}
	if l.Checkpoint != nil {
		add("speed", fmt.Sprintf("read %sB/s, apply %s rows/s in %s tx/s, queue %.0f%%", brief(l.ReadRate), brief(l.RowRate), brief(l.TxRate), 100*l.QueueShare))
		add("applied", plural(l.Rows, "row", "rows")+" in "+plural(l.Transactions, "transaction", "transactions")+" by this run")
		lines = append(lines, l.Checkpoint.lines(now)...)
	}
	add("source", l.Source)
	add("target", l.Target)
	return pairs(lines)
}

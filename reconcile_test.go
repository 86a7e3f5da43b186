package rowferry

import "testing"

// TestReconcile walks every case of Delivery: what the target says, what the
// state says, and what follows.
func TestReconcile(t *testing.T) {
	row := func(seq uint64, id string) *Checkpoint {
		return &Checkpoint{Sequence: seq, StateID: id, Format: CheckpointFormat}
	}
	state := func(seq uint64, id string) *Remembered { return &Remembered{Checkpoint: *row(seq, id)} }
	newer := row(7, "a")
	newer.Format = CheckpointFormat + 1
	elsewhere := state(7, "a")
	elsewhere.Checkpoint.Position = "elsewhere"
	seen := func(r *Checkpoint, newest, at *Remembered, id string) found {
		return found{keeps: true, row: r, newest: newest, at: at, stateID: id}
	}
	cases := []struct {
		name string
		f    found
		want ResumeKind
		code Code
	}{
		{"nothing anywhere", seen(nil, nil, nil, "a"), Fresh, ""},
		{"both agree", seen(row(7, "a"), state(7, "a"), state(7, "a"), "a"), Resumed, ""},
		{"state one ahead", seen(row(7, "a"), state(8, "a"), state(7, "a"), "a"), Undone, ""},
		{"target went back", seen(row(7, "a"), state(9, "a"), state(7, "a"), "a"), Rewound, ""},
		{"target went back too far", seen(row(7, "a"), state(9000, "a"), nil, "a"), Rebuilt, ""},
		{"state missing", seen(row(7, "a"), nil, nil, "b"), Rebuilt, ""},
		{"state empty but ours", seen(row(7, "a"), nil, nil, "a"), Rebuilt, ""},
		{"rebuilt, then killed in its first batch", seen(row(7, "a"), state(8, "a"), nil, "a"), Rebuilt, ""},
		{"state foreign", seen(row(7, "a"), state(7, "b"), state(7, "b"), "b"), Rebuilt, ""},
		{"record foreign", seen(row(7, "a"), state(7, "b"), state(7, "b"), "a"), Rebuilt, ""},
		{"record of another position", seen(row(7, "a"), elsewhere, elsewhere, "a"), Rebuilt, ""},
		{"state older", seen(row(7, "a"), state(6, "a"), state(6, "a"), "a"), Rebuilt, ""},
		{"target lost", seen(nil, state(7, "a"), nil, "a"), StartedOver, ""},
		{"checkpoint from the future", seen(newer, state(7, "a"), state(7, "a"), "a"), "", CodeCheckpointNew},
		{"no transactions, nothing", found{stateID: "a"}, Fresh, ""},
		{"no transactions, state", found{newest: state(7, "a"), stateID: "a"}, Resumed, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := reconcile(c.f)
			if got != c.want || CodeOf(err) != c.code {
				t.Fatalf("reconcile = %q, %v; want %q, %q", got, err, c.want, c.code)
			}
		})
	}
}

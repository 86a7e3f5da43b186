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
	cases := []struct {
		name string
		f    found
		want ResumeKind
		code Code
	}{
		{"nothing anywhere", found{keeps: true, stateID: "a"}, Fresh, ""},
		{"both agree", found{keeps: true, row: row(7, "a"), state: state(7, "a"), stateID: "a"}, Resumed, ""},
		{"state one ahead", found{keeps: true, row: row(7, "a"), state: state(8, "a"), stateID: "a"}, Undone, ""},
		{"target went back", found{keeps: true, row: row(7, "a"), state: state(9, "a"), stateID: "a"}, Rewound, ""},
		{"state missing", found{keeps: true, row: row(7, "a"), stateID: "b"}, Rebuilt, ""},
		{"state empty but ours", found{keeps: true, row: row(7, "a"), stateID: "a"}, Rebuilt, ""},
		{"state foreign", found{keeps: true, row: row(7, "a"), state: state(7, "b"), stateID: "b"}, Rebuilt, ""},
		{"record foreign", found{keeps: true, row: row(7, "a"), state: state(7, "b"), stateID: "a"}, Rebuilt, ""},
		{"state older", found{keeps: true, row: row(7, "a"), state: state(6, "a"), stateID: "a"}, Rebuilt, ""},
		{"target lost", found{keeps: true, state: state(7, "a"), stateID: "a"}, StartedOver, ""},
		{"checkpoint from the future", found{keeps: true, row: newer, state: state(7, "a"), stateID: "a"}, "", CodeCheckpointNew},
		{"no transactions, nothing", found{stateID: "a"}, Fresh, ""},
		{"no transactions, state", found{state: state(7, "a"), stateID: "a"}, Resumed, ""},
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

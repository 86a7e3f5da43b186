package cli

import (
	"strconv"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/mapping"
)

// rejectSettings say what becomes of rows that the target refuses.
type rejectSettings struct {
	policy mapping.OnReject
	most   int // at the same time; 0 is the default
}

var rejectModes = []string{string(mapping.Stop), string(mapping.Quarantine)}

var onRejectKey = &key{
	name: "on_reject", values: rejectModes, def: string(mapping.Stop), example: "quarantine",
	doc: "What becomes of a row that the target refuses for what it holds: by a check, a key that another row has, a foreign key, a value that does not fit. `stop`: the pipeline stops. `quarantine`: the row is put aside in the state directory, with its later changes and all that depends on it, and everything else goes on; see [Rows that the target refuses](../guides/rejects.md). It can be changed between two runs. A copy goes by way of the state directory then. Rows of tables without a key stop the pipeline.",
	set: func(s *settings, _ []string, v string) { s.rejects.policy = mapping.OnReject(v) },
}

var stopAfterKey = &key{
	name: "stop_after", kind: numberKey, def: strconv.Itoa(mapping.DefaultStopAfter), example: "50", check: checkStopAfter,
	doc: "How many rows that the target refused may be put aside at the same time. Where it refuses one more, the pipeline stops.",
	set: func(s *settings, _ []string, v string) { s.rejects.most, _ = strconv.Atoi(v) }, // checked before it is set
}

func checkStopAfter(text string) error {
	if n, err := strconv.Atoi(text); err != nil || n < 1 {
		return rowferry.Errorf(rowferry.CodeBadValue, "stop_after is a number above 0, not %q", text)
	}
	return nil
}

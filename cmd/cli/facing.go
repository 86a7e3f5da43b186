package cli

import (
	"context"
	"errors"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/mapping"
	"github.com/rowferry/rowferry/schema"
)

// facing returns the settings' rules for the target as it is, where they say what
// becomes of columns that it lacks: the target is asked then. notice is told of each
// column that is left out.
func (s *settings) facing(ctx context.Context, in *invocation, notice func(table schema.Name, text string)) (*mapping.Rules, error) {
	rules, err := s.rules()
	if err != nil || !rules.LeavesOut() {
		return rules, err
	}
	keeper, err := s.openKeeper(ctx, in, true)
	if err != nil {
		return nil, err
	}
	if keeper == nil && s.targetScheme() == "jsonl" {
		return nil, rowferry.Errorf(rowferry.CodeRuleRefused, "JSON lines have every column: 'missing_columns: drop' is for tables")
	}
	var tables []*schema.Table // none, where the target does not exist
	if keeper != nil {
		tables, err = keeper.Tables(ctx)
		if err = errors.Join(err, keeper.Close()); err != nil {
			return nil, err
		}
	}
	return rules.Facing(tables, notice)
}

// leftOut is a notice of a column that is left out.
type leftOut struct {
	table schema.Name
	text  string
}

// untold is a notice that nobody is told: they are, where rows are written.
func untold(schema.Name, string) {}

// warn tells of a column that is left out, in the log and in the summary.
func (w *wiring) warn(table schema.Name, text string) {
	w.in.log.Warn("a column is left out", "table", table.String(), "what", text)
	w.notice(text)
}

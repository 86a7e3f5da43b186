package cli

import (
	"fmt"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/mapping"
)

// visitCSV examines CSV files: that each has a table, and a header that is the
// table's. Their rows are looked at by the copy.
func (s *settings) visitCSV(rules *mapping.Rules) ([]rowferry.Finding, error) {
	source, err := s.openCSV(rules)
	if err != nil {
		return nil, err
	}
	tables, bytes, err := source.Look()
	if err != nil {
		return []rowferry.Finding{failedFinding("files", err)}, nil
	}
	what := plural(uint64(tables), "file", "files") + fmt.Sprintf(" of %sB, each with a table", brief(float64(bytes)))
	if !s.csv.noHeader {
		what += " and a header that names its columns"
	}
	return []rowferry.Finding{
		{Name: "files", Level: rowferry.Passed, What: what},
		{Name: "log", Level: rowferry.Passed, What: "files have none: run copies them, and ends"},
	}, nil
}

// resumed says how an engine found a pipeline.
func (w *wiring) resumed(e *rowferry.Engine) string {
	if !w.settings.fromCSV() {
		return describeResume(e.Resume())
	}
	switch phase := e.Checkpoint().Held.Copy.Phase; {
	case phase == rowferry.Copied:
		return "the copy is complete, and files have no log to follow"
	case e.Resume().Kind == rowferry.Fresh:
		return "no checkpoint; copying " + plural(uint64(e.Checkpoint().Held.Shapes), "table", "tables") + " from " + w.settings.sourceText()
	default:
		return fmt.Sprintf("a copy that is %s", phase)
	}
}

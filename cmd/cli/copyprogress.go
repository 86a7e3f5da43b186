package cli

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/rowferry/rowferry"
)

// mostCopied is how many tables are shown while they are copied.
const mostCopied = 8

// copying is the measurement of a copy, for a terminal.
func (r reading) copying() []string {
	c := &r.progress.Copy
	switch c.Phase {
	case rowferry.Merging, rowferry.Remerging:
		head := fmt.Sprintf("merge     what changed meanwhile  %s rows/s  queue %.0f%%", brief(r.rows), 100*r.queue)
		if r.progress.Waiting != "" {
			head = "waiting   " + clean(r.progress.Waiting)
		}
		return []string{head, "          at " + clean(r.progress.Checkpoint.Log)}
	case rowferry.Carrying, rowferry.Renewing:
		head := "carry     "
		if c.Phase == rowferry.Renewing {
			head = "renew     "
		}
		head += brought(c)
		if r.progress.Waiting != "" {
			head = "waiting   " + clean(r.progress.Waiting)
		}
		return append([]string{head}, "          "+clean(c.At))
	case rowferry.Completing:
		return []string{"keys      " + clean(c.Making)}
	default:
	}
	lines := []string{"copy      " + brought(c)}
	if r.progress.Waiting != "" {
		lines = append(lines, "waiting   "+clean(r.progress.Waiting))
	}
	shown := 0
	for _, t := range c.Tables {
		if t.Done || t.Rows == 0 || shown == mostCopied {
			continue
		}
		shown++
		lines = append(lines, fmt.Sprintf("          %5.1f%%  %s/%s  %s", percent(t.Rows, t.Estimate), brief(float64(t.Rows)), brief(float64(max(t.Rows, t.Estimate))), clean(t.Table.String())))
	}
	return lines
}

// brought is how many rows are loaded, or carried.
func brought(c *rowferry.CopyProgress) string {
	rows, estimate := c.Rows()
	done, took := c.Rate()
	return fmt.Sprintf("%5.1f%%  %s/%s rows  %s rows/s", percent(rows, estimate), brief(float64(rows)), brief(float64(estimate)), rate(uint64(done), took)) + eta(done, estimate-rows, took)
}

// percent is how much of an estimate is there; never all of it.
func percent(rows, estimate int64) float64 {
	if estimate <= 0 {
		return 0
	}
	return min(99.9, 100*float64(rows)/float64(estimate))
}

func eta(done, left int64, took time.Duration) string {
	if done <= 0 || left <= 0 {
		return ""
	}
	return "  ETA " + shortly(time.Duration(float64(took)*float64(left)/float64(done)))
}

// copied is the measurement of a copy, for the log.
func (r reading) copied() []slog.Attr {
	c := &r.progress.Copy
	rows, estimate := c.Rows()
	done, took := c.Rate()
	attrs := []slog.Attr{
		slog.String("phase", string(c.Phase)), slog.Int64("rows", rows), slog.Int64("rows_estimated", estimate),
		slog.Float64("rows_per_second", float64(done)/max(took.Seconds(), 0.001)),
	}
	if r.progress.Waiting != "" {
		attrs = append(attrs, slog.String("waiting", r.progress.Waiting))
	}
	if c.Making != "" {
		attrs = append(attrs, slog.String("making", c.Making))
	}
	return attrs
}

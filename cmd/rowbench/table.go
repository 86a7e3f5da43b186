package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"text/tabwriter"
)

// printTable writes the results for people.
func (r *report) printTable(w io.Writer) error {
	m := r.Machine
	fmt.Fprintf(w, "%s, %d cores, %d GiB, Linux %s, a flush takes %.0f µs; %s form\n\n", m.CPU, m.Cores, m.MemoryBytes>>30, m.Kernel, m.FlushMicros, r.Form)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "pair\tworkload\tdurability\tratio\tmin – max\treach\taim\t\trows/s\tnative\tby\tMiB\ttx a group, mean\tmost\tlongest\tcompaction")
	for _, e := range r.Results {
		ferry, native := e.Rowferry, e.Native
		cells := []any{
			e.Pair, e.Workload, e.Durability, number(e.RatioMedian), number(e.RatioMin) + " – " + number(e.RatioMax), number(e.Reach), number(e.Aim), e.verdict(),
			ferry.rate(), native.rate(), native.by(), ferry.mebibytes(),
		}
		for _, c := range append(cells, anySlice(ferry.grouping())...) {
			fmt.Fprintf(t, "%v\t", c)
		}
		fmt.Fprintln(t)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	r.printVoid(w)
	r.printFigures(w)
	r.printSettings(w)
	return nil
}

// printVoid tells which results do not count, and why.
func (r *report) printVoid(w io.Writer) {
	for _, e := range r.Results {
		if e.Void != "" {
			fmt.Fprintf(w, "\nvoid: %s, %s, %s: %s\n", e.Pair, e.Workload, e.Durability, e.Void)
		}
	}
}

// printFigures lists what does not fit the table.
func (r *report) printFigures(w io.Writer) {
	for _, e := range r.Results {
		if len(e.Figures) == 0 {
			continue
		}
		fmt.Fprintf(w, "\n%s, %s, %s\n", e.Pair, e.Workload, e.Durability)
		for _, name := range sortedKeys(e.Figures) {
			fmt.Fprintf(w, "  %-50s %s\n", name, strconv.FormatFloat(e.Figures[name], 'g', 4, 64))
		}
	}
}

// printSettings prints each set of a native replica's settings once.
func (r *report) printSettings(w io.Writer) {
	seen := map[string]bool{}
	for _, e := range r.Results {
		text := ""
		for _, name := range sortedKeys(e.Settings) {
			if isWorkers[name] || isDurability[name] { // which the table tells
				continue
			}
			text += fmt.Sprintf("  %s = %s\n", name, e.Settings[name])
		}
		if text != "" && !seen[text] {
			seen[text] = true
			fmt.Fprintf(w, "\nsettings of the native replica, %s, beside its workers and its durability\n%s", e.Pair, text)
		}
	}
}

// isWorkers are the settings of how many workers a native replica has.
var isWorkers = map[string]bool{"slave_parallel_threads": true, "slave_parallel_workers": true, "replica_parallel_workers": true}

// isDurability are the settings that make a commit durable, or relaxed.
var isDurability = map[string]bool{"innodb_flush_log_at_trx_commit": true, "synchronous_commit": true}

func sortedKeys[V any](m map[string]V) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func anySlice(s []string) (all []any) {
	for _, v := range s {
		all = append(all, v)
	}
	return all
}

// number prints a ratio, or nothing.
func number(f *float64) string {
	if f == nil {
		return "–"
	}
	return strconv.FormatFloat(*f, 'g', 3, 64)
}

func (s *side) rate() string {
	if s == nil || s.RowsPerSecond == nil {
		return "–"
	}
	return strconv.FormatFloat(s.RowsPerSecond.Median, 'f', 0, 64)
}

// by is how a native replica applied.
func (s *side) by() string {
	switch {
	case s == nil:
		return "–"
	case s.Workers != nil:
		return way{workers: *s.Workers}.String()
	case s.Options != "":
		return s.Options
	default:
		return "–"
	}
}

func (s *side) mebibytes() string {
	if s == nil || s.PeakAnonymous == 0 {
		return "–"
	}
	return strconv.FormatInt(s.PeakAnonymous>>20, 10)
}

// grouping is the mean and the largest group, the longest, and the compaction.
func (s *side) grouping() []string {
	if s == nil || s.Groups == nil {
		return []string{"–", "–", "–", "–"}
	}
	g := s.Groups
	compaction := "–"
	if g.Compaction != nil {
		compaction = strconv.FormatFloat(*g.Compaction, 'f', 2, 64)
	}
	return []string{
		strconv.FormatFloat(g.MeanTransactions, 'f', 1, 64), strconv.FormatUint(g.MostTransactions, 10),
		strconv.FormatFloat(g.LongestSeconds, 'f', 3, 64) + "s", compaction,
	}
}

package cli

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rowferry/rowferry"
)

// summary is what a replay did, for people and for the envelope.
type summary struct {
	Pipeline     string           `json:"pipeline"`
	Resume       summaryResume    `json:"resume"`
	Tables       []summaryTable   `json:"tables"`
	Transactions uint64           `json:"transactions"`
	Rows         uint64           `json:"rows"`
	Batches      uint64           `json:"batches"`
	Fallbacks    uint64           `json:"fallbacks"` // batches that were refused compacted
	Splits       uint64           `json:"splits"`    // of those, the ones refused in the source's order too
	Spilled      uint64           `json:"spilled"`
	Copied       *summaryCopy     `json:"copied"`  // null where this run loaded nothing
	Orphans      []summaryOrphans `json:"orphans"` // rows without a parent that this run's copy changed
	Keys         *summaryKeys     `json:"keys"`    // null where every key is the source's
	Fetched      uint64           `json:"fetched"` // rows that were brought from the source as parents of others
	// How long each of max_rows_per_second, source_max_running, target_max_lag and
	// pause held the run back.
	Waited map[string]float64 `json:"waited_seconds"`
	// Of one batch, the most source transactions and the longest time between
	// the first and the last of their commits at the source. Changes to writes,
	// null where nothing was written.
	MostTransactions int      `json:"group_most_transactions"`
	LongestSeconds   float64  `json:"group_longest_seconds"`
	Compaction       *float64 `json:"compaction_ratio"`

	Seconds   float64    `json:"seconds"`
	Stopped   string     `json:"stopped"`
	Position  string     `json:"position"`
	Log       string     `json:"log"`
	Committed *time.Time `json:"committed"` // at the source, of the last applied transaction
	Notices   []string   `json:"notices"`
	Next      []string   `json:"next"`

	failed  bool
	nothing string // what it means that there was nothing to do
	took    time.Duration
}

type summaryResume struct {
	Kind   string `json:"kind"`
	Detail string `json:"detail"`
}

type summaryTable struct {
	Table   string `json:"table"`
	Copied  uint64 `json:"copied"` // by this run
	Inserts uint64 `json:"inserts"`
	Updates uint64 `json:"updates"`
	Deletes uint64 `json:"deletes"`
	Cleared uint64 `json:"cleared"`
	// Filtered is how many of the changes the rules made nothing of.
	Filtered uint64 `json:"filtered"`
	// Defaulted is how many rows came with a default in a value's place, and LeftOut
	// with a value for which the target has no column.
	Defaulted uint64 `json:"defaulted"`
	LeftOut   uint64 `json:"left_out"`
}

// summarise collects what an engine did after Run returned err.
func summarise(w *wiring, e *rowferry.Engine, took time.Duration, err error) *summary {
	s := w.settings
	p, cp, r := e.Progress(), e.Checkpoint(), e.Resume()
	sum := &summary{
		Pipeline: s.name, Resume: summaryResume{string(r.Kind), r.Detail}, Tables: []summaryTable{}, Waited: waitedSeconds(p.Throttle),
		Transactions: p.Transactions, Rows: p.Rows, Batches: p.Batches, Fallbacks: p.Fallbacks, Splits: p.Splits, Spilled: p.Spilled, Fetched: p.Fetched,
		MostTransactions: p.MostTransactions, LongestSeconds: p.LongestSpan.Seconds(),
		Seconds: took.Seconds(), Position: string(cp.Position), Log: cp.Log,
		Notices: append(append([]string{}, e.Notices()...), w.notices...), Next: next(s, err), failed: err != nil, took: took,
		nothing: "everything in these files was already applied",
	}
	switch {
	case s.source.given():
		sum.nothing = "the source has logged nothing that was not already applied"
	case s.fromCSV():
		sum.nothing = "the copy is complete; other files are copied by a pipeline of another --name"
	}
	if !cp.Commit.IsZero() {
		at := cp.Commit.UTC()
		sum.Committed = &at
	}
	if p.Written > 0 {
		ratio := float64(p.Mutations) / float64(p.Written)
		sum.Compaction = &ratio
	}
	sum.Tables = summaryTables(&p)
	sum.Orphans = summaryOrphan(p.Copy.Orphans)
	if r, kept := w.parts.Resolver, cp.Held.Notes; r != nil && (!r.Keeps() || kept != rowferry.Kept{}) {
		sum.Keys = &summaryKeys{kept.Mapped, kept.Filtered, kept.Waiting, kept.Rejected}
		if kept.Waiting > 0 && err == nil {
			sum.Next = append(sum.Next, s.again("map waiting"))
		}
		if kept.Rejected > 0 {
			sum.Next = append(sum.Next, s.again("rejects list"))
		}
	}
	if took := p.Copy.Took; took > 0 {
		loaded, _ := p.Copy.Rows()
		sum.Copied = &summaryCopy{Rows: uint64(loaded - p.Copy.Before), Tables: len(p.Copy.Tables), Seconds: took.Seconds()}
	}
	sum.Stopped = whyStopped(w, err)
	return sum
}

// summaryTables are the tables that were copied or changed, by name.
func summaryTables(p *rowferry.Progress) []summaryTable {
	byName := map[string]*summaryTable{}
	at := func(name string) *summaryTable {
		if byName[name] == nil {
			byName[name] = &summaryTable{Table: name}
		}
		return byName[name]
	}
	for _, t := range p.Tables {
		x := at(t.Table.String())
		x.Inserts, x.Updates, x.Deletes, x.Cleared, x.Filtered = t.Inserts, t.Updates, t.Deletes, t.Cleared, t.Filtered
		x.Defaulted, x.LeftOut = t.Defaulted, t.LeftOut
	}
	for _, t := range p.Copy.Tables {
		at(t.Table.String()).Copied = uint64(t.Rows - t.Before)
	}
	all := []summaryTable{}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		all = append(all, *byName[name])
	}
	return all
}

// summaryKeys is what is noted of rows in all, not by this run alone.
type summaryKeys struct {
	Mapped   int64 `json:"mapped_rows"`
	Filtered int64 `json:"filtered_rows"` // that are noted as left out of the target
	Waiting  int64 `json:"waiting_rows"`
	Rejected int64 `json:"rejected_rows"` // of those, by the target
}

// summaryCopy is what a copy loaded in this run.
type summaryCopy struct {
	Rows    uint64  `json:"rows"`
	Tables  int     `json:"tables"`
	Seconds float64 `json:"seconds"`
}

// text says it for people.
func (c *summaryCopy) text() string {
	took := time.Duration(c.Seconds * float64(time.Second))
	return fmt.Sprintf("%s of %s in %s (%s rows/s)", plural(c.Rows, "row", "rows"), plural(uint64(c.Tables), "table", "tables"), shortly(took), rate(c.Rows, took))
}

func whyStopped(w *wiring, err error) string {
	s := w.settings
	switch {
	case rowferry.CodeOf(err) == rowferry.CodeInterrupted:
		return "interrupted"
	case rowferry.CodeOf(err) != "":
		return "by " + string(rowferry.CodeOf(err)) + " below"
	case err != nil:
		return "by the error below"
	case s.part != nil:
		return "the partial copy is complete"
	case s.until != "":
		return "at --until " + s.until
	case w.mode.follows:
		return "on request"
	case s.source.given():
		return "caught up"
	case s.fromCSV():
		return "the copy is complete"
	default:
		return "at the end of the log"
	}
}

// next lists what an operator would do now.
func next(s *settings, err error) []string {
	var list []string
	if err != nil {
		return append(list, s.again("status"))
	}
	if s.source.given() && s.part == nil {
		return append(list, s.goOn(), s.again("status"))
	}
	if s.targetScheme() == "sqlite" {
		_, path, _ := splitURL(s.target) // parsed before the target was opened
		list = append(list, "sqlite3 "+quote(path)+" .tables")
	}
	return append(list, s.again("status"))
}

// text is the summary for people, within 80 columns but for long names,
// positions and commands.
func (s *summary) text(ink ink) string {
	var b strings.Builder
	if s.Transactions == 0 && s.Copied == nil && !s.failed {
		fmt.Fprintf(&b, "%s nothing to do: %s\n", ink.good("✓"), s.nothing)
	} else {
		b.WriteString(s.table() + "\n")
		fmt.Fprintf(&b, "%s in %s, %s", plural(s.Rows, "row", "rows"), plural(s.Transactions, "transaction", "transactions"), shortly(s.took))
		if s.took > 0 {
			fmt.Fprintf(&b, " (%s rows/s)", rate(s.Rows, s.took))
		}
		b.WriteString("\n")
	}
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%-10s %s\n", name, clean(value))
		}
	}
	if s.Copied != nil {
		line("copied", s.Copied.text())
	}
	s.told(line)
	line("stopped", s.where())
	line("position", s.Position)
	if s.Committed != nil {
		line("committed", s.Committed.Format(time.RFC3339)+" at the source")
	}
	if s.Keys != nil {
		line("keys", keysText(s.Keys.Mapped, s.Keys.Filtered, s.Keys.Waiting, s.Keys.Rejected))
	}
	if s.Fetched > 0 {
		line("fetched", plural(s.Fetched, "parent", "parents"))
	}
	line("batches", s.batches())
	line("held back", waitedText(s.Waited))
	if s.Fallbacks > 0 {
		line("fallbacks", plural(s.Fallbacks, "batch was", "batches were")+" refused compacted and applied in parts or as read")
	}
	if s.Splits > 0 {
		line("splits", plural(s.Splits, "batch was", "batches were")+" refused whole and applied one transaction at a time")
	}
	if s.Spilled > 0 {
		line("spilled", plural(s.Spilled, "transaction was", "transactions were")+" larger than memory")
	}
	for _, n := range s.Notices {
		text := wrap(clean(n), width, strings.Repeat(" ", 11))
		fmt.Fprintf(&b, "%s     %s\n", ink.warn("notice"), strings.TrimLeft(text, " "))
	}
	for i, n := range s.Next {
		name := "next"
		if i > 0 {
			name = ""
		}
		fmt.Fprintf(&b, "%-10s %s\n", name, n)
	}
	return b.String()
}

// batches tells how transactions were grouped, "" where they were not.
func (s *summary) batches() string {
	if s.MostTransactions < 2 {
		return ""
	}
	text := fmt.Sprintf("%s of at most %s", count(s.Batches), plural(uint64(s.MostTransactions), "transaction", "transactions"))
	if s.LongestSeconds > 0 {
		text += fmt.Sprintf(" and %.1fs", s.LongestSeconds)
	}
	if s.Compaction != nil && *s.Compaction > 1 {
		text += fmt.Sprintf(", compacted %.1f to 1", *s.Compaction)
	}
	return text
}

func (s *summary) where() string {
	if s.Log == "" {
		return s.Stopped
	}
	if s.failed {
		return s.Stopped + ", after " + s.Log
	}
	return s.Stopped + ", " + s.Log
}

func (s *summary) table() string {
	total := summaryTable{Table: "total"}
	rows := [][]string{{"table", "inserts", "updates", "deletes"}}
	for _, t := range s.Tables {
		total.Copied += t.Copied
		total.Inserts += t.Inserts
		total.Updates += t.Updates
		total.Deletes += t.Deletes
		total.Cleared += t.Cleared
	}
	if total.Cleared > 0 {
		rows[0] = append(rows[0], "cleared")
	}
	if total.Copied > 0 {
		rows[0] = slices.Insert(rows[0], 1, "copied")
	}
	for _, t := range append(s.Tables, total) {
		row := []string{clean(t.Table), count(t.Inserts), count(t.Updates), count(t.Deletes)}
		if total.Copied > 0 {
			row = slices.Insert(row, 1, count(t.Copied))
		}
		if total.Cleared > 0 {
			row = append(row, count(t.Cleared))
		}
		rows = append(rows, row)
	}
	return grid(rows, 1, 2, 3, 4, 5)
}

// told tells of rows that are not as the source has them.
func (s *summary) told(line func(name, value string)) {
	for _, o := range s.Orphans {
		line("orphans", o.text())
	}
	for _, t := range s.Tables {
		line("defaults", t.eased())
	}
}

// eased tells how many rows came with defaults, or without values; "" where none did.
func (t *summaryTable) eased() string {
	var parts []string
	if t.Defaulted > 0 {
		parts = append(parts, plural(t.Defaulted, "row", "rows")+" with a default in a value's place")
	}
	if t.LeftOut > 0 {
		parts = append(parts, plural(t.LeftOut, "row", "rows")+" with a value for which the target has no column")
	}
	if parts == nil {
		return ""
	}
	return t.Table + ": " + strings.Join(parts, ", ")
}

// count prints a number with its thousands apart.
func count(n uint64) string {
	digits := strconv.FormatUint(n, 10)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

func plural(n uint64, one, many string) string {
	if n == 1 {
		many = one
	}
	return count(n) + " " + many
}

// brief prints a number in at most four characters and a unit: 182k, 27.1M.
func brief(n float64) string {
	for _, u := range []struct {
		from   float64
		suffix string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if n < u.from*0.9995 {
			continue
		}
		if n < 99.95*u.from {
			return strconv.FormatFloat(n/u.from, 'f', 1, 64) + u.suffix
		}
		return strconv.FormatFloat(n/u.from, 'f', 0, 64) + u.suffix
	}
	return strconv.FormatFloat(n, 'f', 0, 64)
}

func rate(n uint64, d time.Duration) string {
	if d <= 0 {
		return "0"
	}
	return brief(float64(n) / d.Seconds())
}

// shortly prints a duration for people: 0.4s, 12s, 1m34s, 2h05m.
func shortly(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + "s"
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%dd%dh", int(d.Hours())/24, int(d.Hours())%24)
	}
}

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// report is the file of results.
type report struct {
	Machine machine  `json:"machine"`
	Form    string   `json:"form"`    // full or short
	Seconds float64  `json:"seconds"` // of native work in a turn, at least
	Turns   int      `json:"turns"`   // of each side
	Scale   float64  `json:"scale"`   // of the tables that are there before the clock
	Results []*entry `json:"results"`
}

// entry is one result. What does not apply is null or absent.
type entry struct {
	Pair       string     `json:"pair"`
	Workload   string     `json:"workload"`
	Durability durability `json:"durability"`
	// The ratio of the turns, in pairs as they alternated.
	RatioMedian *float64 `json:"ratio_median"`
	RatioMin    *float64 `json:"ratio_min"`
	RatioMax    *float64 `json:"ratio_max"`
	Reach       *float64 `json:"reach"`
	Aim         *float64 `json:"aim"`
	RatioOf     string   `json:"ratio_of,omitempty"`
	Better      string   `json:"better,omitempty"` // higher or lower
	Native      *side    `json:"native,omitempty"`
	Rowferry    *side    `json:"rowferry,omitempty"`
	// Figures are others, by a name that ends with the unit.
	Figures  map[string]float64 `json:"figures,omitempty"`
	Log      *logSize           `json:"log,omitempty"`
	Settings map[string]string  `json:"settings,omitempty"` // of the native replica, and of the target too
	Void     string             `json:"void,omitempty"`     // why it does not count
	Commit   string             `json:"commit"`
	Measured time.Time          `json:"measured"`
}

// logSize is what a log had to apply.
type logSize struct {
	Rows         int `json:"rows"`
	Transactions int `json:"transactions"`
}

// side is what one side did.
type side struct {
	Workers       *int         `json:"workers,omitempty"` // of a native replica, the fastest count
	Options       string       `json:"options,omitempty"` // of a native subscription, the fastest ones
	Seconds       *spread      `json:"seconds,omitempty"`
	RowsPerSecond *spread      `json:"rows_per_second,omitempty"`
	Tables        []tableRate  `json:"tables,omitempty"`
	CPUSeconds    *spread      `json:"cpu_seconds_per_million_rows,omitempty"`
	PeakAnonymous int64        `json:"peak_anonymous_bytes,omitempty"`
	Groups        *groupResult `json:"groups,omitempty"`
}

// tableRate is a table's share of the throughput.
type tableRate struct {
	Table         string  `json:"table"`
	Rows          uint64  `json:"rows"`
	RowsPerSecond float64 `json:"rows_per_second"`
}

// groupResult is how Rowferry grouped source transactions, by its own words.
// The compaction ratio is null where nothing was written.
type groupResult struct {
	Batches          uint64   `json:"batches"`
	Fallbacks        uint64   `json:"fallbacks"`
	Splits           uint64   `json:"splits"`
	Spilled          uint64   `json:"spilled"`
	MeanTransactions float64  `json:"mean_transactions"`
	MostTransactions uint64   `json:"most_transactions"`
	LongestSeconds   float64  `json:"longest_seconds"`
	Compaction       *float64 `json:"compaction_ratio"`
}

// spread is a median with the least and the most.
type spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// spreadOf returns the spread of values, of which there is at least one. The
// median of an even count is the mean of the two in the middle.
func spreadOf(values []float64) *spread {
	v := slices.Clone(values)
	slices.Sort(v)
	n := len(v)
	return &spread{Median: (v[(n-1)/2] + v[n/2]) / 2, Min: v[0], Max: v[n-1]}
}

// setRatio puts a ratio's spread into the entry.
func (e *entry) setRatio(of string, values []float64) {
	s := spreadOf(values)
	e.RatioOf, e.RatioMedian, e.RatioMin, e.RatioMax = of, &s.Median, &s.Min, &s.Max
}

// newEntry is an entry of a row without its figures.
func newEntry(r *row) *entry {
	e := &entry{Pair: r.pair(), Workload: r.workload, Durability: r.durability, Better: "higher"}
	if r.figure.lower {
		e.Better = "lower"
	}
	if r.figure.reach != 0 {
		e.Reach = &r.figure.reach
	}
	if r.figure.aim != 0 {
		e.Aim = &r.figure.aim
	}
	return e
}

// verdict tells in a word how an entry stands.
func (e *entry) verdict() string {
	switch {
	case e.Void != "":
		return "void"
	case e.RatioMedian == nil || e.Reach == nil:
		return ""
	case e.Aim != nil && e.meets(*e.Aim):
		return "aim"
	case e.meets(*e.Reach):
		return "reach"
	default:
		return "below"
	}
}

func (e *entry) meets(figure float64) bool {
	if e.Better == "lower" {
		return *e.RatioMedian <= figure
	}
	return *e.RatioMedian >= figure
}

// write replaces the file of results.
func (r *report) write(path string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(path, append(data, '\n'))
}

// replaceFile writes a file so that it is there whole or as it was.
func replaceFile(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", data, 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

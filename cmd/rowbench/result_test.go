package main

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rowferry/rowferry/internal/testdb"
)

func TestSpread(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   spread
	}{
		{[]float64{3}, spread{3, 3, 3}},
		{[]float64{9, 1, 2}, spread{2, 1, 9}},
		{[]float64{4, 1, 2, 9}, spread{3, 1, 9}},
	} {
		if got := *spreadOf(c.values); got != c.want {
			t.Errorf("%v: %+v, want %+v", c.values, got, c.want)
		}
	}
}

// testRow is one with figures to meet.
func testRow() *row {
	return &row{
		source: testdb.MariaDB1011, target: testdb.MariaDB1011, workload: "oltp", durability: durable, figure: figure{reach: 4, aim: 6},
	}
}

func testReport() *report {
	compaction := 2.5
	e := newEntry(testRow())
	e.setRatio("rows a second, to the native replica's", []float64{5, 3.5, 7})
	e.Native, e.Rowferry = &side{}, &side{Groups: &groupResult{Batches: 2, MeanTransactions: 3, LongestSeconds: 0.9, Compaction: &compaction}}
	e.Native.setTimes(100, []time.Duration{time.Second, 2 * time.Second})
	alone := newEntry(&row{source: testdb.MariaDB1011, target: sqliteKind, workload: "hot", durability: durable})
	return &report{Form: "short", Results: []*entry{e, alone}}
}

// The file of results has the form that others read.
func TestResultsForm(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bench", "results.json")
	if err := testReport().write(path); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Machine map[string]any   `json:"machine"`
		Results []map[string]any `json:"results"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	if file.Machine == nil || len(file.Results) != 2 {
		t.Fatalf("%s", data)
	}
	want := map[string]any{
		"pair": "MariaDB → MariaDB", "workload": "oltp", "durability": "durable",
		"ratio_median": 5.0, "ratio_min": 3.5, "ratio_max": 7.0, "reach": 4.0, "aim": 6.0,
	}
	for key, value := range want {
		if got := file.Results[0][key]; got != value {
			t.Errorf("%s is %v, want %v", key, got, value)
		}
	}
	for key := range want {
		got, there := file.Results[1][key]
		if isFigure := strings.HasPrefix(key, "ratio") || key == "reach" || key == "aim"; !there || isFigure && got != nil {
			t.Errorf("of a row without a ratio %s is %v", key, got)
		}
	}
}

func TestVerdict(t *testing.T) {
	for _, c := range []struct {
		lower bool
		ratio float64
		void  string
		want  string
	}{
		{false, 3.9, "", "below"}, {false, 4, "", "reach"}, {false, 6, "", "aim"}, {false, 6, "why", "void"},
		{true, 4.1, "", "below"}, {true, 4, "", "reach"},
	} {
		r := testRow()
		if c.lower {
			r.figure = figure{reach: 4, lower: true}
		}
		e := newEntry(r)
		e.Void = c.void
		e.setRatio("", []float64{c.ratio})
		if got := e.verdict(); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
	if got := newEntry(testRow()).verdict(); got != "" {
		t.Errorf("without a ratio: %q", got)
	}
}

// The table has the ratios and what they rest on.
func TestTable(t *testing.T) {
	var text strings.Builder
	if err := testReport().printTable(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"MariaDB → SQLite", "3.5 – 7", "reach", "0.900s", "2.50"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
}

// The chart is well-formed, shows who has a ratio, and has colours for dark
// ground.
func TestChart(t *testing.T) {
	r := testReport()
	r.Machine.CPU = `a "fast" <CPU> & more`
	chart := string(r.chart())
	d := xml.NewDecoder(strings.NewReader(chart))
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, chart)
		}
	}
	if !strings.Contains(chart, "prefers-color-scheme: dark") || strings.Count(chart, "<rect") != 2 || strings.Contains(chart, "SQLite") {
		t.Error(chart)
	}
}

// A result stands for what it was measured with, and outlives the program.
func TestBook(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cache", "book.json")
	b, err := openBook(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.put("row", "program 1", testReport().Results); err != nil {
		t.Fatal(err)
	}
	if b, err = openBook(path); err != nil {
		t.Fatal(err)
	}
	got := b.get("row", "program 1")
	if len(got) != 2 || *got[0].RatioMedian != 5 || got[1].RatioMedian != nil {
		t.Errorf("after opening again: %+v", got)
	}
	if b.get("row", "program 2") != nil || b.get("other", "program 1") != nil {
		t.Error("a result stands for what it was not measured with")
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openBook(path); err == nil {
		t.Error("a broken book is taken for none")
	}
}

// Every row has a name of its own, and every figure a row.
func TestPlan(t *testing.T) {
	var names []string
	asked := 0
	for _, g := range plan(&options{scale: 1}) {
		for _, r := range g.rows {
			names = append(names, r.name())
			if r.native && r.figure.reach != 0 {
				asked++
			}
		}
	}
	for _, g := range plan(&options{scale: 1, short: true}) {
		for _, r := range g.rows {
			if !slices.Contains(names, r.name()) {
				t.Errorf("%s is in the short form alone", r.name())
			}
		}
	}
	slices.Sort(names)
	if u := slices.Compact(slices.Clone(names)); len(u) != len(names) {
		t.Errorf("names are used twice: %q", names)
	}
	if asked != 26 {
		t.Errorf("%d rows have a figure, want 26", asked)
	}
}

func TestLastNumber(t *testing.T) {
	for set, want := range map[string]int64{"0-1-100": 100, "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-12345": 12345, "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5:7": 7, "12": 12} {
		if got, err := lastNumber(set); err != nil || got != want {
			t.Errorf("%s: %d, %v", set, got, err)
		}
	}
	if _, err := lastNumber(""); err == nil {
		t.Error("nothing is a number")
	}
}

// A run that did not apply what the log has fails.
func TestVoyageCheck(t *testing.T) {
	l := &sourceLog{rows: 4000, txs: 2000, marker: 3}
	good := ferrySummary{Rows: 4002, Transactions: 2002, Batches: 3, MostTransactions: 1000}
	for _, c := range []struct {
		change func(*ferrySummary)
		ok     bool
	}{
		{func(*ferrySummary) {}, true},
		{func(s *ferrySummary) { s.Rows-- }, false},
		{func(s *ferrySummary) { s.Batches = 2 }, false},
	} {
		s := good
		c.change(&s)
		v := &voyage{summary: s}
		if err := v.check(l); (err == nil) != c.ok {
			t.Errorf("%+v: %v", s, err)
		}
	}
}

// Groups that are too large, or too long, in any turn do not count.
func TestVoid(t *testing.T) {
	for _, c := range []struct {
		most    uint64
		longest float64
		ok      bool
	}{{1000, 0.999, true}, {1001, 0, false}, {2, 1, false}} {
		e := newEntry(testRow())
		turn := func(most uint64, longest float64) *voyage {
			return &voyage{took: time.Second, summary: ferrySummary{Batches: 1, MostTransactions: most, LongestSeconds: longest}}
		}
		e.setRowferry(&sourceLog{rows: 1}, []*voyage{turn(c.most, c.longest), turn(1, 0)})
		if (e.Void == "") != c.ok {
			t.Errorf("%+v: %q", c, e.Void)
		}
	}
}

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		args    []string
		seconds float64
		turns   int
		ok      bool
	}{
		{nil, 60, 3, true}, {[]string{"-short"}, 5, 1, true}, {[]string{"-short", "-seconds", "2", "-turns", "4"}, 2, 4, true},
		{[]string{"-seconds", "-1"}, 0, 0, false}, {[]string{"oltp"}, 0, 0, false}, {[]string{"-run", "("}, 0, 0, false},
	} {
		o, err := parseOptions(c.args, io.Discard)
		if (err == nil) != c.ok {
			t.Errorf("%q: %v", c.args, err)
		}
		if err == nil && (o.seconds != c.seconds || o.turns != c.turns) {
			t.Errorf("%q: %g seconds, %d turns", c.args, o.seconds, o.turns)
		}
	}
}

package mysql

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
)

// TestLiveOtherServer resumes at a position of another server, with and without
// GTIDs, that logged the same, something else of the same length, or less.
func TestLiveOtherServer(t *testing.T) {
	for _, gtid := range []string{"ON", "OFF"} {
		t.Run("gtid_mode "+gtid, func(t *testing.T) {
			t.Parallel()
			start := func(values ...string) *testdb.Server {
				s := testdb.Start(t, testdb.MySQL97, testdb.Private(), testdb.Arg("gtid_mode="+gtid), testdb.Arg("enforce_gtid_consistency="+gtid))
				must(t, s.ResetBinlog(t.Context()))
				must(t, s.Exec(t.Context(), "CREATE DATABASE test", markTable))
				for _, v := range values {
					mark(t, s, v)
				}
				return s
			}
			here := start("1", "2", "3")
			res := readFrom(Live(LiveOptions{Endpoint: endpoint(t, here, "root"), Once: true}), rowferry.Start{})
			must(t, res.err)
			last := res.txs[len(res.txs)-1]
			at := rowferry.Start{Position: last.Position, Lineage: last.Lineage}
			for name, c := range map[string]struct {
				values []string
				code   rowferry.Code
			}{
				"something else": {[]string{"1", "2", "4", "5"}, rowferry.CodeLineageBroken},
				"less":           {[]string{"1"}, rowferry.CodePositionOutside},
				"ends there":     {[]string{"10", "2", ""}, rowferry.CodeLineageBroken},
				"longer":         {[]string{"10", "2", "3", "4"}, rowferry.CodePositionOutside},
			} {
				if gtid == "ON" {
					c.code = rowferry.CodeLineageBroken // its UUID is not known there
				}
				got := readFrom(Live(LiveOptions{Endpoint: endpoint(t, start(c.values...), "root"), Once: true}), at)
				if rowferry.CodeOf(got.err) != c.code || len(got.txs) > 0 {
					t.Errorf("%s: %d transactions, %v, want %s", name, len(got.txs), got.err, c.code)
				}
			}
			if got := readFrom(Live(LiveOptions{Endpoint: endpoint(t, here, "root"), Once: true}), at); got.err != nil || len(got.txs) > 0 {
				t.Errorf("the same server: %d transactions, %v", len(got.txs), got.err)
			}
		})
	}
}

// TestLiveFileEnd begins at the very end of a file, where only its last event
// tells, without GTIDs, that the next one follows.
func TestLiveFileEnd(t *testing.T) {
	for _, stopped := range []bool{false, true} {
		s := testdb.Start(t, testdb.MySQL97, testdb.Private(), testdb.Arg("gtid_mode=OFF"), testdb.Arg("enforce_gtid_consistency=OFF"))
		must(t, s.ResetBinlog(t.Context()))
		must(t, s.Exec(t.Context(), "CREATE DATABASE test", markTable))
		if stopped {
			must(t, s.Stop())
			must(t, s.Restart(t.Context()))
		} else {
			must(t, s.Rotate(t.Context()))
		}
		mark(t, s, "in the second")
		files, err := s.BinlogFiles()
		must(t, err)
		info, err := os.Stat(files[0])
		must(t, err)
		from := fmt.Sprintf("%s:%d", filepath.Base(files[0]), info.Size())
		res := readFrom(Live(LiveOptions{Endpoint: endpoint(t, s, "root"), From: from, Once: true}), rowferry.Start{})
		if res.err != nil || len(res.txs) != 1 {
			t.Errorf("from %s: %d transactions, %v", from, len(res.txs), res.err)
		}
	}
}

// TestLiveUntil ends where it is told to, whether the log has got there or not.
func TestLiveUntil(t *testing.T) {
	for _, k := range liveKinds() {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			s := testdb.Start(t, k, testdb.Private())
			must(t, s.ResetBinlog(t.Context()))
			must(t, s.Exec(t.Context(), "CREATE DATABASE test", markTable))
			for i := range 3 {
				mark(t, s, fmt.Sprint(i))
			}
			all := readFrom(Live(LiveOptions{Endpoint: endpoint(t, s, "root"), Once: true}), rowferry.Start{})
			must(t, all.err)
			third := all.txs[2]
			for until, n := range map[string]int{
				string(third.Position): 3, third.Log: 3, "latest": 5,
				time.Now().Add(-time.Hour).UTC().Format(time.RFC3339):      0,
				time.Now().Add(2 * time.Second).UTC().Format(time.RFC3339): 5, // once the time has come
			} {
				res := readFrom(Live(LiveOptions{Endpoint: endpoint(t, s, "root"), Until: until}), rowferry.Start{})
				if res.err != nil || len(res.txs) != n {
					t.Errorf("until %s: %d transactions, want %d, %v", until, len(res.txs), n, res.err)
				}
			}
			last := all.txs[len(all.txs)-1]
			var next, later string
			switch k.Flavor() {
			case testdb.MariaDB:
				next = "0-1-6"
			default:
				p, err := ParsePosition(string(last.Position))
				must(t, err)
				set := p.gtids.clone()
				set.addInterval(set.streams[0].sid, interval{6, 6})
				next = set.String()
			}
			later = "mysql-bin.000002:4"
			for _, until := range []string{next, later} {
				ended := make(chan result, 1)
				src := Live(LiveOptions{Endpoint: endpoint(t, s, "root"), Until: until})
				r, err := src.Open(t.Context(), rowferry.Start{Position: last.Position, Lineage: last.Lineage})
				must(t, err)
				go func() { ended <- drain(t.Context(), r) }()
				if until == next {
					mark(t, s, "the next")
					mark(t, s, "one too many")
				} else {
					must(t, s.Rotate(t.Context()))
				}
				want := map[string]int{next: 1, later: 2}[until]
				if res := <-ended; res.err != nil || len(res.txs) != want {
					t.Errorf("until %s: %d transactions, want %d, %v", until, len(res.txs), want, res.err)
				}
			}
			if res := readFrom(Live(LiveOptions{Endpoint: endpoint(t, s, "root"), Until: "mysql-bin.000009:4", Once: true}), rowferry.Start{}); rowferry.CodeOf(res.err) != rowferry.CodeUntilNotFound {
				t.Errorf("until a place that was not reached once: %v", res.err)
			}
			for from, n := range map[string]int{"latest": 0, time.Now().Add(time.Hour).UTC().Format(time.RFC3339): 0, time.Now().Add(-time.Hour).UTC().Format(time.RFC3339): 7} {
				res := readFrom(Live(LiveOptions{Endpoint: endpoint(t, s, "root"), From: from, Once: true}), rowferry.Start{})
				if res.err != nil || len(res.txs) != n {
					t.Errorf("from %s: %d transactions, want %d, %v", from, len(res.txs), n, res.err)
				}
			}
		})
	}
}

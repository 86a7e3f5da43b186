package e2e

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/rowferry/rowferry/internal/testdb"
)

// sample is what an engine uses at a moment.
type sample struct{ anonymous, handles int64 }

// TestLongRun follows a server under Load for long, and wants what the engine
// uses to stay flat: memory within 10 % and 16 MiB from the second quarter to
// the last, file handles within two.
func TestLongRun(t *testing.T) {
	besideOthers(t)
	c := newLiveCampaign(t, pair{testdb.MySQL97, testdb.Postgres15, "FULL"})
	stop := c.write()
	var output bytes.Buffer
	cmd := command(t, "", c.args()...)
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	long := time.Duration(scaled(12, 2*60*60)) * time.Second
	var samples []sample
	tick := time.NewTicker(long / 200)
	defer tick.Stop()
	for begun := time.Now(); time.Since(begun) < long; {
		select {
		case err := <-ended:
			t.Fatalf("the engine ended: %v\n%s", err, output.String())
		case <-tick.C:
			samples = append(samples, sampleOf(t, cmd.Process.Pid))
		}
		if len(samples)%20 == 0 && c.goal.has(t) {
			c.prefix()
		}
	}
	stats := stop()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatalf("a following run that is asked to end: %v\n%s", err, output.String())
	}
	must(t, c.args("--once")...)
	testdb.RequireEqual(t, c.source.URL(c.database), c.goal.judge)
	requireFlat(t, samples)
	all := most(samples)
	t.Logf("figure: %s, %s: %d transactions, prefix at %d moments, at most %d MiB anonymous memory and %d file handles, second quarter %v, last quarter %v, Equal",
		c.pair, long, stats.Transactions, c.moments, all.anonymous>>20, all.handles, most(quarter(samples, 1)), most(quarter(samples, 3)))
}

// sampleOf reads what a process uses.
func sampleOf(t *testing.T, pid int) sample {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := bytes.Cut(status, []byte("RssAnon:"))
	var s sample
	if _, err := fmt.Sscanf(string(rest), "%d kB", &s.anonymous); err != nil {
		t.Fatal(err)
	}
	s.anonymous <<= 10
	handles, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	s.handles = int64(len(handles))
	return s
}

func (s sample) String() string { return fmt.Sprintf("%d MiB, %d handles", s.anonymous>>20, s.handles) }

func quarter(all []sample, n int) []sample { return all[n*len(all)/4 : (n+1)*len(all)/4] }

func most(all []sample) sample {
	return sample{
		slices.MaxFunc(all, func(a, b sample) int { return int(a.anonymous - b.anonymous) }).anonymous,
		slices.MaxFunc(all, func(a, b sample) int { return int(a.handles - b.handles) }).handles,
	}
}

func requireFlat(t *testing.T, all []sample) {
	t.Helper()
	if len(all) < 40 {
		t.Fatalf("only %d samples", len(all))
	}
	second, last := most(quarter(all, 1)), most(quarter(all, 3))
	if soak() && last.anonymous > second.anonymous+second.anonymous/10+16<<20 {
		t.Errorf("memory grows: %v in the second quarter, %v in the last", second, last)
	}
	if last.handles > second.handles+2 {
		t.Errorf("file handles grow: %v in the second quarter, %v in the last", second, last)
	}
	if peak := most(all).anonymous; peak > 256<<20 {
		t.Errorf("%d MiB of anonymous memory, where 256 are allowed", peak>>20)
	}
}

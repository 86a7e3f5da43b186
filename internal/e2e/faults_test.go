package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rowferry/rowferry/internal/faultproxy"
	"github.com/rowferry/rowferry/internal/testdb"
)

// networkFault is what can befall the way to a server. It is over when begin
// returns where lasts is nil; otherwise end is called when what lasts says.
type networkFault struct {
	name  string
	begin func(p *faultproxy.Proxy) error
	end   func(p *faultproxy.Proxy) error
	lasts float64 // times the timeout
}

func shape(d faultproxy.Direction, s faultproxy.Shape) func(*faultproxy.Proxy) error {
	return func(p *faultproxy.Proxy) error { p.Shape(d, s); return nil }
}

func shapeBoth(s faultproxy.Shape) func(*faultproxy.Proxy) error {
	return func(p *faultproxy.Proxy) error { p.ShapeBoth(s); return nil }
}

var pass = shapeBoth(faultproxy.Shape{})

// networkFaults are all of issue 3's. Half open and one-way outlast the engine's
// patience with an answer, so that it has to find out by itself.
var networkFaults = []networkFault{
	{"reset", func(p *faultproxy.Proxy) error { p.Cut(); return nil }, nil, 0},
	{"reset and closed", func(p *faultproxy.Proxy) error { defer p.Cut(); return p.Refuse(true) }, func(p *faultproxy.Proxy) error { return p.Refuse(false) }, 1},
	{"half-open", shapeBoth(faultproxy.Shape{Swallow: true}), pass, 1.2},
	{"30 % loss", shapeBoth(faultproxy.Shape{Loss: 0.3, Retransmit: 20 * time.Millisecond}), pass, 1},
	{"stall", shapeBoth(faultproxy.Shape{Stall: true}), pass, 1.2},
	{"short stall", shapeBoth(faultproxy.Shape{Stall: true}), pass, 0.5},
	{"one-way, to the server", shape(faultproxy.ToClient, faultproxy.Shape{Swallow: true}), pass, 1.2},
	{"one-way, from the server", shape(faultproxy.ToServer, faultproxy.Shape{Swallow: true}), pass, 1.2},
}

// faultyPairs are one of each source in make test and, in make soak, all of main servers.
func faultyPairs() []pair {
	pairs := []pair{{testdb.MySQL97, testdb.Postgres15, ""}, {testdb.MariaDB1011, testdb.MySQL97, ""}, {testdb.Postgres15, testdb.MySQL97, ""}}
	if soak() {
		pairs = append(pairs, pair{testdb.PostgresNew, testdb.Postgres15, streamed}, pair{testdb.MariaDB1011, testdb.Postgres15, ""}, pair{testdb.MySQL97, testdb.MySQL97, ""},
			pair{testdb.MySQL97, testdb.MariaDB1011, ""}, pair{testdb.MariaDB1011, testdb.MariaDB1011, ""})
	}
	return pairs
}

// TestNetworkFaults breaks the way to the source, then the way to the target, in
// all ways, and measures how long it takes from the end of the fault, or from
// the reset, until the target has a transaction that was committed after it.
func TestNetworkFaults(t *testing.T) {
	besideOthers(t)
	for i, p := range faultyPairs() {
		t.Run(p.String(), func(t *testing.T) {
			for j, side := range []string{"source", "target"} {
				faults := networkFaults
				if !soak() { // half of them here, the other half on the next pair
					faults = nil
					for k, f := range networkFaults {
						if (i+j+k)%2 == 0 {
							faults = append(faults, f)
						}
					}
				}
				t.Run(side, func(t *testing.T) {
					t.Parallel()
					testNetworkFaults(t, p, side, faults)
				})
			}
		})
	}
}

func testNetworkFaults(t *testing.T, p pair, side string, faults []networkFault) {
	r := newRig(t, p, time.Duration(scaled(2, 5))*time.Second)
	state := r.state()
	r.begin(state)
	r.write(40)
	e := r.start(state)
	r.watch()
	proxy := r.up
	if side == "target" {
		proxy = r.down
	}
	var figures []string
	for _, f := range faults {
		var took []time.Duration
		for range scaled(1, 10) {
			r.commits(1) // it works
			said := len(e.output.String())
			took = append(took, r.suffer(f, proxy))
			if took[len(took)-1] > 2*r.timeout {
				t.Logf("%s on the way to the %s: %v\n%s", f.name, side, took[len(took)-1], e.output.String()[said:])
			}
		}
		slices.Sort(took)
		most := took[len(took)-1]
		figures = append(figures, fmt.Sprintf("%s %.1f s", f.name, most.Seconds()))
		if soak() && most > 2*r.timeout {
			t.Errorf("after %s on the way to the %s it took %v until the target went on, and the timeout is %v", f.name, side, took, r.timeout)
		}
		select {
		case <-e.ended:
			t.Fatalf("%s ended the engine", f.name)
		default:
		}
	}
	stats := r.finish(e)
	t.Logf("figure: %s, %s side, timeout %v: longest recovery after %s; %d transactions, Equal", p, side, r.timeout, strings.Join(figures, ", "), stats.Transactions)
}

// suffer has a fault happen and returns how long it took until the target had
// what was committed after it.
func (r *rig) suffer(f networkFault, p *faultproxy.Proxy) time.Duration {
	r.t.Helper()
	if err := f.begin(p); err != nil {
		r.t.Fatal(err)
	}
	if f.end != nil {
		time.Sleep(time.Duration(f.lasts * float64(r.timeout))) // how long it lasts, not what is waited for
		if err := f.end(p); err != nil {
			r.t.Fatal(err)
		}
	}
	over := time.Now()
	var there int64
	if err := r.db.QueryRow("SELECT COUNT(*) FROM ledger").Scan(&there); err != nil {
		r.t.Fatal(err)
	}
	r.until("the target goes on after "+f.name, func() bool {
		here, err := r.goal.number("SELECT COUNT(*) FROM " + r.goal.ns + "ledger")
		return err == nil && here > there
	})
	took := time.Since(over)
	testdb.RequirePrefix(r.t, r.goal.judge)
	return took
}

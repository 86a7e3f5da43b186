package faultproxy_test

import (
	"context"
	"testing"

	"github.com/rowferry/rowferry/internal/testdb"
)

// What is held has not come to the server, and comes when it is released, unless
// its connection is cut.
func TestHoldStatement(t *testing.T) {
	for _, k := range testdb.Targets() {
		t.Run(string(k), func(t *testing.T) {
			p := newPlace(t, k)
			must(t, p.insert(t.Context(), "COMMIT", 5)) // a new connection says more
			for a, nth := range []int{1, 2, 3} {        // BEGIN, INSERT, COMMIT
				before := p.proxy.Statements()
				hold := p.proxy.HoldStatement(nth)
				done := make(chan error, 1)
				go func() { done <- p.insert(context.Background(), "COMMIT", a) }()
				<-hold.Reached()
				if n := p.proxy.Statements() - before; n != nth || p.has(t, a) {
					t.Errorf("held at %d: %d statements were seen, the row is there: %t", nth, n, p.has(t, a))
				}
				hold.Release()
				must(t, <-done)
				if !p.has(t, a) {
					t.Errorf("held at %d and released: the row is not there", nth)
				}
			}
			hold := p.proxy.HoldCommit(1)
			done := make(chan error, 1)
			go func() { done <- p.insert(context.Background(), "COMMIT", 9) }()
			<-hold.Reached()
			p.proxy.Cut()
			if err := <-done; err == nil {
				t.Error("a connection that was cut goes on")
			}
			hold.Release()
			settle(t, p)
			if p.has(t, 9) {
				t.Error("what was held was done after its connection was cut")
			}
		})
	}
}

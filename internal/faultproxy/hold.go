package faultproxy

import "sync"

// Hold keeps one statement from its server until it is released, and with it
// what follows on its connection.
type Hold struct {
	nth               int  // counts down
	commit            bool // only COMMITs count
	reached, released chan struct{}
	once              sync.Once
}

// HoldStatement holds the nth statement from now, on whichever connection, 1
// being the next.
func (p *Proxy) HoldStatement(nth int) *Hold { return p.hold(nth, false) }

// HoldCommit is HoldStatement for the nth COMMIT.
func (p *Proxy) HoldCommit(nth int) *Hold { return p.hold(nth, true) }

func (p *Proxy) hold(nth int, commit bool) *Hold {
	h := &Hold{nth: nth, commit: commit, reached: make(chan struct{}), released: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.holds = append(p.holds, h)
	return h
}

// Reached is closed when the statement has come: all before it are on their way
// to the server.
func (h *Hold) Reached() <-chan struct{} { return h.reached }

// Release lets the statement go on, or pass if it has not come yet.
func (h *Hold) Release() { h.once.Do(func() { close(h.released) }) }

// statement counts a statement that is about to be forwarded and returns what
// holds it, or nil.
func (p *Proxy) statement(commit bool) *Hold {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ran++
	var found *Hold
	var rest []*Hold
	for _, h := range p.holds {
		if commit || !h.commit {
			h.nth--
		}
		if h.nth <= 0 && found == nil {
			found = h
			continue
		}
		rest = append(rest, h)
	}
	p.holds = rest
	return found
}

// wait waits until the statement may go on, and reports whether its connection
// still is there.
func (h *Hold) wait(done <-chan struct{}) bool {
	if h == nil {
		return true
	}
	close(h.reached)
	select {
	case <-h.released:
		return true
	case <-done:
		return false
	}
}

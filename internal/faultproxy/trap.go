package faultproxy

import (
	"bytes"
	"sync"
)

// CommitFault is what happens to one COMMIT.
type CommitFault int

// The faults. None leaves the COMMIT alone.
const (
	None            CommitFault = iota
	CutBeforeCommit             // the server never sees it: reset, and rolled back
	CutAfterCommit              // it is forwarded, and both sides are reset at once: done or not
	CutAnswer                   // the server has done it; the client is reset instead of told
	StallAnswer                 // the server has done it; the client hears nothing any more
)

// trap waits to strike one connection once.
type trap struct {
	fired chan struct{}
	once  sync.Once

	// At a COMMIT.
	fault CommitFault
	nth   int // from 1; counts down

	// At a byte, or after a pattern.
	direction Direction
	bytes     int // left
	pattern   []byte
	tails     map[*conn][]byte // the end of what passed, where the pattern may have begun
}

func (t *trap) fire() { t.once.Do(func() { close(t.fired) }) }

// AtCommit strikes the nth COMMIT from now, on whichever connection, 1 being the
// next. The channel is closed when it has happened. Several traps count apart;
// of those that meet in one COMMIT the first one set strikes.
func (p *Proxy) AtCommit(nth int, f CommitFault) (fired <-chan struct{}) {
	return p.set(&trap{fault: f, nth: nth})
}

// AtByte resets the connection that carries the nth byte of a direction from
// now, counted over all connections, when it has been forwarded.
func (p *Proxy) AtByte(d Direction, nth int) (fired <-chan struct{}) {
	return p.set(&trap{direction: d, bytes: nth})
}

// AtPattern resets the first connection on which the bytes of pattern have been
// forwarded from now on, right after them.
func (p *Proxy) AtPattern(d Direction, pattern string) (fired <-chan struct{}) {
	return p.set(&trap{direction: d, pattern: []byte(pattern), tails: map[*conn][]byte{}})
}

// Disarm removes all traps that have not struck.
func (p *Proxy) Disarm() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.traps = nil
}

func (p *Proxy) set(t *trap) <-chan struct{} {
	t.fired = make(chan struct{})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.traps = append(p.traps, t)
	return t.fired
}

// commit counts a COMMIT that is about to be forwarded and returns what is to
// happen to it.
func (p *Proxy) commit() (*trap, CommitFault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.commits++
	var struck *trap
	var rest []*trap
	for _, t := range p.traps {
		if t.fault != None {
			t.nth--
			if t.nth <= 0 && struck == nil {
				struck = t
				continue
			}
		}
		rest = append(rest, t)
	}
	p.traps = rest
	if struck == nil {
		return nil, None
	}
	return struck, struck.fault
}

// spring returns what of data may pass before a trap strikes, and that trap.
func (p *Proxy) spring(c *conn, d Direction, data []byte) ([]byte, *trap) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, t := range p.traps {
		if t.fault != None || t.direction != d {
			continue
		}
		at := t.reach(c, data)
		if at < 0 {
			continue
		}
		p.traps = append(p.traps[:i:i], p.traps[i+1:]...)
		return data[:at], t
	}
	return data, nil
}

// reach returns how much of data passes before the trap strikes, -1 for all.
func (t *trap) reach(c *conn, data []byte) int {
	if t.pattern == nil {
		if len(data) < t.bytes {
			t.bytes -= len(data)
			return -1
		}
		return t.bytes
	}
	tail := t.tails[c]
	all := append(tail[:len(tail):len(tail)], data...)
	if i := bytes.Index(all, t.pattern); i >= 0 {
		return i + len(t.pattern) - len(tail)
	}
	t.tails[c] = all[max(0, len(all)-len(t.pattern)+1):]
	return -1
}

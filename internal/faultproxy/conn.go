package faultproxy

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// inFlight is how many chunks of a direction may be under way.
const inFlight = 64

// conn is one forwarded connection. Each direction has a goroutine that reads
// and one that writes.
type conn struct {
	proxy *Proxy
	ends  [2]*net.TCPConn // where each direction leads
	done  chan struct{}   // closed by reset
	once  sync.Once

	mu      sync.Mutex
	scan    scanner
	fault   CommitFault // of the COMMIT that is passing
	trap    *trap       // … and the trap it is from
	holding bool        // the answer is waited for, and withheld
	lost    [2]bool     // something was swallowed
}

// chunk is what was read at once, or the end.
type chunk struct {
	data []byte
	due  time.Time
	err  error
}

// run forwards until both directions have ended.
func (c *conn) run(number uint64) {
	var both sync.WaitGroup
	for _, d := range []Direction{ToServer, ToClient} {
		chunks := make(chan chunk, inFlight)
		random := rand.New(rand.NewPCG(c.proxy.seed, number*2+uint64(d)))
		both.Go(func() { c.read(d, chunks, &clock{random: random}) })
		both.Go(func() { c.write(d, chunks) })
	}
	both.Wait()
	for _, end := range c.ends {
		end.Close()
	}
}

// reset ends the connection with RST on both sides.
func (c *conn) reset() {
	c.once.Do(func() {
		close(c.done)
		for _, end := range c.ends {
			resetTCP(end)
		}
	})
}

// blind reports whether COMMITs cannot be seen.
func (c *conn) blind() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.scan.blind()
}

// read reads a direction, which comes from the end the other one leads to.
func (c *conn) read(d Direction, chunks chan<- chunk, timing *clock) {
	from := c.ends[1-d]
	for {
		if !c.awaitStall(d) {
			return
		}
		data := make([]byte, chunkSize)
		n, err := from.Read(data)
		shape, _ := c.proxy.shape(d)
		next := chunk{data: data[:n], due: timing.next(time.Now(), shape, n), err: err}
		select {
		case chunks <- next:
		case <-c.done:
			return
		}
		if err != nil {
			return
		}
	}
}

// awaitStall waits while the direction stalls and reports whether the connection
// still is there.
func (c *conn) awaitStall(d Direction) bool {
	for {
		shape, changed := c.proxy.shape(d)
		if !shape.Stall {
			select {
			case <-c.done:
				return false
			default:
				return true
			}
		}
		select {
		case <-c.done:
			return false
		case <-changed:
		}
	}
}

// write delivers a direction's chunks when they are due.
func (c *conn) write(d Direction, chunks <-chan chunk) {
	for {
		var next chunk
		select {
		case next = <-chunks:
		case <-c.done:
			return
		}
		if !c.awaitDue(next.due) || !c.awaitStall(d) {
			return
		}
		if shape, _ := c.proxy.shape(d); shape.Swallow {
			c.mu.Lock()
			c.lost[d] = true
			c.mu.Unlock()
			c.proxy.lost.Add(int64(len(next.data)))
		}
		if !c.deliver(d, next.data) {
			return
		}
		if next.err != nil {
			c.end(d, next.err)
			return
		}
	}
}

func (c *conn) awaitDue(due time.Time) bool {
	wait := time.Until(due)
	if wait <= 0 {
		return true
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.done:
		return false
	}
}

// end passes on that a side has closed, unless the other must not know.
func (c *conn) end(d Direction, err error) {
	c.mu.Lock()
	lost := c.lost[d]
	c.mu.Unlock()
	switch {
	case lost:
	case errors.Is(err, io.EOF):
		if c.ends[d].CloseWrite() != nil {
			c.reset()
		}
	default:
		c.reset()
	}
}

// deliver forwards data, or does to it what shapes and traps want. It reports
// whether the connection still is there.
func (c *conn) deliver(d Direction, data []byte) bool {
	c.mu.Lock()
	lost := c.lost[d]
	c.mu.Unlock()
	if lost || len(data) == 0 {
		return true
	}
	if d == ToServer {
		c.mu.Lock()
		pieces := c.scan.client(data)
		c.mu.Unlock()
		for _, p := range pieces {
			if !c.deliverPiece(p) {
				return false
			}
		}
		return true
	}
	c.mu.Lock()
	answered := c.scan.server(data)
	holding, fault, trap := c.holding, c.fault, c.trap
	if holding && answered && fault == StallAnswer {
		c.lost[ToClient] = true
	}
	c.mu.Unlock()
	if !holding {
		return c.pass(d, data)
	}
	switch {
	case !answered || fault == CutAfterCommit: // deliverPiece cuts
		return true
	case fault == CutAnswer:
		c.reset()
	}
	trap.fire()
	return fault != CutAnswer
}

// deliverPiece forwards a piece of what the client says, unless a COMMIT in it
// is to be struck.
func (c *conn) deliverPiece(p piece) bool {
	if p.statement && !c.proxy.statement(p.begins).wait(c.done) {
		return false
	}
	if p.begins {
		trap, fault := c.proxy.commit()
		c.mu.Lock()
		c.trap, c.fault = trap, fault
		c.mu.Unlock()
		if fault == CutBeforeCommit {
			c.reset()
			trap.fire()
			return false
		}
	}
	c.mu.Lock()
	trap, fault := c.trap, c.fault
	if p.ends && fault != None {
		c.holding = true
	}
	c.mu.Unlock()
	if !c.pass(ToServer, p.data) {
		return false
	}
	if p.ends && fault == CutAfterCommit {
		c.reset()
		trap.fire()
		return false
	}
	return true
}

// pass writes data, up to where a trap strikes.
func (c *conn) pass(d Direction, data []byte) bool {
	data, trap := c.proxy.spring(c, d, data)
	_, err := c.ends[d].Write(data)
	if trap != nil || err != nil {
		c.reset()
	}
	if trap != nil {
		trap.fire()
	}
	return trap == nil && err == nil
}

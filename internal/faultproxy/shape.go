package faultproxy

import (
	"math/rand/v2"
	"time"
)

// Shape is how bytes pass in one direction.
type Shape struct {
	// Stall forwards nothing, not even that a side has closed, and stops reading;
	// what waits passes when the stall ends.
	Stall bool
	// Swallow reads and loses everything, also that a side has closed. A
	// connection that has lost something stays dead in this direction: half open.
	Swallow bool
	// Delay is how long every byte is on its way.
	Delay time.Duration
	// Bandwidth is in bytes a second; 0 is without bound.
	Bandwidth int
	// Loss is the share of chunks, 0 to 1, that come late as if they had to be
	// sent again: after Retransmit, twice that if lost again, and so on. What
	// follows waits for them.
	Loss float64
	// Retransmit is 200 ms if zero.
	Retransmit time.Duration
}

// chunkSize is what is lost, or not, as one.
const chunkSize = 16 << 10

// mostLosses is how often one chunk may be lost.
const mostLosses = 5

// clock says when each chunk of a direction of a connection is due.
type clock struct {
	random *rand.Rand
	free   time.Time // when the line is free again
	due    time.Time // of the chunk before
}

// next returns when a chunk that was read now is to be written.
func (c *clock) next(now time.Time, s Shape, size int) time.Time {
	sent := now
	if s.Bandwidth > 0 {
		if c.free.After(sent) {
			sent = c.free
		}
		sent = sent.Add(time.Duration(size) * time.Second / time.Duration(s.Bandwidth))
		c.free = sent
	}
	due := sent.Add(s.Delay)
	wait := s.Retransmit
	if wait == 0 {
		wait = 200 * time.Millisecond
	}
	for range mostLosses {
		if c.random.Float64() >= s.Loss {
			break
		}
		due = due.Add(wait)
		wait *= 2
	}
	if due.Before(c.due) {
		due = c.due
	}
	c.due = due
	return due
}

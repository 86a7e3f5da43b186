package mysqlwire

import (
	"context"
	"errors"
)

const (
	// sendAt is how much is gathered before it is sent unasked, in bytes.
	sendAt = 64 << 10
	// mostUnanswered and bytesUnanswered bound what the server has not answered,
	// so that it never waits for us to read while we wait for it to.
	mostUnanswered  = 64
	bytesUnanswered = 4 << 20
)

// queue is what is not answered, or answered and not asked for, oldest first.
type queue struct {
	answers []answer  // which Answer returns next
	pending []sentOff // the statements that are not answered
	sent    int       // how many of them are sent
	bytes   int       // their sizes together
}

// sentOff is a statement: its size in bytes, and the packets it takes.
type sentOff struct {
	size  int
	parts byte
}

func (q *queue) unanswered() int { return len(q.pending) }

// answered notes the answer to the oldest.
func (q *queue) answered(a answer) {
	q.bytes -= q.pending[0].size
	q.pending = append(q.pending[:0], q.pending[1:]...)
	q.sent--
	q.answers = append(q.answers, a)
}

// QueueText queues a statement without parameters.
func (c *Conn) QueueText(ctx context.Context, sql string) error {
	return c.enqueue(ctx, len(sql), func() error {
		c.text(comQuery, sql)
		return nil
	})
}

// Queue queues the execution that Begin began, with the parameters given since.
func (c *Conn) Queue(ctx context.Context) error {
	if err := c.open.complete(); err != nil {
		return err
	}
	err := c.enqueue(ctx, c.open.size(), c.execute)
	c.open.reset(nil)
	return err
}

// enqueue makes room for a statement of a size and has it put into out.
func (c *Conn) enqueue(ctx context.Context, size int, put func() error) error {
	if c.err != nil {
		return c.err
	}
	if q := &c.queue; q.unanswered() >= mostUnanswered || q.bytes+size > bytesUnanswered {
		if err := c.makeRoom(ctx, size); err != nil {
			return err
		}
	}
	if size > sendAt { // it may send parts of itself
		if err := c.wait(ctx, put); err != nil {
			return err
		}
	} else if err := put(); err != nil {
		return err
	}
	c.queue.pending = append(c.queue.pending, sentOff{size, c.parts})
	c.queue.bytes += size
	if len(c.out) < sendAt {
		return nil
	}
	return c.wait(ctx, c.flush)
}

// makeRoom reads the oldest answers, half of them so that the server has
// something to do meanwhile.
func (c *Conn) makeRoom(ctx context.Context, size int) error {
	return c.wait(ctx, func() error {
		return c.catchUp(func(q *queue) bool { return q.unanswered() <= mostUnanswered/2 && q.bytes+size <= bytesUnanswered })
	})
}

// ErrEarlier refuses a statement that would have to wait for others while one of
// them has failed: the rest may take long, and be of no use. It was not sent.
// Answer tells which, Discard takes back what is not sent.
var ErrEarlier = errors.New("a statement before it failed")

// catchUp sends what is queued and reads the oldest answers until it is enough,
// or one is an error.
func (c *Conn) catchUp(enough func(*queue) bool) error {
	q := &c.queue
	if q.unanswered() == 0 {
		return nil
	}
	if err := c.flush(); err != nil {
		return err
	}
	for q.unanswered() > 0 && !enough(q) {
		if err := c.oldest(); err != nil {
			return err
		}
		if q.answers[len(q.answers)-1].err != nil {
			return ErrEarlier
		}
	}
	return nil
}

// oldest reads the answer to the statement that has waited longest.
func (c *Conn) oldest() error {
	a, err := readAnswer(&c.in, c.queue.pending[0].parts, false, nil)
	if err == nil {
		c.queue.answered(a)
	}
	return err
}

// Unanswered returns how many answers Answer has still to return.
func (c *Conn) Unanswered() int { return len(c.queue.answers) + c.queue.unanswered() }

// Ready returns how many of them have come.
func (c *Conn) Ready() int { return len(c.queue.answers) }

// Answer returns the answer to the oldest statement of those queued: how many
// rows it found, or a ServerError. What is queued is sent first.
func (c *Conn) Answer(ctx context.Context) (int64, error) {
	q := &c.queue
	if len(q.answers) == 0 {
		if q.unanswered() == 0 {
			return 0, errors.New("no statement waits for an answer")
		}
		err := c.wait(ctx, func() error {
			if err := c.flush(); err != nil {
				return err
			}
			return c.oldest()
		})
		if err != nil {
			return 0, err
		}
	}
	a := q.answers[0]
	q.answers = append(q.answers[:0], q.answers[1:]...)
	return a.result()
}

func (a answer) result() (int64, error) {
	if a.err != nil {
		return 0, a.err
	}
	return a.n, nil
}

// Discard takes back what is queued and not sent, and the execution that is not
// queued.
func (c *Conn) Discard() {
	q := &c.queue
	for _, s := range q.pending[q.sent:] {
		q.bytes -= s.size
	}
	q.pending = q.pending[:q.sent]
	closing := c.closing
	c.out, c.closing = c.out[:0], nil
	c.open.reset(nil)
	for _, id := range closing {
		c.close(id)
	}
}

// aside runs statements whose answers are not queued, when all before them are
// answered: put puts them into out, and read reads their answers, while they are
// sent, since together both may be more than the network holds.
func (c *Conn) aside(ctx context.Context, put, read func() error) error {
	return c.wait(ctx, func() error {
		if err := c.catchUp(func(*queue) bool { return false }); err != nil {
			return err
		}
		if err := put(); err != nil {
			return err
		}
		if len(c.out) <= sendAt {
			if err := c.flush(); err != nil {
				return err
			}
			return read()
		}
		sent := make(chan error, 1)
		go func() { sent <- c.flush() }() // a "sender"
		err := read()
		if err != nil && !errors.As(err, new(*rowError)) { // before which all was sent, and read
			_ = c.raw.Close() // for the sender to end
		}
		if e := <-sent; err == nil {
			err = e
		}
		return err
	})
}

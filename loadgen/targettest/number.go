package targettest

import (
	"sync"
	"sync/atomic"
	"time"
)

// queue is the numbers of one id.
type queue struct {
	id    string
	taken atomic.Uint64 // requests that consumed a number

	cached atomic.Pointer[[]byte] // a body of before
	keys   claims

	mu       sync.Mutex // guards what follows
	reserved uint64     // the last number in any block
	blocks   []block    // of each node
	swap     swap
	waiters  []chan uint64 // of the slow node, in order of arrival
	asked    []uint64      // the numbers that it waits for itself, in the order in which it asked
}

// take consumes the next number, and says which one the behaviour makes of it.
func (c *conn) take(q *queue) uint64 {
	t := q.taken.Add(1)
	if c.srv.number != nil {
		return c.srv.number(&c.srv.Behaviour, t)
	}
	return t
}

// The t-th request of an id is given …

// … its forerunner's number, once in a period; none is skipped.
func repeating(b *Behaviour, t uint64) uint64 { return t - t/b.Period }

// … one number more than it should, once in a period.
func skipping(b *Behaviour, t uint64) uint64 { return t + t/b.Period }

// … 1 again, after so many.
func restarting(b *Behaviour, t uint64) uint64 {
	if t > b.After {
		return t - b.After
	}
	return t
}

// … a number beyond those that it skipped, after so many.
func jumping(b *Behaviour, t uint64) uint64 {
	if t > b.After {
		return t + b.Margin
	}
	return t
}

// … one more than it should, from the start.
func fromTwo(_ *Behaviour, t uint64) uint64 { return t + 1 }

// … one less than it should, from the start.
func fromZero(_ *Behaviour, t uint64) uint64 { return t - 1 }

// block is numbers that a node has reserved and not yet handed out: next…end.
type block struct{ next, end uint64 }

// prefetched hands out the node's own block, and reserves another 50 when it is used up. Each number is given once, but a
// node goes on with its smaller ones after another node's larger ones were answered.
func prefetched(c *conn, q *queue) error {
	const size = 50
	q.mu.Lock()
	b := &q.blocks[c.node]
	if b.next == b.end {
		b.next, b.end = q.reserved, q.reserved+size
		q.reserved += size
	}
	b.next++
	n := b.next
	q.mu.Unlock()
	q.taken.Add(1)
	return c.send(q, n)
}

// preempted takes the number for a connection's next request while it answers this one.
func preempted(c *conn, q *queue) error {
	n := c.spare
	if n == 0 {
		n = c.take(q)
	}
	c.spare = c.take(q)
	return c.send(q, n)
}

// lateJoin is a node (the first) whose store is Latency away, and which gives each number that comes back to the newest
// request that waits, though that one may have come after the number was made. The other nodes are right. The numbers come
// back in the order in which they were asked for, whichever of the timers wakes first.
func lateJoin(c *conn, q *queue) error {
	if c.node != 0 {
		return usual(c, q)
	}
	mine := make(chan uint64, 1)
	q.mu.Lock()
	q.waiters = append(q.waiters, mine)
	q.asked = append(q.asked, c.take(q))
	q.mu.Unlock()
	c.srv.pause(c.srv.Latency)
	q.mu.Lock()
	last := len(q.waiters) - 1
	q.waiters[last] <- q.asked[0]
	q.waiters, q.asked = q.waiters[:last], q.asked[1:]
	q.mu.Unlock()
	return c.send(q, <-mine) // it comes: as many numbers as waiters
}

// cachedAnswer answers once in a period with the copy of an answer of nearly a period ago, and consumes nothing.
func cachedAnswer(c *conn, q *queue) error {
	switch c.seq % c.srv.Period {
	case 0:
		if old := q.cached.Load(); old != nil {
			return c.sendBody(*old)
		}
	case 1:
		n := c.take(q)
		copied := c.srv.appendBody(nil, q.id, n)
		q.cached.Store(&copied)
		return c.send(q, n)
	}
	return usual(c, q)
}

// swap is the state of [swapped].
type swap struct {
	held    uint64        // handed out by nobody yet; 0 = none
	waiting bool          // the request that covers the hole waits for first
	free    chan struct{} // closed when it need not wait any more
}

// swapped gives once in a period two numbers in the wrong order: n+1 is answered, and then n goes to a request that the
// same client sent after it had that answer. A third request, there before both, waits meanwhile and gets a number after
// them: while it is in flight n could still be its own, so the numbers have no hole at any time, and no duplicate. All
// that is wrong is the order.
func swapped(c *conn, q *queue) error {
	q.mu.Lock()
	s := &q.swap
	switch {
	case s.held == 0 && s.waiting: // n stays behind
		s.held = c.take(q)
	case s.held != 0 && c.last > s.held: // this connection has had a larger one
		n, free := s.held, s.free
		s.held, s.waiting = 0, false
		q.mu.Unlock()
		err := c.send(q, n)
		close(free)
		return err
	case !s.waiting && c.seq%c.srv.Period == 0:
		*s = swap{waiting: true, free: make(chan struct{})}
		free := s.free
		q.mu.Unlock()
		return c.cover(q, free)
	}
	n := c.take(q)
	q.mu.Unlock()
	return c.send(q, n)
}

// cover waits for the swap to be done. If no connection comes back for the held number within Latency, it takes that
// itself, which is right.
func (c *conn) cover(q *queue, free chan struct{}) error {
	timer := time.NewTimer(c.srv.Latency)
	defer timer.Stop()
	select {
	case <-free:
		c.srv.pause(5 * time.Millisecond) // so that the answer before this one is read before this one
		return usual(c, q)
	case <-c.srv.done:
		return errClose
	case <-timer.C:
	}
	q.mu.Lock()
	n := q.swap.held
	q.swap.held, q.swap.waiting = 0, false
	if n == 0 {
		n = c.take(q)
	}
	q.mu.Unlock()
	return c.send(q, n)
}

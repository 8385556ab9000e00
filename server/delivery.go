package server

import (
	"sync/atomic"
	"time"
)

// delivery counts the numbers of a connection: handed to its answers, and delivered when the bytes of the answer were
// written. What is handed and not delivered when it closes could not be written.
type delivery struct{ handed, delivered atomic.Uint64 }

// hand counts a number into the next answer on c; or as burned, when its request waited so long that its client has left.
// It is written all the same: a client that has closed its sending half only looks like one that left.
func (c *conn) hand(to *books, since time.Time) {
	switch {
	case c == nil: // a test without connections
	case time.Since(since) >= patience && c.gone():
		to.burn(burnedClientGone, 1)
		c.number = false
	default:
		c.gave.handed.Add(1)
		c.number = true
	}
}

// refused notes that the answer made next on c hands out no number.
func (c *conn) refused() {
	if c != nil {
		c.number = false
	}
}

// written counts what is delivered once b is written. fasthttp fills its buffer with answer after answer while requests are
// pipelined, so b may end within one, which is delivered by the next. A number's answer ends in the brace that closes its
// JSON, and has no other; number says whether the answer that was made last is one that counts.
func (d *delivery) written(b []byte, number bool) {
	handed := d.handed.Load()
	if handed > 0 && number && b[len(b)-1] != '}' {
		handed--
	}
	d.delivered.Store(max(handed, d.delivered.Load()))
}

// add adds up connections. Delivered is read first, so that it is never more than handed.
func (d *delivery) add(c *delivery) {
	d.delivered.Add(c.delivered.Load())
	d.handed.Add(c.handed.Load())
}

// delivered is what all connections were given: the numbers whose answers were written, and those that could not be.
func (s *conns) delivered() (written, failed uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	written = s.closed.delivered.Load()
	failed = s.closed.handed.Load() - written
	for c := range s.all {
		written += c.gave.delivered.Load()
	}
	return written, failed
}

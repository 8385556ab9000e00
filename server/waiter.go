package server

import (
	"sync"
	"time"
)

// patience is for how long a request waits before the batcher looks whether its client is still there: in a healthy
// service nobody waits so long, and the look costs nothing.
const patience = 5 * time.Millisecond

// waiter is a request that waits for a number. All but done is written under the batcher's mu, before done gets its value.
type waiter struct {
	conn  *conn // nil: none, in tests
	of    *counter
	room  *room
	key   string // empty: none
	since time.Time
	done  chan struct{} // gets one value, when the rest says what became of it
	ended bool
	left  bool // it ended while its call was under way: the call still has it
	at    int  // which of its claim's keys is its own

	turno   uint64
	outcome outcome
	err     error
}

var waiters = sync.Pool{New: func() any { return &waiter{done: make(chan struct{}, 1)} }}

func newWaiter(c *conn, since time.Time, key string) *waiter {
	w := waiters.Get().(*waiter)
	w.conn, w.since, w.key = c, since, key
	return w
}

// end lets the request go on, unless it did already.
func (w *waiter) end(o outcome, err error) {
	if w.ended {
		return
	}
	w.ended, w.outcome, w.err = true, o, err
	w.of.held--
	w.room.leave()
	w.done <- struct{}{}
}

// leave ends a request whose call is still under way.
func (w *waiter) leave(o outcome) {
	w.left = true
	w.end(o, nil)
}

// recycle gives w back. One that left is still in its call's block, so it is left to the collector.
func (w *waiter) recycle() {
	if w.left {
		return
	}
	*w = waiter{done: w.done}
	waiters.Put(w)
}

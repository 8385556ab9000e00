package server

import (
	"context"
	"sync"
	"time"
)

// deadline is the context of one request. context.WithTimeout costs four allocations and a timer; a store that answers
// at once never looks at them, so here Done's channel and its timer are made when they are first asked for.
type deadline struct {
	at time.Time

	mu    sync.Mutex
	done  chan struct{} // nil until asked for
	timer *time.Timer
	err   error
}

var _ context.Context = (*deadline)(nil)

// deadlines hands out contexts and takes them back.
type deadlines struct {
	timeout time.Duration
	pool    sync.Pool
}

// begin returns a context that ends a timeout after start, or when it is given to end.
func (p *deadlines) begin(start time.Time) *deadline {
	d, ok := p.pool.Get().(*deadline)
	if !ok {
		d = new(deadline)
	}
	d.at = start.Add(p.timeout)
	return d
}

// end releases d. One whose channel was asked for may still be watched by whoever derived a context from it, so it is
// cancelled and left to the collector instead of being used again.
func (p *deadlines) end(d *deadline) {
	d.mu.Lock()
	used := d.done != nil
	d.mu.Unlock()
	if used {
		d.finish(context.Canceled)
		return
	}
	p.pool.Put(d)
}

// Deadline implements context.Context.
func (d *deadline) Deadline() (time.Time, bool) { return d.at, true }

// Value implements context.Context.
func (d *deadline) Value(any) any { return nil }

// Done implements context.Context.
func (d *deadline) Done() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.done == nil {
		d.done = make(chan struct{})
		d.timer = time.AfterFunc(time.Until(d.at), func() { d.finish(context.DeadlineExceeded) })
	}
	return d.done
}

// Err implements context.Context. Before anybody waits there is no timer, and it is not worth a look at the clock: a
// request is fresh when its store is first called.
func (d *deadline) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

func (d *deadline) finish(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return
	}
	d.err = err
	d.timer.Stop()
	close(d.done)
}

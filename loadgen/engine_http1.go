package loadgen

import (
	"context"
	"sync"
	"time"

	"github.com/turnomatico/tmctl/history"
)

// engine sends the hits of a step over the run's connections. drive returns when no more are due and every one that was
// claimed has ended. No engine ever repeats a request.
type engine interface {
	drive(ctx context.Context, s *step)
}

// http1 is the default engine: one goroutine a connection. An idle connection claims the next hit before it is due and
// sleeps until then, so a due hit never looks for a connection and nothing is handed from goroutine to goroutine.
type http1 struct{ run *runner }

var _ engine = (*http1)(nil)

func (e *http1) drive(ctx context.Context, s *step) {
	var wg sync.WaitGroup
	for _, c := range e.run.conns[:s.connections] {
		wg.Go(func() { e.work(ctx, s, c) })
	}
	wg.Wait()
}

// work is one connection's part of a step.
func (e *http1) work(ctx context.Context, s *step, c *conn) {
	s.gauge.work(s.now()) // every connection begins idle
	defer func() { s.gauge.rest(s.now()) }()
	for {
		if c.full { // the sink blocks: stop rather than eat all memory
			s.schedule.stop()
		}
		now := s.now()
		n, due, ok := s.schedule.claim(now)
		if !ok {
			s.settle(now)
			return
		}
		h := hit{queue: e.run.queueOf(n)}
		if s.closedLoop() {
			e.send(ctx, s, c, h)
			continue
		}
		if wait := due - now; wait > 0 {
			s.gauge.rest(now)
			awake := s.sleep(wait)
			now = s.now()
			s.gauge.work(now)
			if !awake {
				return
			}
			h.lag = now - due
		} else {
			h.wait, h.lag = s.gauge.blame(due, now)
		}
		e.send(ctx, s, c, h)
	}
}

// retryDial is how long a connection waits after the target could not be reached.
const retryDial = 20 * time.Millisecond

func (e *http1) send(ctx context.Context, s *step, c *conn, h hit) {
	if op := c.do(ctx, h); op.Reason == history.NotSent {
		s.sleep(retryDial)
	}
}

package loadgen

import (
	"fmt"
	"time"

	"github.com/turnomatico/tmctl/history"
)

// Sink takes what the connections did: the recorder, the proof. Run calls it from one goroutine, a few dozen times a
// second; a slow Sink never slows the load, but one that falls behind by more than a million ops ends the run.
type Sink interface {
	// Add takes a batch; it must not keep its slices. An error ends the run.
	Add(history.Batch) error
	// Violations is how many invariants have broken so far. The first ends the run unless the plan says KeepGoing.
	Violations() uint64
}

const (
	sweepEvery = 20 * time.Millisecond
	maxBacklog = 1 << 20 // ops waiting in the connections' buffers
)

// sweep collects what all connections finished, counts it for the step, and passes it on with the watermark: every op
// called before it has been swept.
//
// Why that holds: a connection stamps a call under its lock, and from then on the sweep sees it in flight. One that was
// not in flight when its lock was held will stamp its next call after that, so after the time taken here first.
func (r *runner) sweep(s *step) error {
	now := r.now()
	watermark := now
	inTimeUntil := s.start + s.length + r.plan.Objective.Tightest(r.plan.Timeout)
	r.batch.Ops, r.batch.Answers, r.lags = r.batch.Ops[:0], r.batch.Answers[:0], r.lags[:0]
	for _, c := range r.conns {
		c.mu.Lock()
		r.expire(c, now)
		if c.flight {
			watermark = min(watermark, c.call)
		}
		r.take(&c.ops, &c.answers)
		r.lags = append(r.lags, c.lags...)
		c.lags = c.lags[:0]
		for i := range c.keyed {
			s.tally.add(&c.keyed[i].op, c.keyed[i].lag, inTimeUntil)
		}
		c.keyed = c.keyed[:0]
		c.mu.Unlock()
	}
	s.count(r.batch.Ops, r.lags, inTimeUntil)
	watermark = r.sessions.sweep(r, &s.tally, watermark, now)
	r.batch.Watermark = max(watermark, r.batch.Watermark)
	err := r.sink.Add(r.batch)
	if n := len(r.batch.Ops); err == nil && n > maxBacklog {
		err = fmt.Errorf("recording fell behind by %d requests: the disk or the CPU is too slow for this rate; try --record none", n)
	}
	return err
}

// take moves ops and their answers into the batch.
func (r *runner) take(ops *[]history.Op, answers *[]history.Answer) {
	for _, a := range *answers {
		a.Index += len(r.batch.Ops)
		r.batch.Answers = append(r.batch.Answers, a)
	}
	r.batch.Ops = append(r.batch.Ops, *ops...)
	*ops, *answers = (*ops)[:0], (*answers)[:0]
}

// expire ends the request in flight on c, whose lock is held, when its time is over.
func (r *runner) expire(c *conn, now time.Duration) {
	c.expire(now-r.plan.Timeout, history.TimedOut)
	if r.cutOff != 0 {
		c.expire(r.cutOff, history.Interrupted)
	}
}

func (s *step) count(ops []history.Op, lags []time.Duration, inTimeUntil time.Duration) {
	for i := range ops {
		s.tally.add(&ops[i], lags[i], inTimeUntil)
	}
}

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
	r.batch.Ops, r.batch.Answers, r.lags = r.batch.Ops[:0], r.batch.Answers[:0], r.lags[:0]
	for _, c := range r.conns {
		c.mu.Lock()
		c.expire(now-r.plan.Timeout, history.TimedOut)
		if r.cutOff != 0 {
			c.expire(r.cutOff, history.Interrupted)
		}
		if c.flight {
			watermark = min(watermark, c.call)
		}
		for _, a := range c.answers {
			a.Index += len(r.batch.Ops)
			r.batch.Answers = append(r.batch.Answers, a)
		}
		r.batch.Ops = append(r.batch.Ops, c.ops...)
		r.lags = append(r.lags, c.lags...)
		c.ops, c.lags, c.answers = c.ops[:0], c.lags[:0], c.answers[:0]
		c.mu.Unlock()
	}
	r.batch.Watermark = max(watermark, r.batch.Watermark)
	s.count(r.batch.Ops, r.lags, s.start+s.length+r.plan.Objective.Tightest(r.plan.Timeout))
	err := r.sink.Add(r.batch)
	if n := len(r.batch.Ops); err == nil && n > maxBacklog {
		err = fmt.Errorf("recording fell behind by %d requests: the disk or the CPU is too slow for this rate; try --record none", n)
	}
	return err
}

func (s *step) count(ops []history.Op, lags []time.Duration, inTimeUntil time.Duration) {
	for i := range ops {
		s.tally.add(&ops[i], lags[i], inTimeUntil)
	}
}

package loadgen

import (
	"fmt"
	"sync"
	"time"

	"github.com/turnomatico/tmctl/history"
)

// step is one load level while it is driven.
type step struct {
	phase       history.Phase
	rate        float64 // requests/s; 0 = closed loop
	start       time.Duration
	length      time.Duration
	connections int
	schedule    *schedule
	gauge       gauge
	clock       func() time.Duration // since the start of the run

	settleOnce sync.Once
	missed     uint64 // hits that were due but never sent, because every connection was waiting for the target

	stopOnce sync.Once
	stopped  chan struct{}
	early    stopReason
	elapsed  time.Duration // how long hits were due, once stopped

	tally stepTally
}

// stopReason says why a step was ended before its time.
type stopReason uint8

const (
	onTime stopReason = iota
	doomed
	violated
	lost
	interrupted
	sinkFailed
)

func (s *step) closedLoop() bool { return s.rate == 0 }

// now counts from the start of the step.
func (s *step) now() time.Duration { return s.clock() - s.start }

// stop ends the step: nothing more is sent, sleepers wake. Only the sweep calls it.
func (s *step) stop(why stopReason) {
	s.stopOnce.Do(func() {
		now := s.now()
		s.early, s.elapsed = why, s.length // the last hit of a step is due a little before its end
		if why != onTime {
			s.elapsed = min(now, s.length)
		}
		s.schedule.stop()
		s.settle(now)
		close(s.stopped)
	})
}

// settle is called when the step is over, by whoever sees it first: it counts the hits that were due but not sent since all
// connections have been waiting for the target.
func (s *step) settle(now time.Duration) {
	s.settleOnce.Do(func() {
		if s.closedLoop() || s.gauge.idle.Load() != 0 {
			return
		}
		end := min(now, s.length)
		claimed := s.schedule.claimedSoFar()
		before := s.schedule.dueBy(min(end, time.Duration(s.gauge.busySince.Load())))
		if due := s.schedule.dueBy(end); due > max(claimed, before) {
			s.missed = due - max(claimed, before)
		}
	})
}

// sleep waits for d; it reports false when the step was stopped meanwhile. A short wait is a plain sleep, which costs a
// third of a timer that can be cut short.
func (s *step) sleep(d time.Duration) bool {
	if d < 10*time.Millisecond {
		time.Sleep(d)
	} else {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
		case <-s.stopped:
		}
	}
	select {
	case <-s.stopped:
		return false
	default:
		return true
	}
}

// stepTally is what the sweep has counted of a step.
type stepTally struct {
	sent, ok, inTime, errors uint64
	failures                 map[failure]uint64
	remarked                 uint64
	latency, service, lag    history.Histogram
	lastAnswer               time.Duration // when anything was last answered, since the start of the run
	failedSince              uint64        // requests that ended without an answer since then
	lateChecks               int           // how many sweeps in a row found that the step can't pass any more
	retries, retryErrors     uint64        // requests that were not due: with a key that had been sent before
}

func (t *stepTally) add(op *history.Op, lag, inTimeUntil time.Duration) {
	t.sent++
	t.lag.Record(lag)
	if op.Status != 0 || op.Reason == history.BadHTTP {
		t.lastAnswer, t.failedSince = max(t.lastAnswer, op.Return), 0
	} else if op.Call >= t.lastAnswer { // one that was overtaken says nothing about the target
		t.failedSince++
	}
	if op.Outcome != history.OK {
		t.fail(op)
		return
	}
	t.ok++
	if op.Reason == history.Remarked {
		t.remarked++
	}
	if op.Return <= inTimeUntil {
		t.inTime++
	}
	t.latency.Record(op.Latency())
	t.service.Record(op.Service())
}

// failure is why a request did not end in a valid 200.
type failure struct {
	reason history.Reason
	status uint16 // where the status is the reason
}

// String names the failure as result's error_reasons do: timeout, status_503.
func (f failure) String() string {
	if f.status != 0 {
		return fmt.Sprintf("%s_%d", f.reason, f.status)
	}
	return f.reason.String()
}

// retry counts a request that was not due.
func (t *stepTally) retry(op *history.Op) {
	t.retries++
	if op.Outcome != history.OK {
		t.retryErrors++
		t.blame(op)
	}
}

func (t *stepTally) fail(op *history.Op) {
	t.errors++
	t.blame(op)
}

// blame counts why a request failed.
func (t *stepTally) blame(op *history.Op) {
	f := failure{reason: op.Reason}
	if op.Reason == history.BadStatus || op.Reason == history.NotConsumed {
		f.status = op.Status
	}
	if t.failures == nil {
		t.failures = map[failure]uint64{}
	}
	t.failures[f]++
}

// worst names the most frequent failure.
func (t *stepTally) worst() string {
	var name string
	var most uint64
	for f, n := range t.failures {
		if s := f.String(); n > most || n == most && s < name {
			name, most = s, n
		}
	}
	return name
}

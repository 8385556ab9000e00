package loadgen

import (
	"fmt"
	"time"

	"github.com/turnomatico/tmctl/history"
)

// lostAfter is how long a target may give no answer at all, while requests go on ending without one, before it is lost.
const lostAfter = time.Second

// grace is how long requests in flight may still end by themselves after ^C.
const grace = time.Second

// consider ends a step early: on a violation, when the target is lost, and when the step can't pass any more, because a
// rate above the target's capacity measures the backlog, not the target.
func (r *runner) consider(s *step) {
	switch {
	case r.sink.Violations() > 0 && !r.plan.KeepGoing:
		s.stop(violated)
	case s.lost(r.now()):
		s.stop(lost)
	case r.plan.searching() && s.phase != history.Warmup && s.hopeless(r.plan.Objective):
		s.stop(doomed)
	}
	if s.early == interrupted && r.cutOff == 0 && s.now() > s.elapsed+grace {
		r.cutOff = r.now()
	}
}

// lost reports whether the target has stopped answering.
func (s *step) lost(now time.Duration) bool {
	patience := lostAfter
	if s.rate > 0 { // three in a row, where less than three a second are due
		patience = max(patience, time.Duration(3/s.rate*float64(time.Second)))
	}
	if s.early != doomed { // when no more are due, silence says nothing
		now = min(now, s.start+s.length)
	}
	return s.tally.failedSince > 0 && now-s.tally.lastAnswer > patience
}

// hopeless reports whether so many hits have already waited longer than a bound allows that no further answer can mend
// it. It must hold in three sweeps in a row: one may see a burst of answers not yet swept.
func (s *step) hopeless(slo SLO) bool {
	late := false
	for _, b := range slo.Latency {
		overdue := s.schedule.expectedBy(min(s.now()-b.Max, s.length)) - float64(s.tally.sent)
		late = late || overdue > b.allowedLate(s.rate*s.length.Seconds())+1
	}
	if !late {
		s.tally.lateChecks = 0
		return false
	}
	s.tally.lateChecks++
	return s.tally.lateChecks >= 3 && !s.closedLoop()
}

// summarize turns what was counted into a judged step.
func (r *runner) summarize(s *step, host hostUse) history.Step {
	t := &s.tally
	st := history.Step{
		Phase: s.phase, PlannedRate: s.rate, Start: s.start, Duration: s.length, Elapsed: s.elapsed,
		Planned: s.schedule.dueBy(s.elapsed), Sent: t.sent, Answered: t.inTime, Errors: t.errors,
		Latency: t.latency.Percentiles(), Service: t.service.Percentiles(), LagP99: t.lag.Quantile(.99),
		InFlightMax: int(r.inFlightMax.Load()), GeneratorCPU: host.own, HostCPU: host.all,
		EndedEarly: s.early != onTime, LatencyHDR: &t.latency, ServiceHDR: &t.service,
	}
	if s.elapsed > 0 {
		st.AchievedRate = float64(t.inTime) / s.elapsed.Seconds()
	}
	st.Limit, st.Why = r.judge(s, &st)
	st.Pass = st.Limit == history.NoLimit
	return st
}

// judge says what a step failed by, and why in words; NoLimit when it passed. What makes the step no measurement comes
// before what it measured; errors alone come first, since no late generator causes them.
func (r *runner) judge(s *step, st *history.Step) (history.Limit, string) {
	switch s.early {
	case violated:
		return history.InvariantViolated, "a number was wrong"
	case interrupted:
		return history.RunInterrupted, "interrupted"
	case sinkFailed:
		return history.RunInterrupted, "the recording failed"
	}
	if s.early == lost || s.lost(r.now()) {
		return history.TargetLost, fmt.Sprintf("no answer for %s", (r.now() - s.tally.lastAnswer).Round(100*time.Millisecond))
	}
	if r.sink.Violations() > 0 && !r.plan.KeepGoing { // else only the verdict tells, so that a search goes on, too
		return history.InvariantViolated, "a number was wrong"
	}
	if s.phase == history.Warmup || s.phase == history.Peak {
		return history.NoLimit, "not judged"
	}
	if share, slo := errorShare(st), r.plan.Objective; share > slo.Errors {
		return history.LimitErrors, fmt.Sprintf("errors %.3g%% > %.3g%% (%s)", share*100, slo.Errors*100, s.tally.worst())
	}
	if why := r.ownFault(s, st); why != "" {
		if r.outcome.Colocated {
			return history.LimitHost, why
		}
		return history.LimitGenerator, why
	}
	limit, why := r.targetFault(s, st)
	if (limit == history.LimitSLO || limit == history.LimitThroughput) && r.connectionBound(s, st) {
		return history.LimitConnections, why + fmt.Sprintf("; all %d connections were busy", s.connections)
	}
	return limit, why
}

// ownFault says why the step is no measurement of the target.
func (r *runner) ownFault(s *step, st *history.Step) string {
	if s.closedLoop() {
		return ""
	}
	if limit := r.plan.lagLimit(); st.LagP99 > limit {
		return fmt.Sprintf("our own lag p99 %s > %s", round(st.LagP99), limit)
	}
	ours := float64(st.Planned) - float64(st.Sent) - float64(s.missed)
	if ours > 0.01*float64(st.Planned)+1 {
		return fmt.Sprintf("%.0f of %d due hits were not sent while connections were idle", ours, st.Planned)
	}
	return ""
}

// targetFault says what the target failed by.
func (r *runner) targetFault(s *step, st *history.Step) (history.Limit, string) {
	slo := r.plan.Objective
	if s.early == doomed {
		return history.LimitSLO, fmt.Sprintf("ended after %s: the backlog grew, %d of %d due were answered",
			round(s.elapsed), s.tally.ok, st.Planned)
	}
	if st.Sent == 0 {
		return history.LimitThroughput, "nothing was sent"
	}
	if why := slo.missed(&s.tally.latency); why != "" {
		return history.LimitSLO, why
	}
	if need := slo.Samples(); s.tally.ok < need {
		return history.LimitSamples, fmt.Sprintf("%d answers are too few for the objective's percentiles: %d are needed", s.tally.ok, need)
	}
	if s.closedLoop() {
		return history.NoLimit, "every bound met"
	}
	if missed := s.missed; float64(missed) > 0.01*float64(st.Planned) {
		return history.LimitThroughput, fmt.Sprintf("%d of %d due hits found no idle connection", missed, st.Planned)
	}
	if float64(st.Answered) < 0.98*float64(st.Planned) {
		return history.LimitThroughput, fmt.Sprintf("%d of %d due were answered in time", st.Answered, st.Planned)
	}
	return history.NoLimit, "every bound met"
}

// connectionBound reports whether more connections would have carried more: all were busy, the target was fast, and in a
// closed loop all connections carried nearly twice what half of them did.
func (r *runner) connectionBound(s *step, st *history.Step) bool {
	fast := s.tally.service.Quantile(.99) < r.plan.Objective.Tightest(r.plan.Timeout)
	return fast && st.InFlightMax >= s.connections && r.scaling > nearlyLinear
}

// nearlyLinear is how much more twice the connections must carry for connections to be what limits.
const nearlyLinear = 1.7

// errorShare is the share of sent requests that did not end in a valid 200.
func errorShare(st *history.Step) float64 {
	if st.Sent == 0 {
		return 0
	}
	return float64(st.Errors) / float64(st.Sent)
}

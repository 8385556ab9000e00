package loadgen

import (
	"math"
	"time"

	"github.com/turnomatico/tmctl/history"
)

const (
	peakShare      = 8                // the bracket begins at this fraction of the closed-loop peak
	beyondPeak     = 1.2              // and stops once at this multiple of it
	peakWorthSteps = 8                // a budget of fewer steps has no time for a peak
	slowestShare   = 12               // a short trial never grows beyond this fraction of the budget
	longestConfirm = 30 * time.Second // of one confirming trial
	mostConfirms   = 3                // passes that confirm a rate when time is plenty
	spareTrials    = 3                // planned long trials beyond the wanted ones: one above, two to try failures again
	laterTrials    = 6                // the same for a further candidate, with its wanted ones: half of it stays for the next
)

// plan chooses the next trial, or ends the search.
func (s *Search) plan() {
	t, ok := Trial{}, false
	if !s.confirming {
		t, ok = s.shortTrial()
		if !ok && s.bracketPass() > 0 {
			s.startConfirming()
		}
	}
	if s.confirming {
		t, ok = s.longTrial()
	}
	if !ok {
		s.over = true
		return
	}
	l := s.level(t.Rate)
	if s.confirming {
		l.long = tally{}
	} else {
		l.short = tally{}
	}
	s.next = t
}

// again plans the same rate once more; false when there is no time for it.
func (s *Search) again() bool {
	if !s.confirming {
		return s.fitsShort()
	}
	d := min(s.next.Duration, s.left()-s.pause())
	if d < s.cfg.Step {
		return false
	}
	s.next.Duration = d
	if s.level(s.next.Rate).long.pass > 0 {
		s.next.Phase = history.Confirm // a trial above that passed is now a candidate like any other
	}
	return true
}

// guide lets the closed-loop peak say where to begin, and nothing more: a closed loop hides queueing, so its rate is
// neither reached by every open load nor a bound for it.
func (s *Search) guide(peak float64) {
	if peak > 0 && !math.IsInf(peak, 0) {
		s.peak = peak
		s.first = min(max(s.cfg.Start, s.tidy(peak/peakShare)), s.cfg.MaxRate)
	}
}

// bracketPass and bracketFail are the short trials' bracket; 0 = not known.
func (s *Search) bracketPass() float64 {
	return rateOf(s.highest(func(l *level) bool { return l.passed }))
}

func (s *Search) bracketFail() float64 {
	return rateOf(s.lowest(func(l *level) bool { return l.failed && !l.stale }))
}

// best is the highest confirmed rate.
func (s *Search) best() float64 {
	return rateOf(s.highest(func(l *level) bool { return l.confirmed }))
}

// reserve is the time that short trials may not touch.
func (s *Search) reserve() time.Duration {
	switch {
	case s.bracketPass() == 0:
		return 0 // nothing to confirm yet
	case s.best() > 0:
		return time.Duration(s.wanted+1) * (s.long + s.pause())
	default:
		return min(s.cfg.Budget/2, (mostConfirms+spareTrials)*longestConfirm)
	}
}

// up is the rate to try above one that passed. On the way it stops once just above the peak, where most servers fail: that
// bracket is narrower than a doubling that jumps over it.
func (s *Search) up(pass float64) float64 {
	next, beyond := pass*s.grow, s.peak*beyondPeak
	if pass*(1+s.cfg.Precision) < beyond && beyond < next {
		return beyond
	}
	return next
}

func (s *Search) fitsShort() bool {
	return s.left() >= s.step+s.pause()+s.reserve()
}

// shortTrial is the quick search: double (or halve) until a pass and a failure enclose the answer, then bisect in log
// space. False: it is done, or its time is up.
func (s *Search) shortTrial() (Trial, bool) {
	pass, fail := s.bracketPass(), s.bracketFail()
	t := Trial{Phase: history.Bracket, Duration: s.step}
	switch {
	case pass == 0 && fail == 0:
		t.Rate = s.first
	case pass == 0:
		t.Rate = max(s.cfg.Start, s.tidy(fail/2))
	case fail == 0:
		t.Rate = min(s.cfg.MaxRate, s.tidy(s.up(pass)))
	default:
		t.Phase, t.Rate = history.Bisect, s.tidy(math.Sqrt(pass*fail))
	}
	done := fail > 0 && (fail <= s.cfg.Start || s.close(pass, fail)) || pass >= s.cfg.MaxRate
	return t, !done && s.fitsShort()
}

// startConfirming divides what is left among the long trials.
func (s *Search) startConfirming() {
	s.confirming = true
	if s.best() > 0 {
		return // divided already
	}
	s.wanted = 2
	left, each := s.left(), s.cfg.Step+s.pause()
	switch {
	case left >= (mostConfirms+spareTrials)*(longestConfirm+s.pause()):
		s.wanted = mostConfirms
	case left < time.Duration(s.wanted+spareTrials)*each:
		s.wanted = 1
	}
	s.long = s.share(s.wanted + spareTrials)
}

// share is the length of a long trial when n of them must fit into what is left.
func (s *Search) share(n int) time.Duration {
	return min(longestConfirm, max(s.cfg.Step, s.left()/time.Duration(n)-s.pause()))
}

// longTrial is the slow search: confirm a rate, then show that the one just above fails. False: it is done, or its time
// is up.
func (s *Search) longTrial() (Trial, bool) {
	best := s.best()
	if best == 0 {
		return s.firstConfirm()
	}
	fail := s.lowest(func(l *level) bool { return l.failed && !l.stale })
	if fail == nil {
		return s.upward()
	}
	if !s.close(best, fail.rate) && s.left() >= time.Duration(s.wanted)*(s.long+s.pause()) {
		rate := max(s.tidy(math.Sqrt(best*fail.rate)), s.bracketPass())
		return Trial{history.Confirm, rate, s.long}, true
	}
	return s.above(fail.rate), fail.long.fail == 0 && s.left() >= s.cfg.Step+s.pause()
}

// above is a trial, as long as a confirming one if it can be, that is expected to fail.
func (s *Search) above(rate float64) Trial {
	return Trial{history.Above, rate, min(s.long, s.left()-s.pause())}
}

// upward goes on where nothing is known to fail: with short trials while they leave time to confirm what they find, else
// with one long trial.
func (s *Search) upward() (Trial, bool) {
	s.confirming = false
	t, ok := s.shortTrial()
	if ok || s.bracketPass() >= s.cfg.MaxRate {
		return t, ok
	}
	s.confirming = true
	t = s.above(t.Rate)
	t.Duration = min(t.Duration, s.share(2)) // it needs a second failure to bound anything
	return t, s.left() >= s.cfg.Step+s.pause()
}

// firstConfirm tries what the short trials found. When that does not hold, short trials flatter this server, and it
// goes down by itself: by one precision, then two more, then four, with trials that shrink to what is left.
func (s *Search) firstConfirm() (Trial, bool) {
	t := Trial{history.Confirm, s.bracketPass(), s.long}
	if s.refuted > 0 {
		fail := s.bracketFail()
		if fail <= s.cfg.Start {
			return t, false
		}
		down := math.Pow(1+s.cfg.Precision, math.Pow(2, float64(s.refuted-1)))
		t.Rate = max(s.cfg.Start, s.tidy(fail/down))
		t.Duration = min(s.long, s.share(laterTrials))
	}
	t.Duration = min(t.Duration, s.left()-s.pause())
	return t, t.Duration >= s.cfg.Step
}

// guess is the time that the search needs when every bisection costs a trial and a half and the first candidate holds.
func (s *Search) guess() time.Duration {
	each := s.cfg.Step + s.pause()
	if s.confirming {
		l := s.level(s.next.Rate)
		return time.Duration(max(1, s.wanted-l.long.pass)+1) * (s.next.Duration + s.pause())
	}
	width, d := 2.0, 2*each // no bracket yet: two steps to find one, of a factor of two
	if pass, fail := s.bracketPass(), s.bracketFail(); pass > 0 && fail > 0 {
		width, d = fail/pass, each
	}
	halvings := math.Ceil(math.Log2(max(1, math.Log(width)/math.Log1p(s.cfg.Precision))))
	d += time.Duration(halvings * 1.5 * float64(each))
	return d + min(s.cfg.Budget/2, (mostConfirms+1)*longestConfirm)
}

// raise takes it that l passes.
func (s *Search) raise(l *level) {
	unexpected := l.failed
	l.passed, l.failed, l.stale = true, false, false
	for i := range s.levels {
		m := &s.levels[i]
		if m.rate <= l.rate {
			m.failed, m.stale = false, false
		}
		if unexpected && m.failed {
			m.stale = true
		}
	}
	if unexpected {
		s.grow = 1 + s.cfg.Precision
	} else if s.next.Phase == history.Bracket {
		s.grow = min(2, s.grow*s.grow)
	}
}

// lower takes it that l fails.
func (s *Search) lower(l *level) {
	l.failed, l.stale = true, false
	for i := range s.levels {
		if m := &s.levels[i]; m.rate >= l.rate {
			m.passed, m.confirmed = false, false
		}
	}
}

// level returns the record of a rate. It is valid until the next call.
func (s *Search) level(rate float64) *level {
	for i := range s.levels {
		if s.levels[i].rate == rate {
			return &s.levels[i]
		}
	}
	s.levels = append(s.levels, level{rate: rate})
	return &s.levels[len(s.levels)-1]
}

// highest returns the highest level that is so; nil when there is none.
func (s *Search) highest(is func(*level) bool) (top *level) {
	for i := range s.levels {
		if l := &s.levels[i]; is(l) && (top == nil || l.rate > top.rate) {
			top = l
		}
	}
	return top
}

// lowest returns the lowest level that is so; nil when there is none.
func (s *Search) lowest(is func(*level) bool) (low *level) {
	for i := range s.levels {
		if l := &s.levels[i]; is(l) && (low == nil || l.rate < low.rate) {
			low = l
		}
	}
	return low
}

// rateOf is l's rate, 0 for none.
func rateOf(l *level) float64 {
	if l == nil {
		return 0
	}
	return l.rate
}

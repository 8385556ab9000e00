package loadgen

import (
	"math"
	"time"

	"github.com/turnomatico/tmctl/history"
)

// SearchConfig bounds a search.
type SearchConfig struct {
	Start     float64       // requests/s; no lower rate is ever tried
	MaxRate   float64       // requests/s; no higher rate is ever tried; 0 = no bound
	Step      time.Duration // the length of a short trial, and the least of a long one
	Precision float64       // the answer's interval: fail ≤ pass · (1 + Precision)
	Budget    time.Duration // for all trials and the pauses between them
}

// Trial is the next load level to drive.
type Trial struct {
	Phase    history.Phase
	Rate     float64 // requests/s; 0 = closed loop
	Duration time.Duration
}

// Observation is what a trial showed.
type Observation struct {
	Trial                  // as Next gave it
	Spent    time.Duration // since the search began, all trials and pauses
	Achieved float64       // answered/s
	Pass     bool
	Limit    history.Limit // why not Pass
}

// Search finds the largest rate that passes: one observation in, the next trial out. It has no clock, no network, no
// goroutine and no randomness. Zero or more times: Next, drive that trial, Observe. Then Answer.
//
// One search is two: a quick one with short trials (peak, bracket, bisect) that says where to look, and a slow one with
// long trials (confirm, above) that alone may answer. Rules of both:
//   - A rate that fails is tried once more before it bounds anything. Short trials: a pass then counts as a pass.
//     Long ones: a rate needs `wanted` passes before its second failure, so one of two is not enough.
//   - What passed lies below what failed. Later, longer evidence wins: a pass forgets failures at and below its rate,
//     a failure forgets passes at and above it.
//
// The budget is split in advance: once some rate has passed, short trials may not touch the half that is kept for the
// long ones (at most six of 30 s). What is left then is planned as the wanted passes, one trial above, and two to spare
// for failures that are tried again. A candidate that is refuted leaves less, and its successors' trials get shorter:
// an answer by short trials and with a wide interval is better than none. search_phases.go holds those plans.
type Search struct {
	cfg    SearchConfig
	levels []level // every rate tried
	next   Trial
	over   bool
	ended  history.Limit // what ended it from outside: violated, target_lost, interrupted

	spent, pauses time.Duration
	trials        int

	first float64       // where the bracket begins
	peak  float64       // the closed loop's rate; 0 = not known
	step  time.Duration // of a short trial; doubles when two of one rate disagree
	grow  float64       // the factor of the next step up

	confirming bool          // long trials; false = short ones
	wanted     int           // passes that confirm a rate
	long       time.Duration // of one confirming trial
	refuted    int           // rates that failed to be confirmed, in a row
}

// level is what is known of one rate.
type level struct {
	rate           float64
	short, long    tally
	passed, failed bool // at most one of them
	confirmed      bool // passed, by long trials
	stale          bool // failed, but before something higher or equal passed unexpectedly: not to be relied on
	limit          history.Limit
}

type tally struct{ pass, fail int }

func (t *tally) add(pass bool) {
	if pass {
		t.pass++
	} else {
		t.fail++
	}
}

// maxSearchRate stands in for "no bound": above it an interval is less than 1 ns.
const maxSearchRate = 1e9

// NewSearch returns a search that is about to try its first level.
func NewSearch(cfg SearchConfig) *Search {
	if cfg.MaxRate <= 0 || cfg.MaxRate > maxSearchRate {
		cfg.MaxRate = maxSearchRate
	}
	cfg.Start = min(max(cfg.Start, 0.001), cfg.MaxRate)
	cfg.Precision = max(cfg.Precision, 0.001)
	s := &Search{cfg: cfg, first: cfg.Start, step: cfg.Step, grow: 2, wanted: 2}
	s.next = Trial{Phase: history.Peak, Duration: cfg.Step}
	switch {
	case cfg.Step <= 0 || cfg.Budget < cfg.Step:
		s.over = true
	case cfg.Budget < peakWorthSteps*cfg.Step:
		s.plan()
	}
	return s
}

// Next returns the trial to drive now; false when the search is over. It may be called repeatedly.
func (s *Search) Next() (Trial, bool) { return s.next, !s.over }

// Observe takes what the trial that Next returned has shown, and plans the next one.
func (s *Search) Observe(o Observation) {
	s.charge(o.Spent)
	switch o.Limit {
	case history.InvariantViolated, history.TargetLost, history.RunInterrupted:
		s.ended, s.over = o.Limit, true // the trial itself counts neither way
	}
	if s.over {
		return
	}
	if s.next.Phase == history.Peak {
		s.guide(o.Achieved)
		s.plan()
		return
	}
	if s.judge(o.Pass, o.Limit) || !s.again() {
		s.plan()
	}
}

// charge books the time of a trial. One that ended at once still costs a tenth of its length: so the budget bounds the
// number of trials, whatever is observed.
func (s *Search) charge(spent time.Duration) {
	cost := max(spent-s.spent, s.next.Duration/10+1)
	s.pauses += max(0, cost-s.next.Duration)
	s.spent += cost
	s.trials++
}

// pause is what a trial costs beyond its length, by experience.
func (s *Search) pause() time.Duration {
	return s.pauses / time.Duration(max(s.trials, 1))
}

// left is the budget that is not spent.
func (s *Search) left() time.Duration { return max(0, s.cfg.Budget-s.spent) }

// judge counts a trial for its rate, and reports whether that decided the rate.
func (s *Search) judge(pass bool, limit history.Limit) bool {
	l := s.level(s.next.Rate)
	if !pass {
		l.limit = limit
	}
	if !s.confirming {
		l.short.add(pass)
		switch {
		case l.short.pass > 0:
			if l.short.fail > 0 { // too short to tell: we may be seeing a pause that comes every few seconds
				s.step = max(s.step, min(2*s.step, s.cfg.Budget/slowestShare))
			}
			s.raise(l)
		case l.short.fail > 1:
			s.lower(l)
		default:
			return false
		}
		return true
	}
	failedShort := l.failed
	l.long.add(pass)
	switch {
	case l.long.pass >= s.wanted:
		l.confirmed = true
		s.refuted = 0
		s.raise(l)
	case l.long.fail > 1 || failedShort && l.long.pass == 0:
		s.lower(l)
		s.refuted++
	default:
		return false
	}
	return true
}

// Answer returns what is known so far: the highest confirmed rate, the lowest that failed above it, and why. It is
// valid at any time; Reason is empty while nothing stands behind one. A rate counts as confirmed before its last wanted
// pass only while no other is and most of its long trials passed.
func (s *Search) Answer() history.MaxRate {
	a := history.MaxRate{Pass: s.best()}
	if a.Pass == 0 {
		a.Pass = rateOf(s.highest(func(l *level) bool { return !l.failed && l.long.pass > l.long.fail }))
	}
	fail := s.lowest(func(l *level) bool { return l.failed && l.rate > a.Pass && l.long.pass <= l.long.fail })
	a.Fail = rateOf(fail)
	switch {
	case s.ended != history.NoLimit:
		a.Reason = s.ended
	case a.Pass > 0 && fail != nil:
		a.Reason = fail.limit
	case !s.over:
	case a.Pass > 0:
		a.Reason = history.NoFailureInRange
	case fail == nil || fail.rate > s.cfg.Start:
		a.Reason = history.BudgetSpent
	case fail.limit == history.LimitGenerator, fail.limit == history.LimitHost, fail.limit == history.LimitSamples:
		a.Reason = fail.limit // not the target's fault
	default:
		a.Reason = history.NoPassInRange
	}
	return a
}

// Bracket returns the highest rate that passed, confirmed or not, and the lowest above it that failed; 0 = none. It is
// what to say when the budget ended first: "between 900/s and 1,000/s, unconfirmed".
func (s *Search) Bracket() (pass, fail float64) {
	return s.bracketPass(), rateOf(s.lowest(func(l *level) bool { return l.failed }))
}

// Progress is a search on a live line.
type Progress struct {
	Trial                    // being driven
	Pass, Fail float64       // as Bracket
	Left       time.Duration // a rough guess, never more than the budget's rest
}

// Progress returns where the search stands.
func (s *Search) Progress() Progress {
	p := Progress{Trial: s.next}
	p.Pass, p.Fail = s.Bracket()
	if !s.over {
		p.Left = min(s.left(), s.guess())
	}
	return p
}

// close reports whether pass and fail enclose the answer within the precision.
func (s *Search) close(pass, fail float64) bool {
	return fail <= pass*(1+s.cfg.Precision)*(1+1e-9)
}

// tidy rounds a rate to what its precision deserves, so that people can read it: 41,237 at 5 % is 41,200.
func (s *Search) tidy(rate float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(rate*s.cfg.Precision/5)))
	if unit < 1 { // a division by a whole number is exact where a multiplication by 0.1 is not
		per := math.Round(1 / unit)
		return math.Round(rate*per) / per
	}
	return math.Round(rate/unit) * unit
}

package loadgen

import (
	"math"
	"math/rand/v2"
	"sync"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// schedule says when the hits of one step are due, counted from its start, whatever the answers do (the open model). A
// closed-loop step has rate 0: every hit is due at once.
type schedule struct {
	rate   float64 // requests/s
	length time.Duration
	clock  func() time.Duration // since the step's start

	seed uint64

	mu      sync.Mutex
	random  *rand.Rand // nil: uniform arrivals
	claimed uint64
	next    float64 // seconds; when hit number `claimed` is due
	dues    []time.Duration
	keep    bool   // dues are kept, by number (the vegeta engine asks for them)
	taken   uint64 // how many of them were begun
	ahead   uint64 // how many hits Pace claims before their turn
	stopped bool
}

func newSchedule(rate float64, length time.Duration, arrivals string, seed uint64) *schedule {
	s := &schedule{rate: rate, length: length, seed: seed}
	if arrivals == Poisson && rate > 0 {
		s.random = rand.New(rand.NewPCG(seed, math.Float64bits(rate)))
		s.next = s.random.ExpFloat64() / rate
	}
	return s
}

// claim takes the next hit at now: its number and when it is due. It reports false when the step is over, or no more are
// due in it: a hit that nobody could take until then is missed, not sent late.
func (s *schedule) claim(now time.Duration) (n uint64, due time.Duration, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	due = now
	if s.rate > 0 {
		due = time.Duration(s.next * float64(time.Second))
	}
	if s.stopped || now >= s.length || due >= s.length {
		return 0, 0, false
	}
	n = s.claimed
	s.advance()
	if s.keep {
		s.dues = append(s.dues, due)
	}
	return n, due, true
}

func (s *schedule) advance() {
	s.claimed++
	switch {
	case s.rate == 0:
	case s.random != nil:
		s.next += s.random.ExpFloat64() / s.rate
	default:
		s.next = float64(s.claimed) / s.rate
	}
}

// stop ends the step: nothing more is due.
func (s *schedule) stop() {
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
}

// claimedSoFar is how many hits were taken.
func (s *schedule) claimedSoFar() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.claimed
}

// over reports whether the step was stopped.
func (s *schedule) over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopped
}

// dueBy is how many hits were due before t, claimed or not; in a closed loop it is what was claimed.
func (s *schedule) dueBy(t time.Duration) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rate == 0 {
		return s.claimed
	}
	if s.random == nil {
		return uint64(math.Ceil(max(0, t.Seconds()*s.rate-1e-9)))
	}
	again := newSchedule(s.rate, s.length, Poisson, s.seed) // from the start: idle connections claim ahead
	for again.next < t.Seconds() {
		again.advance()
	}
	return again.claimed
}

// expectedBy is about how many hits were due before t, less what chance explains.
func (s *schedule) expectedBy(t time.Duration) float64 {
	n := max(0, t.Seconds()) * s.rate
	if s.random != nil {
		n -= 4 * math.Sqrt(n)
	}
	return n
}

var _ vegeta.Pacer = (*schedule)(nil)

// Pace tells vegeta's Attacker how long to wait for hit number hits; it goes by our own clock, not by elapsed, so that
// both engines are on one schedule. It claims some hits ahead, as http1's idle connections do: a hit that was claimed
// before the step's end is sent, however late our timer is.
func (s *schedule) Pace(_ time.Duration, hits uint64) (wait time.Duration, stop bool) {
	for uint64(len(s.dues)) <= hits+s.ahead {
		if _, _, ok := s.claim(s.clock()); !ok {
			break
		}
	}
	if s.over() || uint64(len(s.dues)) <= hits {
		return 0, true
	}
	return max(0, s.due(hits)-s.clock()), false
}

// Rate is the rate that the schedule keeps, per second.
func (s *schedule) Rate(time.Duration) float64 { return s.rate }

func (s *schedule) due(n uint64) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dues[n]
}

// take is when hit n is due, and counts it as begun.
func (s *schedule) take(n uint64) time.Duration {
	s.mu.Lock()
	s.taken++
	s.mu.Unlock()
	return s.due(n)
}

// waits reports whether a hit that was due by now has not begun.
func (s *schedule) waits(now time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := time.Duration(s.next * float64(time.Second))
	if s.taken < uint64(len(s.dues)) {
		next = s.dues[s.taken]
	}
	return s.rate > 0 && next <= now && next < s.length
}

package linear

import (
	"math"
	"slices"
	"time"

	"github.com/turnomatico/tmctl/history"
)

// counter proves the numbers of one id.
//
// A number goes through three places. Above base it is a bit in the window: given, or not yet. Once it is final it leaves
// the window: base passes it, and if it was not given it is in missing, for good unless an op goes back to it.
//
// When is it final? A number m is, once every op not yet added has Seen ≥ m: by (2) none of them may be given m any more,
// and by (3) no unknown op among them can explain it. This is known from the watermark: let a be an op that was added,
// with turno T, and let the watermark W be > a.Return. An op b not yet added has b.Call ≥ W > a.Return. Clients stamp
// Call, then load Seen; and raise what Seen is loaded from, then stamp Return (see history.Op). So a had raised it to at
// least T before b loaded it: b.Seen ≥ T. Hence every m ≤ T is final when W passes a.Return. (W = a.Return is not enough:
// of two equal stamps nobody knows which was taken first.)
//
// Each batch leaves a checkpoint: its largest turno so far, and when that op had returned.
type counter struct {
	c       *Checker
	id      uint32
	touched bool

	base  uint64 // every number up to it has left the window
	start uint64 // the first number that the proof covers: all below may have been given before the run
	top   uint64 // the largest number given, and when it had been
	topAt time.Duration
	win   window
	marks []checkpoint
	miss  missing
}

type checkpoint struct {
	at    time.Duration
	turno uint64
}

// maxMarks bounds the checkpoints that wait for the watermark. Beyond it every second one is dropped: what it would have
// made final waits for the next.
const maxMarks = 1024

func newCounter(c *Checker, id uint32) *counter {
	k := &counter{c: c, id: id, start: 1}
	if !c.cfg.Fresh {
		k.start = math.MaxUint64
	}
	k.win.pool = &c.pages
	k.miss.tally, k.miss.declared = &c.tally, c.declared[id]
	return k
}

// given takes an op that was handed a number.
func (k *counter) given(o *history.Op) {
	v, t := o.Turno, &k.c.tally
	back := v <= o.Seen
	if back {
		t.wentBack++
	} else if v < k.start {
		k.start = v // the low edge is open, and this op alone proves that v was still to be given
	}
	if v > k.top {
		k.top, k.topAt = v, o.Return
	}
	twice := false
	if v > k.base {
		twice = k.win.set(v)
		if k.c.pages.over() {
			k.c.relieve()
		}
	} else {
		switch k.miss.take(v) {
		case wasGiven:
			twice = true
		case cantTell:
			t.blurred++
		}
	}
	if twice {
		t.duplicates++
	}
	if twice || back {
		k.c.notes.broken(o, twice, back, &k.c.recent)
	}
}

// unknown takes an op that may have consumed a number above seen.
func (k *counter) unknown(seen uint64) {
	k.miss.explain(seen)
}

// mark leaves a checkpoint.
func (k *counter) mark() {
	n := len(k.marks)
	if k.top == 0 || n > 0 && k.marks[n-1].turno == k.top {
		return
	}
	for n > 0 && k.marks[n-1].at >= k.topAt { // a larger turno that was there sooner
		n--
	}
	k.marks = append(k.marks[:n], checkpoint{k.topAt, k.top})
	if len(k.marks) > maxMarks {
		half := k.marks[:0]
		for i := len(k.marks) % 2; i < len(k.marks); i += 2 {
			half = append(half, k.marks[min(i+1, len(k.marks)-1)])
		}
		k.marks = half
	}
}

// settle makes final what watermark allows.
func (k *counter) settle(watermark time.Duration) {
	n := 0
	for n < len(k.marks) && k.marks[n].at < watermark {
		n++
	}
	if n == 0 {
		return
	}
	to := k.marks[n-1].turno
	k.marks = slices.Delete(k.marks, 0, n)
	k.advance(to)
}

// advance moves base up to to; what is missing up to there becomes final.
func (k *counter) advance(to uint64) {
	if to <= k.base {
		return
	}
	k.win.drain(k.base+1, to, k.lost)
	k.base = to
}

// lost takes a maximal run of numbers that nobody was given.
func (k *counter) lost(first, last uint64) {
	if first < k.start { // not for us to judge, but kept: a number that comes twice down there is a duplicate
		end := min(last, k.start-1)
		k.miss.leave(first, end)
		if end == last {
			return
		}
		first = end + 1
	}
	if !k.c.cfg.Exclusive {
		k.miss.leave(first, last)
		return
	}
	if k.miss.lose(first, last) {
		k.c.notes.gap(k.id, first, last, &k.c.recent)
	}
}

// declare takes a declaration of numbers first…last.
func (k *counter) declare(s *spans, first, last uint64) {
	k.miss.declared = s
	k.miss.declare(first, last)
}

// givenAnyway is how many of the numbers that were declared skipped were given all the same, as far as they are final.
func (k *counter) givenAnyway() uint64 {
	if k.miss.declared == nil || !k.c.cfg.Exclusive {
		return 0
	}
	n := k.miss.declared.within(k.start, k.base) - k.miss.forgot.n[declared]
	for _, r := range k.miss.runs {
		if r.why == declared {
			n -= r.size()
		}
	}
	return n
}

// finish makes everything final: no op is in flight.
func (k *counter) finish() {
	k.marks = nil
	k.advance(k.top)
}

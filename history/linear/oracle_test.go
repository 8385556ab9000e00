package linear

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/turnomatico/tmctl/history"
)

// counts is what the definition says of a history.
type counts struct{ ops, unknown, duplicates, wentBack, gaps, burned, declared, bad uint64 }

func countsOf(p history.Proof) counts {
	return counts{p.Ops, p.Unknown, p.Duplicates, p.WentBack, p.Gaps, p.Burned, p.Declared, p.BadAnswers}
}

func (c counts) linearizable() bool { return c.duplicates+c.wentBack+c.gaps == 0 }

// define counts by the words of the package comment, with all ops and declarations at hand and no cleverness.
func define(ops []history.Op, cfg Config, said ...history.Range) (c counts) {
	given := map[uint64]bool{}
	start, top := uint64(1<<63), uint64(0)
	if cfg.Fresh {
		start = 1
	}
	var free []uint64 // Seen of unknown ops
	for _, o := range ops {
		switch o.Outcome {
		case history.Unknown:
			free = append(free, o.Seen)
			c.unknown++
		case history.OK:
			c.ops++
			if given[o.Turno] {
				c.duplicates++
			}
			if o.Turno <= o.Seen {
				c.wentBack++
			} else {
				start = min(start, o.Turno)
			}
			given[o.Turno] = true
			top = max(top, o.Turno)
		}
	}
	if !cfg.Exclusive {
		return c
	}
	slices.Sort(free)
	for m := start; m <= top; m++ {
		switch {
		case given[m]:
		case covers(said, m):
			c.declared++
		case len(free) > 0 && free[0] < m:
			free = free[1:]
			c.burned++
		default:
			c.gaps++
		}
	}
	return c
}

// covers reports whether a number was declared skipped.
func covers(said []history.Range, m uint64) bool {
	return slices.ContainsFunc(said, func(r history.Range) bool { return r.First <= m && m <= r.Last })
}

// skipped is an op for each number up to the largest one given that was declared skipped and that nobody was given: it
// consumed exactly that number, at whatever time.
func skipped(ops []history.Op, said []history.Range) (all []porcupine.Operation) {
	given, top := map[uint64]bool{}, uint64(0)
	for _, o := range ops {
		if o.Outcome == history.OK {
			given[o.Turno], top = true, max(top, o.Turno)
		}
	}
	for m := uint64(1); m < top; m++ {
		if covers(said, m) && !given[m] {
			all = append(all, porcupine.Operation{ClientId: len(ops) + len(all), Call: -1, Return: 1 << 40, Output: int(m)})
		}
	}
	return all
}

// search asks porcupine whether a counter that starts at one of from explains the history of one id. An unknown op may
// happen at any time after its call, or never; never is the same as after everything else, so that it needs no state of
// its own.
func search(ops []history.Op, said []history.Range, from ...int) bool {
	var all []porcupine.Operation
	burned := skipped(ops, said)
	for i, o := range ops {
		if o.Outcome == history.Failed {
			continue
		}
		p := porcupine.Operation{ClientId: i, Call: int64(o.Call), Return: int64(o.Return), Output: int(o.Turno)}
		if o.Outcome == history.Unknown {
			p.Return = 1 << 40
		}
		all = append(all, p)
	}
	for _, s := range from {
		model := porcupine.Model{
			Init: func() any { return s },
			Step: func(state, _, output any) (bool, any) {
				next, turno := state.(int)+1, output.(int)
				return turno == 0 || turno == next, next
			},
		}
		above := slices.DeleteFunc(slices.Clone(burned), func(p porcupine.Operation) bool { return p.Output.(int) <= s })
		if porcupine.CheckOperations(model, append(above, all...)) {
			return true
		}
	}
	return false
}

// invent makes a history of n requests to a right server: each takes its number at a point between its call and its
// return; unknown ones at any later time, or never. All stamps differ.
func invent(rng *rand.Rand, n int, base uint64, unknown float64) []history.Op {
	stamps := rng.Perm(4 * n)
	ops := make([]history.Op, n)
	type taking struct{ op, at int }
	var order []taking
	for i := range ops {
		a, b := stamps[2*i], stamps[2*i+1]
		if rng.IntN(2) == 0 { // short ops make more real-time order
			b = a + 1 + (b-a)*(b-a)/(8*n)
		}
		a, b = min(a, b), max(a, b)
		ops[i] = history.Op{Call: time.Duration(3 * a), Return: time.Duration(3*b + 1), Status: 200}
		at := 3*a + 1
		if b > a {
			at += rng.IntN(3 * (b - a))
		}
		switch r := rng.Float64(); {
		case r < unknown:
			ops[i].Outcome, ops[i].Reason = history.Unknown, history.TimedOut
			at += rng.IntN(4 * n)
			if rng.IntN(2) == 0 {
				continue
			}
		case r < unknown+.05:
			ops[i].Outcome, ops[i].Reason = history.Failed, history.NotSent
			continue
		}
		order = append(order, taking{i, at})
	}
	slices.SortStableFunc(order, func(a, b taking) int { return a.at - b.at })
	for turno, t := range order {
		if o := &ops[t.op]; o.Outcome == history.OK {
			o.Turno = base + uint64(turno) + 1
		}
	}
	return ops
}

// see sets what each op had seen: the largest turno that had returned before its call.
func see(ops []history.Op) {
	for i := range ops {
		ops[i].Seen = 0
		for j := range ops {
			if o := &ops[j]; o.ID == ops[i].ID && o.Outcome == history.OK && o.Return < ops[i].Call {
				ops[i].Seen = max(ops[i].Seen, o.Turno)
			}
		}
	}
}

// mutate makes the server wrong, or the client's knowledge less, at random.
func mutate(rng *rand.Rand, ops []history.Op) {
	o := &ops[rng.IntN(len(ops))]
	switch p := &ops[rng.IntN(len(ops))]; rng.IntN(7) {
	case 0, 1:
		if o.Outcome == history.OK {
			o.Turno = max(1, o.Turno+uint64(rng.IntN(4))-1)
		}
	case 2:
		if o.Outcome == history.OK && p.Outcome == history.OK {
			o.Turno, p.Turno = p.Turno, o.Turno
		}
	case 3:
		if o.Outcome == history.OK && p.Outcome == history.OK {
			o.Turno = p.Turno
		}
	case 4:
		o.Outcome, o.Turno = history.Unknown, 0
	case 5:
		o.Outcome, o.Turno = history.Failed, 0
	}
}

// jump lets the server skip some numbers, and says which of them it declares: all, or nearly.
func jump(rng *rand.Rand, ops []history.Op) (said []history.Range) {
	at, by := ops[rng.IntN(len(ops))].Turno, 1+rng.Uint64N(5)
	for i := range ops {
		if ops[i].Turno > at {
			ops[i].Turno += by
		}
	}
	r := history.Range{ID: "grupo1", First: at + 1, Last: at + by}
	switch rng.IntN(8) {
	case 0:
		r.First++
	case 1:
		r.Last--
	case 2:
		r.Last += rng.Uint64N(3)
	case 3:
		r.First = max(1, r.First-min(r.First, rng.Uint64N(4)))
	}
	if r.First <= r.Last {
		said = append(said, r)
	}
	if rng.IntN(6) == 0 { // some of it again, from another node
		said = append(said, history.Range{ID: "grupo1", First: at + 1, Last: at + 1 + rng.Uint64N(by)})
	}
	return said
}

// jumps is up to n of them.
func jumps(rng *rand.Rand, ops []history.Op, n int) (said []history.Range) {
	for range rng.IntN(n + 1) {
		said = append(said, jump(rng, ops)...)
	}
	return said
}

// deliver cuts ops into batches of random sizes in a random order, with watermarks as high or as low as they may be.
func deliver(rng *rand.Rand, ops []history.Op, add func(history.Batch)) {
	ops = slices.Clone(ops)
	switch rng.IntN(3) {
	case 0:
		rng.Shuffle(len(ops), func(i, j int) { ops[i], ops[j] = ops[j], ops[i] })
	case 1:
		slices.SortFunc(ops, func(a, b history.Op) int { return int(a.Return - b.Return) })
	}
	eager, largest := rng.IntN(3) > 0, 1+rng.IntN(len(ops))
	for watermark := time.Duration(0); len(ops) > 0; {
		n := 1 + rng.IntN(min(largest, len(ops)))
		b := history.Batch{Ops: ops[:n]}
		if ops = ops[n:]; eager || rng.IntN(4) == 0 {
			highest := time.Duration(1 << 40)
			for _, o := range ops {
				highest = min(highest, o.Call)
			}
			watermark = max(watermark, highest)
		}
		b.Watermark = watermark
		add(b)
	}
}

// check runs the Checker over ops, delivered as rng says, and declares each range at some time: before, between or after
// them.
func check(rng *rand.Rand, ops []history.Op, cfg Config, said ...history.Range) history.Proof {
	c := New(cfg)
	left, share := slices.Clone(said), rng.Float64()
	declare := func(share float64) {
		left = slices.DeleteFunc(left, func(r history.Range) bool {
			now := rng.Float64() < share
			if now {
				c.Declare(r)
			}
			return now
		})
	}
	declare(share)
	deliver(rng, ops, func(b history.Batch) { c.Add(b); declare(share * share) })
	if rng.IntN(2) == 0 {
		c.Close()
	}
	declare(1)
	return c.Close()
}

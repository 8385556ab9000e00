package linear

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/turnomatico/tmctl/history"
)

// TestReliefKeepsTheCounts lets the windows run full, so that numbers are made final before they are: the counts of Close
// must not change by it.
func TestReliefKeepsTheCounts(t *testing.T) {
	for seed := range 500 {
		rng := rand.New(rand.NewPCG(uint64(seed), 6))
		ops := invent(rng, 40, 0, .2)
		for range rng.IntN(8) {
			mutate(rng, ops)
		}
		for i := range ops { // every number on a page of its own
			ops[i].Turno *= 2 * pageSize
		}
		said := jumps(rng, ops, 3)
		see(ops)
		want := define(ops, fresh, said...)
		c := New(fresh)
		c.pages.limit = 3
		deliver(rng, ops, func(b history.Batch) {
			if c.Add(b); len(said) > 0 && rng.IntN(2) == 0 {
				c.Declare(said[0])
				said = said[1:]
			}
		})
		for _, r := range said {
			c.Declare(r)
		}
		if got := countsOf(c.Close()); got != want {
			t.Fatalf("seed %d: Close() counts %+v; want %+v of %+v", seed, got, want, ops)
		}
	}
}

// TestEarlyFinalityKeepsTheCounts makes numbers final at moments when they are not: missing must undo all of it.
func TestEarlyFinalityKeepsTheCounts(t *testing.T) {
	for seed := range 5000 {
		rng := rand.New(rand.NewPCG(uint64(seed), 8))
		ops := invent(rng, 30, 0, .3)
		for range rng.IntN(8) {
			mutate(rng, ops)
		}
		said := jumps(rng, ops, 3)
		see(ops)
		want := define(ops, fresh, said...)
		c := New(fresh)
		deliver(rng, ops, func(b history.Batch) {
			if c.Add(b); c.counters[0] != nil {
				c.counters[0].advance(rng.Uint64N(c.counters[0].top + 1))
			}
			if len(said) > 0 && rng.IntN(2) == 0 {
				c.Declare(said[0])
				said = said[1:]
			}
		})
		for _, r := range said {
			c.Declare(r)
		}
		if got := countsOf(c.Close()); got != want {
			t.Fatalf("seed %d: Close() counts %+v; want %+v of %+v", seed, got, want, ops)
		}
	}
}

// TestNobodyIsConvictedEarly watches right servers while their ops come in: a number in flight is no gap yet.
func TestNobodyIsConvictedEarly(t *testing.T) {
	for seed := range 3000 {
		rng := rand.New(rand.NewPCG(uint64(seed), 9))
		ops := invent(rng, 30, 0, .2)
		see(ops)
		c := New(fresh)
		deliver(rng, ops, func(b history.Batch) {
			if c.Add(b); c.Violations() > 0 {
				t.Fatalf("seed %d: %d violations of a right server: %+v", seed, c.Violations(), ops)
			}
		})
	}
	// Of two equal stamps nobody knows which was taken first: 1 may still come.
	c := New(fresh)
	c.Add(history.Batch{Ops: []history.Op{{Call: 1, Return: 5, Turno: 2}}, Watermark: 5})
	c.Add(history.Batch{Ops: []history.Op{{Call: 5, Return: 9, Turno: 1}}, Watermark: 10})
	if p := c.Close(); p.Violations() > 0 {
		t.Errorf("Close() = %+v; want no violation", p)
	}
	c = New(fresh)
	c.Add(history.Batch{Ops: []history.Op{{Call: 1, Return: 5, Turno: 2}}, Watermark: 5})
	if n := c.Violations(); n > 0 {
		t.Errorf("%d violations while 1 may still come", n)
	}
}

// TestGapIsSeenSoon: a run must not go on for long after its numbers went wrong, also when the id is not used any more.
func TestGapIsSeenSoon(t *testing.T) {
	batches := load(2, 64, 20_000, 200)
	c := New(Config{IDs: []string{"grupo1", "grupo2"}, Fresh: true, Exclusive: true})
	for i := range batches {
		b := &batches[i]
		if i == 10 {
			b.Ops = slices.Delete(b.Ops, 50, 51)
		}
		c.Add(*b)
		if n := c.Violations(); i >= 15 && n != 1 || i < 10 && n != 0 {
			t.Fatalf("%d violations after batch %d; want one at 15 at the latest, none before 10", n, i)
		}
	}
	c = New(Config{IDs: []string{"grupo1", "grupo2"}, Fresh: true, Exclusive: true})
	c.Add(history.Batch{Ops: []history.Op{{Call: 1, Return: 5, Turno: 2}}, Watermark: 5})
	c.Add(history.Batch{Ops: []history.Op{{Call: 6, Return: 7, ID: 1, Turno: 1}, {Call: 8, Return: 9, ID: 1, Turno: 2, Seen: 1}}, Watermark: 9})
	if n := c.Violations(); n != 1 {
		t.Errorf("%d violations; want the gap of an id that is not used any more", n)
	}
}

// TestCutConvictsNobodyOfWhatIsLost takes the end off right histories, in which requests were in flight.
func TestCutConvictsNobodyOfWhatIsLost(t *testing.T) {
	batches := load(1, 64, 5000, 100)
	for n := range batches {
		c := New(fresh)
		for _, b := range batches[:n] {
			c.Add(b)
		}
		if p := c.Cut(); p.Violations() > 0 {
			t.Fatalf("Cut() after %d batches = %+v; want no violation", n, p)
		}
	}
}

// TestForgottenMiddle has more ranges missing than are kept: what is below and above those that are forgotten stays exact; a
// late number among them went back, but is not told from a duplicate.
func TestForgottenMiddle(t *testing.T) {
	const given = 2 * maxRuns
	c := New(Config{IDs: []string{"grupo1"}, Fresh: true, Exclusive: true})
	var b history.Batch
	for i := range given {
		at := time.Duration(i) * 2
		b.Ops = append(b.Ops, history.Op{Call: at, Return: at + 1, Turno: uint64(i+1) * 2, Seen: uint64(i) * 2})
	}
	b.Watermark = given * 2
	c.Add(b)
	if got, want := c.Live().Gaps, uint64(given); got != want {
		t.Fatalf("Live().Gaps = %d; want %d", got, want)
	}
	m := &c.counters[0].miss
	if f := m.forgot; f.first < maxRuns/2 || f.last > 2*given-maxRuns/4 || len(m.runs) > maxRuns || f.n[gap]+uint64(len(m.runs)) < given-1 {
		t.Fatalf("%d runs are kept, %+v forgotten; want the middle of %d", len(m.runs), f, given)
	}
	back := func(turno uint64) {
		c.Add(history.Batch{Ops: []history.Op{{Call: given * 2, Return: given*2 + 1, Turno: turno, Seen: given * 2}}, Watermark: given * 2})
	}
	was := countsOf(c.Live())
	steps := []struct {
		name  string
		do    func()
		turno uint64
		want  func(c *counts)
	}{
		{name: "a gap below", turno: 7, want: func(c *counts) { c.gaps-- }},
		{name: "the same again", turno: 7, want: func(c *counts) { c.duplicates++ }},
		{name: "a number given before, below", turno: 8, want: func(c *counts) { c.duplicates++ }},
		{name: "the first number that is forgotten", turno: m.forgot.first, want: func(c *counts) {}},
		{name: "the last one", turno: m.forgot.last, want: func(c *counts) {}},
		{name: "the number after it", turno: m.forgot.last + 1, want: func(c *counts) { c.duplicates++ }},
		{name: "a gap above", turno: 2*given - 1, want: func(c *counts) { c.gaps-- }},
		{name: "a declaration above", do: func() { c.Declare(history.Range{ID: "grupo1", First: 2*given - 5, Last: 2*given + 9}) },
			want: func(c *counts) { c.gaps -= 2; c.declared += 2 }},
		{name: "a declaration of what is forgotten", do: func() { c.Declare(history.Range{ID: "grupo1", First: m.forgot.first, Last: m.forgot.first + 1}) },
			want: func(c *counts) {}},
	}
	for _, s := range steps {
		if s.do != nil {
			s.do()
		} else {
			back(s.turno)
			was.ops++
			was.wentBack++
		}
		s.want(&was)
		if got := countsOf(c.Live()); got != was {
			t.Errorf("after %s: %+v; want %+v", s.name, got, was)
		}
	}
	p := c.Close()
	m.fill(0, was.gaps-1) // as by so many late requests of unknown outcome
	was.gaps, was.burned = 1, was.gaps-1
	if got := countsOf(c.Live()); got != was {
		t.Errorf("after late requests of unknown outcome: %+v; want %+v", got, was)
	}
	if n := len(p.Findings); n == 0 || n > history.MaxFindings {
		t.Errorf("%d findings", n)
	}
	if said := strings.Join(p.Remarks, "\n"); !strings.Contains(said, "declared skipped so late") {
		t.Errorf("remarks %q; want one about the late declaration", said)
	}
}

func TestUnknownsStayBounded(t *testing.T) {
	var u unknowns
	lenient := false
	for i := range uint64(3 * maxUnknowns) {
		lenient = u.push(i^1) || lenient
	}
	if len(u.heap) > maxUnknowns || !lenient {
		t.Errorf("%d entries, lenient %v; want at most %d, lenient", len(u.heap), lenient, maxUnknowns)
	}
	if n := u.below(1 << 62); n != 3*maxUnknowns {
		t.Errorf("below(2^62) = %d; want %d: merging must lose none", n, 3*maxUnknowns)
	}
}

func TestFullPageAndWordEdges(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 7))
	for range 2000 {
		pool := pagePool{limit: 1000}
		w := window{pool: &pool}
		top := 1 + rng.Uint64N(3*pageSize)
		holes := map[uint64]bool{}
		for range rng.IntN(6) {
			for v, n := 1+rng.Uint64N(top), rng.IntN(200); n > 0 && v <= top; v, n = v+1, n-1 {
				holes[v] = true
			}
		}
		for v := uint64(1); v <= top; v++ {
			if !holes[v] && w.set(v) {
				t.Fatalf("set(%d) was there", v)
			}
		}
		got, last := 0, uint64(0)
		for base := uint64(0); base < top; {
			to := min(top, base+1+rng.Uint64N(pageSize))
			w.drain(base+1, to, func(first, end uint64) {
				if first <= last || end < first || end > to {
					t.Fatalf("drain(%d, %d) loses %d…%d after %d", base+1, to, first, end, last)
				}
				for v := first; v <= end; v++ {
					if !holes[v] {
						t.Fatalf("drain(%d, %d) loses %d, which was set", base+1, to, v)
					}
					got++
				}
				last = end
			})
			base = to
		}
		if got != len(holes) {
			t.Fatalf("drained %d missing numbers; want %d of %d", got, len(holes), top)
		}
		if pool.held > 1 {
			t.Fatalf("%d pages are held after all was drained", pool.held)
		}
	}
}

// TestOtherRequestIsRemembered needs no history for what was given lately, however little was kept at first.
func TestOtherRequestIsRemembered(t *testing.T) {
	for _, n := range []int{2, 63, 64, 65, 130, 1000, recentOps} {
		c := New(fresh)
		var b history.Batch
		for i := range n {
			at := time.Duration(i) * 2
			b.Ops = append(b.Ops, history.Op{Call: at, Return: at + 1, Turno: uint64(i + 1), Seen: uint64(i)})
		}
		again := time.Duration(2 * n)
		b.Ops = append(b.Ops, history.Op{Call: again, Return: again + 1, Turno: 1, Seen: uint64(n)})
		c.Add(b)
		p := c.Close()
		if len(p.Findings) != 2 || p.Findings[0].Other == nil || p.Findings[0].Other.Call != 0 || p.Findings[1].Other == nil {
			t.Errorf("after %d ops: findings %+v; want both with the other request", n, p.Findings)
		}
	}
}

func TestOverlapRemark(t *testing.T) {
	tests := []struct {
		name string
		ops  []history.Op
		none bool
	}{
		{"one after the other", []history.Op{{Call: 1, Return: 3, Turno: 1}, {Call: 3, Return: 6, Turno: 2}, {Call: 7, Return: 8, Turno: 3}}, true},
		{"the same, handed in late", []history.Op{{Call: 7, Return: 8, Turno: 3}, {Call: 3, Return: 6, Turno: 2}, {Call: 1, Return: 3, Turno: 1}}, true},
		{"together", []history.Op{{Call: 1, Return: 4, Turno: 1}, {Call: 3, Return: 6, Turno: 2}}, false},
		{"one across two", []history.Op{{Call: 1, Return: 9, Turno: 1}, {Call: 2, Return: 3, Turno: 2}, {Call: 4, Return: 5, Turno: 3}}, false},
		{"together with one that failed", []history.Op{{Call: 1, Return: 9, Turno: 1}, {Call: 2, Return: 3, Outcome: history.Failed},
			{Call: 10, Return: 12, Turno: 2}}, true},
	}
	for _, tt := range tests {
		for size := 1; size <= len(tt.ops); size++ {
			c := New(fresh)
			for part := range slices.Chunk(tt.ops, size) {
				c.Add(history.Batch{Ops: part})
			}
			said := slices.ContainsFunc(c.Close().Remarks, func(r string) bool { return strings.Contains(r, "in flight together") })
			if said != tt.none {
				t.Errorf("%s, in batches of %d: remark %v; want %v", tt.name, size, said, tt.none)
			}
		}
	}
}

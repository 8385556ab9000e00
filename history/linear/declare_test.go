package linear

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/turnomatico/tmctl/history"
)

func TestSpansAreASet(t *testing.T) {
	const top = 40
	for seed := range 3000 {
		rng := rand.New(rand.NewPCG(uint64(seed), 11))
		var s spans
		var in [top + 1]bool
		n := 0
		for range rng.IntN(12) {
			first := 1 + rng.Uint64N(top)
			last := first + rng.Uint64N(min(8, top-first+1))
			n += s.add(first, last)
			for v := first; v <= last; v++ {
				in[v] = true
			}
		}
		if n != len(s.all) {
			t.Fatalf("seed %d: add said that there are %d spans; there are %d", seed, n, len(s.all))
		}
		for i := 1; i < n; i++ {
			if s.all[i-1].last+1 >= s.all[i].first {
				t.Fatalf("seed %d: %v: not ascending and apart", seed, s.all)
			}
		}
		first := 1 + rng.Uint64N(top)
		last := first + rng.Uint64N(top-first+1)
		var want uint64
		for v := first; v <= last; v++ {
			if in[v] {
				want++
			}
		}
		if got := s.within(first, last); got != want {
			t.Fatalf("seed %d: within(%d, %d) of %v = %d; want %d", seed, first, last, s.all, got, want)
		}
	}
}

func TestDeclare(t *testing.T) {
	c := New(Config{IDs: []string{"grupo1", "grupo2"}, Fresh: true, Exclusive: true})
	for _, tt := range []struct {
		id          string
		first, last uint64
		news        bool
	}{
		{"grupo2", 10, 20, true},
		{"grupo2", 10, 20, false},
		{"grupo2", 12, 15, false},
		{"grupo2", 21, 30, true},
		{"grupo2", 40, 41, true},
		{"grupo1", history.MaxTurno, history.MaxTurno, true},
		{"grupo1", 1, 1, true},
		{"grupo3", 1, 5, false},
		{"grupo1", 0, 5, false},
		{"grupo1", 6, 5, false},
		{"grupo1", 1, history.MaxTurno + 1, false},
	} {
		r := history.Range{ID: tt.id, First: tt.first, Last: tt.last}
		if got := c.Declare(r); got != tt.news {
			t.Errorf("Declare(%v) = %v; want %v", r, got, tt.news)
		}
	}
	want := "[{grupo1 1 1} {grupo1 9007199254740991 9007199254740991} {grupo2 10 30} {grupo2 40 41}]"
	if got := fmt.Sprint(c.Declared()); got != want {
		t.Errorf("Declared() = %s; want %s", got, want)
	}
}

// TestDeclaredAloneGivesTheSameProof declares, beforehand, what another Checker had learned bit by bit: that is what check
// does with a run that load recorded.
func TestDeclaredAloneGivesTheSameProof(t *testing.T) {
	for seed := range 3000 {
		rng := rand.New(rand.NewPCG(uint64(seed), 12))
		ops := invent(rng, 40, 0, .2)
		for range rng.IntN(6) {
			mutate(rng, ops)
		}
		said := jumps(rng, ops, 4)
		see(ops)
		online, offline := New(fresh), New(fresh)
		left := slices.Clone(said)
		deliver(rng, ops, func(b history.Batch) {
			if online.Add(b); online.Gaps() > 0 && len(left) > 0 {
				online.Declare(left[0])
				left = left[1:]
			}
		})
		online.Close()
		for _, r := range left {
			online.Declare(r)
		}
		for _, r := range online.Declared() {
			offline.Declare(r)
		}
		deliver(rng, ops, offline.Add)
		a, b := online.Close(), offline.Close()
		if countsOf(a) != countsOf(b) || !slices.Equal(gapsOf(a), gapsOf(b)) || !slices.Equal(a.Remarks, b.Remarks) {
			t.Fatalf("seed %d: online %+v, offline %+v of %+v declared %v", seed, a, b, ops, said)
		}
	}
}

// TestSharedIDsIgnoreDeclarations: where gaps can't be judged, there is nothing to excuse.
func TestSharedIDsIgnoreDeclarations(t *testing.T) {
	c := New(Config{IDs: []string{"grupo1"}, Fresh: true})
	c.Add(history.Batch{Ops: []history.Op{{Call: 1, Return: 2, Turno: 1}, {Call: 3, Return: 4, Turno: 9, Seen: 1}}, Watermark: 9})
	c.Declare(history.Range{ID: "grupo1", First: 2, Last: 5})
	if p := c.Close(); p.Declared != 0 || p.Gaps != 0 || p.Linearizable != nil {
		t.Errorf("Close() = %+v; want nothing declared, nothing judged", p)
	}
}

func TestDeclaredRemarks(t *testing.T) {
	const skipped, anyway = "4 numbers are missing that the server declares skipped", "2 numbers were given although"
	for _, tt := range []struct {
		name string
		said history.Range
		want []string
	}{
		{"what is missing", history.Range{ID: "grupo1", First: 3, Last: 6}, []string{skipped}},
		{"more than what is missing", history.Range{ID: "grupo1", First: 2, Last: 7}, []string{skipped, anyway}},
		{"what was given", history.Range{ID: "grupo1", First: 1, Last: 2}, []string{anyway}},
		{"what comes later", history.Range{ID: "grupo1", First: 100, Last: 200}, nil},
	} {
		for _, early := range []bool{true, false} {
			c := New(fresh)
			if early {
				c.Declare(tt.said)
			}
			c.Add(history.Batch{Ops: []history.Op{{Call: 1, Return: 4, Turno: 1}, {Call: 2, Return: 5, Turno: 2}, {Call: 7, Return: 9, Turno: 7, Seen: 2},
				{Call: 10, Return: 12, Turno: 8, Seen: 7}}, Watermark: 20})
			c.Declare(tt.said)
			said := slices.DeleteFunc(c.Close().Remarks, func(r string) bool { return !strings.Contains(r, "declare") })
			ok := len(said) == len(tt.want)
			for i := range min(len(said), len(tt.want)) {
				ok = ok && strings.Contains(said[i], tt.want[i])
			}
			if !ok {
				t.Errorf("%s, early %v: remarks %q; want %q", tt.name, early, said, tt.want)
			}
		}
	}
}

// TestTooManyDeclarations says so, and counts what it did not take as missing.
func TestTooManyDeclarations(t *testing.T) {
	c := New(fresh)
	for i := range uint64(maxSpans) {
		if !c.Declare(history.Range{ID: "grupo1", First: 10 + 2*i, Last: 10 + 2*i}) {
			t.Fatalf("declaration %d was not taken", i)
		}
	}
	if c.Declare(history.Range{ID: "grupo1", First: 2, Last: 3}) {
		t.Error("one more was taken")
	}
	if said := strings.Join(c.Close().Remarks, "\n"); !strings.Contains(said, "more than 65536 ranges") {
		t.Errorf("remarks %q; want one about too many", said)
	}
}

package linear

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/turnomatico/tmctl/history"
)

// TestEqualsPorcupine compares verdicts in both directions, on right and wrong histories, cut in several ways.
func TestEqualsPorcupine(t *testing.T) {
	histories := 60_000
	if testing.Short() {
		histories = 3_000
	}
	right := 0
	for seed := range histories {
		rng := rand.New(rand.NewPCG(uint64(seed), 1))
		ops := invent(rng, 1+rng.IntN(9), 0, .25)
		for range rng.IntN(5) {
			mutate(rng, ops)
		}
		var said []history.Range
		if seed%3 == 0 {
			said = jumps(rng, ops, 2)
		}
		see(ops)
		want := search(ops, said, 0)
		if want {
			right++
		}
		cfg := Config{IDs: []string{"grupo1"}, Fresh: true, Exclusive: true}
		if defined := define(ops, cfg, said...).linearizable(); defined != want {
			t.Fatalf("seed %d: the definition says %v; porcupine says %v of %+v, declared %v", seed, defined, want, ops, said)
		}
		for range 3 {
			p := check(rng, ops, cfg, said...)
			if got := p.Linearizable == nil || *p.Linearizable; got != want || (p.Linearizable == nil) != (p.Ops == 0) {
				t.Fatalf("seed %d: linearizable = %v (%+v); porcupine says %v of %+v, declared %v", seed, got, p, want, ops, said)
			}
		}
	}
	if right < histories/4 || right > histories*3/4 {
		t.Errorf("%d of %d histories are right: the generator leans to one side", right, histories)
	}
	t.Logf("%d histories, %d linearizable", histories, right)
}

// TestOpenEdgeEqualsPorcupine lets porcupine try every starting value.
func TestOpenEdgeEqualsPorcupine(t *testing.T) {
	histories := 20_000
	if testing.Short() {
		histories = 2_000
	}
	for seed := range histories {
		rng := rand.New(rand.NewPCG(uint64(seed), 2))
		ops := invent(rng, 1+rng.IntN(8), 20, .25)
		for range rng.IntN(3) {
			mutate(rng, ops)
		}
		said := jumps(rng, ops, 1)
		see(ops)
		var from []int
		for s := range 40 {
			from = append(from, s)
		}
		want := search(ops, said, from...)
		p := check(rng, ops, Config{IDs: []string{"grupo1"}, Exclusive: true}, said...)
		if got := p.Linearizable == nil || *p.Linearizable; got != want {
			t.Fatalf("seed %d: linearizable = %v (%+v); porcupine says %v of %+v, declared %v", seed, got, p, want, ops, said)
		}
	}
}

// TestCountsAreDefined holds the counts against the definition on larger, often badly wrong histories of several ids: they
// must not depend on how the ops are cut into batches.
func TestCountsAreDefined(t *testing.T) {
	rounds := 20_000
	if testing.Short() {
		rounds = 1_000
	}
	for seed := range rounds {
		rng := rand.New(rand.NewPCG(uint64(seed), 3))
		cfg := Config{IDs: []string{"grupo1", "grupo2"}, Fresh: rng.IntN(2) == 0, Exclusive: rng.IntN(4) > 0}
		var ops []history.Op
		var said []history.Range
		var want counts
		for id := range cfg.IDs {
			mine := invent(rng, 1+rng.IntN(60), uint64(rng.IntN(2)*300), rng.Float64()/2)
			for range rng.IntN(12) {
				mutate(rng, mine)
			}
			for i := range mine {
				mine[i].ID = uint32(id)
			}
			about := jumps(rng, mine, 3)
			for i := range about {
				about[i].ID = cfg.IDs[id]
			}
			see(mine)
			d := define(mine, cfg, about...)
			want = counts{want.ops + d.ops, want.unknown + d.unknown, want.duplicates + d.duplicates, want.wentBack + d.wentBack,
				want.gaps + d.gaps, want.burned + d.burned, want.declared + d.declared, 0}
			ops, said = append(ops, mine...), append(said, about...)
		}
		var first history.Proof
		for i := range 3 {
			p := check(rng, ops, cfg, said...)
			if got := countsOf(p); got != want {
				t.Fatalf("seed %d: Close() counts %+v; want %+v\n%+v %+v declared %v", seed, got, want, cfg, ops, said)
			}
			if i == 0 {
				first = p
			}
			if a, b := gapsOf(first), gapsOf(p); !slices.Equal(a, b) {
				t.Fatalf("seed %d: gaps %v and %v of %+v declared %v", seed, a, b, ops, said)
			}
		}
	}
}

// gapsOf lists the gaps among a proof's findings.
func gapsOf(p history.Proof) (gaps []history.Range) {
	for _, f := range p.Findings {
		if f.Kind == history.Gap {
			gaps = append(gaps, history.Range{ID: f.ID, First: f.First, Last: f.Last})
		}
	}
	return gaps
}

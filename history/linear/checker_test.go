package linear

import (
	"math/rand/v2"
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
		see(ops)
		want := search(ops, 0)
		if want {
			right++
		}
		cfg := Config{IDs: []string{"grupo1"}, Fresh: true, Exclusive: true}
		if defined := define(ops, cfg).linearizable(); defined != want {
			t.Fatalf("seed %d: the definition says %v; porcupine says %v of %+v", seed, defined, want, ops)
		}
		for range 3 {
			p := check(rng, ops, cfg)
			if got := p.Linearizable == nil || *p.Linearizable; got != want || (p.Linearizable == nil) != (p.Ops == 0) {
				t.Fatalf("seed %d: linearizable = %v (%+v); porcupine says %v of %+v", seed, got, p, want, ops)
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
		see(ops)
		var from []int
		for s := range 40 {
			from = append(from, s)
		}
		want := search(ops, from...)
		p := check(rng, ops, Config{IDs: []string{"grupo1"}, Exclusive: true})
		if got := p.Linearizable == nil || *p.Linearizable; got != want {
			t.Fatalf("seed %d: linearizable = %v (%+v); porcupine says %v of %+v", seed, got, p, want, ops)
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
		var want counts
		for id := range cfg.IDs {
			mine := invent(rng, 1+rng.IntN(60), uint64(rng.IntN(2)*300), rng.Float64()/2)
			for range rng.IntN(12) {
				mutate(rng, mine)
			}
			for i := range mine {
				mine[i].ID = uint32(id)
			}
			see(mine)
			d := define(mine, cfg)
			want = counts{want.ops + d.ops, want.unknown + d.unknown, want.duplicates + d.duplicates, want.wentBack + d.wentBack,
				want.gaps + d.gaps, want.burned + d.burned, 0}
			ops = append(ops, mine...)
		}
		for range 3 {
			if got := countsOf(check(rng, ops, cfg)); got != want {
				t.Fatalf("seed %d: Close() counts %+v; want %+v\n%+v %+v", seed, got, want, cfg, ops)
			}
		}
	}
}

package server_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/turnomatico/tmctl/history"
	"github.com/turnomatico/tmctl/server"
)

// Three nodes on a store that goes back at any time, through a storm: whatever it lost, no number is given twice or out of
// order. What a store forgot may be missing.
func TestSimulatedRollback(t *testing.T) {
	happened := map[string]int{}
	eachSeed(t, 50, func(t *testing.T, seed uint64) {
		f := newFickle()
		var storms []*storm
		for i := range 3 {
			h := f.open(i)
			h.slots, h.grace = 4, time.Second
			storms = append(storms, newStorm(h, stormy, 10*seed+uint64(i)))
		}
		c := &crowd{ids: []string{"a", "b", "c"}[:1+2*(seed/2%2)], clients: 20, ops: 100, seed: seed, think: 200 * time.Millisecond}
		policy := server.OnRollbacks[seed%2]
		c.runThrough(storms, server.Config{RequestTimeout: 3 * time.Second, OnRollback: policy}, func() {
			rng := rand.New(rand.NewPCG(seed, 99))
			for range 1 + rng.IntN(3) {
				goBack(f, rng, time.Second, false)
				time.Sleep(2 * time.Second) // every node has had the time to know
				f.forward()
			}
		})
		tally(t, c, happened)
	})
	wantRollbacks(t, happened)
}

// A node alone, on a store of whose loss only its numbers tell. Where calls get lost, one that arrives late is new to a store
// that has lost its record, and takes numbers which nobody hears of: there they may be missing.
func TestSimulatedRollbackUnnoticed(t *testing.T) {
	for name, w := range map[string]weather{"calls arrive once": {refused: 20, slow: 40, timeout: patient}, "storm": stormy} {
		t.Run(name, func(t *testing.T) {
			happened := map[string]int{}
			eachSeed(t, 50, func(t *testing.T, seed uint64) {
				f := newFickle()
				h := f.open(0)
				h.slots = 4
				c := &crowd{ids: []string{"a", "b"}, clients: 10, ops: 50, seed: seed, think: 50 * time.Millisecond}
				config := server.Config{RequestTimeout: time.Second, OnRollback: server.OnRollbacks[seed%2]}
				c.runThrough([]*storm{newStorm(h, w, seed)}, config, func() {
					goBack(f, rand.New(rand.NewPCG(seed, 99)), 100*time.Millisecond, true)
				})
				p := c.prove()
				if p.Duplicates+p.WentBack > 0 || p.Gaps > 0 && w.lost == 0 {
					complain(t, p)
				}
				addUp(c, p, happened)
			})
			wantRollbacks(t, happened)
		})
	}
}

// goBack puts a copy of the store in its place that is a little older, or rather much, within a time.
func goBack(f *fickle, rng *rand.Rand, within time.Duration, sameLife bool) {
	time.Sleep(time.Duration(rng.Int64N(int64(within))))
	old := f.copy()
	time.Sleep(time.Duration(rng.IntN(5)*rng.IntN(10)) * time.Millisecond)
	f.restore(old, sameLife)
}

// tally wants no number twice, out of order, or missing without an explanation.
func tally(t *testing.T, c *crowd, happened map[string]int) {
	t.Helper()
	p := c.prove()
	if p.Duplicates+p.WentBack+p.Gaps > 0 {
		complain(t, p)
	}
	addUp(c, p, happened)
}

func addUp(c *crowd, p history.Proof, happened map[string]int) {
	happened["ops"] += int(p.Ops)
	for _, n := range c.nodes {
		happened["rollbacks"] += int(n.Rollbacks())
		happened["burned"] += int(n.Books().Burned["rollback"])
	}
}

func wantRollbacks(t *testing.T, happened map[string]int) {
	t.Helper()
	if happened["rollbacks"] == 0 && *oneSeed == 0 {
		t.Error("the store never went back: the simulation shows nothing")
	}
	t.Log(happened)
}

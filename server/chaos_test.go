package server_test

import (
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/store/memory"
)

var oneSeed = flag.Uint64("seed", 0, "the one seed that simulations run; 0: many")

// eachSeed runs f in a bubble of its own for each of n seeds; for ten times as many without the race detector.
func eachSeed(t *testing.T, n uint64, f func(t *testing.T, seed uint64)) {
	first, last := uint64(1), n
	switch {
	case *oneSeed > 0:
		first, last = *oneSeed, *oneSeed
	case !raceDetector:
		last = 10 * n
	}
	for seed := first; seed <= last && !t.Failed(); seed++ {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			bubble(t, func(t *testing.T) { f(t, seed) })
		})
	}
}

// patient is how long requests of simulations wait for a store that does not change.
const patient = 200 * time.Millisecond

var stormy = weather{refused: 20, missed: 30, lost: 60, hung: 5, twice: 40, slow: 40, timeout: patient}

// Three nodes on one table, each behind a storm: whatever happens to calls, the numbers are unique, in order and without a
// gap that no unknown request explains, and the books say what the store did.
func TestSimulatedStorm(t *testing.T) {
	happened := map[string]int{}
	eachSeed(t, 200, func(t *testing.T, seed uint64) {
		table := memory.New(server.Bounds{IDs: 100})
		c := &crowd{ids: []string{"a", "b", "c", "d", "e", "f", "g"}[:1+6*(seed%2)], clients: 20, ops: 50, seed: seed, think: 20 * time.Millisecond}
		var storms []*storm
		for i := range uint64(3) {
			storms = append(storms, newStorm(table.Another(), stormy, 10*seed+i))
		}
		c.runThrough(storms, server.Config{RequestTimeout: patient}, func() {})
		p := c.prove()
		if p.Linearizable == nil || !*p.Linearizable {
			complain(t, p)
		}
		var moved, executed uint64
		for _, id := range c.ids {
			moved += taken(t, table, id)
		}
		for i, n := range c.nodes {
			checkBooks(t, n, storms[i], happened)
			executed += storms[i].sum(storms[i].executed)
		}
		if moved != executed {
			t.Errorf("the store gave %d and the storms saw %d", moved, executed)
		}
		happened["burned"] += int(p.Burned)
	})
	for _, what := range []string{"refused", "missed", "lost", "hung", "twice", "slow", "burned", "unknown"} {
		if happened[what] == 0 && *oneSeed == 0 {
			t.Errorf("%s never happened: the simulation shows nothing about it", what)
		}
	}
	t.Log(happened)
}

// checkBooks compares what a node at rest wrote down with what came of its calls.
func checkBooks(t *testing.T, n *server.Node, s *storm, happened map[string]int) {
	t.Helper()
	books := n.Books()
	known, executed := s.sum(s.answered), s.sum(s.executed)
	if books.Issued-books.Unknown != known || executed < known || executed > known+books.Unknown {
		t.Errorf("the books are %+v; the store gave %d, and told of %d", books, executed, known)
	}
	for what, often := range s.did {
		happened[what] += often
	}
	happened["late"] += int(books.Burned["late"])
	happened["unknown"] += int(books.Unknown)
}

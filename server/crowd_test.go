package server_test

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/turnomatico/tmctl/history"
	"github.com/turnomatico/tmctl/history/linear"
	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/api"
)

// crowd is many clients of some nodes, in a bubble, and the history of what they saw.
type crowd struct {
	nodes   []*server.Node
	ids     []string
	clients int
	ops     int // a client's
	seed    uint64
	think   time.Duration // between two requests of a client, at most
	keys    *sync.Map     // not nil: requests have keys, whose numbers these are, and are made until they have an answer
	replays atomic.Int64

	start time.Time
	done  []atomic.Uint64 // by id: the largest number that a client has got
	seen  [][]history.Op  // by client
}

// runThrough gives c a node behind each storm and has it make its requests, while something else happens. It returns when
// nothing is on its way any more.
func (c *crowd) runThrough(storms []*storm, config server.Config, meanwhile func()) {
	config.Log = slog.New(slog.DiscardHandler)
	ctx, stop := context.WithCancel(context.Background())
	var waits []func()
	for _, s := range storms {
		n := server.NewNode(s.asStore(), config)
		c.nodes, waits = append(c.nodes, n), append(waits, n.Run(ctx))
	}
	var other sync.WaitGroup
	other.Go(meanwhile)
	c.run()
	other.Wait()
	stop()
	for i, wait := range waits {
		wait()
		storms[i].flying.Wait()
	}
}

// run has all clients make their requests, and returns when they are over.
func (c *crowd) run() {
	c.start, c.done, c.seen = time.Now(), make([]atomic.Uint64, len(c.ids)), make([][]history.Op, c.clients)
	var all sync.WaitGroup
	for i := range c.clients {
		all.Go(func() { c.client(i) })
	}
	all.Wait()
}

func (c *crowd) client(i int) {
	rng := rand.New(rand.NewPCG(c.seed, uint64(i)))
	for range c.ops {
		if rng.IntN(3) == 0 {
			time.Sleep(time.Duration(rng.Int64N(int64(c.think))))
		}
		node, id := rng.IntN(len(c.nodes)), rng.IntN(len(c.ids))
		if c.keys != nil {
			c.seen[i] = append(c.seen[i], c.askUntilAnswered(node, id, fmt.Sprint(i, "/", len(c.seen[i])), rng.IntN(5) == 0))
			continue
		}
		c.seen[i] = append(c.seen[i], c.ask(node, id))
	}
}

// ask is one request. The order of its steps is what the proof stands on (history.Op).
func (c *crowd) ask(node, id int) history.Op {
	op := history.Op{Call: time.Since(c.start), Seen: c.done[id].Load(), ID: uint32(id), Node: uint8(node)}
	turno, o := c.nodes[node].Take(c.ids[id])
	switch {
	case o == server.Answered:
		op.Turno, op.Status = turno, 200
		for last := c.done[id].Load(); last < turno && !c.done[id].CompareAndSwap(last, turno); {
			last = c.done[id].Load()
		}
	case o.Consumed() == api.ConsumedNo:
		op.Outcome, op.Reason = history.Failed, history.NotConsumed
	default:
		op.Outcome, op.Reason = history.Unknown, history.BadStatus
	}
	op.Return = time.Since(c.start)
	return op
}

// askUntilAnswered makes requests with one key, of one node after the other, until one is answered; twice: always two at once.
// It is one op, from the first to the one that is answered.
func (c *crowd) askUntilAnswered(node, id int, key string, twice bool) history.Op {
	op := history.Op{Call: time.Since(c.start), Seen: c.done[id].Load(), ID: uint32(id), Status: 200}
	for ; op.Turno == 0; node++ {
		var other sync.WaitGroup
		if twice {
			other.Go(func() { c.askOnce((node+1)%len(c.nodes), id, key) })
		}
		op.Turno = c.askOnce(node%len(c.nodes), id, key)
		other.Wait()
		if op.Turno == 0 {
			time.Sleep(time.Millisecond) // who is refused at once and comes again at once keeps a bubble's time from passing
		}
	}
	op.Node = uint8((node - 1) % len(c.nodes))
	for last := c.done[id].Load(); last < op.Turno && !c.done[id].CompareAndSwap(last, op.Turno); {
		last = c.done[id].Load()
	}
	op.Return = time.Since(c.start)
	return op
}

// askOnce is one request with a key, and notes what it got; 0: no answer.
func (c *crowd) askOnce(node, id int, key string) uint64 {
	turno, o := c.nodes[node].TakeOnce(c.ids[id], key)
	switch o {
	case server.Answered, server.Replayed:
		numbers, _ := c.keys.LoadOrStore(c.ids[id]+" "+key, new(sync.Map))
		numbers.(*sync.Map).Store(turno, true)
		if o == server.Replayed {
			c.replays.Add(1)
		}
		return turno
	}
	return 0
}

// disagreements are the keys that have several numbers.
func (c *crowd) disagreements() (all []string) {
	c.keys.Range(func(key, numbers any) bool {
		var have []any
		numbers.(*sync.Map).Range(func(turno, _ any) bool { have = append(have, turno); return true })
		if len(have) > 1 {
			all = append(all, fmt.Sprintf("%s has numbers %v", key, have))
		}
		return true
	})
	return all
}

// history is all ops, in the order in which they ended.
func (c *crowd) history() []history.Op {
	ops := slices.Concat(c.seen...)
	slices.SortStableFunc(ops, func(a, b history.Op) int { return cmp.Compare(a.Return, b.Return) })
	return ops
}

// prove judges the history of fresh ids that nobody else used, and of which nodes skipped numbers by their word.
func (c *crowd) prove() history.Proof {
	checker := linear.New(linear.Config{IDs: c.ids, Nodes: c.names(), Fresh: true, Exclusive: true})
	for _, n := range c.nodes {
		for _, r := range n.Declared() {
			checker.Declare(history.Range(r))
		}
	}
	checker.Add(history.Batch{Ops: c.history(), Watermark: time.Since(c.start) + 1})
	return checker.Close()
}

func (c *crowd) names() (names []string) {
	for i := range c.nodes {
		names = append(names, fmt.Sprintf("n%d", i))
	}
	return names
}

// complain lists what is wrong with the numbers.
func complain(t *testing.T, p history.Proof) {
	t.Helper()
	t.Errorf("%d ops, %d unknown: %d duplicates, %d went back, %d gaps", p.Ops, p.Unknown, p.Duplicates, p.WentBack, p.Gaps)
	for _, f := range p.Findings {
		t.Log(f.Text)
	}
}

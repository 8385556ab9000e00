package storetest

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/turnomatico/tmctl/history"
	"github.com/turnomatico/tmctl/history/linear"
	"github.com/turnomatico/tmctl/server"
)

// recorder keeps what callers saw, for the proof: each number of a block is an op, since a request waits for each.
type recorder struct {
	start time.Time
	ids   []string
	fresh bool
	seen  []atomic.Uint64 // by id: the largest number that a call has returned with

	mu  sync.Mutex
	ops []history.Op
}

func record(ids []string, fresh bool) *recorder {
	return &recorder{start: time.Now(), ids: ids, fresh: fresh, seen: make([]atomic.Uint64, len(ids))}
}

// takeAll has a caller on every slot of every handle make calls of some of the ids each, rounds of them or until all ids are
// exhausted; others meanwhile look at the counters.
func (r *recorder) takeAll(t *testing.T, handles []*handle, rounds int) {
	t.Helper()
	ctx, end := context.WithCancel(t.Context())
	var callers, lookers sync.WaitGroup
	for i, h := range handles {
		for _, s := range h.free {
			callers.Go(func() { r.take(t, s, rounds, rand.New(rand.NewPCG(uint64(i), uint64(s.slot)))) })
		}
		lookers.Go(func() { r.look(ctx, t, h) })
	}
	callers.Wait()
	end()
	lookers.Wait()
}

func (r *recorder) take(t *testing.T, s *slotOf, rounds int, rng *rand.Rand) {
	over := make([]bool, len(r.ids))
	for range rounds {
		var claims []server.Claim
		var which []int
		for _, i := range rng.Perm(len(r.ids))[:1+rng.IntN(len(r.ids))] {
			if !over[i] {
				which = append(which, i)
				claims = append(claims, server.Claim{ID: r.ids[i], N: 1 + rng.Uint64N(7)})
			}
		}
		if len(claims) == 0 {
			continue
		}
		op := history.Op{Call: time.Since(r.start)}
		before := make([]uint64, len(which))
		for k, i := range which {
			before[k] = r.seen[i].Load()
		}
		got, err := s.reserve(t.Context(), claims...)
		if err != nil {
			t.Errorf("Reserve(%v) = %v", claims, err)
			return
		}
		r.add(t, op, which, before, got)
		for k, i := range which {
			over[i] = errors.Is(got[k].Err, server.ErrExhausted)
		}
	}
}

// add keeps the ops of a call.
func (r *recorder) add(t *testing.T, op history.Op, which []int, before []uint64, got []server.Claim) {
	for k, i := range which {
		c := &got[k]
		if c.Err != nil && !errors.Is(c.Err, server.ErrExhausted) || c.Err == nil && (c.Granted < 1 || c.Granted > c.N) {
			t.Errorf("the claim of %d of %s = %d, %d, %v", c.N, c.ID, c.First, c.Granted, c.Err)
		} else if c.Err == nil {
			raise(&r.seen[i], c.First+c.Granted-1)
		}
	}
	op.Return = time.Since(r.start)
	r.mu.Lock()
	defer r.mu.Unlock()
	for k, i := range which {
		if c := &got[k]; c.Err == nil {
			for n := range c.Granted {
				op.ID, op.Seen, op.Turno = uint32(i), before[k], c.First+n
				r.ops = append(r.ops, op)
			}
		}
	}
}

func raise(max *atomic.Uint64, to uint64) {
	for {
		was := max.Load()
		if to <= was || max.CompareAndSwap(was, to) {
			return
		}
	}
}

// look peeks at the counters until ctx ends: what somebody was given is seen by all who look later.
func (r *recorder) look(ctx context.Context, t *testing.T, h *handle) {
	for ctx.Err() == nil {
		for i, id := range r.ids {
			before := r.seen[i].Load()
			if last, err := h.Peek(t.Context(), id); last < before || err != nil {
				t.Errorf("Peek(%s) = %d, %v after %d was given", id, last, err, before)
				return
			}
		}
		h.Info()
	}
}

// prove wants what callers saw to be linearizable.
func (r *recorder) prove(t *testing.T) {
	t.Helper()
	c := linear.New(linear.Config{IDs: r.ids, Fresh: r.fresh, Exclusive: true})
	c.Add(history.Batch{Ops: r.ops, Watermark: math.MaxInt64})
	p := c.Close()
	if p.Linearizable == nil || !*p.Linearizable || p.Ops != uint64(len(r.ops)) {
		t.Errorf("the history of %d numbers is not linearizable: %d duplicates, %d went back, %d gaps; %v",
			p.Ops, p.Duplicates, p.WentBack, p.Gaps, p.Remarks)
	}
	for _, f := range p.Findings {
		t.Error(f.Text)
	}
}

// given is how many numbers of id were.
func (r *recorder) given(id string) (n uint64) {
	for _, o := range r.ops {
		if r.ids[o.ID] == id {
			n++
		}
	}
	return n
}

// Whoever asks, from whichever node: every number once, none left out, none below one that was given before it was asked for.
func testConcurrency(t *testing.T, p *place) {
	handles := p.nodes(t)
	r := record([]string{"a", "b", "c", "d", "e"}, true)
	r.takeAll(t, handles, 200)
	r.prove(t)
	for _, id := range r.ids {
		for _, h := range handles {
			wantLast(t, h, id, r.given(id))
		}
	}
}

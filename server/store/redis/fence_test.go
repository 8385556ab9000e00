package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/store/redistest"
)

// A counter that is gone, though numbers of it were given, is not begun anew. A node that has a mark calls all others.
func TestCounterGone(t *testing.T) {
	r := redistest.Start(t, redistest.Options{})
	a, b, fresh := open(t, r.URL()), open(t, r.URL()), open(t, r.URL())
	a.want("x", 5, 1)
	b.want("x", 5, 6)
	a.want("y", 1, 1)
	r.Run("DEL turno:x")
	broken := &server.BrokenError{}
	if _, _, err := fresh.take("x", 1); !errors.As(err, &broken) || !strings.Contains(err.Error(), "turno:x is gone") {
		t.Errorf("Reserve(x) = %v without a mark; want that it is gone", err)
	}
	fresh.same()
	a.refused("x", server.ErrChanged)
	for _, n := range []*node{a, b, fresh} {
		n.changed()
	}
	if got := r.Do("EXISTS", "turno:x"); got != "0" {
		t.Errorf("EXISTS turno:x = %s; want it not begun anew", got)
	}
	a.rejoin(0, "x 0<5→0")
	b.rejoin(0, "x 0<10→0")
	a.refused("x", server.ErrStopped)
	a.want("y", 1, 2)
	fresh.rejoin(0)
	fresh.refused("x", server.ErrStopped)
}

// A block below the mark is evidence that other nodes may not have: Fence calls them.
func TestFenceCalls(t *testing.T) {
	for _, jump := range []uint64{0, 100} {
		t.Run(fmt.Sprint("jump ", jump), func(t *testing.T) {
			r := redistest.Start(t, redistest.Options{})
			a, b, c := open(t, r.URL()), open(t, r.URL()), open(t, r.URL())
			a.want("x", 5, 1)
			a.want("y", 5, 1)
			b.want("x", 5, 6)
			c.want("x", 5, 11)
			r.Run("SET turno:x 3") // by hand, past the fence
			if first, _, err := b.take("x", 20); first != 4 || err != nil {
				t.Fatalf("Reserve(x, 20) = %d, %v; want it from 4: Redis knows no better", first, err)
			}
			b.marks["x"] = 10 // none of these was handed out
			back, err := b.Fence(t.Context(), b.known(), jump)
			if len(back) != 0 || err != nil {
				t.Errorf("Fence() = %v, %v; want nothing: the counter is at 23", back, err)
			}
			for _, n := range []*node{a, b, c} {
				n.changed()
			}
			r.Run("SET turno:x 3")
			texts := map[bool][]string{true: {"x 3<5→0", "x 3<10→0", "x 3<15→0"}, false: {"x 3<5→105"}}[jump == 0]
			for i, n := range []*node{a, b, c} {
				if i < len(texts) {
					n.rejoin(jump, texts[i])
				} else {
					n.rejoin(jump)
				}
			}
			for i, n := range []*node{a, b, c} {
				if jump == 0 {
					n.refused("x", server.ErrStopped)
				} else {
					n.want("x", 1, uint64(106+i))
				}
				n.same()
			}
		})
	}
}

// What a fence did is told once, also if the answer was lost.
func TestFenceAnswerLost(t *testing.T) {
	r := redistest.Start(t, redistest.Options{})
	g := newGate(t, r.Addr())
	n := open(t, g.url())
	n.want("x", 5, 1)
	n.want("y", 7, 1)
	r.Run("SET turno:x 2", "SET turno:y 3")
	ctx, end := context.WithCancel(t.Context())
	links := g.hold()
	go func() {
		<-links[0].arrive
		end()
	}()
	if back, err := n.Fence(ctx, n.known(), 10); err == nil {
		t.Fatalf("Fence() = %v into a black hole", back)
	}
	links[0].drain()
	links[0].release()
	if got := r.Do("MGET", "turno:x", "turno:y"); got != "15\n17" {
		t.Fatalf("the counters are %q; want them fenced, with the answer lost", got)
	}
	back, err := n.Fence(t.Context(), n.known(), 10)
	if got := fmt.Sprint(rollbacks(back)); got != "[x 2<5→15 y 3<7→17]" || err != nil {
		t.Errorf("Fence() = %s, %v; want what the first did", got, err)
	}
	n.rejoin(10)
	n.want("x", 1, 16)
}

// An id that one node stopped is not set going by another's jump.
func TestStopsHoldAgainstJumps(t *testing.T) {
	r := redistest.Start(t, redistest.Options{})
	a, b := open(t, r.URL()), open(t, r.URL())
	a.want("x", 5, 1)
	b.want("x", 5, 6)
	r.Run("FLUSHALL")
	a.changed()
	a.rejoin(0, "x 0<5→0")
	b.changed()
	b.rejoin(100, "x 0<10→0")
	b.refused("x", server.ErrStopped)
	if got := r.Do("EXISTS", "turno:x"); got != "0" {
		t.Error("the counter of a stopped id was moved")
	}
	if got := r.Do("HGET", "turno:#stopped", "x"); got != "10" {
		t.Errorf("the number to reach is %s; want 10", got)
	}
}

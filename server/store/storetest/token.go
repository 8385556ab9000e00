package storetest

import (
	"slices"
	"testing"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/api"
)

// again makes the last call of s again and wants what it was given.
func again(t *testing.T, s *slotOf, call, was []server.Claim) {
	t.Helper()
	got, err := s.call(t.Context(), s.seq, call...)
	if err != nil {
		t.Fatalf("call %d made again: %v", s.seq, err)
	}
	for i := range got {
		wantClaim(t, got[i], was[i].First, was[i].Granted, was[i].Err)
	}
}

func testRepeat(t *testing.T, p *place) {
	handles := p.nodes(t)
	s := handles[0].free[0]
	other := handles[len(handles)-1].free[0] // another node's, or s itself
	upTo(t, other, "edge", api.MaxTurno-2)
	upTo(t, other, "over", api.MaxTurno)
	call := []server.Claim{{ID: "a", N: 3}, {ID: "b", N: 1}, {ID: "edge", N: 5}, {ID: "over", N: 1}}
	for range 3 {
		was, err := s.reserve(t.Context(), call...)
		if err != nil {
			t.Fatal(err)
		}
		before := lasts(t, s.h, call)
		for range 3 {
			again(t, s, call, was)
		}
		if after := lasts(t, s.h, call); !slices.Equal(before, after) {
			t.Errorf("a call made again moved the counters from %d to %d", before, after)
		}
		if other == s {
			continue
		}
		if _, err := other.reserve(t.Context(), call[:2]...); err != nil {
			t.Fatal(err)
		}
		again(t, s, call, was) // though others took what follows
	}
}

// lasts is the last numbers given of what call claims.
func lasts(t *testing.T, h *handle, call []server.Claim) (all []uint64) {
	t.Helper()
	for _, c := range call {
		last, err := h.Peek(t.Context(), c.ID)
		if err != nil {
			t.Error(err)
		}
		all = append(all, last)
	}
	return all
}

// A call that was overtaken on its way takes nothing: nobody waits for it any more.
func testOlder(t *testing.T, p *place) {
	s := p.open(t).free[0]
	call := []server.Claim{{ID: "a", N: 3}, {ID: "b", N: 1}}
	s.seq = 6 // numbers may be left out
	was, err := s.reserve(t.Context(), call...)
	if err != nil {
		t.Fatal(err)
	}
	for _, seq := range []uint64{6, 5, 1} {
		if got, err := s.call(t.Context(), seq, call...); err == nil && (got[0].Granted > 0 || got[1].Granted > 0) {
			t.Errorf("call %d after call %d grants %v; want nothing", seq, s.seq, got)
		}
	}
	if got := lasts(t, s.h, call); !slices.Equal(got, []uint64{3, 1}) {
		t.Errorf("older calls moved the counters to %d", got)
	}
	again(t, s, call, was)
	want(t, s, "a", 1, 4, 1)
}

func testOtherSlot(t *testing.T, p *place) {
	h := p.open(t)
	if len(h.free) < 2 {
		t.Skip("the store has one slot")
	}
	for i, s := range h.free {
		want(t, s, "a", 2, uint64(1+2*i), 2)
	}
}

func testOtherHandle(t *testing.T, p *place) {
	h := p.open(t)
	want(t, h.free[0], "a", 2, 1, 2)
	if p.Alone {
		h.close(t)
		if !p.Lasts {
			return
		}
	}
	want(t, p.open(t).free[0], "a", 2, 3, 2)
}

// What was given is not given again after the handle that took it is gone, nor are the calls of a new one taken for its.
func testReopen(t *testing.T, p *place) {
	if !p.Lasts {
		t.Skip("the counters end with their handles")
	}
	call := claimsOf(0, 2)
	call = append(call, server.Claim{ID: "edge", N: 1}, server.Claim{ID: "over", N: 1})
	n := len(call) - 2
	h := p.open(t)
	upTo(t, h.free[0], "edge", api.MaxTurno-4)
	upTo(t, h.free[0], "over", api.MaxTurno)
	for round := range uint64(3) {
		s := h.free[0]
		got, err := s.reserve(t.Context(), call...)
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			wantClaim(t, got[i], 1+2*round, 2, nil)
		}
		wantClaim(t, got[n], api.MaxTurno-3+round, 1, nil)
		wantClaim(t, got[n+1], 0, 0, server.ErrExhausted)
		h.close(t)
		h = p.open(t)
		wantLast(t, h, call[n-1].ID, 2*(round+1))
		wantLast(t, h, "edge", api.MaxTurno-3+round)
		if ids := h.Info().IDs; ids != n+2 {
			t.Errorf("opened again, the store has %d ids; want %d", ids, n+2)
		}
	}
}

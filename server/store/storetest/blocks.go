package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/turnomatico/tmctl/server"
)

func testBlocks(t *testing.T, p *place) {
	s := p.open(t).free[0]
	first := uint64(1)
	for _, n := range []uint64{1, 1, 5, 1, 1000, 2} {
		want(t, s, "a", n, first, n)
		first += n
	}
}

func testIDs(t *testing.T, p *place) {
	s := p.open(t).free[0]
	ids := []string{"a", "A", "b", "a.", "-", "aa"}
	for turno := uint64(1); turno <= 3; turno++ {
		for _, id := range ids {
			want(t, s, id, 1, turno, 1)
		}
	}
	claims := make([]server.Claim, len(ids)) // and in one call
	for i, id := range ids {
		claims[i] = server.Claim{ID: id, N: uint64(i + 1)}
	}
	got, err := s.reserve(t.Context(), claims...)
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		wantClaim(t, got[i], 4, uint64(i+1), nil)
	}
}

func testPeek(t *testing.T, p *place) {
	s := p.open(t).free[0]
	for range 3 {
		wantLast(t, s.h, "a", 0)
	}
	if ids := s.h.Info().IDs; ids != 0 {
		t.Errorf("Peek made %d ids; want none", ids)
	}
	want(t, s, "a", 7, 1, 7)
	wantLast(t, s.h, "a", 7)
}

// perCall is how many claims the calls of the test of many ids have: as those of a busy batcher.
const perCall = 500

// claimsOf claims n numbers each of the ids from … from+perCall−1, of MaxIDs in a circle.
func claimsOf(from int, n uint64) []server.Claim {
	claims := make([]server.Claim, perCall)
	for i := range claims {
		claims[i] = server.Claim{ID: fmt.Sprintf("id-%d", (from+i)%MaxIDs), N: n}
	}
	return claims
}

// takeEach takes a number of every id, beginning with the one at from.
func (s *slotOf) takeEach(t *testing.T, from int) {
	for at := range MaxIDs / perCall {
		got, err := s.reserve(t.Context(), claimsOf(from+at*perCall, 1)...)
		if err != nil {
			t.Error(err)
			return
		}
		for i := range got {
			if got[i].Granted != 1 || got[i].Err != nil {
				t.Errorf("the claim of %s grants %d, %v; want 1", got[i].ID, got[i].Granted, got[i].Err)
				return
			}
		}
	}
}

func testMaxIDs(t *testing.T, p *place) {
	h := p.open(t)
	s := h.free[0]
	racing := h.free[:min(2, len(h.free))] // each id is made by two callers at once, where the store allows two
	var all sync.WaitGroup
	for i, slot := range racing {
		all.Go(func() { slot.takeEach(t, i*MaxIDs/2) })
	}
	all.Wait()
	if t.Failed() {
		return
	}
	wantFull := func(h *handle) {
		t.Helper()
		if ids := h.Info().IDs; ids != MaxIDs {
			t.Fatalf("Info().IDs = %d; want %d", ids, MaxIDs)
		}
	}
	wantFull(h)
	given := uint64(len(racing))
	for range 2 {
		given++
		got, err := s.reserve(t.Context(), append(claimsOf(0, 1), server.Claim{ID: "one-more", N: 1})...)
		if err != nil {
			t.Fatal(err)
		}
		wantClaim(t, got[perCall], 0, 0, server.ErrTooManyIDs)
		for i := range perCall { // they don't suffer from it
			wantClaim(t, got[i], given, 1, nil)
		}
	}
	wantLast(t, h, "one-more", 0)
	wantFull(h)
	if p.Lasts {
		h.close(t)
		h = p.open(t)
		s = h.free[0]
		wantFull(h)
	}
	got, err := s.reserve(t.Context(), claimsOf(perCall, 1)...)
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		wantClaim(t, got[i], uint64(len(racing))+1, 1, nil)
	}
}

// What is no counter stays as it is, and the other claims of its call don't suffer.
func testBroken(t *testing.T, p *place) {
	if p.Break == nil {
		t.Skip("nothing else can be in this store")
	}
	h := p.open(t)
	want(t, h.free[0], "a", 3, 1, 3)
	want(t, h.free[0], "b", 3, 1, 3)
	h.close(t)
	p.Break(t, "b")
	h = p.open(t)
	first := uint64(4)
	for range 2 {
		got, err := h.free[0].reserve(t.Context(), server.Claim{ID: "a", N: 2}, server.Claim{ID: "b", N: 2}, server.Claim{ID: "c", N: 2})
		if err != nil {
			t.Fatal(err)
		}
		wantClaim(t, got[0], first, 2, nil)
		wantClaim(t, got[2], first-3, 2, nil)
		wantBroken(t, got[1].Err)
		first += 2
	}
	_, err := h.Peek(t.Context(), "b")
	wantBroken(t, err)
}

func wantBroken(t *testing.T, err error) {
	t.Helper()
	if e := (*server.BrokenError)(nil); !errors.As(err, &e) || e.Key == "" || e.Says == "" {
		t.Errorf("asked for what is no counter, the store says %v; want a BrokenError that names it", err)
	}
}

// A request that has already run out of time takes nothing, or says that it may have; and it can be made again.
func testEnded(t *testing.T, p *place) {
	s := p.open(t).free[0]
	ctx, end := context.WithCancel(t.Context())
	end()
	first, granted, err := s.take(ctx, "a", 1)
	last, _ := s.h.Peek(t.Context(), "a")
	if err == nil {
		t.Errorf("Reserve(an ended context) = %d, %d; want an error", first, granted)
	}
	if errors.Is(err, server.ErrUnavailable) && last != 0 {
		t.Errorf("Reserve says that it took nothing, yet %d numbers are gone", last)
	}
	got, err := s.call(t.Context(), s.seq, server.Claim{ID: "a", N: 1})
	if err != nil {
		t.Fatal(err)
	}
	wantClaim(t, got[0], 1, 1, nil)
	wantLast(t, s.h, "a", 1)
}

func testInfo(t *testing.T, p *place) {
	s := p.open(t).free[0]
	if i := s.h.Info(); i.Name == "" || i.Promise == "" || i.IDs != 0 || i.Bounds != Bounds || i.Slots < 1 {
		t.Errorf("Info() = %+v; want a name, a promise, no ids, the bounds, a slot", i)
	}
}

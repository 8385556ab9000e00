package storetest

import (
	"errors"
	"testing"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/api"
)

// upTo gives every number of id up to last.
func upTo(t *testing.T, s *slotOf, id string, last uint64) {
	t.Helper()
	want(t, s, id, last, 1, last)
}

func testEdge(t *testing.T, p *place) {
	s := p.open(t).free[0]
	upTo(t, s, "a", api.MaxTurno-10)
	want(t, s, "a", 4, api.MaxTurno-9, 4)
	want(t, s, "a", 20, api.MaxTurno-5, 6)
	for _, n := range []uint64{1, 1, api.MaxTurno, 1 << 62, 1 << 63, 1} {
		if first, granted, err := s.take(t.Context(), "a", n); !errors.Is(err, server.ErrExhausted) {
			t.Errorf("Reserve(a, %d) = %d, %d, %v past the end; want ErrExhausted", n, first, granted, err)
		}
	}
	wantLast(t, s.h, "a", api.MaxTurno)
	want(t, s, "b", 1<<60, 1, api.MaxTurno)
}

// A float64 holds these, but not the sums that lead to them in every way.
func testBelowEdge(t *testing.T, p *place) {
	s := p.open(t).free[0]
	upTo(t, s, "a", api.MaxTurno-3)
	for turno := uint64(api.MaxTurno - 2); turno <= api.MaxTurno; turno++ {
		want(t, s, "a", 1, turno, 1)
		wantLast(t, s.h, "a", turno)
	}
	upTo(t, s, "b", api.MaxTurno-1)
	want(t, s, "b", 1<<63, api.MaxTurno, 1)
	upTo(t, s, "c", 1<<52)
	want(t, s, "c", 1<<52-1, 1<<52+1, 1<<52-1) // up to the last one exactly
	upTo(t, s, "d", 1<<52+1)
	want(t, s, "d", 1<<52-1, 1<<52+2, 1<<52-2) // one more than there is
}

// Each claim of a call is granted what is left of its id.
func testEdgeInCall(t *testing.T, p *place) {
	s := p.open(t).free[0]
	for id, left := range map[string]uint64{"none": 0, "one": 1, "four": 4, "five": 5, "six": 6} {
		upTo(t, s, id, api.MaxTurno-left)
	}
	call := []server.Claim{{ID: "none", N: 5}, {ID: "one", N: 5}, {ID: "four", N: 5}, {ID: "five", N: 5}, {ID: "six", N: 5}, {ID: "new", N: 5}}
	got, err := s.reserve(t.Context(), call...)
	if err != nil {
		t.Fatal(err)
	}
	wantClaim(t, got[0], 0, 0, server.ErrExhausted)
	for i, granted := range []uint64{1, 4, 5} {
		wantClaim(t, got[i+1], api.MaxTurno-granted+1, granted, nil)
	}
	wantClaim(t, got[4], api.MaxTurno-5, 5, nil)
	wantClaim(t, got[5], 1, 5, nil)
	if got, err = s.reserve(t.Context(), call...); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		wantClaim(t, got[i], 0, 0, server.ErrExhausted)
	}
	wantClaim(t, got[4], api.MaxTurno, 1, nil)
	wantClaim(t, got[5], 6, 5, nil)
}

// Every number below the end is given once, however many ask for more.
func testEdgeConcurrency(t *testing.T, p *place) {
	handles := p.nodes(t)
	ids := []string{"a", "b", "c"}
	for _, id := range ids {
		upTo(t, handles[0].free[0], id, api.MaxTurno-1000)
	}
	r := record(ids, false)
	r.takeAll(t, handles, 1000)
	r.prove(t)
	for _, id := range ids {
		if n := r.given(id); n != 1000 {
			t.Errorf("%d numbers of %s were given; want the 1000 there were", n, id)
		}
		for _, h := range handles {
			wantLast(t, h, id, api.MaxTurno)
		}
	}
}

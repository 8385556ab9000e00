// Package storetest is the suite that every store must pass. Start with [Run]; history.go holds what callers saw against the
// proof, model.go against a store that is a map.
package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/turnomatico/tmctl/server"
)

// Bounds of the stores of [Place.Open].
var Bounds = server.Bounds{IDs: MaxIDs, Sessions: MaxSessions, SessionTTL: time.Hour}

const (
	MaxIDs      = 10_000
	MaxSessions = 1000
)

// Place is where one new, empty store within [Bounds] can be opened.
type Place struct {
	Open  func(t *testing.T) server.Store // one more handle, as a node has it; the suite closes it
	Alone bool                            // one handle at a time
	Lasts bool                            // the counters outlive their handles

	// Break makes what the store holds of an id no counter. No handle is open then. Nil if that can't be.
	Break func(t *testing.T, id string)
}

// Run puts a store through the contract of [server.Store]. make is called for each test, and cleans up in t.Cleanup.
func Run(t *testing.T, make func(t *testing.T) Place) {
	tests := []struct {
		name string
		test func(t *testing.T, p *place)
	}{
		{"a block follows the last", testBlocks},
		{"ids are apart", testIDs},
		{"many callers on several handles", testConcurrency},
		{"the last number", testEdge},
		{"just below the last number", testBelowEdge},
		{"the last number, in one call with others", testEdgeInCall},
		{"the last number, many callers", testEdgeConcurrency},
		{"peek takes and makes nothing", testPeek},
		{"as many ids as may be", testMaxIDs},
		{"a call made again", testRepeat},
		{"an older call", testOlder},
		{"the same call of another slot", testOtherSlot},
		{"the same call of another handle", testOtherHandle},
		{"closed and opened again", testReopen},
		{"what is no counter", testBroken},
		{"an ended context", testEnded},
		{"info", testInfo},
		{"as a map would", testModel},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, &place{Place: make(t)}) })
	}
}

// place opens handles and closes them at the end.
type place struct {
	Place
}

// open opens one more handle, with slots that nobody else uses.
func (p *place) open(t *testing.T) *handle {
	t.Helper()
	s := p.Open(t)
	h := &handle{Store: s}
	for slot := range s.Info().Slots {
		h.free = append(h.free, &slotOf{h: h, slot: slot})
	}
	t.Cleanup(func() { h.close(t) })
	return h
}

// nodes opens three handles, or the one that the place allows.
func (p *place) nodes(t *testing.T) []*handle {
	t.Helper()
	all := []*handle{p.open(t)}
	for !p.Alone && len(all) < 3 {
		all = append(all, p.open(t))
	}
	return all
}

// handle is an open store.
type handle struct {
	server.Store
	free   []*slotOf
	closed bool
}

func (h *handle) close(t *testing.T) {
	t.Helper()
	if h.closed {
		return
	}
	h.closed = true
	if err := h.Close(); err != nil {
		t.Errorf("Close() = %v", err)
	}
}

// slotOf is a slot of a handle, and its last call's number.
type slotOf struct {
	h    *handle
	slot int
	seq  uint64
}

// reserve makes a new call of claims.
func (s *slotOf) reserve(ctx context.Context, claims ...server.Claim) ([]server.Claim, error) {
	s.seq++
	return s.call(ctx, s.seq, claims...)
}

// call makes the call seq, or makes it again.
func (s *slotOf) call(ctx context.Context, seq uint64, claims ...server.Claim) ([]server.Claim, error) {
	call := &server.Call{Slot: s.slot, Seq: seq, Claims: append([]server.Claim{}, claims...)}
	err := s.h.Reserve(ctx, call)
	return call.Claims, err
}

// take takes n numbers of one id.
func (s *slotOf) take(ctx context.Context, id string, n uint64) (first, granted uint64, err error) {
	claims, err := s.reserve(ctx, server.Claim{ID: id, N: n})
	if err != nil {
		return 0, 0, err
	}
	return claims[0].First, claims[0].Granted, claims[0].Err
}

// want takes n numbers of id and wants granted, from first.
func want(t *testing.T, s *slotOf, id string, n, first, granted uint64) {
	t.Helper()
	f, g, err := s.take(t.Context(), id, n)
	if f != first || g != granted || err != nil {
		t.Errorf("Reserve(%s, %d) = %d, %d, %v; want %d, %d", id, n, f, g, err, first, granted)
	}
}

// wantLast wants the last number given of id.
func wantLast(t *testing.T, h *handle, id string, want uint64) {
	t.Helper()
	if last, err := h.Peek(t.Context(), id); last != want || err != nil {
		t.Errorf("Peek(%s) = %d, %v; want %d", id, last, err, want)
	}
}

// wantClaim wants a claim granted, from first; with 0 granted it wants err.
func wantClaim(t *testing.T, got server.Claim, first, granted uint64, err error) {
	t.Helper()
	if granted == 0 {
		if !errors.Is(got.Err, err) {
			t.Errorf("the claim of %d of %s = %d, %d, %v; want %v", got.N, got.ID, got.First, got.Granted, got.Err, err)
		}
		return
	}
	if got.First != first || got.Granted != granted || got.Err != nil {
		t.Errorf("the claim of %d of %s = %d, %d, %v; want %d, %d", got.N, got.ID, got.First, got.Granted, got.Err, first, granted)
	}
}

// Package storetest is the suite that every store must pass. Start with [Run].
package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/api"
)

// MaxIDs is how many ids the stores of [Open] may have.
const MaxIDs = 10_000

// Place is where one new, empty store for at most [MaxIDs] ids can be opened.
type Place struct {
	Open  func(t *testing.T) server.Store // one more handle, as a node has it; the suite closes it
	Alone bool                            // one handle at a time
	Lasts bool                            // the counters outlive their handles
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
		{"the last number, many callers", testEdgeConcurrency},
		{"peek takes and makes nothing", testPeek},
		{"as many ids as may be", testMaxIDs},
		{"an ended context", testEnded},
		{"info", testInfo},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, &place{Place: make(t)}) })
	}
}

// place opens handles and closes them at the end.
type place struct {
	Place
	opened int
}

// open opens one more handle, with slots that nobody else uses.
func (p *place) open(t *testing.T) *handle {
	t.Helper()
	s := p.Open(t)
	h := &handle{Store: s}
	for slot := range s.Info().Slots {
		h.free = append(h.free, &slotOf{h: h, slot: slot})
	}
	p.opened++
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

// slotOf is a slot of a handle, and its next call's number.
type slotOf struct {
	h    *handle
	slot int
	seq  uint64
}

// reserve makes a new call of claims.
func (s *slotOf) reserve(ctx context.Context, claims ...server.Claim) ([]server.Claim, error) {
	s.seq++
	call := &server.Call{Slot: s.slot, Seq: s.seq, Claims: claims}
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
	for turno := uint64(1); turno <= 3; turno++ {
		for _, id := range []string{"a", "A", "b", "a.", "-", "aa"} {
			want(t, s, id, 1, turno, 1)
		}
	}
}

// span is a block that a caller was granted.
type span struct{ first, granted uint64 }

// takeAll has a caller on every slot of every handle take blocks of id until one is refused, or each had rounds.
func takeAll(t *testing.T, handles []*handle, id string, rounds int) []span {
	t.Helper()
	var all sync.WaitGroup
	var mu sync.Mutex
	var spans []span
	for _, h := range handles {
		for i, s := range h.free {
			all.Go(func() {
				mine := s.takeMany(t, id, rounds, i)
				mu.Lock()
				spans = append(spans, mine...)
				mu.Unlock()
			})
		}
	}
	all.Wait()
	return spans
}

func (s *slotOf) takeMany(t *testing.T, id string, rounds, salt int) (spans []span) {
	var last uint64
	for round := range rounds {
		n := uint64(1 + (round+salt)%7)
		first, granted, err := s.take(t.Context(), id, n)
		if errors.Is(err, server.ErrExhausted) {
			return spans
		}
		if err != nil || granted < 1 || granted > n || first <= last {
			t.Errorf("Reserve(%s, %d) = %d, %d, %v after %d; want up to %d numbers above", id, n, first, granted, err, last, n)
			return spans
		}
		last = first + granted - 1
		spans = append(spans, span{first, granted})
	}
	return spans
}

// wantWhole wants spans to be first…last, each number once.
func wantWhole(t *testing.T, spans []span, first, last uint64) {
	t.Helper()
	slices.SortFunc(spans, func(a, b span) int { return int(int64(a.first - b.first)) })
	next := first
	for _, s := range spans {
		if s.first != next {
			t.Fatalf("after %d came %d; every number must be given once", next-1, s.first)
		}
		next += s.granted
	}
	if next != last+1 {
		t.Fatalf("the last number given is %d; want %d", next-1, last)
	}
}

func testConcurrency(t *testing.T, p *place) {
	handles := p.nodes(t)
	spans := takeAll(t, handles, "a", 200)
	var sum uint64
	for _, s := range spans {
		sum += s.granted
	}
	wantWhole(t, spans, 1, sum)
	for i, s := range handles {
		if last, err := s.Peek(t.Context(), "a"); last != sum || err != nil {
			t.Errorf("handle %d: Peek(a) = %d, %v; want %d", i, last, err, sum)
		}
	}
}

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
	if last, err := s.h.Peek(t.Context(), "a"); last != api.MaxTurno || err != nil {
		t.Errorf("Peek(a) = %d, %v; want %d", last, err, uint64(api.MaxTurno))
	}
	want(t, s, "b", 1<<60, 1, api.MaxTurno)
}

func testEdgeConcurrency(t *testing.T, p *place) {
	handles := p.nodes(t)
	upTo(t, handles[0].free[0], "a", api.MaxTurno-1000)
	wantWhole(t, takeAll(t, handles, "a", 1000), api.MaxTurno-999, api.MaxTurno)
}

func testPeek(t *testing.T, p *place) {
	s := p.open(t).free[0]
	for range 3 {
		if last, err := s.h.Peek(t.Context(), "a"); last != 0 || err != nil {
			t.Errorf("Peek(a) = %d, %v before any number; want 0", last, err)
		}
	}
	if ids := s.h.Info().IDs; ids != 0 {
		t.Errorf("Peek made %d ids; want none", ids)
	}
	want(t, s, "a", 1, 1, 1)
}

func testMaxIDs(t *testing.T, p *place) {
	s := p.open(t).free[0]
	var all sync.WaitGroup
	for i, slot := range s.h.free[:min(2, len(s.h.free))] { // each id by two callers at once, where the store allows two
		all.Go(func() {
			for k := range MaxIDs {
				id := fmt.Sprintf("id-%d", (k+i*MaxIDs/2)%MaxIDs)
				if _, granted, err := slot.take(t.Context(), id, 1); granted != 1 || err != nil {
					t.Errorf("Reserve(%s, 1) grants %d, %v; want 1", id, granted, err)
					return
				}
			}
		})
	}
	all.Wait()
	if ids := s.h.Info().IDs; ids != MaxIDs {
		t.Fatalf("Info().IDs = %d; want %d", ids, MaxIDs)
	}
	for range 2 {
		if _, _, err := s.take(t.Context(), "one-more", 1); !errors.Is(err, server.ErrTooManyIDs) {
			t.Errorf("Reserve(one-more, 1) = %v with %d ids; want ErrTooManyIDs", err, MaxIDs)
		}
	}
	if last, err := s.h.Peek(t.Context(), "one-more"); last != 0 || err != nil {
		t.Errorf("Peek(one-more) = %d, %v; want 0", last, err)
	}
	for i := range MaxIDs {
		want(t, s, fmt.Sprintf("id-%d", i), 1, uint64(1+min(2, len(s.h.free))), 1)
	}
}

// A request that has already run out of time takes nothing, or says that it may have.
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
}

func testInfo(t *testing.T, p *place) {
	s := p.open(t).free[0]
	if i := s.h.Info(); i.Name == "" || i.Promise == "" || i.IDs != 0 || i.MaxIDs != MaxIDs {
		t.Errorf("Info() = %+v; want a name, a promise, no ids of %d", i, MaxIDs)
	}
}

// want takes n numbers of id and wants granted, from first.
func want(t *testing.T, s *slotOf, id string, n, first, granted uint64) {
	t.Helper()
	f, g, err := s.take(t.Context(), id, n)
	if f != first || g != granted || err != nil {
		t.Errorf("Reserve(%s, %d) = %d, %d, %v; want %d, %d", id, n, f, g, err, first, granted)
	}
}

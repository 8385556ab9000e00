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

// Open returns n handles on one new, empty store that holds at most [MaxIDs] ids. A store that lives in one process returns
// the same handle n times. It closes what it opened in t.Cleanup.
type Open func(t *testing.T, n int) []server.Store

// Run puts a store through the contract of [server.Store].
func Run(t *testing.T, open Open) {
	tests := []struct {
		name string
		test func(t *testing.T, open Open)
	}{
		{"a block follows the last", testBlocks},
		{"ids are apart", testIDs},
		{"many callers on several handles", testConcurrency},
		{"the last number", testEdge},
		{"the last number, many callers", testEdgeConcurrency},
		{"peek takes and makes nothing", testPeek},
		{"as many ids as may be", testMaxIDs},
		{"the id is copied", testIDIsCopied},
		{"an ended context", testEnded},
		{"info", testInfo},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, open) })
	}
}

func testBlocks(t *testing.T, open Open) {
	s := open(t, 1)[0]
	first := uint64(1)
	for _, n := range []uint64{1, 1, 5, 1, 1000, 2} {
		want(t, s, "a", n, first, n)
		first += n
	}
}

func testIDs(t *testing.T, open Open) {
	s := open(t, 1)[0]
	for turno := uint64(1); turno <= 3; turno++ {
		for _, id := range []string{"a", "A", "b", "a.", "-", "aa"} {
			want(t, s, id, 1, turno, 1)
		}
	}
}

// span is a block that a caller was granted.
type span struct{ first, granted uint64 }

// takeAll has callers on every handle take blocks of id until one is refused, or each had rounds.
func takeAll(t *testing.T, handles []server.Store, id string, rounds int) []span {
	const callers = 8 // of each handle
	spans := make([][]span, callers*len(handles))
	var all sync.WaitGroup
	for i := range spans {
		all.Go(func() {
			var last uint64
			for round := range rounds {
				n := uint64(1 + (round+i)%7)
				first, granted, err := handles[i%len(handles)].Reserve(t.Context(), []byte(id), n)
				if errors.Is(err, server.ErrExhausted) {
					return
				}
				if err != nil || granted < 1 || granted > n || first <= last {
					t.Errorf("Reserve(%s, %d) = %d, %d, %v after %d; want up to %d numbers above", id, n, first, granted, err, last, n)
					return
				}
				last = first + granted - 1
				spans[i] = append(spans[i], span{first, granted})
			}
		})
	}
	all.Wait()
	return slices.Concat(spans...)
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

func testConcurrency(t *testing.T, open Open) {
	handles := open(t, 3)
	spans := takeAll(t, handles, "a", 200)
	var sum uint64
	for _, s := range spans {
		sum += s.granted
	}
	wantWhole(t, spans, 1, sum)
	for i, s := range handles {
		if last, err := s.Peek(t.Context(), []byte("a")); last != sum || err != nil {
			t.Errorf("handle %d: Peek(a) = %d, %v; want %d", i, last, err, sum)
		}
	}
}

// upTo gives every number of id up to last.
func upTo(t *testing.T, s server.Store, id string, last uint64) {
	t.Helper()
	want(t, s, id, last, 1, last)
}

func testEdge(t *testing.T, open Open) {
	s := open(t, 1)[0]
	upTo(t, s, "a", api.MaxTurno-10)
	want(t, s, "a", 4, api.MaxTurno-9, 4)
	want(t, s, "a", 20, api.MaxTurno-5, 6)
	for _, n := range []uint64{1, 1, api.MaxTurno, 1 << 62, 1 << 63, 1} {
		if first, granted, err := s.Reserve(t.Context(), []byte("a"), n); !errors.Is(err, server.ErrExhausted) {
			t.Errorf("Reserve(a, %d) = %d, %d, %v past the end; want ErrExhausted", n, first, granted, err)
		}
	}
	if last, err := s.Peek(t.Context(), []byte("a")); last != api.MaxTurno || err != nil {
		t.Errorf("Peek(a) = %d, %v; want %d", last, err, uint64(api.MaxTurno))
	}
	want(t, s, "b", 1<<60, 1, api.MaxTurno)
}

func testEdgeConcurrency(t *testing.T, open Open) {
	handles := open(t, 3)
	upTo(t, handles[0], "a", api.MaxTurno-1000)
	wantWhole(t, takeAll(t, handles, "a", 1000), api.MaxTurno-999, api.MaxTurno)
}

func testPeek(t *testing.T, open Open) {
	s := open(t, 1)[0]
	for range 3 {
		if last, err := s.Peek(t.Context(), []byte("a")); last != 0 || err != nil {
			t.Errorf("Peek(a) = %d, %v before any number; want 0", last, err)
		}
	}
	if ids := s.Info().IDs; ids != 0 {
		t.Errorf("Peek made %d ids; want none", ids)
	}
	want(t, s, "a", 1, 1, 1)
}

func testMaxIDs(t *testing.T, open Open) {
	s := open(t, 1)[0]
	var all sync.WaitGroup
	for part := range 4 {
		all.Go(func() { // each id by two callers at once
			for i := range MaxIDs / 2 {
				id := fmt.Sprintf("id-%d", part/2*(MaxIDs/2)+i)
				if _, granted, err := s.Reserve(t.Context(), []byte(id), 1); granted != 1 || err != nil {
					t.Errorf("Reserve(%s, 1) grants %d, %v; want 1", id, granted, err)
					return
				}
			}
		})
	}
	all.Wait()
	if ids := s.Info().IDs; ids != MaxIDs {
		t.Fatalf("Info().IDs = %d; want %d", ids, MaxIDs)
	}
	for range 2 {
		if _, _, err := s.Reserve(t.Context(), []byte("one-more"), 1); !errors.Is(err, server.ErrTooManyIDs) {
			t.Errorf("Reserve(one-more, 1) = %v with %d ids; want ErrTooManyIDs", err, MaxIDs)
		}
	}
	if last, err := s.Peek(t.Context(), []byte("one-more")); last != 0 || err != nil {
		t.Errorf("Peek(one-more) = %d, %v; want 0", last, err)
	}
	for i := range MaxIDs {
		want(t, s, fmt.Sprintf("id-%d", i), 1, 3, 1) // two were given above
	}
}

func testIDIsCopied(t *testing.T, open Open) {
	s := open(t, 1)[0]
	id := []byte("a")
	if _, _, err := s.Reserve(t.Context(), id, 1); err != nil {
		t.Fatal(err)
	}
	id[0] = 'b'
	want(t, s, "b", 1, 1, 1)
	want(t, s, "a", 1, 2, 1)
}

// A request that has already run out of time takes nothing, or says that it may have.
func testEnded(t *testing.T, open Open) {
	s := open(t, 1)[0]
	ctx, end := context.WithCancel(t.Context())
	end()
	first, granted, err := s.Reserve(ctx, []byte("a"), 1)
	last, _ := s.Peek(t.Context(), []byte("a"))
	if err == nil {
		t.Errorf("Reserve(an ended context) = %d, %d; want an error", first, granted)
	}
	if errors.Is(err, server.ErrUnavailable) && last != 0 {
		t.Errorf("Reserve says that it took nothing, yet %d numbers are gone", last)
	}
}

func testInfo(t *testing.T, open Open) {
	s := open(t, 1)[0]
	if i := s.Info(); i.Name == "" || i.Promise == "" || i.IDs != 0 || i.MaxIDs != MaxIDs {
		t.Errorf("Info() = %+v; want a name, a promise, no ids of %d", i, MaxIDs)
	}
}

// want takes n numbers of id and wants granted, from first.
func want(t *testing.T, s server.Store, id string, n, first, granted uint64) {
	t.Helper()
	f, g, err := s.Reserve(t.Context(), []byte(id), n)
	if f != first || g != granted || err != nil {
		t.Errorf("Reserve(%s, %d) = %d, %d, %v; want %d, %d", id, n, f, g, err, first, granted)
	}
}

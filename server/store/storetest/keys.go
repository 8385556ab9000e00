package storetest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/api"
)

// keys are what a claim asks for.
func keys(names ...string) (all []server.Key) {
	for _, n := range names {
		all = append(all, server.Key{Name: n})
	}
	return all
}

// numbers is what the keys of a claim have: "7 3r" is a new number and one that was given before.
func numbers(c server.Claim) string {
	var all []string
	for _, k := range c.Keys {
		switch {
		case errors.Is(k.Err, server.ErrSessionsFull):
			all = append(all, "full")
		case errors.Is(k.Err, server.ErrExhausted):
			all = append(all, "exhausted")
		case k.Err != nil:
			all = append(all, k.Err.Error())
		case k.Replayed:
			all = append(all, fmt.Sprintf("%dr", k.Turno))
		default:
			all = append(all, fmt.Sprint(k.Turno))
		}
	}
	return strings.Join(all, " ")
}

// wantKeys makes a claim of n numbers without a key, and of names, and wants its grant and what its keys have.
func wantKeys(t *testing.T, s *slotOf, id string, n uint64, names []string, first, granted uint64, have string) {
	t.Helper()
	got, err := s.reserve(t.Context(), server.Claim{ID: id, N: n, Keys: keys(names...)})
	if err != nil {
		t.Fatal(err)
	}
	c := got[0]
	if c.Err != nil || c.Granted != granted || granted > 0 && c.First != first || numbers(c) != have {
		t.Errorf("%d of %s and keys %q = %d, %d, %v, keys %s; want %d, %d, keys %s",
			n, id, names, c.First, c.Granted, c.Err, numbers(c), first, granted, have)
	}
}

// One key has one number of an id, whoever asks.
func testKeys(t *testing.T, p *place) {
	handles := p.nodes(t)
	s, other := handles[0].free[0], handles[len(handles)-1].free[0]
	wantKeys(t, s, "a", 2, []string{"x", "y"}, 1, 4, "3 4")
	wantKeys(t, s, "a", 0, []string{"y", "x"}, 0, 0, "4r 3r")
	wantKeys(t, other, "a", 1, []string{"z", "x"}, 5, 2, "6 3r")
	wantKeys(t, s, "a", 0, []string{"z", "w"}, 7, 1, "6r 7")
	wantKeys(t, s, "b", 0, []string{"x"}, 1, 1, "1") // a key is an id's
	wantKeys(t, other, "a", 1, nil, 8, 1, "")
	wantKeys(t, other, "new", 0, []string{"x"}, 1, 1, "1")
	wantLast(t, s.h, "a", 8)
	if got := other.h.Info().Sessions; got != 6 {
		t.Errorf("Info().Sessions = %d after x y z w of a, x of b and of new; want 6", got)
	}
}

// A key is any text of visible characters and spaces.
func testOddKeys(t *testing.T, p *place) {
	s := p.open(t).free[0]
	odd := []string{"a", "a ", " a", "a:b", "a\"b", `a\b`, "a%00", "{a}", "#ids", "0", "-1", strings.Repeat("k", api.MaxKeyLength), "x\\n1"}
	var have []string
	for i := range odd {
		have = append(have, fmt.Sprint(i+1))
	}
	wantKeys(t, s, "a", 0, odd, 1, uint64(len(odd)), strings.Join(have, " "))
	wantKeys(t, s, "a", 0, odd, 0, 0, strings.Join(have, "r ")+"r")
	wantKeys(t, s, "a-b", 0, []string{"c"}, 1, 1, "1")
	wantKeys(t, s, "a", 0, []string{"b-c"}, uint64(len(odd))+1, 1, fmt.Sprint(len(odd)+1))
}

// Whoever uses a key at the same time as others gets the number that they get, which is new to one of them.
func testKeysAtOnce(t *testing.T, p *place) {
	const rounds, each = 20, 5
	var all sync.WaitGroup
	var mu sync.Mutex
	turnos, fresh := map[string]map[uint64]bool{}, map[string]int{}
	var slots []*slotOf
	for _, h := range p.nodes(t) {
		slots = append(slots, h.free...)
	}
	for _, s := range slots {
		all.Go(func() {
			for r := range rounds {
				c := server.Claim{ID: "a", N: 1}
				for k := range each {
					c.Keys = append(c.Keys, server.Key{Name: fmt.Sprintf("%d/%d", r, k)})
				}
				got, err := s.reserve(t.Context(), c)
				if err != nil || got[0].Err != nil {
					t.Error(err, got)
					return
				}
				mu.Lock()
				for _, k := range got[0].Keys {
					if turnos[k.Name] == nil {
						turnos[k.Name] = map[uint64]bool{}
					}
					turnos[k.Name][k.Turno] = true
					if !k.Replayed {
						fresh[k.Name]++
					}
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	of := map[uint64]string{}
	for name, numbers := range turnos {
		for n := range numbers {
			if of[n] != "" {
				t.Errorf("keys %s and %s have number %d", name, of[n], n)
			}
			of[n] = name
		}
		if len(numbers) != 1 || fresh[name] != 1 {
			t.Errorf("key %s has numbers %v, new %d times; want one, once", name, numbers, fresh[name])
		}
	}
	wantLast(t, slots[0].h, "a", uint64(rounds*(each+len(slots))))
}

// As many keys as may be have a number. None more, and those keep it.
func testManyKeys(t *testing.T, p *place) {
	handles := p.nodes(t)
	s, other := handles[0].free[0], handles[len(handles)-1].free[0]
	const ids = 50
	call := make([]server.Claim, ids)
	for i := range MaxSessions - 1 {
		c := &call[i%ids]
		c.ID, c.N = fmt.Sprintf("id-%d", i%ids), 1
		c.Keys = append(c.Keys, server.Key{Name: fmt.Sprintf("key-%d", i)})
	}
	first, err := s.reserve(t.Context(), call...)
	if err != nil {
		t.Fatal(err)
	}
	wantKeys(t, other, "a", 1, []string{"last", "over"}, 1, 2, "2 full")
	wantKeys(t, other, "a", 0, []string{"over"}, 0, 0, "full")
	wantKeys(t, s, "a", 1, []string{"over", "last"}, 3, 1, "full 2r")
	wantKeys(t, s, "none", 0, []string{"over"}, 0, 0, "full")
	wantLast(t, s.h, "none", 0)
	if got := s.h.Info().Sessions; got != MaxSessions {
		t.Errorf("Info().Sessions = %d; want %d", got, MaxSessions)
	}
	again, err := other.reserve(t.Context(), call...)
	if err != nil {
		t.Fatal(err)
	}
	for i := range again {
		for j, k := range again[i].Keys {
			if want := first[i].Keys[j].Turno; k.Turno != want || !k.Replayed || k.Err != nil {
				t.Fatalf("key %s has %d, %t, %v; want %d again", k.Name, k.Turno, k.Replayed, k.Err, want)
			}
		}
	}
}

// At the upper edge what is left goes first to requests without a key. A key keeps its number when all are given.
func testKeysAtTheEdge(t *testing.T, p *place) {
	s := p.open(t).free[0]
	upTo(t, s, "a", api.MaxTurno-3)
	wantKeys(t, s, "a", 1, []string{"x", "y", "z"}, api.MaxTurno-2, 3, fmt.Sprintf("%d %d exhausted", uint64(api.MaxTurno-1), uint64(api.MaxTurno)))
	wantKeys(t, s, "a", 0, []string{"y"}, 0, 0, fmt.Sprintf("%dr", uint64(api.MaxTurno)))
	got, err := s.reserve(t.Context(), server.Claim{ID: "a", N: 1, Keys: keys("z", "x")})
	if err != nil {
		t.Fatal(err)
	}
	if c := got[0]; !errors.Is(c.Err, server.ErrExhausted) || numbers(c) != fmt.Sprintf("exhausted %dr", uint64(api.MaxTurno-1)) {
		t.Errorf("when all were given: %v, keys %s", c.Err, numbers(c))
	}
	if got := s.h.Info().Sessions; got != 2 {
		t.Errorf("Info().Sessions = %d; want 2: z got none", got)
	}
}

// A call made again is given what it was given: what was new then is new now.
func testKeysRepeat(t *testing.T, p *place) {
	s := p.open(t).free[0]
	wantKeys(t, s, "a", 0, []string{"old"}, 1, 1, "1")
	call := []server.Claim{{ID: "a", N: 2, Keys: keys("new", "old")}, {ID: "b", Keys: keys("new")}, {ID: "c", N: 1}}
	was, err := s.reserve(t.Context(), call...)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		call := []server.Claim{{ID: "a", N: 2, Keys: keys("new", "old")}, {ID: "b", Keys: keys("new")}, {ID: "c", N: 1}}
		got, err := s.call(t.Context(), s.seq, call...)
		if err != nil {
			t.Fatal(err)
		}
		for i := range got {
			if got[i].First != was[i].First || got[i].Granted != was[i].Granted || numbers(got[i]) != numbers(was[i]) {
				t.Errorf("made again: %d, %d, keys %s; want %d, %d, keys %s", got[i].First, got[i].Granted, numbers(got[i]),
					was[i].First, was[i].Granted, numbers(was[i]))
			}
		}
	}
	if numbers(was[0]) != "4 1r" || numbers(was[1]) != "1" {
		t.Errorf("keys have %s, %s; want 4 1r, 1", numbers(was[0]), numbers(was[1]))
	}
	wantKeys(t, s, "a", 1, []string{"new"}, 5, 1, "4r")
}

// Keys outlive the handle that took their numbers where counters do.
func testKeysReopen(t *testing.T, p *place) {
	if !p.Lasts {
		t.Skip("the counters end with their handles")
	}
	for round := range uint64(3) {
		h := p.open(t)
		s := h.free[0]
		have := "2r"
		if round == 0 {
			wantKeys(t, s, "a", 1, []string{"x"}, 1, 2, "2")
		}
		wantKeys(t, s, "a", 1, []string{"x", fmt.Sprint(round)}, 3+2*round, 2, fmt.Sprintf("%s %d", have, 4+2*round))
		if got := h.Info().Sessions; got != int(round)+2 {
			t.Errorf("Info().Sessions = %d; want %d", got, round+2)
		}
		h.close(t)
	}
}

// RunSessions puts the keys of a store through the contract of [server.Key].
func RunSessions(t *testing.T, make func(t *testing.T) Place) {
	t.Helper()
	for _, tt := range []struct {
		name string
		test func(*testing.T, *place)
	}{
		{"one key, one number", testKeys},
		{"odd keys", testOddKeys},
		{"one key at the same time", testKeysAtOnce},
		{"as many keys as may be", testManyKeys},
		{"keys at the upper edge", testKeysAtTheEdge},
		{"a call with keys made again", testKeysRepeat},
		{"keys, closed and opened again", testKeysReopen},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, &place{Place: make(t)}) })
	}
}

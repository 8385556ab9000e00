package server_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/api"
	"github.com/turnomatico/tmctl/server/store/memory"
)

// desked is a node whose calls wait at a desk before a memory store.
func desked(t *testing.T, slots int) (*node, *desk) {
	t.Helper()
	d := &desk{Store: memory.New(server.Bounds{IDs: 10_000}), slots: slots}
	return newNode(t, d, nil), d
}

// While nobody else asks, a request is a call of its own, which it makes itself, at once.
func TestAloneAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n, d := desked(t, 4)
		for i := range 5 {
			r := n.ask("a")
			v := d.next(t)
			expect(t, "the call", v.asks(), "a:1")
			if !strings.Contains(v.by, ".(*Node).TakeOnce\n") {
				t.Errorf("the call was made by\n%s\nwant the request's own goroutine", v.by)
			}
			v.grant(t)
			expect(t, "the request", r, fmt.Sprint(i+1))
			if r.took != 0 {
				t.Errorf("a request on an idle node waited %s beside its call; want 0", r.took)
			}
		}
	})
}

// Rules 1 to 3: what comes during a call is in the next one, all of it in one block, in order of arrival.
func TestBlocksAreNatural(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n, d := desked(t, 1)
		first := n.ask("a")
		call := d.next(t)
		second := n.asks(repeat("a", 9)...)
		d.nobody(t) // the slot is busy
		call.execute(t)
		takeOf(t, d.Store.(*memory.Store), "a", 10) // another node, whose numbers are between
		late := n.ask("a")
		call.answer()
		expect(t, "the first request", first, "1")
		expect(t, "those who came during its call", append(second, late), strings.Repeat("waits ", 9)+"waits")

		call = d.next(t)
		expect(t, "the second call", call, "0/2 a:10")
		if !strings.Contains(call.by, ".(*batcher).drain\n") {
			t.Errorf("the call was made by\n%s\nwant the slot's goroutine", call.by)
		}
		third := n.asks("a", "a")
		call.grant(t)
		expect(t, "the second block", append(second, late), count(12, 21))
		expect(t, "those who came during its call", third, "waits waits")
		d.next(t).grant(t)
		expect(t, "the third block", third, "22 23")
		d.nobody(t)
		expect(t, "the store", taken(t, d.Store, "a"), "23")
		expect(t, "the books", n.Books(), "{13 0 map[] 0 0}")
	})
}

// Several slots: a call for each that is free, then blocks; whichever ends first takes what waits.
func TestSlots(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n, d := desked(t, 3)
		rs := n.asks("a", "a", "b", "a", "b", "c")
		calls := []*visit{d.next(t), d.next(t), d.next(t)}
		expect(t, "three calls", [...]string{calls[0].asks(), calls[1].asks(), calls[2].asks()}, "[a:1 a:1 b:1]")
		d.nobody(t)
		calls[1].grant(t)
		next := d.next(t)
		expect(t, "the call of what waited", next.asks(), "a:1 b:1 c:1")
		if next.Slot != calls[1].Slot || next.Seq != calls[1].Seq+1 {
			t.Errorf("the token is %d/%d after %d/%d; want the next of the same slot", next.Slot, next.Seq, calls[1].Slot, calls[1].Seq)
		}
		next.grant(t)
		calls[2].grant(t)
		calls[0].grant(t)
		expect(t, "all", rs, "3 1 2 2 1 1")
		if idle := n.Idle(); idle != 3 {
			t.Errorf("%d slots rest; want 3", idle)
		}
	})
}

// At the upper edge the store grants what is left, to those who came first.
func TestPartialGrant(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n, d := desked(t, 1)
		takeOf(t, d.Store.(*memory.Store), "a", api.MaxTurno-3)
		busy := n.ask("b")
		rs := n.asks("a", "a", "a", "a", "a")
		d.next(t).grant(t)
		d.next(t).grant(t)
		expect(t, "five for three", rs, "9007199254740989 9007199254740990 9007199254740991 exhausted exhausted")
		expect(t, "the books", n.Books(), "{4 0 map[] 0 0}")
		after := n.ask("a")
		d.next(t).grant(t)
		expect(t, "the next, and the other id", requests{after, busy}, "exhausted 1")
	})
}

// A call is bounded; who has waited longest is in the first one, whatever others ask for.
func TestManyIDs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n, d := desked(t, 1)
		n.ask("hot")
		busy := d.next(t)
		var ids []string
		for i := range 2*server.MaxClaims + 500 {
			ids = append(ids, fmt.Sprintf("id%d", i))
		}
		rs := n.asks(ids...)
		for i := range 3 {
			n.asks("hot", "hot", ids[len(ids)-1])
			busy.grant(t)
			busy = d.next(t)
			at, want := i*server.MaxClaims, server.MaxClaims
			if i == 2 {
				want = 501 // and hot
			}
			if len(busy.Claims) != want || busy.Claims[0].ID != ids[at] || busy.Claims[499].ID != ids[at+499] {
				t.Errorf("call %d has %d claims from %s; want %d from %s", i, len(busy.Claims), busy.Claims[0].ID, want, ids[at])
			}
		}
		expect(t, "the last claims", busy.Claims[499:], "[{id2499 4 [] 0 0 0 <nil>} {hot 6 [] 1 0 0 <nil>}]")
		busy.grant(t)
		d.nobody(t)
		for i, r := range rs {
			if r.String() != "1" {
				t.Fatalf("%s got %s; want 1", ids[i], r)
			}
		}
	})
}

// Claims of a call stand for themselves.
func TestClaimErrors(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n, d := desked(t, 1)
		n.ask("x")
		busy := d.next(t)
		rs := n.asks("a", "b", "c", "d", "e", "f", "f")
		busy.grant(t)
		v := d.next(t)
		v.execute(t)
		for i, err := range []error{nil, server.ErrStopped, server.ErrTooManyIDs, server.ErrExhausted, &server.BrokenError{}, errLost} {
			v.Claims[i].Err = err
		}
		v.answer()
		expect(t, "each claim", rs, "1 stopped too many ids exhausted broken unknown unknown")
		expect(t, "the books", n.Books(), "{4 0 map[] 2 0}")
		again := n.ask("b")
		d.next(t).grant(t)
		expect(t, "an id that the store refused", again, "2") // it is not stopped here
	})
}

// Ids that get no number cost no memory, whatever kept it from them.
func TestRefusedIDsAreForgotten(t *testing.T) {
	refusals := []error{server.ErrTooManyIDs, server.ErrStopped, server.ErrExhausted, server.ErrUnavailable, &server.BrokenError{}, errLost}
	const ids = 100_000
	bubble(t, func(t *testing.T) {
		s := &refusing{Store: memory.New(server.Bounds{IDs: 1})}
		n := newNode(t, s, nil)
		for i := range ids {
			s.claim = refusals[i%len(refusals)]
			if _, o := n.Take(fmt.Sprintf("id%d", i)); o == server.Answered {
				t.Fatal("a refused request got a number")
			}
		}
		s.claim, s.call = nil, server.ErrUnavailable
		n.ask("id")
		if kept := n.Counters(); kept != 0 {
			t.Errorf("%d of %d refused ids are kept; want 0", kept, ids)
		}
	})
}

// Ids whose requests waited in vain are forgotten too.
func TestOverdueIDsAreForgotten(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n, d := desked(t, 1)
		n.ask("a")
		call := d.next(t)
		for i := range 100 {
			n.ask(fmt.Sprintf("id%d", i))
		}
		time.Sleep(server.DefaultRequestTimeout + server.SweepEach)
		call.end(errLost)
		if kept := n.Counters(); kept != 0 {
			t.Errorf("%d ids that got no number are kept; want 0", kept)
		}
	})
}

// One busy id does not leave every other one with room for as many requests.
func TestMemoryOfIdleIDs(t *testing.T) {
	const ids, busy = 2000, 500
	bubble(t, func(t *testing.T) {
		n, d := desked(t, 1)
		n.ask("hot")
		for i := range ids {
			call := d.next(t)
			for range busy / 10 {
				n.askLater("hot")
			}
			n.ask(fmt.Sprintf("id%d", i))
			call.grant(t)
		}
		d.next(t).grant(t)
		d.nobody(t)
		if room := n.Room(); room > 64*1024+ids {
			t.Errorf("at rest, %d ids have room for %d requests; want no more than the spare blocks and one each", ids, room)
		}
	})
}

// refusing is a store that settles each claim with an error, or none.
type refusing struct {
	server.Store
	claim, call error
}

func (s *refusing) Reserve(_ context.Context, call *server.Call) error {
	for i := range call.Claims {
		call.Claims[i].Err = s.claim
	}
	return s.call
}

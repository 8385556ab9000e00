package server_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnomatico/tmctl/history"
	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/api"
	"github.com/turnomatico/tmctl/server/store/memory"
)

var keyBounds = server.Bounds{IDs: 100, Sessions: 100_000, SessionTTL: time.Hour}

// keyed is a node whose calls wait at a desk.
func keyed(t *testing.T, slots int) (*node, *desk) {
	t.Helper()
	d := &desk{Store: memory.New(keyBounds), slots: slots}
	return newNode(t, d, nil), d
}

// A block asks once for each key, and for each request without one. Of those with one key the first has a new number.
func TestKeysOfABlock(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n, d := keyed(t, 1)
		first := n.ask("a")
		call := d.next(t)
		rs := requests{n.askOnce("a", "x"), n.ask("a"), n.askOnce("a", "y"), n.askOnce("a", "x"), n.askOnce("b", "x"), n.ask("a")}
		call.grant(t)
		call = d.next(t)
		expect(t, "the next call", fmt.Sprint(call.Claims), "[{a 2 [{x 0 false <nil>} {y 0 false <nil>}] 1 0 0 <nil>} {b 0 [{x 0 false <nil>}] 0 0 0 <nil>}]")
		call.grant(t)
		expect(t, "the requests", append(requests{first}, rs...), "1 4 2 5 4r 1 3")
		later := requests{n.askOnce("a", "y"), n.askOnce("a", "z")}
		d.next(t).grant(t)
		d.next(t).grant(t)
		expect(t, "later requests", later, "5r 6")
		expect(t, "the books", n.Books(), "{7 0 map[] 0 0}")
		expect(t, "the marks", n.Marks(), "[{a 6} {b 1}]")
	})
}

// The number of a key whose first request has left is new to the next who waits for it; when all have left it is burned, and
// whoever comes later still gets it.
func TestKeysOfThoseWhoLeft(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n, d := keyed(t, 1)
		busy := n.ask("b")
		hold := d.next(t)
		early := n.askOnce("a", "y")
		time.Sleep(2 * time.Second)
		late := n.askOnce("a", "y")
		hold.grant(t)
		call := d.next(t)
		time.Sleep(3*time.Second + server.SweepEach)
		synctest.Wait()
		expect(t, "the first with a key, and the second", requests{early, late}, "unknown waits")
		call.grant(t)
		expect(t, "the second", requests{busy, late}, "1 1")
		expect(t, "the books", n.Books(), "{2 0 map[] 0 0}")
	})
}

// Who asks again for a key whose number arrived too late gets it; the number was burned once, and stays so.
func TestKeyOfALateAnswer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n, d := keyed(t, 1)
		d.deaf = true
		n.ask("b")
		busy := d.next(t)
		gone := n.askOnce("a", "x")
		busy.grant(t)
		call := d.next(t)
		time.Sleep(timeout + server.SweepEach)
		synctest.Wait()
		expect(t, "who waited too long", gone, "unknown")
		call.grant(t)
		expect(t, "the books", n.Books(), "{2 0 map[late:1] 0 0}")
		again := n.askOnce("a", "x")
		d.next(t).grant(t)
		expect(t, "who asks again", again, "1r")
		expect(t, "the books", n.Books(), "{2 0 map[late:1] 0 0}")
	})
}

// A number that was given before is no sign that the store went back; one that is new is, also with a key.
func TestKeysAndTheFence(t *testing.T) {
	bubble(t, func(t *testing.T) {
		table := memory.New(keyBounds)
		n := newNode(t, struct{ server.Store }{table.Another()}, nil)
		expect(t, "before", requests{n.askOnce("a", "x"), n.ask("a"), n.ask("a")}, "1 2 3")
		expect(t, "a replay below the mark", n.askOnce("a", "x"), "1r")
		expect(t, "afterwards", n.ask("a"), "4")

		fresh := memory.New(keyBounds)
		back := &switched{Store: table}
		m := newNode(t, back, nil)
		expect(t, "before", requests{m.askOnce("b", "x"), m.ask("b")}, "1 2")
		back.Store = fresh
		expect(t, "a new number at the mark", requests{m.askOnce("b", "y"), m.ask("b")}, "unknown stopped")
		expect(t, "the books", m.Books(), "{3 0 map[rollback:1] 0 0}")
	})
}

// switched is a store in whose place a test puts another.
type switched struct{ server.Store }

// What a claim's error means for its keys.
func TestKeyErrors(t *testing.T) {
	bubble(t, func(t *testing.T) {
		bounds := keyBounds
		bounds.Sessions = 2
		table := memory.New(bounds)
		takeOf(t, table, "a", api.MaxTurno-1)
		n := newNode(t, struct{ server.Store }{table}, nil)
		expect(t, "at the edge", requests{n.askOnce("a", "x"), n.askOnce("a", "y"), n.askOnce("a", "x"), n.ask("a")},
			fmt.Sprintf("%d exhausted %dr exhausted", uint64(api.MaxTurno), uint64(api.MaxTurno)))
		expect(t, "a full table", requests{n.askOnce("b", "x"), n.askOnce("b", "y"), n.askOnce("b", "x"), n.ask("b")}, "1 sessions full 1r 2")
		if o := n.askOnce("b", "z").outcome; o.Consumed() != api.ConsumedNo {
			t.Errorf("refused for want of room, its client is told %q", o.Consumed())
		}
	})
}

// The numbers of a call of which nothing is known are one for each key and each request without.
func TestUnknownKeys(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n, d := keyed(t, 1)
		n.ask("b")
		busy := d.next(t)
		rs := requests{n.askOnce("a", "x"), n.askOnce("a", "x"), n.ask("a")}
		busy.grant(t)
		d.next(t)
		time.Sleep(timeout + server.SweepEach)
		synctest.Wait()
		expect(t, "the requests", rs, "unknown unknown unknown")
		expect(t, "the numbers written off", n.Books().Unknown, "2")
	})
}

// A store that says what can't be is not believed.
func TestImplausibleKeys(t *testing.T) {
	for name, spoil := range map[string]func(c *server.Claim){
		"no number":              func(c *server.Claim) { c.Keys[0].Turno = 0 },
		"a replay of no number":  func(c *server.Claim) { c.Keys[0] = server.Key{Name: "x", Replayed: true} },
		"past the end":           func(c *server.Claim) { c.Keys[0].Turno = api.MaxTurno + 1 },
		"not of the block":       func(c *server.Claim) { c.Keys[0].Turno = c.First + c.Granted },
		"more than were asked":   func(c *server.Claim) { c.Granted++ },
		"a number for a replay":  func(c *server.Claim) { c.Keys[0].Replayed = true },
		"new, but all are given": func(c *server.Claim) { c.Err = server.ErrExhausted },
		"nothing":                func(c *server.Claim) { c.Granted = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				n, d := keyed(t, 1)
				r := n.askOnce("a", "x")
				call := d.next(t)
				call.execute(t)
				spoil(&call.Claims[0])
				call.answer()
				expect(t, "the request", r, "unknown")
			})
		})
	}
}

// A call has so many keys; those of whom there are more wait for the next, in order.
func TestManyKeys(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n, d := keyed(t, 1)
		n.ask("hold")
		busy := d.next(t)
		const more = 7
		var rs requests
		for i := range server.MaxKeys + more {
			rs = append(rs, n.ask("a"), n.askOnce("a", fmt.Sprint(i)))
		}
		rs = append(rs, n.ask("b"))
		busy.grant(t)
		call := d.next(t)
		expect(t, "the first call", fmt.Sprint(len(call.Claims), call.Claims[0].N, len(call.Claims[0].Keys)), fmt.Sprint(1, server.MaxKeys+1, server.MaxKeys))
		call.grant(t)
		call = d.next(t)
		expect(t, "the second", fmt.Sprint(len(call.Claims), call.Claims[0].N, len(call.Claims[0].Keys)), fmt.Sprint(2, more-1, more))
		call.grant(t)
		if s := rs.String(); strings.ContainsAny(s, "rw") {
			t.Errorf("not all have a new number: %s", s)
		}
	})
}

// Three nodes on one table, each behind a storm, and clients who ask again with one key until they have an answer, now and
// then of two nodes at once: each key has one number, and numbers are unique, in order and without a gap.
func TestSimulatedKeys(t *testing.T) {
	happened := map[string]int{}
	eachSeed(t, 40, func(t *testing.T, seed uint64) {
		table := memory.New(keyBounds)
		c := &crowd{ids: []string{"a", "b", "c"}[:1+2*(seed%2)], clients: 20, ops: 40, seed: seed, think: 20 * time.Millisecond, keys: new(sync.Map)}
		var storms []*storm
		for i := range uint64(3) {
			storms = append(storms, newStorm(table.Another(), stormy, 10*seed+i))
		}
		c.runThrough(storms, server.Config{RequestTimeout: patient}, func() {})
		p := c.prove()
		if p.Linearizable == nil || !*p.Linearizable {
			complain(t, p)
		}
		for _, what := range c.disagreements() {
			t.Error(what)
		}
		for _, ops := range c.seen {
			for _, op := range ops {
				happened[op.Outcome.String()]++
			}
		}
		happened["replayed"] += int(c.replays.Load())
	})
	if (happened["replayed"] == 0 || happened[history.OK.String()] == 0) && *oneSeed == 0 {
		t.Error("no key was used twice: the simulation shows nothing")
	}
	t.Log(happened)
}

package server_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnomatico/tmctl/server"
)

const tenOfA = "[{[{a 10} {b 2}] 0}]"

// A store that may be another one makes requests wait until the node has told it all that it knows.
func TestRejoin(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n, f, h := lived(t, server.OnRollbackStop)
		joining := make(chan struct{})
		h.joining = func(int) error { <-joining; return nil }
		f.restore(f.copy(), false) // nothing was lost
		rs := n.asks("a", "b", "a", "c")
		time.Sleep(time.Second)
		expect(t, "while the store is rejoined", rs, "waits waits waits waits")
		close(joining)
		synctest.Wait()
		expect(t, "afterwards", rs, "11 3 12 1")
		expect(t, "Rejoin was called", h.rejoined, tenOfA)
		expect(t, "slots at rest", n.Idle(), "2")
	})
}

// What the store lost is fenced before it gives a number.
func TestRejoinOfAStoreThatWentBack(t *testing.T) {
	for policy, want := range map[string]string{
		server.OnRollbackStop: "stopped 3 stopped []",
		server.OnRollbackJump: "1000011 3 1000012 [{a 11 1000010}]",
	} {
		t.Run(policy, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				n, f, h := lived(t, policy)
				old := f.copy()
				old.last["a"] = 7
				f.restore(old, false)
				expect(t, "afterwards", fmt.Sprint(n.asks("a", "b", "a"), n.Declared()), want)
				expect(t, "Rejoin, Fence", fmt.Sprint(len(h.rejoined), len(h.fenced)), "1 0")
				expect(t, "the books", n.Books().Burned, "map[]")
			})
		})
	}
}

// Rejoining is tried until it works. Whoever waits beyond the deadline meanwhile took nothing.
func TestRejoinFails(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n, f, h := lived(t, server.OnRollbackStop)
		h.joining = func(attempt int) error {
			if attempt < 4 {
				return errors.New("loading")
			}
			return nil
		}
		f.restore(f.copy(), false)
		r := n.ask("a")
		time.Sleep(time.Second)
		synctest.Wait()
		expect(t, "the request", r, "11")
		expect(t, "Rejoin was called", len(h.rejoined), "4")
		if r.took > 600*time.Millisecond {
			t.Errorf("rejoining took %s; want no more than three pauses of 200ms", r.took)
		}
	})
}

func TestRejoinLongerThanTheDeadline(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n, f, h := lived(t, server.OnRollbackStop)
		joining := make(chan struct{})
		h.joining = func(int) error { <-joining; return nil }
		f.restore(f.copy(), false)
		rs := n.asks("a", "c", "b", "a")
		time.Sleep(timeout + server.SweepEach)
		synctest.Wait()
		for _, r := range rs {
			if r.String() != "unavailable" || r.outcome.Consumed() != "no" || r.took > timeout+server.SweepEach {
				t.Errorf("a request: %s, consumed %q, after %s; want unavailable, no, after %s", r, r.outcome.Consumed(), r.took, timeout)
			}
		}
		expect(t, "ids in memory", n.Counters(), "2")
		expect(t, "who comes when it has taken long", n.asks("a", "b"), "silent silent")
		close(joining)
		synctest.Wait()
		expect(t, "who came later", n.asks("a", "b"), "11 3")
		expect(t, "the books", n.Books(), "{14 0 map[] 0 0}")
	})
}

// A node that nobody asks learns of it too: others need its marks.
func TestIdleNodeRejoins(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n, f, h := lived(t, server.OnRollbackJump)
		time.Sleep(10 * server.CheckEvery)
		expect(t, "Rejoin was called", h.rejoined, "[]")
		f.restore(newFickle().copy(), false)
		time.Sleep(server.CheckEvery)
		synctest.Wait()
		expect(t, "Rejoin was called", h.rejoined, "[{[{a 10} {b 2}] 1000000}]")
		time.Sleep(10 * server.CheckEvery)
		expect(t, "Rejoin was called", len(h.rejoined), "1")
		expect(t, "afterwards", n.asks("a", "b", "c"), "1000011 1000003 1")
		expect(t, "the declared ranges", n.Declared(), "[{a 11 1000010} {b 3 1000002}]")
	})
}

// Two slots that notice at once rejoin once; their requests keep their order.
func TestTwoSlotsNoticeAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFickle()
		h := f.open(0)
		h.grace = time.Second
		d := &desk{Store: h, slots: 2}
		n := newNode(t, fencedDesk{d, h}, nil)
		rs := n.asks("a", "b", "a", "b")
		first, second := d.next(t), d.next(t)
		f.restore(f.copy(), false)
		second.end(server.ErrChanged)
		rs = append(rs, n.ask("a"))
		first.end(server.ErrChanged)
		d.nobody(t)
		rs = append(rs, n.ask("b"))
		time.Sleep(time.Second)
		call := d.next(t)
		expect(t, "the call of all", call.asks(), "a:3 b:3")
		call.grant(t)
		d.nobody(t)
		expect(t, "the requests", rs, "1 1 2 2 3 3")
		expect(t, "Rejoin was called", h.rejoined, "[{[] 0}]")
	})
}

// Whoever gave up before the store was found changed takes nothing afterwards.
func TestRequeueWithoutThoseWhoGaveUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFickle()
		h := f.open(0)
		d := &desk{Store: h, slots: 1}
		n := newNode(t, fencedDesk{d, h}, nil)
		n.ask("x")
		busy := d.next(t)
		early := n.asks("a", "b")
		time.Sleep(2 * time.Second)
		later := n.ask("a")
		busy.grant(t)
		call := d.next(t)
		expect(t, "the call", call.asks(), "a:2 b:1")
		time.Sleep(3*time.Second + server.SweepEach)
		synctest.Wait()
		expect(t, "who gave up", early, "unknown unknown")
		f.restore(f.copy(), false)
		call.end(server.ErrChanged)
		again := d.next(t)
		expect(t, "the call after the rejoin", again.asks(), "a:1")
		again.grant(t)
		expect(t, "who did not", later, "1")
		expect(t, "ids in memory", n.Counters(), "2")
		expect(t, "the books", n.Books(), "{2 0 map[] 0 0}")
	})
}

// One that notices after the other has rejoined asks again at once.
func TestSlotNoticesAfterTheRejoin(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFickle()
		h := f.open(0)
		d := &desk{Store: h, slots: 2}
		n := newNode(t, fencedDesk{d, h}, nil)
		rs := n.asks("a", "b")
		first, second := d.next(t), d.next(t)
		f.restore(f.copy(), false)
		first.end(server.ErrChanged)
		d.next(t).grant(t)
		second.end(server.ErrChanged)
		d.next(t).grant(t)
		expect(t, "the requests", rs, "1 1")
		expect(t, "Rejoin was called", len(h.rejoined), "1")
	})
}

// A call whose answer was lost before the store changed is not asked again after the rejoin: others may have been given later
// numbers than its block, which the store may have forgotten, or give again elsewhere. Its requests are told so.
func TestLostAnswerThenAnotherStore(t *testing.T) {
	for _, kept := range []bool{true, false} {
		t.Run(fmt.Sprintf("kept %t", kept), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := newFickle()
				h := f.open(0)
				d := &desk{Store: h, slots: 1}
				n := newNode(t, fencedDesk{d, h}, nil)
				old := f.copy()
				r := n.ask("a")
				call := d.next(t)
				call.lose(t)
				if kept {
					old = f.copy()
				}
				f.restore(old, false)
				time.Sleep(time.Second)
				repeat := d.next(t)
				expect(t, "the repeat", repeat, call.String())
				if err := h.Reserve(t.Context(), &repeat.Call); err != server.ErrChanged && len(h.rejoined) == 0 {
					t.Fatalf("Reserve = %v before the rejoin; want ErrChanged", err)
				}
				repeat.end(server.ErrChanged)
				time.Sleep(time.Second)
				d.nobody(t)
				expect(t, "the request", r, "unknown")
				expect(t, "the books", n.Books(), "{1 0 map[] 1 0}")
			})
		})
	}
}

// The same where only the numbers tell that the store went back: this node notices by those of another call, or is told that
// the id is stopped, by another node.
func TestLostAnswerThenAnUnnoticedLoss(t *testing.T) {
	for name, tt := range map[string]struct {
		policy string
		notice func(t *testing.T, n *node, d *desk, repeat *visit)
	}{
		"noticed before the repeat": {server.OnRollbackJump, func(t *testing.T, n *node, d *desk, repeat *visit) {
			other := n.ask("a")
			d.next(t).grant(t)
			expect(t, "the request of which it tells", other, "unknown")
			repeat.end(server.ErrUnavailable)
		}},
		"noticed while it is answered": {server.OnRollbackJump, func(t *testing.T, n *node, d *desk, repeat *visit) {
			other := n.ask("a")
			call := d.next(t)
			call.execute(t)
			repeat.execute(t)
			call.answer()
			expect(t, "the request of which it tells", other, "unknown")
			repeat.answer()
		}},
		"noticed by another node": {server.OnRollbackStop, func(t *testing.T, _ *node, d *desk, repeat *visit) {
			d.Store.(*handle).fence([]server.Mark{{ID: "a", Last: 3}}, 0)
			repeat.grant(t)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := newFickle()
				h := f.open(0)
				d := &desk{Store: h, slots: 2}
				n := newNode(t, fencedDesk{d, h}, func(c *server.Config) { c.OnRollback = tt.policy })
				old := f.copy()
				lost, later := n.ask("a"), n.ask("a")
				call := d.next(t)
				call.lose(t)
				d.next(t).grant(t)
				expect(t, "the later request", later, "2")
				f.restore(old, true)
				time.Sleep(time.Second)
				tt.notice(t, n, d, d.next(t))
				time.Sleep(time.Second)
				d.nobody(t)
				expect(t, "the request", lost, "unknown")
				expect(t, "the numbers written off", n.Books().Unknown, "1")
			})
		})
	}
}

// An answer on its way while the node makes itself known to what the store is now is of the store as it was before: others
// may be given the same numbers. It is not handed out, and its requests are told that a number may be gone.
func TestAnswerOfAnEarlierLife(t *testing.T) {
	for _, rejoined := range []bool{false, true} {
		t.Run(fmt.Sprintf("after the rejoin %t", rejoined), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := newFickle()
				h := f.open(0)
				h.grace = time.Second
				d := &desk{Store: h, slots: 2}
				n := newNode(t, fencedDesk{d, h}, nil)
				old := f.copy()
				r := n.ask("a")
				call := d.next(t)
				call.execute(t)
				f.restore(old, false)
				time.Sleep(server.CheckEvery) // the node notices
				synctest.Wait()
				if rejoined {
					time.Sleep(h.grace)
					synctest.Wait()
				}
				call.answer()
				other := f.open(1)
				other.known = 1
				claims := server.Call{Seq: 1, Claims: []server.Claim{{ID: "a", N: 3}}}
				if err := other.Reserve(t.Context(), &claims); err != nil {
					t.Fatal(err)
				}
				time.Sleep(2 * time.Second)
				d.nobody(t)
				expect(t, "the request, when another node has 1 to 3", r, "unknown")
				expect(t, "the books", n.Books(), "{1 0 map[] 1 0}")
			})
		})
	}
}

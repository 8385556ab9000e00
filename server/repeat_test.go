package server_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/api"
	"github.com/turnomatico/tmctl/server/store/memory"
)

const timeout = server.DefaultRequestTimeout

// Rule 5: a call whose answer is lost is asked again as it was, and gets what it had got. It is never another call.
func TestLostAnswers(t *testing.T) {
	executed := func(t *testing.T, v *visit) { v.lose(t) }
	missed := func(_ *testing.T, v *visit) { v.end(errLost) }
	refused := func(_ *testing.T, v *visit) { v.end(server.ErrUnavailable) }
	tests := []struct {
		name  string
		first []func(*testing.T, *visit) // what becomes of the attempts before the one that is answered
	}{
		{"executed, the answer lost", []func(*testing.T, *visit){executed}},
		{"never arrived", []func(*testing.T, *visit){missed}},
		{"lost twice", []func(*testing.T, *visit){executed, executed}},
		{"missed, then lost", []func(*testing.T, *visit){missed, executed}},
		{"lost, then the store is away", []func(*testing.T, *visit){executed, refused, refused}},
		{"missed, then the store is away", []func(*testing.T, *visit){missed, refused, refused}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				n, d := desked(t, 2)
				takeOf(t, d.Store.(*memory.Store), "a", 4)
				other := n.ask("b")
				busy := d.next(t) // the calls after it use the other slot
				r := n.ask("a")
				v := d.next(t)
				late := n.ask("a")
				for _, become := range tt.first {
					become(t, v)
					time.Sleep(time.Second)
					repeat := d.next(t)
					expect(t, "the repeat", repeat, v.String())
					v = repeat
				}
				v.grant(t)
				expect(t, "the request", r, "5")
				expect(t, "the store", taken(t, d.Store, "a"), "5")
				expect(t, "the books", n.Books(), "{1 0 map[] 0 0}")
				after := d.next(t)
				expect(t, "the next call, of who came meanwhile", after, fmt.Sprintf("%d/%d a:1", v.Slot, v.Seq+1))
				after.grant(t)
				busy.grant(t)
				expect(t, "who came meanwhile, and the other", requests{late, other}, "6 1")
			})
		})
	}
}

// What is unknown at the deadline stays so: the request is told, the number is written off, and nobody asks for it again.
func TestUnknownAtTheDeadline(t *testing.T) {
	for _, executed := range []bool{true, false} {
		t.Run(fmt.Sprintf("executed %t", executed), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				n, d := desked(t, 1)
				r := n.ask("a")
				v := d.next(t)
				if executed {
					v.lose(t)
					time.Sleep(time.Second)
					v = d.next(t)
				}
				time.Sleep(timeout) // the store hangs
				synctest.Wait()
				expect(t, "the request", r, "unknown")
				expect(t, "its client is told that a number is gone", r.outcome.Consumed(), api.ConsumedMaybe)
				if r.took != timeout {
					t.Errorf("the request took %s; want %s", r.took, timeout)
				}
				expect(t, "the books", n.Books(), "{1 0 map[] 1 0}")
				d.nobody(t)
				next := n.ask("a")
				after := d.next(t)
				expect(t, "the next call", after, fmt.Sprintf("0/%d a:1", v.Seq+1))
				after.execute(t)
				if err := d.Store.Reserve(t.Context(), &v.Call); err == nil { // what was lost arrives now
					t.Error("a call that its slot had given up was carried out")
				}
				after.answer()
				want := map[bool]string{true: "2", false: "1"}[executed]
				expect(t, "the next request", next, want)
				expect(t, "the store", taken(t, d.Store, "a"), want)
			})
		})
	}
}

// ErrUnavailable is certain: the requests fail at once, nothing is asked again, and nothing is gone.
func TestUnavailable(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n, d := desked(t, 1)
		first := n.ask("a")
		call := d.next(t)
		rs := append(n.asks("a", "b", "a"), first)
		call.end(fmt.Errorf("dial: %w", server.ErrUnavailable))
		second := d.next(t) // those who came meanwhile are asked for: it is another attempt for other requests
		expect(t, "the second call", second, "0/2 a:2 b:1")
		second.end(server.ErrUnavailable)
		d.nobody(t)
		for _, r := range rs {
			if r.String() != "unavailable" || r.outcome.Consumed() != api.ConsumedNo || r.took != 0 {
				t.Errorf("a request: %s, consumed %q, after %s; want unavailable, no, at once", r, r.outcome.Consumed(), r.took)
			}
		}
		expect(t, "the books", n.Books(), "{0 0 map[] 0 0}")
	})
}

// Calls of several slots may be executed and answered in any order: their requests were all waiting, so no order is wrong,
// and the fence must not take it for a store that went back.
func TestBlocksOutOfOrder(t *testing.T) {
	tests := []struct {
		name     string
		execute  []int // the calls, in the order in which the store carries them out
		answer   []int // … and in which its answers arrive
		got      string
		lastMark uint64
	}{
		{"executed in reverse", []int{2, 1, 0}, []int{2, 1, 0}, "3 2 1", 3},
		{"answered in reverse", []int{0, 1, 2}, []int{2, 1, 0}, "1 2 3", 3},
		{"crossed", []int{1, 2, 0}, []int{0, 2, 1}, "3 1 2", 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				n, d := desked(t, 3)
				rs := n.asks("a", "a", "a")
				calls := []*visit{d.next(t), d.next(t), d.next(t)}
				for _, i := range tt.execute {
					calls[i].execute(t)
				}
				for _, i := range tt.answer {
					calls[i].answer()
				}
				expect(t, "the requests", rs, tt.got)
				expect(t, "the mark", n.Marks(), fmt.Sprintf("[{a %d}]", tt.lastMark))
				if n.Rollbacks() != 0 {
					t.Error("the order of blocks was taken for a store that went back")
				}
				r := n.ask("a")
				d.next(t).grant(t)
				expect(t, "the next", r, "4")
			})
		})
	}
}

// A repeat counts from its first sending, also for the fence: meanwhile others may have received more.
func TestRepeatCountsFromItsFirstSending(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n, d := desked(t, 2)
		slow := n.ask("a")
		v := d.next(t)
		v.lose(t)
		for i := range 3 {
			r := n.ask("a")
			d.next(t).grant(t)
			expect(t, "a request on the other slot", r, fmt.Sprint(i+2))
		}
		time.Sleep(time.Second)
		d.next(t).grant(t)
		expect(t, "the slow one", slow, "1")
		expect(t, "the mark", n.Marks(), "[{a 4}]")
	})
}

// A store that hangs costs those who asked it their deadline, and perhaps a number.
func TestHungStore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n, d := desked(t, 2)
		asked := n.asks("a", "b")
		d.next(t)
		d.next(t)
		time.Sleep(time.Second)
		queued := n.asks("a", "c", "a")
		time.Sleep(timeout - time.Second)
		expect(t, "the calls of two who waited", d.next(t).asks()+", "+d.next(t).asks(), "c:1, a:1")
		expect(t, "those who asked", asked, "unknown unknown")
		time.Sleep(time.Second)
		synctest.Wait()
		expect(t, "those who waited", queued, "unavailable unknown unknown")
		expect(t, "the books", n.Books(), "{4 0 map[] 4 0}")
		r := n.ask("a")
		d.next(t).grant(t)
		expect(t, "a request when the store is back", r, "1")
		expect(t, "slots at rest", n.Idle(), "2")
	})
}

// Whoever waits while every slot is stuck beyond all deadlines took nothing, and is told so in time.
func TestOverdueInTheQueue(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n, d := desked(t, 2)
		d.deaf = true
		asked := n.asks("a", "b")
		stuck := []*visit{d.next(t), d.next(t)}
		queued := n.asks("a", "c", "a")
		time.Sleep(timeout + server.SweepEach)
		expect(t, "who comes later", n.asks("a", "c"), "silent silent")
		d.nobody(t)
		for _, r := range queued {
			if r.String() != "unavailable" || r.outcome.Consumed() != api.ConsumedNo || r.took > timeout+server.SweepEach {
				t.Errorf("who waited: %s, consumed %q, after %s; want unavailable, no, after %s", r, r.outcome.Consumed(), r.took, timeout)
			}
		}
		for _, v := range stuck {
			v.grant(t) // too late
		}
		expect(t, "those who asked", asked, "unknown unknown")
		later := n.asks("a", "c")
		d.next(t).grant(t)
		d.next(t).grant(t)
		expect(t, "those who came when it was back", later, "2 1")
		expect(t, "the store", taken(t, d.Store, "a"), "2")
		expect(t, "the books", n.Books(), "{4 0 map[late:2] 0 0}")
	})
}

// One who is overdue when a slot gets free is not asked for, whether or not somebody has told it.
func TestOverdueWhenASlotGetsFree(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n, d := desked(t, 1)
		d.deaf = true
		n.ask("a")
		stuck := d.next(t)
		time.Sleep(server.SweepEach / 5)
		overdue := n.ask("a")
		time.Sleep(server.SweepEach)
		waits := n.ask("a")
		time.Sleep(timeout - server.SweepEach + 1) // until just after its deadline, before the next sweep
		stuck.end(server.ErrUnavailable)
		v := d.next(t)
		expect(t, "the next call", v.asks(), "a:1")
		v.grant(t)
		expect(t, "who is overdue, and who is not", requests{overdue, waits}, "unavailable 1")
	})
}

// A block that arrives when some of its requests have given up: their numbers are burned, the others get theirs.
func TestLateBlock(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n, d := desked(t, 1)
		n.ask("x")
		busy := d.next(t)
		early := n.asks("a", "b")
		time.Sleep(2 * time.Second)
		later := n.asks("a", "b", "a")
		busy.grant(t)
		v := d.next(t)
		expect(t, "the call", v.asks(), "a:3 b:2")
		v.execute(t)
		time.Sleep(3*time.Second + server.SweepEach)
		synctest.Wait()
		expect(t, "who gave up", early, "unknown unknown")
		v.answer()
		expect(t, "the others", later, "2 2 3")
		expect(t, "the books", n.Books(), "{6 0 map[late:2] 0 0}")
	})
}

// A node that is asked nothing asks nothing.
func TestNobodyAsks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n, d := desked(t, 4)
		time.Sleep(time.Hour)
		d.nobody(t)
		expect(t, "slots at rest", n.Idle(), "4")
	})
}

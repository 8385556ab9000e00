package server_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/store/memory"
)

// newDesk is a desk with room for several ids, before a memory store.
func newDesk(slots int) *desk {
	return &desk{Store: memory.New(server.Bounds{IDs: 10_000}), slots: slots}
}

// grantAll carries out call after call until none comes.
func (d *desk) grantAll(t *testing.T) {
	t.Helper()
	for {
		synctest.Wait()
		d.mu.Lock()
		calls := d.calls
		d.calls = nil
		d.mu.Unlock()
		if len(calls) == 0 {
			return
		}
		for _, v := range calls {
			v.grant(t)
		}
	}
}

// count is how many of rs became what.
func (rs requests) count() map[string]int {
	n := map[string]int{}
	for _, r := range rs {
		n[r.String()]++
	}
	return n
}

// A store that has not answered for half of the time-out is waited for by nobody else, until it answers.
func TestSilentStore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n, d := desked(t, 2)
		asked := n.asks("a", "b")
		calls := []*visit{d.next(t), d.next(t)}
		time.Sleep(timeout / 2)
		waiting := n.asks("a", "c")
		time.Sleep(time.Nanosecond)
		refused := n.asks("a", "d", "e")
		expect(t, "who comes within half of the time-out", waiting, "waits waits")
		expect(t, "who comes later", refused, "silent silent silent")
		expect(t, "they are told", fmt.Sprint(refused[0].took, " ", refused[0].outcome.Consumed()), "0s no")
		expect(t, "ids in memory", n.Counters(), "3")
		calls[0].grant(t)
		expect(t, "who comes after the first answer", n.asks("d"), "waits")
		calls[1].grant(t)
		d.grantAll(t)
		expect(t, "who asked, and who waited", append(asked, waiting...), "1 1 2 1")
	})
}

// The pause of a fail-over is waited for: nobody is refused, and all are served at once when it is over.
func TestPauseIsWaitedFor(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n, d := desked(t, 1)
		rs := n.asks("a")
		call := d.next(t)
		const pause, each = 2 * time.Second, 10 * time.Millisecond
		for range pause / each {
			time.Sleep(each)
			rs = append(rs, n.ask("a"))
		}
		call.grant(t)
		d.next(t).grant(t)
		expect(t, "all", rs, count(1, int(pause/each)+1))
	})
}

// One connection that hangs is no silence while others answer.
func TestOneSlotHangs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n, d := desked(t, 2)
		stuck := n.ask("a")
		d.next(t)
		for range 50 {
			rs := n.asks("b", "b", "c")
			time.Sleep(timeout / 50)
			d.grantAll(t)
			expect(t, "who comes meanwhile", rs.count()["silent"], "0")
		}
		expect(t, "who hangs", stuck, "unknown")
	})
}

// A silent store is asked for one request by each slot, the newest, and by its answer is found to be back. The others take
// nothing unless it does.
func TestSilentStoreIsTried(t *testing.T) {
	for _, back := range []bool{false, true} {
		t.Run(fmt.Sprint("back=", back), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				n, d := desked(t, 2)
				n.asks("x", "y")
				d.next(t)
				d.next(t)
				var rs requests
				for range 20 {
					time.Sleep(timeout / 50)
					rs = append(rs, n.asks("a", "b")...)
				}
				time.Sleep(timeout - 20*timeout/50)
				first, second := d.next(t), d.next(t)
				expect(t, "the next calls", first.asks()+", "+second.asks(), "b:1, b:1")
				d.nobody(t)
				if back {
					first.grant(t)
					after := d.next(t)
					expect(t, "the call after an answer", after.asks(), "a:20 b:18")
					after.grant(t)
					second.grant(t)
					expect(t, "all", rs.count()["unavailable"], "0")
					return
				}
				time.Sleep(timeout)
				synctest.Wait()
				expect(t, "all", rs.count(), "map[unavailable:37 unknown:3]")
				expect(t, "the books", n.Books(), "{5 0 map[] 5 0}")
				expect(t, "slots at rest", n.Idle(), "2")
				expect(t, "ids in memory", n.Counters(), "0")
			})
		})
	}
}

// When nobody asks any more, it is forgotten that the store never answered: those who ask next are not refused.
func TestSilenceIsForgotten(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n, d := desked(t, 1)
		n.ask("a")
		d.next(t)
		time.Sleep(timeout + 2*server.SweepEach)
		rs := n.asks("a", "b", "b")
		d.next(t).grant(t)
		d.next(t).grant(t)
		expect(t, "who comes afterwards", rs, "1 1 2")
	})
}

// Whoever has less time left than the last answer took is in no call, for as long as the store is no quicker.
func TestTooLittleTimeLeft(t *testing.T) {
	for _, tt := range []struct {
		name string
		took time.Duration // by the second call
		want string        // what becomes of a request that was left out of it, and of one that came after it
	}{{"slow", timeout * 3 / 5, "unavailable 4"}, {"quick", timeout / 5, "4 5"}} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				n, d := desked(t, 1)
				n.ask("a")
				call := d.next(t)
				early := n.ask("a")
				time.Sleep(timeout * 2 / 5)
				late := n.asks("a", "b", "a")
				time.Sleep(timeout * 1 / 5)
				call.grant(t) // after three fifths
				call = d.next(t)
				expect(t, "the call", call.asks(), "a:2 b:1")
				last := n.ask("a")
				time.Sleep(tt.took)
				call.grant(t)
				expect(t, "who had time", late, "2 1 3")
				d.next(t).grant(t)
				synctest.Wait()
				expect(t, "who came first, and last", requests{early, last}, tt.want)
				expect(t, "the books", n.Books().Unknown, "0")
			})
		})
	}
}

// If nobody has as much time left as the last answer took, one is asked for all the same: the store may be quick again.
func TestNobodyHasTimeLeft(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n, d := desked(t, 1)
		n.ask("a")
		call := d.next(t)
		time.Sleep(time.Second)
		rs := n.asks("a", "b", "b")
		time.Sleep(timeout - time.Second - 1)
		call.grant(t)
		next := d.next(t)
		expect(t, "the next call", next.asks(), "b:1")
		next.grant(t)
		d.next(t).grant(t)
		expect(t, "all", rs, "2 2 1")
	})
}

// Nor is a rejoining waited for that takes too long, on a node that nobody had asked when it began.
func TestLongRejoin(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n, f, h := lived(t, server.OnRollbackStop)
		joining := make(chan struct{})
		h.joining = func(int) error { <-joining; return nil }
		f.restore(f.copy(), false)
		time.Sleep(server.CheckEvery + timeout/2)
		waiting := n.ask("a")
		time.Sleep(server.CheckEvery)
		expect(t, "who comes early, and late", requests{waiting, n.ask("a")}, "waits silent")
		close(joining)
		synctest.Wait()
		expect(t, "when it is done", append(n.asks("b", "a"), waiting), "3 12 11")
	})
}

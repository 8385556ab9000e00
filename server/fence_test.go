package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/api"
)

// lived is a node that has received 10 numbers of a and 2 of b from a store that can go back.
func lived(t *testing.T, policy string) (*node, *fickle, *handle) {
	t.Helper()
	f := newFickle()
	h := f.open(0)
	n := newNode(t, h, func(c *server.Config) { c.OnRollback = policy })
	expect(t, "before", n.asks(append(repeat("a", 10), "b", "b")...), count(1, 10)+" 1 2")
	return n, f, h
}

// The id of which the store gives a block again is refused until an operator moves its counter; others go on.
func TestStopWhenTheStoreWentBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n, f, h := lived(t, server.OnRollbackStop)
		f.set("a", 4)
		rs := n.asks("a", "a", "b", "a")
		expect(t, "after it went back", rs, "unknown stopped 3 stopped")
		expect(t, "its client is told", rs[0].outcome.Consumed()+" "+rs[1].outcome.Consumed(), "maybe no")
		expect(t, "Fence was called", h.fenced, "[{[{a 10}] 0}]")
		expect(t, "the books", n.Books(), "{14 0 map[rollback:1] 0 0}")
		expect(t, "the rollbacks", n.Rollbacks(), "1")
		expect(t, "the declared ranges", n.Declared(), "[]")
		f.set("a", 10) // the operator
		expect(t, "after the operator", n.asks("a", "a"), "11 12")
		expect(t, "Fence was called", len(h.fenced), "1")
	})
}

// The counter is moved beyond what anyone can have, once, and what is skipped is declared.
func TestJumpWhenTheStoreWentBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n, f, h := lived(t, server.OnRollbackJump)
		f.set("a", 4)
		expect(t, "after it went back", n.asks("a", "a", "b", "a"), "unknown 1000011 3 1000012")
		expect(t, "Fence was called", h.fenced, "[{[{a 10}] 1000000}]")
		expect(t, "the declared ranges", n.Declared(), "[{a 11 1000010}]")
		expect(t, "the marks", n.Marks(), "[{a 1000012} {b 3}]")
		f.set("a", 0)
		expect(t, "again", n.asks("a", "a"), "unknown 2000013")
		expect(t, "the declared ranges", n.Declared(), "[{a 11 1000010} {a 1000013 2000012}]")
		expect(t, "the books", n.Books(), "{18 0 map[rollback:2] 0 0}")
	})
}

// What was skipped counts as given: a store that goes back to within it is fenced again.
func TestBackIntoAJump(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n, f, _ := lived(t, server.OnRollbackJump)
		f.set("a", 4)
		expect(t, "after it went back", n.ask("a"), "unknown")
		f.set("a", 20)
		expect(t, "after it went back again", n.asks("a", "a"), "unknown 2000011")
		expect(t, "the declared ranges", n.Declared(), "[{a 11 1000010} {a 1000011 2000010}]")
	})
}

// Near the upper edge a jump ends there.
func TestJumpAtTheEdge(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFickle()
		n := newNode(t, f.open(0), func(c *server.Config) { c.OnRollback = server.OnRollbackJump })
		f.set("a", api.MaxTurno-2)
		expect(t, "before", n.ask("a"), fmt.Sprint(api.MaxTurno-1))
		f.set("a", 4)
		expect(t, "after", n.asks("a", "a"), "unknown exhausted")
		expect(t, "the declared ranges", n.Declared(), fmt.Sprintf("[{a %d %d}]", uint64(api.MaxTurno), uint64(api.MaxTurno)))
	})
}

// An id that can't be fenced stays stopped here until it can: it may be given twice elsewhere, but not by this node.
func TestFenceFails(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n, f, h := lived(t, server.OnRollbackJump)
		h.failing = errors.New("read only")
		f.set("a", 4)
		expect(t, "after it went back", n.asks("a", "a", "b"), "unknown stopped 3")
		expect(t, "the store", f.copy().last["a"], "5")
		time.Sleep(3 * server.FenceEvery)
		expect(t, "while it still fails", n.asks("a", "b"), "stopped 4")
		h.mu.Lock()
		h.failing = nil
		h.mu.Unlock()
		time.Sleep(server.FenceEvery)
		synctest.Wait()
		expect(t, "once it is fenced", n.asks("a", "b"), "1000011 5")
		time.Sleep(3 * server.FenceEvery)
		expect(t, "Fence was called", len(h.fenced), "5")
	})
}

// A store that can't be fenced is not asked for the id again.
func TestWentBackWithoutAFence(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFickle()
		n := newNode(t, struct{ server.Store }{f.open(0)}, nil)
		expect(t, "before", n.asks("a", "a", "b"), "1 2 1")
		f.set("a", 0)
		expect(t, "after it went back", n.asks("a", "a", "a", "a", "b"), "unknown stopped stopped stopped 2")
		expect(t, "the store", f.copy().last["a"], "1")
		expect(t, "slots at rest", n.Idle(), "2")
		expect(t, "the rollbacks", n.Rollbacks(), "1")
		f.set("a", 10)
		expect(t, "for ever", n.ask("a"), "stopped")
	})
}

// What a node received of an id is kept when another call for it, made at the same time, got nothing.
func TestMarkOutlivesARefusal(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n, d := desked(t, 2)
		rs := n.asks("a", "a")
		first, second := d.next(t), d.next(t)
		first.end(server.ErrUnavailable)
		second.grant(t)
		expect(t, "the requests", rs, "unavailable 1")
		expect(t, "the marks", n.Marks(), "[{a 1}]")
	})
}

// Of calls that were under way together, any may get the smaller numbers; but the same numbers show that the store went back
// between them.
func TestWentBackBetweenTwoCalls(t *testing.T) {
	tests := []struct {
		name string
		back uint64 // the counter, after the first two of three calls
		want string
	}{
		{"to the beginning", 0, "1 2 unknown 3"},
		{"by one", 1, "1 2 unknown 3"},
		{"not at all", 2, "1 2 3 4"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := newFickle()
				h := f.open(0)
				d := &desk{Store: h, slots: 3}
				n := newNode(t, fencedDesk{d, h}, nil)
				rs := n.asks("a", "a", "a")
				calls := []*visit{d.next(t), d.next(t), d.next(t)}
				calls[0].grant(t)
				calls[1].grant(t)
				f.set("a", tt.back)
				calls[2].grant(t)
				if n.Rollbacks() > 0 {
					f.forward() // the operator
				}
				rs = append(rs, n.ask("a"))
				d.next(t).grant(t)
				expect(t, "the requests", rs, tt.want)
			})
		})
	}
}

// A block may come so late that it can't be told any more whether it was given before: then nobody gets it. That is no sign
// of a store that went back.
func TestTooLateToTell(t *testing.T) {
	for late, want := range map[int]string{server.MaxRecent: "1", server.MaxRecent + 1: "unknown"} {
		t.Run(fmt.Sprintf("by %d blocks", late), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := newFickle()
				h := f.open(0)
				d := &desk{Store: h, slots: 2, deaf: true}
				n := newNode(t, fencedDesk{d, h}, nil)
				slow := n.ask("a")
				call := d.next(t)
				call.execute(t)
				for i := range late {
					f.set("a", uint64(10*i)+5) // another node's between
					n.ask("a")
					d.next(t).grant(t)
				}
				call.answer()
				expect(t, "the slow one", slow, want)
				expect(t, "the rollbacks", n.Rollbacks(), "0")
				burned := map[string]string{"1": "map[]", "unknown": "map[late:1]"}[want]
				expect(t, "the books", n.Books(), fmt.Sprintf("{%d 0 %s 0 0}", late+1, burned))
				next := n.ask("a")
				d.next(t).grant(t)
				expect(t, "the next", next, fmt.Sprint(10*late-3))
			})
		})
	}
}

// fencedDesk is a desk before a store that can go back. Only calls wait there.
type fencedDesk struct {
	*desk
	h *handle
}

var _ server.Fenced = fencedDesk{}

func (d fencedDesk) Check(ctx context.Context) error { return d.h.Check(ctx) }
func (d fencedDesk) Fence(ctx context.Context, marks []server.Mark, jump uint64) ([]server.Rollback, error) {
	return d.h.Fence(ctx, marks, jump)
}
func (d fencedDesk) Rejoin(ctx context.Context, marks []server.Mark, jump uint64) ([]server.Rollback, error) {
	return d.h.Rejoin(ctx, marks, jump)
}

// What was skipped is shown to whoever checks the numbers.
func TestJumpIsShown(t *testing.T) {
	f := newFickle()
	r := run(t, f.open(0), func(c *server.Config) { c.OnRollback = server.OnRollbackJump })
	for i := range 3 {
		checkTurno(t, r.ask(getA), fmt.Sprintf(`{"id":"a","turno":%d}`, i+1))
	}
	f.set("a", 1)
	checkProblem(t, r.ask(getA), "GET", 503, api.StoreUnavailable, api.ConsumedMaybe)
	checkTurno(t, r.ask(getA), `{"id":"a","turno":1000004}`)
	r.settled()

	var s api.Snapshot
	if _, body, _ := r.get(api.SnapshotPath); json.Unmarshal([]byte(body), &s) != nil {
		t.Fatal(body)
	}
	expect(t, "declared in the snapshot", s.Declared, "[{a 4 1000003}]")
	expect(t, "the ledger", s.Ledger, "{5 4 map[client_gone:0 late:0 rollback:1 write_failed:0] 0 0}")
	families := r.metrics()
	for name, want := range map[string]float64{"turno_declared_total": 1_000_000, "turno_rollbacks_total": 1, "turno_issued_total": 5} {
		if got := value(families, name, ""); got != want {
			t.Errorf("%s = %v; want %v", name, got, want)
		}
	}
	if got := value(families, "turno_burned_total", "rollback"); got != 1 {
		t.Errorf("turno_burned_total{rollback} = %v; want 1", got)
	}
}

// An id that is stopped says so to its clients, and that nothing is gone.
func TestStopIsTold(t *testing.T) {
	f := newFickle()
	r := run(t, f.open(0), nil)
	for range 3 {
		r.ask(getA)
	}
	f.set("a", 1)
	checkProblem(t, r.ask(getA), "GET", 503, api.StoreUnavailable, api.ConsumedMaybe)
	a := r.ask(getA)
	checkProblem(t, a, "GET", 503, api.StoreUnavailable, api.ConsumedNo)
	if !strings.Contains(a.body, "went back") {
		t.Errorf("the answer = %s; want it to say that the store went back", a.body)
	}
}

// A store that can't go back, and says that it has, took nothing.
func TestChangedWithoutAFence(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n, d := desked(t, 1)
		r := n.ask("a")
		d.next(t).end(server.ErrChanged)
		expect(t, "the request", r, "unavailable")
		r = n.ask("a")
		d.next(t).grant(t)
		expect(t, "the next", r, "1")
	})
}

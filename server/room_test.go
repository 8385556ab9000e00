package server_test

import (
	"fmt"
	"testing"

	"github.com/turnomatico/tmctl/server"
)

// waitIn is a node with room for so many, whose one slot is busy with a request of another id.
func waitIn(t *testing.T, room int) (*node, *desk, *visit) {
	t.Helper()
	d := newDesk(1)
	n := newNode(t, d, func(c *server.Config) { c.MaxInFlight = room })
	n.ask("busy")
	return n, d, d.next(t)
}

// However many ask, there is room for so many, and for those who come when others have been answered.
func TestRoom(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n, d, busy := waitIn(t, 20)
		var rs requests
		for i := range 25 {
			rs = append(rs, n.ask(fmt.Sprint("id", i)))
		}
		expect(t, "who waits", rs.count(), "map[overloaded:6 waits:19]")
		expect(t, "ids in memory", n.Counters(), "20")
		expect(t, "who is refused took", rs[24].outcome.Consumed(), "no")
		expect(t, "the room taken", n.Waiting(), "20")
		busy.grant(t)
		expect(t, "the room taken by the next call", n.Waiting(), "19")
		next := d.next(t)
		expect(t, "who comes now", n.asks("x", "y"), "waits overloaded")
		next.grant(t)
		d.grantAll(t)
		expect(t, "the room taken at the end", n.Waiting(), "0")
		expect(t, "all", rs.count(), "map[1:19 overloaded:6]")
	})
}

// An id that asks for all that there is leaves room to one that asks for little.
func TestGreedyID(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n, d, busy := waitIn(t, 100)
		greedy := n.asks(repeat("greedy", 200)...)
		expect(t, "the greedy id", greedy.count(), "map[overloaded:112 waits:88]")
		polite := n.asks(repeat("polite", 5)...)
		expect(t, "the polite one", polite.count(), "map[waits:5]")
		busy.grant(t)
		expect(t, "the greedy id while its block is asked for", n.asks(repeat("greedy", 50)...).count(), "map[overloaded:50]")
		d.next(t).grant(t)
		expect(t, "the polite one", polite, count(1, 5))
		expect(t, "the greedy id", greedy.count()["overloaded"], "112")
		expect(t, "the greedy id afterwards", n.asks(repeat("greedy", 200)...).count(), "map[overloaded:111 waits:89]")
		d.grantAll(t)
		expect(t, "the room taken at the end", n.Waiting(), "0")
	})
}

// Nor do several greedy ids keep others out.
func TestGreedyIDs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		n, d, busy := waitIn(t, 1000)
		held := map[string]int{}
		for range 1000 {
			for _, id := range []string{"a", "b", "c"} {
				if !n.ask(id).done {
					held[id]++
				}
			}
		}
		expect(t, "each greedy id", held, "map[a:320 b:320 c:319]")
		expect(t, "ten polite ids", n.asks("p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "p10").count(), "map[waits:10]")
		busy.grant(t)
		d.grantAll(t)
	})
}

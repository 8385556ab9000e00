package server_test

import (
	"testing"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/store/memory"
)

// halves is a store of two parts: ids up to m, and from n.
type halves struct {
	server.Store
	parts [2]server.Store
}

func (h halves) Parts() []server.Store { return h.parts[:] }

func (h halves) Part(id []byte) int {
	if id[0] < 'n' {
		return 0
	}
	return 1
}

// A part whose store hangs keeps nobody waiting but those who want numbers of its ids.
func TestPartsFailAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		hung := &desk{Store: memory.New(server.Bounds{IDs: 10}), slots: 1}
		whole := halves{parts: [2]server.Store{hung, struct{ server.Store }{memory.New(server.Bounds{IDs: 10})}}}
		n := newNode(t, whole, nil)
		rs := n.asks("a", "x", "b", "x", "y")
		expect(t, "while a part hangs", rs, "waits 1 waits 2 1")
		hung.next(t).grant(t)
		hung.next(t).grant(t)
		expect(t, "afterwards", rs, "1 1 1 2 1")
		expect(t, "the books of all", n.Books(), "{5 0 map[] 0 0}")
	})
}

// What each part skipped is declared by the node.
func TestPartsGoBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		first, second := newFickle(), newFickle()
		whole := halves{parts: [2]server.Store{first.open(0), second.open(0)}}
		n := newNode(t, whole, func(c *server.Config) { c.OnRollback = server.OnRollbackJump })
		expect(t, "before", n.asks("a", "a", "x", "x", "x"), "1 2 1 2 3")
		first.set("a", 0)
		second.set("x", 0)
		expect(t, "after both went back", n.asks("a", "x", "a", "x"), "unknown unknown 1000003 1000004")
		expect(t, "the declared ranges", n.Declared(), "[{a 3 1000002} {x 4 1000003}]")
		expect(t, "the rollbacks", n.Rollbacks(), "2")
	})
}

package server_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/api"
	"github.com/turnomatico/tmctl/server/store/memory"
)

// gate is a store with one slot, at which each call waits for a word: its error, or nil to be carried out.
type gate struct {
	server.Store
	came chan []server.Claim
	word chan error
}

func newGate() *gate {
	return &gate{Store: memory.New(server.Bounds{IDs: 10}), came: make(chan []server.Claim), word: make(chan error)}
}

func (g *gate) Reserve(ctx context.Context, call *server.Call) error {
	g.came <- copyOf(call).Claims
	if err := <-g.word; err != nil {
		return err
	}
	return g.Store.Reserve(ctx, call)
}

func (g *gate) Info() server.Info {
	info := g.Store.Info()
	info.Slots = 1
	return info
}

// awaitInFlight waits until n requests are at the batcher.
func (r *running) awaitInFlight(n int64) {
	for r.InFlight() != n {
		runtime.Gosched()
	}
}

// awaitGone waits until the server can see that n clients have left.
func (r *running) awaitGone(n int) {
	for r.GoneClients() != n {
		runtime.Gosched()
	}
}

// ways in which a client leaves, and whether it can still read.
var ways = []struct {
	name  string
	leave func(c *client)
	reads bool
}{
	{"closes", func(c *client) { c.Close() }, false},
	{"resets", func(c *client) { tcp(c.Conn).SetLinger(0); c.Close() }, false},
	{"closes its sending half", func(c *client) { tcp(c.Conn).CloseWrite() }, true},
}

// A request whose client left before its block was asked for takes nothing.
func TestClientLeavesBeforeItsBlock(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			g := newGate()
			r := run(t, g, nil)
			first, left, stays := r.dial(), r.dial(), r.dial()
			first.send(getA)
			<-g.came
			left.send(getA)
			r.awaitInFlight(2)
			time.Sleep(server.Patience) // before that nobody looks
			way.leave(left)
			r.awaitGone(1)
			stays.send(getA)
			r.awaitInFlight(3)
			g.word <- nil
			expect(t, "the next call", <-g.came, "[{a 1 [] 1 0 0 <nil>}]")
			g.word <- nil
			checkTurno(t, first.receive("GET"), `{"id":"a","turno":1}`)
			checkTurno(t, stays.receive("GET"), `{"id":"a","turno":2}`)
			if way.reads {
				checkProblem(t, left.receive("GET"), "GET", 503, api.ClientGone, api.ConsumedNo)
			}
			r.awaitInFlight(0)
			r.settled()
			expect(t, "the store", taken(t, g.Store, "a"), "2")
			expect(t, "the ledger", r.Ledger(), "{2 2 map[client_gone:0 late:0 rollback:0 write_failed:0] 0 0}")
		})
	}
}

// All of a call's clients may have left: then there is no call.
func TestAllClientsLeave(t *testing.T) {
	g := newGate()
	r := run(t, g, nil)
	first := r.dial()
	first.send(getA)
	<-g.came
	for i := range 3 {
		c := r.dial()
		c.send("GET /turno/b HTTP/1.1\r\n" + host + "\r\n")
		r.awaitInFlight(int64(i) + 2)
		time.Sleep(server.Patience)
		c.Close()
	}
	r.awaitGone(3)
	g.word <- nil
	checkTurno(t, first.receive("GET"), `{"id":"a","turno":1}`)
	r.awaitInFlight(0)
	r.awaitConnections(1)
	first.send(getA)
	expect(t, "the next call", <-g.came, "[{a 1 [] 1 0 0 <nil>}]")
	g.word <- nil
	checkTurno(t, first.receive("GET"), `{"id":"a","turno":2}`)
	if ids := r.Batcher().Counters(); ids != 1 {
		t.Errorf("%d ids are in memory; want 1", ids)
	}
}

// A number whose client left after its block was asked for is gone, and written off.
func TestClientLeavesAfterItsBlock(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			g := newGate()
			r := run(t, g, nil)
			left := r.dial()
			left.send(getA)
			<-g.came
			time.Sleep(server.Patience)
			way.leave(left)
			r.awaitGone(1)
			g.word <- nil
			if way.reads {
				checkTurno(t, left.receive("GET"), `{"id":"a","turno":1}`) // it may have it, all the same
			}
			r.awaitConnections(0)
			expect(t, "the store", taken(t, g.Store, "a"), "1")
			expect(t, "the ledger", r.Ledger(), "{1 0 map[client_gone:1 late:0 rollback:0 write_failed:0] 0 0}")
		})
	}
}

// Whoever waits when the server stops is answered: those of the call under way, and those behind it.
func TestStopAnswersThoseWhoWait(t *testing.T) {
	g := newGate()
	r := run(t, g, nil)
	var clients []*client
	for i := range 5 {
		c := r.dial()
		c.send(getA)
		clients = append(clients, c)
		if i == 0 {
			<-g.came
		}
		r.awaitInFlight(int64(i) + 1)
	}
	r.stop()
	for r.State() != server.Draining {
		runtime.Gosched()
	}
	g.word <- nil
	expect(t, "the call of the others", <-g.came, "[{a 4 [] 1 0 0 <nil>}]")
	g.word <- nil
	for i, c := range clients {
		checkTurno(t, c.receive("GET"), `{"id":"a","turno":`+string(rune('1'+i))+`}`)
	}
	r.end()
	expect(t, "the ledger", r.Ledger(), "{5 5 map[client_gone:0 late:0 rollback:0 write_failed:0] 0 0}")
}

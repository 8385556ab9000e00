package server_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/api"
)

// A store that hangs, as clients see it: after half of the time-out newcomers are told at once and hold nothing; those who
// waited are told by their deadline; when it answers again, so does the server.
func TestHungStoreOverTCP(t *testing.T) {
	g := newGate()
	const patience = 400 * time.Millisecond
	r := run(t, g, func(c *server.Config) { c.RequestTimeout, c.MaxInFlight = patience, 100 })
	asks, waits := r.dial(), r.dial()
	asks.send(getA)
	<-g.came
	waits.send(getA)
	r.awaitInFlight(2)
	time.Sleep(patience/2 + time.Millisecond) // for at least so long has the call been under way
	for range 100 {
		got := r.ask(getA) // would hang with the store if it were let in
		checkProblem(t, got, "GET", 503, api.StoreUnavailable, api.ConsumedNo)
		if after := got.Header.Get("Retry-After"); after != "1" {
			t.Fatalf("Retry-After: %q; want 1", after)
		}
		if n := r.InFlight(); n > 2 {
			t.Fatalf("%d requests wait; want no more than the 2 of before", n)
		}
	}
	checkProblem(t, waits.receive("GET"), "GET", 503, api.StoreUnavailable, api.ConsumedNo)
	r.awaitInFlight(0) // whoever asked has given up too, but makes the call itself
	checkProblem(t, r.ask(getA), "GET", 503, api.StoreUnavailable, api.ConsumedNo)
	g.word <- nil // its number is nobody's any more
	checkProblem(t, asks.receive("GET"), "GET", 503, api.StoreUnavailable, api.ConsumedMaybe)
	for r.Batcher().Idle() == 0 {
		runtime.Gosched()
	}
	for i := range 10 {
		go func() { <-g.came; g.word <- nil }()
		if got := r.ask(getA); got.StatusCode != 200 {
			t.Errorf("request %d when the store is back: %d; want 200", i, got.StatusCode)
		}
	}
}

package server_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/api"
	"github.com/turnomatico/tmctl/server/store/memory"
)

const getA = "GET /turno/a HTTP/1.1\r\n" + host + "\r\n"

// What a store's error becomes, and whether the client must count with a number gone.
func TestStoreErrors(t *testing.T) {
	tests := []struct {
		err      error
		status   int
		code     api.Code
		consumed string
	}{
		{server.ErrExhausted, 409, api.Exhausted, api.ConsumedNo},
		{fmt.Errorf("counter a: %w", server.ErrExhausted), 409, api.Exhausted, api.ConsumedNo},
		{server.ErrTooManyIDs, 429, api.TooManyIDs, api.ConsumedNo},
		{server.ErrUnavailable, 503, api.StoreUnavailable, api.ConsumedNo},
		{fmt.Errorf("dial: %w", server.ErrUnavailable), 503, api.StoreUnavailable, api.ConsumedNo},
		{errors.New("connection reset by peer"), 503, api.StoreUnavailable, api.ConsumedMaybe},
		{context.DeadlineExceeded, 503, api.StoreUnavailable, api.ConsumedMaybe},
		{server.ErrStopped, 503, api.StoreUnavailable, api.ConsumedNo},
		{&server.BrokenError{Key: "turno:a", Says: "is a list"}, 503, api.StoreUnavailable, api.ConsumedNo},
	}
	shortly := func(c *server.Config) { c.RequestTimeout = 100 * time.Millisecond } // what is unknown is asked again until then
	for _, tt := range tests {
		t.Run(tt.err.Error(), func(t *testing.T) {
			store := memory.New(server.Bounds{IDs: 10})
			for name, s := range map[string]server.Store{
				"call":   &scripted{Store: store, reserve: func(context.Context) error { return tt.err }},
				"claim":  claiming{Store: store, err: tt.err},
				"direct": direct{Store: store, err: tt.err},
			} {
				t.Run(name, func(t *testing.T) {
					got := run(t, s, shortly).ask(getA)
					checkProblem(t, got, "GET", tt.status, tt.code, tt.consumed)
					var e *server.BrokenError
					if errors.As(tt.err, &e) && !strings.Contains(got.body, e.Key) {
						t.Errorf("answer = %s; want it to name %s", got.body, e.Key)
					}
				})
			}
		})
	}
}

// claiming is a store that settles each claim with an error.
type claiming struct {
	server.Store
	err error
}

func (c claiming) Reserve(_ context.Context, call *server.Call) error {
	for i := range call.Claims {
		call.Claims[i].Err = c.err
	}
	return nil
}

// direct is a store without round trips that fails.
type direct struct {
	server.Store
	err error
}

func (d direct) Take([]byte) (uint64, error) { return 0, d.err }

func (d direct) TakeOnce([]byte, string) (uint64, bool, error) { return 0, false, d.err }

// granting is a store that breaks its contract.
type granting struct {
	server.Store
	first, granted uint64
}

func (g granting) Reserve(_ context.Context, call *server.Call) error {
	call.Claims[0].First, call.Claims[0].Granted = g.first, g.granted
	return nil
}

func TestBadGrantsAreNotHandedOut(t *testing.T) {
	for _, g := range []granting{{first: 0, granted: 1}, {first: 1, granted: 0}, {first: 1, granted: 2}, {first: api.MaxTurno + 1, granted: 1}} {
		t.Run(fmt.Sprint(g.first, g.granted), func(t *testing.T) {
			g.Store = memory.New(server.Bounds{IDs: 1})
			checkProblem(t, run(t, g, nil).ask(getA), "GET", 503, api.StoreUnavailable, api.ConsumedMaybe)
		})
	}
}

// Nor are those of a block, wherever it begins.
func TestBadBlocksAreNotHandedOut(t *testing.T) {
	for _, g := range []granting{{first: 0, granted: 2}, {first: 1, granted: 3}, {first: api.MaxTurno, granted: 2},
		{first: math.MaxUint64, granted: 2}, {first: math.MaxUint64 - 1, granted: 2}} {
		t.Run(fmt.Sprint(g.first, g.granted), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				n, d := desked(t, 1)
				n.ask("x")
				busy := d.next(t)
				rs := n.asks("a", "a")
				busy.grant(t)
				v := d.next(t)
				v.Claims[0].First, v.Claims[0].Granted = g.first, g.granted
				v.answer()
				expect(t, "the requests", rs, "unknown unknown")
				expect(t, "the marks", n.Marks(), "[{x 1}]")
				expect(t, "the books", n.Books(), "{3 0 map[] 2 0}")
			})
		})
	}
}

func TestTheLastNumberIsHandedOut(t *testing.T) {
	store := memory.New(server.Bounds{IDs: 1})
	takeOf(t, store, "a", api.MaxTurno-1)
	r := run(t, store, nil)
	checkTurno(t, r.ask(getA), `{"id":"a","turno":9007199254740991}`)
	for range 3 {
		checkProblem(t, r.ask(getA), "GET", 409, api.Exhausted, api.ConsumedNo)
	}
}

func TestLiveIDsAreBounded(t *testing.T) {
	r := run(t, memory.New(server.Bounds{IDs: 1}), nil)
	checkTurno(t, r.ask(getA), `{"id":"a","turno":1}`)
	checkProblem(t, r.ask("GET /turno/b HTTP/1.1\r\n"+host+"\r\n"), "GET", 429, api.TooManyIDs, api.ConsumedNo)
	checkTurno(t, r.ask(getA), `{"id":"a","turno":2}`)
}

// A store that hangs costs its requests their deadline; what is above the bound is shed at once, and consumes nothing.
func TestSlowStore(t *testing.T) {
	entered := make(chan struct{})
	store := &scripted{Store: memory.New(server.Bounds{IDs: 10}), reserve: func(ctx context.Context) error {
		entered <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}}
	r := run(t, store, func(c *server.Config) { c.MaxInFlight, c.RequestTimeout = 1, 300*time.Millisecond })
	waiting := r.dial()
	waiting.send(getA)
	<-entered
	shed := r.ask(getA)
	checkProblem(t, shed, "GET", 503, api.Overloaded, api.ConsumedNo)
	checkProblem(t, waiting.receive("GET"), "GET", 503, api.StoreUnavailable, api.ConsumedMaybe)
	if n := r.InFlight(); n != 0 {
		t.Errorf("InFlight() = %d at rest; want 0", n)
	}
	store.mu.Lock()
	store.reserve = func(context.Context) error { return nil }
	store.mu.Unlock()
	checkTurno(t, r.ask(getA), `{"id":"a","turno":1}`)
}

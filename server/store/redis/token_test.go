package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/store/redistest"
)

// soon is a time-out for calls that can't be answered.
const soon = 200 * time.Millisecond

// reserveWithin makes a call that has a time-out.
func (n *node) reserveWithin(d time.Duration, call *server.Call) error {
	ctx, end := context.WithTimeout(n.t.Context(), d)
	defer end()
	return n.Reserve(ctx, call)
}

// eventually asks until something is so.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for begin := time.Now(); !is(); {
		if time.Since(begin) > 20*time.Second {
			t.Fatalf("it never came to be that %s", what)
		}
		time.Sleep(time.Millisecond) // between two questions
	}
}

// wantBlocks wants a call to have been given these first numbers.
func wantBlocks(t *testing.T, when string, call *server.Call, err error, firsts ...uint64) {
	t.Helper()
	for i, c := range call.Claims {
		if err != nil || c.First != firsts[i] || c.Granted != c.N || c.Err != nil {
			t.Errorf("%s: claim %d is %+v, %v; want all from %d", when, i, c, err, firsts[i])
		}
	}
}

// An answer that was lost is asked for again over another connection, and is the same; the counters moved once.
func TestAskedAgain(t *testing.T) {
	tests := []struct {
		name, toxic, stream, attributes string
		done                            bool // Redis did it the first time
	}{
		{"reset before the command", "reset_peer", "upstream", `"timeout":0`, false},
		{"reset after the command", "reset_peer", "downstream", `"timeout":0`, true},
		{"nothing of the command arrives", "limit_data", "upstream", `"bytes":0`, false},
		{"a part of the command arrives", "limit_data", "upstream", `"bytes":40`, false},
		{"nothing of the answer arrives", "limit_data", "downstream", `"bytes":0`, true},
		{"a part of the answer arrives", "limit_data", "downstream", `"bytes":3`, true},
		{"the command is swallowed", "timeout", "upstream", `"timeout":0`, false},
		{"the answer is swallowed", "timeout", "downstream", `"timeout":0`, true},
	}
	r := redistest.Start(t, redistest.Options{})
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			proxy := toxiproxy.NewProxy(toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop()), "way", "127.0.0.1:0", r.Addr())
			if err := proxy.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(proxy.Stop)
			n := open(t, fmt.Sprintf("redis://%s?prefix=%d:", proxy.Listen, i))
			n.want("a", 3, 1) // the slot has a connection now
			toxic := fmt.Sprintf(`{"type":%q,"stream":%q,"attributes":{%s}}`, tt.toxic, tt.stream, tt.attributes)
			if _, err := proxy.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
				t.Fatal(err)
			}
			call := n.call(server.Claim{ID: "a", N: 4}, server.Claim{ID: "b", N: 2})
			err := n.reserveWithin(soon, call)
			if err == nil || errors.Is(err, server.ErrUnavailable) || errors.Is(err, server.ErrChanged) {
				t.Errorf("Reserve() = %v over a broken way; want an error that leaves it open", err)
			}
			if tt.done {
				eventually(t, "Redis has done it", func() bool { return r.Do("GET", fmt.Sprintf("%d:a", i)) == "7" })
			} else if held := r.Do("GET", fmt.Sprintf("%d:a", i)); held != "3" {
				t.Errorf("the counter is %s now; want 3", held)
			}
			proxy.Toxics.ResetToxics(t.Context())
			for range 3 {
				err := n.Reserve(t.Context(), call)
				wantBlocks(t, "asked again", call, err, 4, 1)
			}
			if a, b := r.Do("GET", fmt.Sprintf("%d:a", i)), r.Do("GET", fmt.Sprintf("%d:b", i)); a != "7" || b != "2" {
				t.Errorf("the counters are %s and %s in the end; want 7 and 2", a, b)
			}
			n.received(call)
			n.want("a", 1, 8)
		})
	}
}

// A connection that swallows everything is given up within about a second, and whoever asks again has another one.
func TestBlackHole(t *testing.T) {
	r := redistest.Start(t, redistest.Options{})
	g := newGate(t, r.Addr())
	n := open(t, g.url(), func(o *Options) { o.patience = answerWithin })
	n.want("a", 1, 1)
	g.hold()
	call := n.call(server.Claim{ID: "a", N: 1})
	if err := n.Reserve(t.Context(), call); !errors.Is(err, errLate) {
		t.Errorf("Reserve() = %v into a black hole; want it to be late", err)
	}
	wantBlocks(t, "over a new connection", call, n.Reserve(t.Context(), call), 2)
}

// A call that was given up and arrives after its successor takes nothing. Its successor may have had nothing to take.
func TestZombie(t *testing.T) {
	tests := []struct {
		name      string
		successor []server.Claim
		a         string // the counter in the end
	}{
		{"after one of the same id", []server.Claim{{ID: "a", N: 2}}, "3"},
		{"after one of another id", []server.Claim{{ID: "b", N: 2}}, "1"},
		{"after one that was refused", []server.Claim{{ID: "bad", N: 2}}, "1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := redistest.Start(t, redistest.Options{})
			g := newGate(t, r.Addr())
			n := open(t, g.url())
			r.Run("SET turno:bad x")
			n.want("a", 1, 1)
			links := g.hold()
			if err := n.reserveWithin(soon, n.call(server.Claim{ID: "a", N: 5})); !errors.Is(err, errLate) {
				t.Fatalf("Reserve() = %v; want it to be late", err)
			}
			if err := n.Reserve(t.Context(), n.call(tt.successor...)); err != nil {
				t.Fatal(err)
			}
			for _, l := range links {
				l.drain()
				if held := l.release(); held > 0 {
					t.Logf("%d bytes arrived late", held)
				}
			}
			if got := r.Do("GET", "turno:a"); got != tt.a {
				t.Errorf("the counter is %s after the zombie; want %s", got, tt.a)
			}
		})
	}
}

// A Redis that was paused does what it was sent meanwhile, when it goes on; also what nobody waits for any more.
func TestPaused(t *testing.T) {
	r := redistest.Start(t, redistest.Options{})
	n := open(t, r.URL())
	n.want("a", 1, 1)
	r.Pause()
	call := n.call(server.Claim{ID: "a", N: 5})
	if err := n.reserveWithin(soon, call); !errors.Is(err, errLate) {
		t.Errorf("Reserve() = %v from a paused Redis; want it to be late", err)
	}
	for range 3 { // over new connections, on which nothing was sent yet
		if err := n.reserveWithin(soon, call); !errors.Is(err, server.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Reserve() = %v from a paused Redis over a new connection; want nothing sent", err)
		}
	}
	r.Continue()
	for range 2 {
		err := n.Reserve(t.Context(), call)
		wantBlocks(t, "asked again", call, err, 2)
	}
	if got := r.Do("GET", "turno:a"); got != "6" {
		t.Errorf("the counter is %s; want 6", got)
	}
	n.received(call)
	n.same()
	n.want("a", 1, 7)
}

// Whoever stops waiting is let go at once, and the line is as good as before.
func TestCancel(t *testing.T) {
	r := redistest.Start(t, redistest.Options{})
	g := newGate(t, r.Addr())
	n := open(t, g.url())
	n.want("a", 1, 1)
	for range 3 {
		links := g.hold()
		ctx, end := context.WithCancel(t.Context())
		failed := make(chan error)
		call := n.call(server.Claim{ID: "a", N: 1})
		go func() { failed <- n.Reserve(ctx, call) }()
		<-links[len(links)-1].arrive
		end()
		start := time.Now()
		if err := <-failed; !errors.Is(err, context.Canceled) || errors.Is(err, server.ErrUnavailable) {
			t.Errorf("Reserve() = %v; want it cancelled, with what was sent unknown", err)
		}
		if took := time.Since(start); took >= patienceOfTests {
			t.Errorf("Reserve() returned %s after its context had ended", took)
		}
		if err := n.Reserve(t.Context(), call); err != nil {
			t.Errorf("Reserve() = %v, asked again", err)
		}
		n.received(call)
	}
	if n.marks["a"] != 4 {
		t.Errorf("the last number is %d; want 4", n.marks["a"])
	}
	ctx, end := context.WithCancel(t.Context())
	end()
	if err := n.Reserve(ctx, n.call(server.Claim{ID: "a", N: 1})); !errors.Is(err, context.Canceled) || !errors.Is(err, server.ErrUnavailable) {
		t.Errorf("Reserve() = %v with a context that had ended; want nothing sent", err)
	}
}

// Nothing is sent on a connection that cannot be made, and it is said so.
func TestNobodyThere(t *testing.T) {
	r := redistest.Start(t, redistest.Options{Fsync: "always"})
	n := open(t, r.URL())
	n.want("a", 1, 1)
	r.Kill()
	call := n.call(server.Claim{ID: "a", N: 1})
	if err := n.Reserve(t.Context(), call); err == nil || errors.Is(err, server.ErrUnavailable) {
		t.Errorf("Reserve() = %v over a connection that has just died; want an error that leaves it open", err)
	}
	for range 3 {
		if err := n.Reserve(t.Context(), call); !errors.Is(err, server.ErrUnavailable) {
			t.Errorf("Reserve() = %v with nobody there; want ErrUnavailable", err)
		}
	}
	other := &server.Call{Slot: 1, Seq: 1, Claims: []server.Claim{{ID: "a", N: 1}}}
	if err := n.Reserve(t.Context(), other); !errors.Is(err, server.ErrUnavailable) {
		t.Errorf("Reserve() = %v of a slot that had no connection yet; want ErrUnavailable", err)
	}
	r.Restart()
	if err := n.Reserve(t.Context(), call); !errors.Is(err, server.ErrChanged) {
		t.Errorf("Reserve() = %v of a Redis that was restarted; want ErrChanged", err)
	}
	n.rejoin(0)
	wantBlocks(t, "asked again", call, n.Reserve(t.Context(), call), 2)
}

package server_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnomatico/tmctl/server"
)

// bubble runs f where time is the test's own (synctest). Requests are pooled, and their channels belong to one bubble.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	server.ForgetWaiters()
	defer server.ForgetWaiters()
	synctest.Test(t, f)
}

// node is a batcher without listeners, in a bubble.
type node struct {
	*server.Node
	t *testing.T
}

// newNode starts a node; change may be nil. It is stopped at the end of the test, when no request may wait any more.
func newNode(t *testing.T, store server.Store, change func(*server.Config)) *node {
	t.Helper()
	config := server.DefaultConfig()
	if change != nil {
		change(&config)
	}
	n := &node{Node: server.NewNode(store, config), t: t}
	ctx, stop := context.WithCancel(context.Background())
	wait := n.Run(ctx)
	t.Cleanup(func() {
		stop()
		wait()
	})
	return n
}

// request is one that was made of a node.
type request struct {
	turno   uint64
	outcome server.Outcome
	took    time.Duration
	done    bool
}

// ask makes a request and returns when it waits for a call to end, or is over.
func (n *node) ask(id string) *request {
	r := n.askLater(id)
	synctest.Wait()
	return r
}

// asks makes one after the other.
func (n *node) asks(ids ...string) (all requests) {
	for _, id := range ids {
		all = append(all, n.ask(id))
	}
	return all
}

// askOnce is ask with a key.
func (n *node) askOnce(id, key string) *request {
	r := n.askOnceLater(id, key)
	synctest.Wait()
	return r
}

// askLater makes a request that has arrived at the next synctest.Wait.
func (n *node) askLater(id string) *request { return n.askOnceLater(id, "") }

func (n *node) askOnceLater(id, key string) *request {
	r := new(request)
	go func() {
		start := time.Now()
		r.turno, r.outcome = n.TakeOnce(id, key)
		r.took, r.done = time.Since(start), true
	}()
	return r
}

// String is the number, or why there is none.
func (r *request) String() string {
	switch {
	case !r.done:
		return "waits"
	case r.outcome == server.Replayed:
		return strconv.FormatUint(r.turno, 10) + "r"
	case r.outcome == server.Answered:
		return strconv.FormatUint(r.turno, 10)
	default:
		return r.outcome.String()
	}
}

type requests []*request

func (rs requests) String() string {
	var all []string
	for _, r := range rs {
		all = append(all, r.String())
	}
	return strings.Join(all, " ")
}

// expect compares what came of something with what should have.
func expect(t *testing.T, what string, got any, want string) {
	t.Helper()
	if got := fmt.Sprint(got); got != want {
		t.Errorf("%s: %s; want %s", what, got, want)
	}
}

// repeat is n times s.
func repeat(s string, n int) (all []string) {
	for range n {
		all = append(all, s)
	}
	return all
}

// count is the numbers from first to last.
func count(first, last int) string {
	var all []string
	for i := first; i <= last; i++ {
		all = append(all, strconv.Itoa(i))
	}
	return strings.Join(all, " ")
}

// desk is a store at which each call waits until the test says what becomes of it.
type desk struct {
	server.Store // carries out what the test lets through; requests don't see whether it is direct
	slots        int
	deaf         bool // its calls outlive their deadline

	mu    sync.Mutex
	calls []*visit // that came and were not yet taken up by next
}

func (d *desk) Info() server.Info {
	info := d.Store.Info()
	info.Slots = d.slots
	return info
}

// Reserve implements server.Store.
func (d *desk) Reserve(ctx context.Context, call *server.Call) error {
	v := &visit{Call: copyOf(call), of: d, by: callers(), orders: make(chan error, 1)}
	d.mu.Lock()
	d.calls = append(d.calls, v)
	d.mu.Unlock()
	ended := ctx.Done()
	if d.deaf {
		ended = nil
	}
	select {
	case err := <-v.orders:
		settle(call, v.Claims)
		return err
	case <-ended:
		return ctx.Err()
	}
}

// next is the call that came first of those that wait at the desk.
func (d *desk) next(t *testing.T) *visit {
	t.Helper()
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.calls) == 0 {
		t.Fatal("no call came")
	}
	v := d.calls[0]
	d.calls = d.calls[1:]
	return v
}

// nobody wants no call at the desk.
func (d *desk) nobody(t *testing.T) {
	t.Helper()
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, v := range d.calls {
		t.Errorf("there is a call %v; want none", v)
	}
}

// visit is a call at the desk, as it came.
type visit struct {
	server.Call
	of     *desk
	by     string // the functions that made it
	orders chan error
}

// String is the token and what is asked: "0/1 a:3 b:1".
func (v *visit) String() string { return fmt.Sprintf("%d/%d %s", v.Slot, v.Seq, v.asks()) }

// asks is "a:3 b:1".
func (v *visit) asks() string {
	var all []string
	for _, c := range v.Claims {
		all = append(all, fmt.Sprintf("%s:%d", c.ID, c.N))
	}
	return strings.Join(all, " ")
}

// execute lets the store carry the call out; its answer is on its way.
func (v *visit) execute(t *testing.T) {
	t.Helper()
	if err := v.of.Store.Reserve(t.Context(), &v.Call); err != nil {
		t.Fatalf("Reserve(%v) = %v", v, err)
	}
}

// answer ends the call with what it got.
func (v *visit) answer() { v.end(nil) }

// grant carries the call out and answers it.
func (v *visit) grant(t *testing.T) {
	t.Helper()
	v.execute(t)
	v.answer()
}

// lose carries the call out and loses the answer.
func (v *visit) lose(t *testing.T) {
	t.Helper()
	v.execute(t)
	v.end(errLost)
}

// end has the call return err.
func (v *visit) end(err error) {
	v.orders <- err
	synctest.Wait()
}

var errLost = errors.New("connection reset by peer")

// copyOf is call as it is now.
func copyOf(call *server.Call) server.Call {
	return call.Clone()
}

// settle writes what a store granted into call, and nothing else.
func settle(call *server.Call, granted []server.Claim) {
	for i, g := range granted {
		c := &call.Claims[i]
		c.First, c.Granted, c.Err, c.Keys = g.First, g.Granted, g.Err, slices.Clone(g.Keys)
	}
}

// callers names the functions that led here.
func callers() string {
	var pcs [32]uintptr
	var names []string
	for frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])]); ; {
		f, more := frames.Next()
		names = append(names, f.Function)
		if !more {
			return strings.Join(names, "\n")
		}
	}
}

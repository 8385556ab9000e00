package server_test

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/api"
)

// fickle is a table of counters that can go back, as a Redis that was restored from an old copy does.
type fickle struct {
	mu    sync.Mutex
	life  int // what its nodes know it by
	state state
}

// state is what a copy of it holds.
type state struct {
	last    map[string]uint64
	stopped map[string]uint64 // stopped ids, and the number that they must be moved to
	calls   map[[2]int]server.Call
}

func newFickle() *fickle {
	return &fickle{state: state{map[string]uint64{}, map[string]uint64{}, map[[2]int]server.Call{}}}
}

// copy is what it holds now.
func (f *fickle) copy() state {
	f.mu.Lock()
	defer f.mu.Unlock()
	return state{maps.Clone(f.state.last), maps.Clone(f.state.stopped), maps.Clone(f.state.calls)}
}

// restore puts an old copy in the place of what it holds. Nodes can tell, unless it is the same life.
func (f *fickle) restore(old state, sameLife bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state = state{maps.Clone(old.last), maps.Clone(old.stopped), maps.Clone(old.calls)}
	if !sameLife {
		f.life++
	}
}

// set moves a counter behind the back of everyone.
func (f *fickle) set(id string, last uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state.last[id] = last
}

func (f *fickle) reserve(node, life int, call *server.Call) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	token := [2]int{node, call.Slot}
	last := f.state.calls[token]
	switch {
	case life != f.life:
		return server.ErrChanged
	case call.Seq < last.Seq:
		return server.ErrUnavailable
	case call.Seq == last.Seq:
		settle(call, last.Claims)
		return nil
	}
	for i := range call.Claims {
		f.claim(&call.Claims[i])
	}
	f.state.calls[token] = copyOf(call)
	return nil
}

func (f *fickle) claim(c *server.Claim) {
	last := f.state.last[c.ID]
	c.First, c.Granted, c.Err = 0, 0, nil
	switch {
	case f.state.stopped[c.ID] > last:
		c.Err = server.ErrStopped
	case last >= api.MaxTurno:
		c.Err = server.ErrExhausted
	default:
		c.First, c.Granted = last+1, min(c.N, api.MaxTurno-last)
		f.state.last[c.ID] = last + c.Granted
	}
}

func (f *fickle) fence(marks []server.Mark, jump uint64) (back []server.Rollback) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range marks {
		last := f.state.last[m.ID]
		if last >= m.Last || f.state.stopped[m.ID] >= m.Last {
			continue
		}
		r := server.Rollback{Mark: m, Store: last}
		if jump == 0 {
			f.state.stopped[m.ID] = m.Last
		} else {
			r.To = min(m.Last+jump, api.MaxTurno)
			f.state.last[m.ID] = r.To
		}
		back = append(back, r)
	}
	return back
}

// handle is fickle as one node has it, with what the node asked of it.
type handle struct {
	*fickle
	node  int
	slots int

	mu       sync.Mutex
	known    int // the life that the node has joined
	fenced   []asked
	rejoined []asked
	checks   int
	grace    time.Duration           // how long the other nodes are given
	failing  error                   // what Fence and Rejoin end in
	joining  func(attempt int) error // what Rejoin does first
	fencing  func([]server.Mark)     // what Fence does first
}

// asked is what Fence or Rejoin was called with.
type asked struct {
	Marks []server.Mark
	Jump  uint64
}

var _ server.Fenced = (*handle)(nil)

func (f *fickle) open(node int) *handle { return &handle{fickle: f, node: node, slots: 2} }

func (h *handle) life() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.known
}

func (h *handle) Reserve(ctx context.Context, call *server.Call) error {
	if ctx.Err() != nil {
		return server.ErrUnavailable
	}
	return h.reserve(h.node, h.life(), call)
}

func (h *handle) Check(context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.checks++
	h.fickle.mu.Lock()
	defer h.fickle.mu.Unlock()
	if h.known != h.fickle.life {
		return server.ErrChanged
	}
	return nil
}

func (h *handle) Fence(_ context.Context, marks []server.Mark, jump uint64) ([]server.Rollback, error) {
	h.mu.Lock()
	h.fenced = append(h.fenced, asked{slices.Clone(marks), jump})
	first, err := h.fencing, h.failing
	h.mu.Unlock()
	if first != nil {
		first(marks)
	}
	if err != nil {
		return nil, err
	}
	return h.fence(marks, jump), nil
}

func (h *handle) Rejoin(ctx context.Context, marks []server.Mark, jump uint64) ([]server.Rollback, error) {
	h.mu.Lock()
	h.rejoined = append(h.rejoined, asked{slices.Clone(marks), jump})
	first, err, attempt := h.joining, h.failing, len(h.rejoined)
	h.mu.Unlock()
	if first != nil {
		err = first(attempt)
	}
	if err != nil {
		return nil, err
	}
	h.fickle.mu.Lock()
	life := h.fickle.life
	h.fickle.mu.Unlock()
	back := h.fence(marks, jump)
	select {
	case <-time.After(h.grace):
	case <-ctx.Done():
		return back, ctx.Err()
	}
	h.fickle.mu.Lock()
	again := h.fickle.life != life
	h.fickle.mu.Unlock()
	if again {
		return back, server.ErrChanged
	}
	h.mu.Lock()
	h.known = life
	h.mu.Unlock()
	return back, nil
}

func (h *handle) Peek(_ context.Context, id string) (uint64, error) {
	h.fickle.mu.Lock()
	defer h.fickle.mu.Unlock()
	return h.state.last[id], nil
}

func (h *handle) Info() server.Info { return server.Info{Name: "fickle", Slots: h.slots} }
func (h *handle) Close() error      { return nil }

// forward moves the counters of stopped ids to where they may go on.
func (f *fickle) forward() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, to := range f.state.stopped {
		f.state.last[id] = max(f.state.last[id], to)
	}
}

package server_test

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync"
	"time"

	"github.com/turnomatico/tmctl/server"
)

// storm is the way from a node to its store, which does to calls what networks do: it delays them, loses them or their
// answers, carries them out after their end was told, or twice, and in any order.
type storm struct {
	server.Store
	weather weather
	flying  sync.WaitGroup // calls on their way; some outlive the node

	mu       sync.Mutex
	rng      *rand.Rand
	executed map[[2]uint64]uint64 // by slot and seq: the numbers that the store gave
	answered map[[2]uint64]uint64 // … and of which the node heard
	did      map[string]int       // what happened, so that a test can tell whether it did
}

// weather is how often each thing happens, of 1000 calls.
type weather struct {
	refused int // the store can't be reached
	missed  int // the call never arrives, and the connection breaks
	lost    int // the connection breaks, before or after the call is carried out
	hung    int // no answer comes
	twice   int // a call is carried out again, later
	slow    int // takes as long as a request may
	timeout time.Duration
}

func newStorm(store server.Store, w weather, seed uint64) *storm {
	return &storm{Store: store, weather: w, rng: rand.New(rand.NewPCG(seed, 7)),
		executed: map[[2]uint64]uint64{}, answered: map[[2]uint64]uint64{}, did: map[string]int{}}
}

// fate is what becomes of a call.
type fate struct {
	refused, missed, lost, hung, twice bool
	there, back, breaks, again         time.Duration
}

func (s *storm) draw() (f fate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.there, f.back, f.breaks, f.again = s.delay(), s.delay(), s.delay()+s.delay(), s.delay()*10
	happens := func(what string, often int) bool {
		if s.rng.IntN(1000) >= often {
			return false
		}
		s.did[what]++
		return true
	}
	f.refused = happens("refused", s.weather.refused)
	f.missed = happens("missed", s.weather.missed)
	f.lost = happens("lost", s.weather.lost)
	f.hung = happens("hung", s.weather.hung)
	f.twice = happens("twice", s.weather.twice)
	if happens("slow", s.weather.slow) {
		f.back += time.Duration(s.rng.Int64N(int64(s.weather.timeout)))
	}
	return f
}

// delay is mostly short, and in whole steps, so that much happens at once.
func (s *storm) delay() time.Duration {
	switch n := s.rng.IntN(20); {
	case n < 8:
		return 0
	case n < 19:
		return time.Duration(n-8) * time.Millisecond / 4
	default:
		return time.Duration(s.rng.IntN(40)) * time.Millisecond
	}
}

// Reserve implements server.Store.
func (s *storm) Reserve(ctx context.Context, call *server.Call) error {
	f := s.draw()
	if f.refused {
		return server.ErrUnavailable
	}
	token := [2]uint64{uint64(call.Slot), call.Seq}
	answer := make(chan error, 1)
	sent := copyOf(call)
	carry := s.send()
	s.flying.Go(func() {
		pass(f.there)
		if f.missed {
			return
		}
		err := carry(&sent)
		s.note(s.executed, token, &sent, err)
		if f.twice { // nobody sees the answer
			again := copyOf(&sent)
			s.flying.Go(func() {
				pass(f.again)
				_ = carry(&again)
			})
		}
		pass(f.back)
		if !f.hung {
			answer <- err
		}
	})
	var broken <-chan time.Time
	if f.missed || f.lost {
		broken = time.After(f.breaks)
	}
	select {
	case err := <-answer:
		s.note(s.answered, token, &sent, err)
		settle(call, sent.Claims)
		return err
	case <-broken:
		return errLost
	case <-ctx.Done():
		return ctx.Err()
	}
}

// send is when a call leaves the node: what the node then knows of its store goes with it.
func (s *storm) send() (carry func(*server.Call) error) {
	if h, ok := s.Store.(*handle); ok {
		life := h.life()
		return func(call *server.Call) error { return h.reserve(h.node, life, call) }
	}
	return func(call *server.Call) error { return s.Store.Reserve(context.Background(), call) }
}

func (s *storm) note(in map[[2]uint64]uint64, token [2]uint64, call *server.Call, err error) {
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	in[token] = 0
	for _, c := range call.Claims {
		if c.Err == nil {
			in[token] += c.Granted
		}
	}
}

// sum adds up what is in m.
func (s *storm) sum(m map[[2]uint64]uint64) (n uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range m {
		n += v
	}
	return n
}

// pass lets time pass, or others go first.
func pass(d time.Duration) {
	if d == 0 {
		runtime.Gosched()
		return
	}
	time.Sleep(d)
}

// asStore is s, which can go back if its store can.
func (s *storm) asStore() server.Store {
	if h, ok := s.Store.(*handle); ok {
		return fencedStorm{s, h}
	}
	return s
}

// fencedStorm is the way to a store that can go back.
type fencedStorm struct {
	*storm
	h *handle
}

var _ server.Fenced = fencedStorm{}

func (s fencedStorm) Check(ctx context.Context) error {
	pass(s.draw().there)
	return s.h.Check(ctx)
}

func (s fencedStorm) Fence(ctx context.Context, marks []server.Mark, jump uint64) ([]server.Rollback, error) {
	f := s.draw()
	pass(f.there)
	if f.lost {
		return nil, errLost
	}
	return s.h.Fence(ctx, marks, jump)
}

func (s fencedStorm) Rejoin(ctx context.Context, marks []server.Mark, jump uint64) ([]server.Rollback, error) {
	f := s.draw()
	pass(f.there)
	if f.lost {
		return nil, errLost
	}
	return s.h.Rejoin(ctx, marks, jump)
}

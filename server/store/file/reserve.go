package file

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/turnomatico/tmctl/server"
)

// job is what the writer is asked to do.
type job struct {
	do   func() error
	err  error         // what do returned; read it after done
	done chan struct{} // closed then
}

// slot remembers the last call, for one who asks again. One process has the directory, so that memory is enough: after a
// restart nobody asks who waited for the process before.
type slot struct {
	mu     sync.Mutex
	seq    uint64
	claims []server.Claim // the writer's until job is done
	job    *job
}

// Reserve implements [server.Store]. It returns when ctx ends, also while the disk hangs; the transaction goes on then, and
// who makes the call again waits for it and is given what it took.
func (s *Store) Reserve(ctx context.Context, call *server.Call) error {
	sl := &s.slot
	sl.mu.Lock()
	defer sl.mu.Unlock()
	switch {
	case call.Seq < sl.seq:
		return fmt.Errorf("%w: call %d is older than %d", server.ErrUnavailable, call.Seq, sl.seq)
	case call.Seq > sl.seq || sl.tookNothing():
		if err := s.begin(ctx, call); err != nil {
			return err
		}
	}
	select {
	case <-sl.job.done:
	case <-ctx.Done():
		if !sl.job.over() {
			return fmt.Errorf("the disk has not answered: %w", ctx.Err())
		}
	}
	for i := range sl.claims {
		keys := call.Claims[i].Keys
		copy(keys, sl.claims[i].Keys) // the caller's: he may change them
		call.Claims[i] = sl.claims[i]
		call.Claims[i].Keys = keys
	}
	return sl.job.err
}

func (j *job) over() bool {
	select {
	case <-j.done:
		return true
	default:
		return false
	}
}

// tookNothing reports whether the last call is over, and can be made anew.
func (sl *slot) tookNothing() bool {
	return sl.job.over() && errors.Is(sl.job.err, server.ErrUnavailable)
}

// begin hands a new call to the writer.
func (s *Store) begin(ctx context.Context, call *server.Call) error {
	claims := call.Clone().Claims // the caller has his back when ctx ends
	j, err := s.ask(ctx, func() error { return s.reserve(claims) })
	if err != nil {
		return err
	}
	s.slot.seq, s.slot.claims, s.slot.job = call.Seq, claims, j
	return nil
}

// ask hands the writer a job, when it is done with the one before. After an error it was not.
func (s *Store) ask(ctx context.Context, do func() error) (*job, error) {
	if why := s.stopped.Load(); why != nil {
		return nil, why.err
	}
	j := &job{do: do, done: make(chan struct{})}
	if ctx.Err() == nil {
		select {
		case s.jobs <- j:
			return j, nil
		case <-ctx.Done():
		}
	}
	return nil, fmt.Errorf("%w: %w before the transaction began", server.ErrUnavailable, ctx.Err())
}

// write is the writer.
func (s *Store) write() {
	defer close(s.written)
	debug.SetPanicOnFault(true) // bbolt reads through a memory map: a page that the disk can't read faults
	for j := range s.jobs {
		j.err = j.do()
		close(j.done)
		if s.stopped.Load() == nil {
			s.log.seal()
			s.saveKeys()
		}
	}
}

// reserve settles claims in one record, or one transaction.
func (s *Store) reserve(claims []server.Claim) error {
	err := s.attempt(claims, nil)
	if err == nil || !errors.Is(err, server.ErrUnavailable) || s.stopped.Load() != nil {
		return err
	}
	// The disk is full, most likely. Ids that are in the file already need no room, and shall not suffer from new ones.
	fresh := 0
	for i := range claims {
		if s.counters[claims[i].ID] == nil {
			fresh++
		}
	}
	if fresh == 0 || fresh == len(claims) {
		return err
	}
	return s.attempt(claims, err)
}

// attempt settles claims; if noNew is set, new ids are refused with it.
func (s *Store) attempt(claims []server.Claim, noNew error) error {
	d := s.draft()
	s.settle(d, claims, noNew)
	return s.commit(d)
}

func (s *Store) settle(d *draft, claims []server.Claim, noNew error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d.keys = s.keys.Begin(s.now())
	for i := range claims {
		cl := &claims[i]
		d.keys.Settle(cl, func(n uint64) (first, granted uint64, err error) {
			c, err := d.counter(cl.ID, noNew)
			if err != nil {
				return 0, 0, err
			}
			return d.take(c, n)
		})
	}
}

// Package memory keeps counters in the process: the direct path, and the speed limit of all others. Start with [Store].
package memory

import (
	"cmp"
	"context"
	"hash/maphash"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/api"
	"github.com/turnomatico/tmctl/server/store/sessions"
)

// promise is printed at start.
const promise = "volatile: starts again at 1 after a restart"

// maxBuckets bounds the table that New makes at once, at 8 MiB; with more ids its chains grow instead.
const maxBuckets = 1 << 20

// slots is how many calls may be under way at once on one handle: no one waits, so it is about cores.
const slots = 4

// Store is one handle on a table of counters: that of a node. Make one with [New], more with [Store.Another].
type Store struct {
	*table
	slots [slots]slot
}

// slot remembers the last call, for one who asks again.
type slot struct {
	mu   sync.Mutex
	last server.Call
}

// table holds the counters. A number is one atomic add; finding its counter takes no lock, since counters are only ever
// added, at the head of their bucket.
type table struct {
	seed    maphash.Seed
	buckets []atomic.Pointer[counter] // a power of two of them
	bounds  server.Bounds
	start   time.Time

	mu  sync.Mutex // held to add a counter
	ids atomic.Int64

	keyed    sync.Mutex // held to take a number for a key
	sessions *sessions.Table
}

var _ server.Direct = (*Store)(nil)

// counter fills a cache line of its own, so that two busy ids don't slow each other down.
type counter struct {
	last atomic.Uint64 // the last number given; past MaxTurno once exhausted
	id   string
	next *counter
	_    [64 - 8 - 16 - 8]byte
}

// New returns an empty store.
func New(bounds server.Bounds) *Store {
	n := min(max(bounds.IDs, 1), maxBuckets)
	return &Store{table: &table{
		seed:     maphash.MakeSeed(),
		buckets:  make([]atomic.Pointer[counter], 1<<bits.Len(uint(n-1))),
		bounds:   bounds,
		start:    time.Now(),
		sessions: sessions.New(bounds),
	}}
}

// Another returns another handle on the same counters.
func (s *Store) Another() *Store { return &Store{table: s.table} }

// Take implements [server.Direct].
func (s *Store) Take(id []byte) (uint64, error) {
	c, err := s.counter(id)
	if err != nil {
		return 0, err
	}
	turno, _, err := c.take(1)
	return turno, err
}

// TakeOnce implements [server.Direct].
func (s *Store) TakeOnce(id []byte, key string) (turno uint64, replayed bool, err error) {
	claim := server.Claim{ID: string(id), Keys: []server.Key{{Name: key}}}
	s.settle(&claim)
	k := &claim.Keys[0]
	return k.Turno, k.Replayed, cmp.Or(claim.Err, k.Err)
}

// Reserve implements [server.Store]. It never waits, so ctx matters only when it has ended before.
func (s *Store) Reserve(ctx context.Context, call *server.Call) error {
	if ctx.Err() != nil {
		return server.ErrUnavailable
	}
	slot := &s.slots[call.Slot]
	slot.mu.Lock()
	defer slot.mu.Unlock()
	switch last := &slot.last; {
	case call.Seq < last.Seq:
		return server.ErrUnavailable
	case call.Seq == last.Seq:
		call.Claims = last.Clone().Claims
		return nil
	}
	for i := range call.Claims {
		s.settle(&call.Claims[i])
	}
	slot.last = call.Clone()
	return nil
}

// settle answers a claim. What wants a number without a key takes no lock.
func (s *table) settle(c *server.Claim) {
	take := func(n uint64) (first, granted uint64, err error) {
		counter, err := s.counter([]byte(c.ID))
		if err != nil {
			return 0, 0, err
		}
		return counter.take(n)
	}
	if len(c.Keys) == 0 {
		c.First, c.Granted, c.Err = take(c.N)
		return
	}
	s.keyed.Lock()
	defer s.keyed.Unlock()
	d := s.sessions.Begin(s.now())
	d.Settle(c, take)
	d.Commit()
}

// now is a clock that nobody sets.
func (s *table) now() int64 { return time.Since(s.start).Milliseconds() }

// counter returns the counter of id, which it makes if it may.
func (s *table) counter(id []byte) (*counter, error) {
	bucket := s.bucket(id)
	if c := find(bucket, id); c != nil {
		return c, nil
	}
	if c := s.add(bucket, id); c != nil {
		return c, nil
	}
	return nil, server.ErrTooManyIDs
}

// take adds n. Looking before adding keeps an exhausted counter from creeping on to 2^64, where it would wrap.
func (c *counter) take(n uint64) (first, granted uint64, err error) {
	if c.last.Load() >= api.MaxTurno {
		return 0, 0, server.ErrExhausted
	}
	n = min(n, api.MaxTurno)
	first = c.last.Add(n) - n + 1
	if first > api.MaxTurno {
		return 0, 0, server.ErrExhausted
	}
	return first, min(n, api.MaxTurno-first+1), nil
}

// Peek implements [server.Store].
func (s *Store) Peek(_ context.Context, id string) (uint64, error) {
	if c := find(s.bucket([]byte(id)), []byte(id)); c != nil {
		return min(c.last.Load(), api.MaxTurno), nil
	}
	return 0, nil
}

// Info implements [server.Store].
func (s *Store) Info() server.Info {
	s.keyed.Lock()
	defer s.keyed.Unlock()
	return server.Info{
		Name: "memory", Promise: promise, Slots: slots,
		IDs: int(s.ids.Load()), Sessions: s.sessions.Len(s.now()), Bounds: s.bounds,
	}
}

// Close implements [server.Store]; nothing lasts.
func (s *Store) Close() error { return nil }

func (s *table) bucket(id []byte) *atomic.Pointer[counter] {
	return &s.buckets[maphash.Bytes(s.seed, id)&uint64(len(s.buckets)-1)]
}

func find(bucket *atomic.Pointer[counter], id []byte) *counter {
	for c := bucket.Load(); c != nil; c = c.next {
		if c.id == string(id) {
			return c
		}
	}
	return nil
}

// add returns id's counter, made now unless another call was faster; nil when there are as many as may be.
func (s *table) add(bucket *atomic.Pointer[counter], id []byte) *counter {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := find(bucket, id); c != nil {
		return c
	}
	if s.ids.Load() >= int64(s.bounds.IDs) {
		return nil
	}
	c := &counter{id: string(id), next: bucket.Load()}
	bucket.Store(c)
	s.ids.Add(1)
	return c
}

// Package redis keeps counters in a Redis that other nodes use, too. Start with [Store], then life.go, which says how a
// Redis that is not what it was is noticed; reserve.lua is what takes numbers.
//
// # Keys
//
// A counter is prefix+id, and holds the last number given, in decimal: an operator may GET it, and move it with
// "tmctl counters set". All else begins with prefix+"#", which no id holds:
//
//	#ids              set       the ids that had a number; it bounds them, over all nodes
//	#epoch            string    random, made once: another one, or none, is another dataset, or an alarm
//	#stopped          hash      ids that are not served since the store went back, with the number to reach
//	#s:ID:KEY         string    the number that an idempotency key of an id has, until it expires
//	#sessions         hash      how many of those expire when: time in milliseconds → count
//	#node:NODE:SLOT   string    the last call of a node's slot: its token and its result; gone 10 minutes after
//	#partitions       string    how many partitions there are (of a cluster only)
//
// In a cluster the prefix goes on with the hash tag of a partition: turno:{42}:grupo1. Of n partitions the i-th has the ids whose
// own slot (CLUSTER KEYSLOT grupo1) is in the i-th of n equal ranges of slots, and its tag is the smallest number of
// which that is true, too.
//
// # Permissions
//
// A user of Redis needs ~prefix* and +mget +mset +get +set +exists +type +pexpire +pexpireat +sadd +scard +sismember +hget
// +hgetall +hset +hincrby +hdel +hexists +time +eval +evalsha +script|load, and +wait with ?wait=N; to look, +info and +config|get besides; to list, +sscan +scan; in a cluster
// +cluster|slots, and better +cluster|info, too.
package redis

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/turnomatico/tmctl/server"
)

// slots is how many calls of a node are under way at once. Measured with wrk, 64 connections, all on two cores: two give as
// much as one or more, with blocks of 9 (one: 15, four: 6) and the least CPU a request but for one. One would have all wait
// for a call whose answer is lost.
const slots = 2

// Store is one node's handle on a Redis. Make one with [Open].
type Store struct {
	client  *client
	guide   *sentinels // nil: the Redis is where it is
	options Options
	prefix  string
	name    string
	bounds  server.Bounds
	node    string // random; other handles have others
	log     *slog.Logger

	life     atomic.Pointer[life] // nil: Redis is not, or no longer, known to be what it was (Rejoin)
	ids      atomic.Int64
	sessions atomic.Int64
	facts    atomic.Pointer[facts]

	joining         sync.Mutex // held by Rejoin and Fence; guards what follows
	last            *life      // the last that was joined
	nonce, nonceRun string     // of the script that was last loaded, and into which process
	pending         *fencing   // whose answer was lost
	fences          uint64     // sequence of fencings
}

var _ server.Fenced = (*Store)(nil)

// Open makes this process a node of the Redis at rawURL ([Parse]), within bounds. Its errors hold
// no secrets.
func Open(ctx context.Context, rawURL string, bounds server.Bounds, log *slog.Logger) (*Store, error) {
	o, err := Parse(rawURL)
	if err != nil {
		return nil, err
	}
	return o.Open(ctx, bounds, log)
}

// Open is [Open] with options that were parsed before.
func (o Options) Open(ctx context.Context, bounds server.Bounds, log *slog.Logger) (*Store, error) {
	s, err := o.visit(ctx, bounds, log)
	if err != nil {
		return nil, err
	}
	if err := s.join(ctx); err != nil {
		_ = s.Close() // err says more
		return nil, err
	}
	return s, nil
}

// Visit opens the store for one who looks around, as an operator does: it leaves nothing in Redis, and Reserve does not
// work.
func (o Options) Visit(ctx context.Context, log *slog.Logger) (*Store, error) {
	s, err := o.visit(ctx, server.Bounds{}, log)
	if err != nil {
		return nil, err
	}
	if err := s.look(ctx); err != nil {
		_ = s.Close() // err says more
		return nil, err
	}
	return s, nil
}

func (o Options) visit(ctx context.Context, bounds server.Bounds, log *slog.Logger) (*Store, error) {
	guide, err := o.follow(log)
	if err != nil {
		return nil, err
	}
	c, err := newClient(ctx, o)
	if err != nil {
		guide.close()
		return nil, err
	}
	s := &Store{client: c, guide: guide, options: o, prefix: o.prefix, name: o.name, bounds: bounds, node: rand.Text()[:16], log: log}
	s.facts.Store(&facts{})
	return s, nil
}

func (s *Store) idsKey() string     { return s.prefix + "#ids" }
func (s *Store) epochKey() string   { return s.prefix + "#epoch" }
func (s *Store) stoppedKey() string { return s.prefix + "#stopped" }

// Info implements [server.Store].
func (s *Store) Info() server.Info {
	f := s.facts.Load()
	return server.Info{
		Name: s.name, Promise: f.promise, IDs: int(s.ids.Load()), Sessions: int(s.sessions.Load()), Slots: slots, Bounds: s.bounds,
		Details: f.details, Warnings: f.warnings,
	}
}

// Close implements [server.Store]. What was granted is in Redis already.
func (s *Store) Close() error {
	s.client.close()
	s.guide.close()
	return nil
}

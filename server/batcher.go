package server

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/turnomatico/tmctl/server/api"
)

// batcher asks the store for the requests that wait: those of one id share a block, and the blocks of all ids share a call.
//
// What keeps the numbers right:
//
//  1. A number goes only to a request that was waiting when its block was asked for: fill closes the block.
//  2. A block is as large as the requests that wait for it; nothing is kept for later ones.
//  3. A call goes out as soon as a slot is free. There is no timer: at low load a request is a block of its own, and the
//     more requests come during a call, the larger the next blocks are.
//  4. A call whose answer is lost is asked again by its token (reserve), or its requests are told that a number may be gone.
//  5. A block that begins at or below what this node had received before the call was first made, or that meets one received
//     since (recent.go), shows that the store went back; none of it is handed out (fence.go).
//  6. Every number is accounted for (ledger.go).
type batcher struct {
	store   Store
	fenced  Fenced        // nil: the store can't go back under its node
	timeout time.Duration // of a request
	jump    uint64        // how far beyond the mark the counter of a store that went back is moved; 0: the id is stopped
	log     *slog.Logger
	events  func(kind, text string, data fields)
	errors  onceASecond
	books   *books // the node's
	room    *room  // the node's
	workers sync.WaitGroup
	ctx     context.Context // run's: a request that makes a call brings none of its own, and may end before the call does

	mu            sync.Mutex
	counters      map[string]*counter // ids that numbers are waited for, or were received of
	pending       []*counter          // those with waiting requests, in order of arrival
	slots         []*slot
	idle          []*slot
	spare         [][]*waiter   // emptied blocks, to be filled again
	joining       bool          // the store is being rejoined: no call is begun
	owes          time.Time     // since when the store has owed answers and gave none; zero: it owes none
	took          time.Duration // how long it took for its last answer
	moment                      // what the store is, as far as is known
	rollbacks     uint64
	declared      []api.Range // the newest that were skipped, and
	declaredCount uint64      // how many numbers in all
}

// counter is an id as this node knows it.
type counter struct {
	id      string
	mark    uint64    // the largest number received; 0: none
	waiting []*waiter // in order of arrival; nil when none: it would keep the room that a busy id needed
	held    int64     // requests that wait, those of blocks under way too
	blocks  int       // that are under way
	recent  recent    // … since before these were received
	stopped bool      // the store went back, and nobody but this node knows
}

func newBatcher(store Store, config *Config, p *parts) *batcher {
	b := &batcher{store: store, timeout: config.RequestTimeout, log: config.Log, events: config.record, books: p.books, room: p.room,
		counters: map[string]*counter{}}
	b.fenced, _ = store.(Fenced)
	if config.OnRollback == OnRollbackJump {
		b.jump = JumpMargin
	}
	for i := range max(store.Info().Slots, 1) {
		b.slots = append(b.slots, &slot{call: Call{Slot: i}, wake: make(chan struct{}, 1)})
	}
	b.idle = slices.Clone(b.slots)
	return b
}

// run lets the batcher work until ctx ends, and returns when all its goroutines have. No request may wait then.
func (b *batcher) run(ctx context.Context) (wait func()) {
	b.ctx = ctx
	for _, s := range b.slots {
		b.workers.Go(func() { b.drain(ctx, s) })
	}
	b.workers.Go(func() { b.sweep(ctx) })
	if b.fenced != nil {
		b.workers.Go(func() { b.watch(ctx) })
	}
	return b.workers.Wait
}

// take waits for the next number of id, or for the one that key has, for a request that came on c at since.
func (b *batcher) take(since time.Time, c *conn, id []byte, key string) (uint64, outcome, error) {
	w := newWaiter(c, since, key)
	b.mu.Lock()
	if refused, ok := b.admit(w, id); !ok {
		b.mu.Unlock()
		w.recycle()
		return 0, refused, nil
	}
	s := b.freeSlot()
	if s != nil && !b.fill(s, since) {
		b.idle = append(b.idle, s)
		s = nil
	}
	b.mu.Unlock()
	if s != nil {
		// Nothing is under way on this slot: the request makes the call itself, which spares two switches of goroutines.
		b.perform(s)
		b.release(s)
	}
	<-w.done
	turno, o, err := w.turno, w.outcome, w.err
	w.recycle()
	return turno, o, err
}

// freeSlot takes a slot off the idle ones. Under mu.
func (b *batcher) freeSlot() *slot {
	last := len(b.idle) - 1
	if last < 0 || b.joining {
		return nil
	}
	s := b.idle[last]
	b.idle = b.idle[:last]
	return s
}

// release gives a slot back, or to its goroutine if requests came meanwhile.
func (b *batcher) release(s *slot) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.pending) > 0 && !b.joining {
		s.wake <- struct{}{} // has room: the slot's goroutine rests
		return
	}
	b.idle = append(b.idle, s)
}

// drain makes call after call for as long as requests wait.
func (b *batcher) drain(ctx context.Context, s *slot) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		}
		for b.next(s) {
			b.perform(s)
		}
	}
}

// next fills s, or lets it rest.
func (b *batcher) next(s *slot) bool {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.joining && b.fill(s, now) {
		return true
	}
	b.idle = append(b.idle, s)
	return false
}

// sweepEach is the grain of a request's time-out.
const sweepEach = 50 * time.Millisecond

// sweep ends requests whose time is over: those that wait have taken nothing, those of a call may have.
func (b *batcher) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEach)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			b.endOverdue(now)
		}
	}
}

func (b *batcher) endOverdue(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pending = slices.DeleteFunc(b.pending, func(k *counter) bool {
		k.waiting = slices.DeleteFunc(k.waiting, func(w *waiter) bool {
			over := now.Sub(w.since) >= b.timeout
			if over {
				w.end(unavailable, nil)
			}
			return over
		})
		if len(k.waiting) > 0 {
			return false
		}
		b.reuse(k.waiting)
		k.waiting = nil
		b.forget(k)
		return true
	})
	for _, s := range b.slots {
		for _, blk := range s.blocks {
			for _, w := range blk.waiters {
				if !w.left && now.Sub(w.since) >= b.timeout {
					w.leave(unknown)
				}
			}
		}
	}
	b.forgive()
}

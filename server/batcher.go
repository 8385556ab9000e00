package server

import (
	"context"
	"errors"
	"fmt"
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
//  5. A block that begins at or below what this node had received before the call was first made shows that the store went
//     back; none of it is handed out (fence.go).
//  6. Every number is accounted for (ledger.go).
type batcher struct {
	store   Store
	fenced  Fenced        // nil: the store can't go back under its node
	timeout time.Duration // of a request
	jump    uint64        // how far beyond the mark the counter of a store that went back is moved; 0: the id is stopped
	log     *slog.Logger
	errors  onceASecond
	books   books
	workers sync.WaitGroup
	ctx     context.Context // run's: a request that makes a call brings none of its own, and may end before the call does

	mu            sync.Mutex
	counters      map[string]*counter // ids that numbers are waited for, or were received of
	pending       []*counter          // those with waiting requests, in order of arrival
	slots         []*slot
	idle          []*slot
	spare         [][]*waiter   // emptied blocks, to be filled again
	joining       chan struct{} // not nil while the store is rejoined; closed after it
	generation    uint64        // how often that was
	rollbacks     uint64
	declared      []api.Range // the newest that were skipped, and
	declaredCount uint64      // how many numbers in all
}

// counter is an id as this node knows it.
type counter struct {
	id      string
	mark    uint64    // the largest number received; 0: none
	waiting []*waiter // in order of arrival
	stopped bool      // the store went back, and nobody but this node knows
}

// slot makes one call at a time.
type slot struct {
	call   Call
	blocks []block
	until  time.Time     // when the last of its requests gives up
	wake   chan struct{} // has its goroutine go on with what is pending
}

// block is the requests that a claim was made for.
type block struct {
	of      *counter
	waiters []*waiter
}

// maxClaims bounds a call, so that no store is busy with one for long: a thousand ids are about 1 ms of Redis.
const maxClaims = 1000

func newBatcher(store Store, config *Config) *batcher {
	b := &batcher{store: store, timeout: config.RequestTimeout, log: config.Log, counters: map[string]*counter{}}
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

// take waits for the next number of id for a request that came on c at since.
func (b *batcher) take(since time.Time, c *conn, id []byte) (uint64, outcome, error) {
	w := newWaiter(c, since)
	b.mu.Lock()
	k := b.counters[string(id)]
	if k == nil {
		k = &counter{id: string(id)}
		b.counters[k.id] = k
	}
	if k.waiting = append(k.waiting, w); len(k.waiting) == 1 {
		b.pending = append(b.pending, k)
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
	if last < 0 || b.joining != nil {
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
	if len(b.pending) > 0 && b.joining == nil {
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
	if b.joining == nil && b.fill(s, now) {
		return true
	}
	b.idle = append(b.idle, s)
	return false
}

// fill makes a new call of what waits and closes its blocks: whoever comes later is in another one. It is false, and the
// slot stays as it was, when nobody waits. Under mu.
func (b *batcher) fill(s *slot, now time.Time) bool {
	s.call.Claims, s.blocks = s.call.Claims[:0], s.blocks[:0]
	taken := 0
	for _, k := range b.pending {
		if len(s.blocks) == maxClaims {
			break
		}
		taken++
		waiters := b.staying(k, now)
		k.waiting = b.emptied()
		if len(waiters) == 0 {
			b.reuse(waiters)
			b.forget(k)
			continue
		}
		s.call.Claims = append(s.call.Claims, Claim{ID: k.id, N: uint64(len(waiters)), Mark: k.mark})
		s.blocks = append(s.blocks, block{k, waiters})
	}
	b.pending = slices.Delete(b.pending, 0, taken)
	if len(s.blocks) == 0 {
		return false
	}
	s.call.Seq++
	s.until = time.Time{}
	for i := range s.blocks {
		waiters := s.blocks[i].waiters
		if last := waiters[len(waiters)-1].since; last.After(s.until) {
			s.until = last
		}
	}
	s.until = s.until.Add(b.timeout)
	return true
}

// staying is who of k's requests still wants a number: one whose time is over, or whose client left, costs nothing now.
// Under mu.
func (b *batcher) staying(k *counter, now time.Time) []*waiter {
	if k.stopped {
		for _, w := range k.waiting {
			w.end(stopped, nil)
		}
		return k.waiting[:0]
	}
	return slices.DeleteFunc(k.waiting, func(w *waiter) bool {
		waited := now.Sub(w.since)
		switch {
		case waited >= b.timeout:
			w.end(unavailable, nil)
		case waited >= patience && w.conn.gone():
			w.end(clientGone, nil)
		default:
			return false
		}
		return true
	})
}

// forget drops a counter of which nothing is known, so that ids which get no number cost no memory. Under mu.
func (b *batcher) forget(k *counter) {
	if k.mark == 0 && len(k.waiting) == 0 && !k.stopped && b.counters[k.id] == k {
		delete(b.counters, k.id)
	}
}

// perform makes the call of s and tells its requests what came of it.
func (b *batcher) perform(s *slot) {
	ctx, cancel := context.WithDeadline(b.ctx, s.until)
	defer cancel()
	err := b.reserve(ctx, s)
	if errors.Is(err, ErrChanged) {
		b.requeue(s)
		return
	}
	b.settle(s, err)
}

// pauses between attempts.
const (
	firstPause   = 2 * time.Millisecond
	longestPause = 200 * time.Millisecond
)

// reserve asks the store until the answer is certain, or the last of the requests gives up. After nil all claims are
// settled; after ErrUnavailable and ErrChanged nothing was taken; after any other error something may have been.
func (b *batcher) reserve(ctx context.Context, s *slot) error {
	var lost error // why an earlier attempt is uncertain
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		b.mu.Lock()
		generation := b.generation
		b.mu.Unlock()
		start := time.Now()
		err := b.store.Reserve(ctx, &s.call)
		b.books.called(time.Since(start), len(s.blocks), err)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, ErrChanged):
			joined := b.rejoin(generation)
			if lost == nil {
				return err
			}
			select { // the repeat finds the token, or a store that never knew it; either way it is exact
			case <-joined:
				continue
			case <-ctx.Done():
				return lost
			}
		case errors.Is(err, ErrUnavailable):
			if lost == nil {
				return err
			}
		default:
			lost = err
			b.errors.log(b.log, start, err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return lost
		}
	}
}

// requeue puts the requests of a call that took nothing back to where they waited, in front.
func (b *batcher) requeue(s *slot) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range s.blocks {
		k, waiters := s.blocks[i].of, s.blocks[i].waiters
		waiters = slices.DeleteFunc(waiters, func(w *waiter) bool { return w.left })
		if len(waiters) == 0 {
			continue
		}
		if len(k.waiting) == 0 {
			b.pending = append(b.pending, k)
		}
		k.waiting = append(slices.Clone(waiters), k.waiting...)
	}
	b.clear(s)
}

// clear lets go of the requests of s. Under mu.
func (b *batcher) clear(s *slot) {
	for i := range s.blocks {
		b.reuse(s.blocks[i].waiters)
	}
	clear(s.blocks)
	s.blocks = s.blocks[:0]
}

// maxSpare bounds the emptied blocks that are kept, and how large they may be: as a busy server needs them all the time.
const maxSpare, maxSpareSize = 64, 1024

// reuse keeps a block for emptied. Under mu.
func (b *batcher) reuse(waiters []*waiter) {
	clear(waiters)
	if len(b.spare) < maxSpare && cap(waiters) <= maxSpareSize {
		b.spare = append(b.spare, waiters[:0])
	}
}

// emptied returns a block that was used before, or nil. Under mu.
func (b *batcher) emptied() []*waiter {
	last := len(b.spare) - 1
	if last < 0 {
		return nil
	}
	w := b.spare[last]
	b.spare = b.spare[:last]
	return w
}

// settle tells each request of s what it got.
func (b *batcher) settle(s *slot, err error) {
	var back []Mark
	failed := err
	b.mu.Lock()
	for i := range s.blocks {
		c := &s.call.Claims[i]
		if b.settleBlock(c, s.blocks[i], err) {
			back = append(back, Mark{ID: c.ID, Last: c.Mark})
		}
		if err == nil && c.Err != nil && outcomeOf(c.Err).storeFailed() {
			failed = fmt.Errorf("counter %s: %w", c.ID, c.Err)
		}
	}
	b.clear(s)
	b.mu.Unlock()
	if failed != nil {
		b.errors.log(b.log, time.Now(), failed)
	}
	if len(back) > 0 {
		b.wentBack(back)
	}
}

// settleBlock reports whether the block shows that the store went back. Under mu.
func (b *batcher) settleBlock(c *Claim, blk block, err error) (back bool) {
	k := blk.of
	defer b.forget(k)
	if err == nil {
		err = c.Err
	}
	last := c.First + c.Granted - 1
	switch {
	case err != nil:
		b.refuseBlock(blk, err)
		return false
	case c.Granted < 1 || c.Granted > c.N || c.First < 1 || last > api.MaxTurno:
		b.refuseBlock(blk, errBadGrant)
		return false
	case c.First <= c.Mark:
		b.books.granted(c.Granted)
		b.books.burn(burnedRollback, c.Granted)
		for _, w := range blk.waiters {
			w.end(unknown, nil)
		}
		k.stopped = true // until the store is fenced, at least
		return true
	}
	b.books.granted(c.Granted)
	k.mark = max(k.mark, last)
	for i, w := range blk.waiters {
		switch {
		case uint64(i) >= c.Granted:
			w.end(exhausted, nil)
		case w.left:
			b.books.burn(burnedLate, 1)
		default:
			w.turno = c.First + uint64(i)
			w.end(answered, nil)
		}
	}
	return false
}

// refuseBlock ends the requests of a claim that got nothing, or nobody knows what. Under mu.
func (b *batcher) refuseBlock(blk block, err error) {
	o := outcomeOf(err)
	if o == unknown {
		b.books.lose(uint64(len(blk.waiters)))
	}
	for _, w := range blk.waiters {
		w.end(o, err)
	}
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
		if len(k.waiting) == 0 {
			b.forget(k)
		}
		return len(k.waiting) == 0
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
}

package server

import (
	"slices"
	"time"
)

// slot makes one call at a time.
type slot struct {
	call   Call
	blocks []block
	until  time.Time     // when the last of its requests gives up
	again  bool          // the call was made before, and its answer is not known
	took   time.Duration // its last attempt
	wake   chan struct{} // has its goroutine go on with what is pending
}

// block is the requests that a claim was made for.
type block struct {
	of      *counter
	waiters []*waiter
}

// Bounds of a call, so that no store is busy with one for long: a thousand of each are about 2 ms of Redis.
const (
	MaxClaims = 1000
	MaxKeys   = 1000
)

// fill makes a new call of what waits and closes its blocks: whoever comes later is in another one. It is false, and the
// slot stays as it was, when nobody waits. Under mu.
func (b *batcher) fill(s *slot, now time.Time) bool {
	s.call.Claims, s.blocks = s.call.Claims[:0], s.blocks[:0]
	last := now.Add(b.need(now) - b.timeout) // who came before has too little time left
	keys, kept := 0, b.pending[:0]
	for i, k := range b.pending {
		if len(s.blocks) == MaxClaims || keys == MaxKeys {
			kept = append(kept, b.pending[i:]...)
			break
		}
		late, rest := inTime(b.staying(k, now), last)
		waiters, later := withKeys(rest, MaxKeys-keys)
		if k.waiting = append(late, later...); len(k.waiting) > 0 {
			kept = append(kept, k)
		} else {
			k.waiting = nil
		}
		keys += b.claim(s, k, waiters)
	}
	clear(b.pending[len(kept):])
	b.pending = kept
	if len(s.blocks) == 0 {
		if len(b.pending) == 0 {
			return false
		}
		w := b.newest()
		b.claim(s, w.of, []*waiter{w})
	}
	b.asked(now)
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

// claim makes waiters a block of the call, and says how many of them have a key. Under mu.
func (b *batcher) claim(s *slot, k *counter, waiters []*waiter) (keyed int) {
	if len(waiters) == 0 {
		b.reuse(waiters)
		b.forget(k)
		return 0
	}
	claim, keyed := claimFor(k, waiters)
	s.call.Claims = append(s.call.Claims, claim)
	s.blocks = append(s.blocks, block{k, waiters})
	k.blocks++
	return keyed
}

// withKeys is those of waiters of whom at most n have a key, and who is to wait for another call, nil for nobody.
func withKeys(waiters []*waiter, n int) (now, later []*waiter) {
	for i, w := range waiters {
		if w.key == "" {
			continue
		}
		if n--; n < 0 {
			later = slices.Clone(waiters[i:])
			clear(waiters[i:])
			return waiters[:i], later
		}
	}
	return waiters, nil
}

// claimFor asks for a number for each request that has no key, and for each key. It says how many have one.
func claimFor(k *counter, waiters []*waiter) (c Claim, keyed int) {
	c = Claim{ID: k.id, N: uint64(len(waiters)), Mark: k.mark}
	var at map[string]int
	for _, w := range waiters {
		if w.key == "" {
			continue
		}
		keyed++
		known := false
		if w.at, known = at[w.key]; known {
			continue
		}
		if at == nil {
			at = map[string]int{}
		}
		w.at = len(c.Keys)
		at[w.key] = w.at
		c.Keys = append(c.Keys, Key{Name: w.key})
	}
	c.N -= uint64(keyed)
	return c, keyed
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

// forget drops what is not needed of a counter, and one of which nothing is known, so that ids which get no number cost no
// memory. Under mu.
func (b *batcher) forget(k *counter) {
	if k.blocks == 0 {
		k.recent = recent{}
	}
	if k.mark == 0 && len(k.waiting) == 0 && k.blocks == 0 && !k.stopped && b.counters[k.id] == k {
		delete(b.counters, k.id)
	}
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

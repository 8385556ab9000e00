package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/turnomatico/tmctl/server/api"
)

// perform makes the call of s and tells its requests what came of it.
func (b *batcher) perform(s *slot) {
	ctx, cancel := context.WithDeadline(b.ctx, s.until)
	defer cancel()
	switch err := b.reserve(ctx, s); {
	case err == nil: // settled
	case errors.Is(err, ErrChanged) && b.fenced != nil:
		b.requeue(s)
	default:
		b.settle(s, err, moment{})
	}
}

// errEarlier is what becomes of an answer that arrives when the store is not, or may not be, what it was when it was asked.
var errEarlier = errors.New("the store changed while it answered")

// pauses between attempts.
const (
	firstPause   = 2 * time.Millisecond
	longestPause = 200 * time.Millisecond
)

// reserve asks the store until the answer is certain, or the last of the requests gives up. After nil the requests know what
// they got; after ErrUnavailable and ErrChanged nothing was taken; after any other error something may have been.
func (b *batcher) reserve(ctx context.Context, s *slot) error {
	var lost error // why an earlier attempt is uncertain
	first := b.now()
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		now := b.now()
		if s.again = lost != nil; s.again && now != first {
			// The store as it was may have given the block, and others later numbers; as it is now it may give this call
			// another one, and nobody could tell what became of the first.
			return lost
		}
		start := time.Now()
		err := b.store.Reserve(ctx, &s.call)
		s.took = time.Since(start)
		b.books.called(s.took, len(s.blocks), err)
		if err == nil && !b.settle(s, nil, now) {
			lost, err = errEarlier, ErrChanged
		}
		switch {
		case err == nil:
			return nil
		case errors.Is(err, ErrChanged):
			b.rejoin(now.generation)
			if lost == nil {
				return err
			}
			return lost
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
		k.blocks--
		if len(waiters) == 0 {
			b.forget(k)
			continue
		}
		if len(k.waiting) == 0 {
			b.pending = append(b.pending, k)
		}
		k.waiting = append(slices.Clone(waiters), k.waiting...)
	}
	b.clear(s)
}

// settle tells each request of s what it got. It is false, and nothing is settled, when the store has changed since it was
// asked: it may give others the numbers that this answer grants, of which the marks that Rejoin was told know nothing.
func (b *batcher) settle(s *slot, err error, asked moment) bool {
	var back []Mark
	failed := err
	b.mu.Lock()
	if err == nil && (b.joining || b.generation != asked.generation || s.again && b.noticed != asked.noticed) {
		b.mu.Unlock()
		return false
	}
	if err == nil {
		b.heard(s.took)
	}
	for i := range s.blocks {
		c := &s.call.Claims[i]
		if s.again && errors.Is(c.Err, ErrStopped) {
			c.Err = errEarlier // the record of what an earlier attempt got may have gone with what the store lost
		}
		if b.settleBlock(c, s.blocks[i], err) {
			back = append(back, Mark{ID: c.ID, Last: s.blocks[i].of.mark})
		}
		if err == nil && c.Err != nil && outcomeOf(c.Err).storeFailed() {
			failed = fmt.Errorf("counter %s: %w", c.ID, c.Err)
		}
	}
	if len(back) > 0 {
		b.noticed++
	}
	b.clear(s)
	b.mu.Unlock()
	if failed != nil {
		b.books.remember(failed)
		b.errors.log(b.log, time.Now(), failed)
	}
	if len(back) > 0 {
		b.wentBack(back)
	}
	return true
}

// settleBlock reports whether the block shows that the store went back. Under mu.
func (b *batcher) settleBlock(c *Claim, blk block, err error) (back bool) {
	k := blk.of
	k.blocks--
	defer b.forget(k)
	if err == nil && !errors.Is(c.Err, ErrExhausted) { // then keys may have a number all the same
		err = c.Err
	}
	last := c.First + c.Granted - 1
	switch {
	case err != nil:
		b.refuseBlock(c, blk, err)
		return false
	case !c.plausible():
		b.refuseBlock(c, blk, errBadGrant)
		return false
	case c.Err != nil || c.Granted == 0:
		c.Granted = 0
		b.handOut(c, blk)
		return false
	case c.First <= c.Mark || c.First <= k.mark && k.recent.meets(span{c.First, last}):
		b.books.granted(c.Granted)
		b.books.burn(burnedRollback, c.Granted)
		for _, w := range blk.waiters {
			w.end(unknown, nil)
		}
		k.stopped = true // until the store is fenced, at least
		return true
	case c.First <= k.recent.forgot: // too late to tell whether it was given before
		b.books.granted(c.Granted)
		b.books.burn(burnedLate, c.Granted)
		for _, w := range blk.waiters {
			w.end(unknown, nil)
		}
		return false
	}
	b.books.granted(c.Granted)
	k.mark = max(k.mark, last)
	if k.blocks > 0 {
		k.recent.add(span{c.First, last})
	}
	b.handOut(c, blk)
	return false
}

// plausible reports whether a claim that was settled can be true.
func (c *Claim) plausible() bool {
	fresh, last := uint64(0), c.First+c.Granted-1
	for i := range c.Keys {
		switch k := &c.Keys[i]; {
		case k.Err != nil:
			continue
		case k.Turno-1 >= api.MaxTurno || !k.Replayed && (k.Turno < c.First || k.Turno > last):
			return false
		case !k.Replayed:
			fresh++
		}
	}
	if c.Err != nil || c.Granted == 0 {
		return fresh == 0 && (c.Err != nil || c.N == 0)
	}
	return c.Granted-fresh <= c.N && fresh <= c.Granted && c.First-1 < api.MaxTurno && last <= api.MaxTurno
}

// handOut gives the numbers of a block to its requests: in order to those without a key, and to each key its own. Each request
// is looked at once: after its end it may be another one. Under mu.
func (b *batcher) handOut(c *Claim, blk block) {
	next, end := c.First, c.First+min(c.N, c.Granted)
	for _, w := range blk.waiters {
		switch {
		case w.key != "":
			w.endKeyed(&c.Keys[w.at])
			continue
		case next == end:
			w.end(exhausted, nil)
			continue
		case w.left:
			b.books.burn(burnedLate, 1)
		default:
			w.turno = next
			w.end(answered, nil)
		}
		next++
	}
	for i := range c.Keys {
		if k := &c.Keys[i]; k.Err == nil && !k.Replayed { // all who asked for it have left
			b.books.burn(burnedLate, 1)
		}
	}
}

// endKeyed tells a request what its key has. The number of one that is new is of the first of its requests that still waits.
func (w *waiter) endKeyed(k *Key) {
	switch {
	case w.left:
	case k.Err != nil:
		w.end(outcomeOf(k.Err), k.Err)
	case k.Replayed:
		w.turno = k.Turno
		w.end(replayed, nil)
	default:
		k.Replayed = true
		w.turno = k.Turno
		w.end(answered, nil)
	}
}

// refuseBlock ends the requests of a claim that got nothing, or nobody knows what. Under mu.
func (b *batcher) refuseBlock(c *Claim, blk block, err error) {
	o := outcomeOf(err)
	if o == unknown {
		b.books.lose(c.N + uint64(len(c.Keys)))
	}
	for _, w := range blk.waiters {
		w.end(o, err)
	}
}

package server

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/turnomatico/tmctl/server/api"
)

// What a node does about a store that went back (Config.OnRollback).
const (
	OnRollbackStop = "stop" // the id is refused until an operator moves its counter forward
	OnRollbackJump = "jump" // the counter is moved JumpMargin beyond the largest number that a node knows of
)

// OnRollbacks lists the policies.
var OnRollbacks = []string{OnRollbackStop, OnRollbackJump}

// JumpMargin is how many numbers a jump skips. It covers what nodes that are gone may have given that no living one knows of:
// 5 s of 200,000/s, of 9·10^15 numbers.
const JumpMargin = 1_000_000

// maxDeclared bounds the ranges that are remembered. A store of many ids that went back is one of each, and load reads all.
const maxDeclared = 32_768

// checkEvery is how often a node asks whether its store is still the same. Whatever asks for numbers notices by itself; this
// is for nodes without requests, whose marks the others need.
const checkEvery = 250 * time.Millisecond

// fenceEvery is how often a fence that failed is tried again.
const fenceEvery = time.Second

// moment tells a store from what it was before it changed.
type moment struct {
	generation uint64 // how often it was rejoined
	noticed    uint64 // how often blocks showed that it had gone back
}

func (b *batcher) now() moment {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.moment
}

// watch notices a store that changes while nobody asks for numbers.
func (b *batcher) watch(ctx context.Context) {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := b.now()
		within, cancel := context.WithTimeout(ctx, b.timeout)
		err := b.fenced.Check(within)
		cancel()
		b.books.check(err)
		if errors.Is(err, ErrChanged) {
			b.rejoin(now.generation)
		}
	}
}

// rejoin makes this node known to what its store is now, unless that was done since generation, or is under way. It does
// not wait; until it is done no call is begun. A store that can't be rejoined is left alone.
func (b *batcher) rejoin(generation uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fenced == nil || b.generation != generation || b.joining {
		return
	}
	b.joining = true
	b.asked(time.Now())
	b.workers.Go(func() { b.rejoinUntilDone(b.ctx) })
}

func (b *batcher) rejoinUntilDone(ctx context.Context) {
	b.log.Warn("the store has changed: comparing it with what this node knows")
	name := b.store.Info().Name
	b.events(EventStoreChanged, name+" may not be what this node knew: no number is given until it has been compared", fields{"store": name})
	var complaints onceASecond
	start := time.Now()
	for ctx.Err() == nil {
		back, err := b.fenced.Rejoin(ctx, b.marks(), b.jump)
		b.books.check(err)
		if err != nil {
			complaints.log(b.log, time.Now(), err)
			select {
			case <-time.After(longestPause):
			case <-ctx.Done():
			}
			b.record(back)
			continue
		}
		b.record(back)
		b.log.Info("rejoined the store", "took", time.Since(start).Round(time.Millisecond), "went_back", len(back))
		b.tellRejoined(name, time.Since(start), len(back))
		break
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.generation++
	b.joining = false
	if ctx.Err() == nil {
		for _, k := range b.counters { // all marks were fenced, those of an id whose own fencing failed too
			k.stopped = false
		}
	}
	b.kick()
}

// kick sets idle slots to work if requests wait. Under mu.
func (b *batcher) kick() {
	if len(b.pending) == 0 {
		return
	}
	for _, s := range b.idle {
		s.wake <- struct{}{} // has room: the slot rests
	}
	b.idle = b.idle[:0]
}

// marks is the largest number that this node received of each id.
func (b *batcher) marks() []Mark {
	b.mu.Lock()
	defer b.mu.Unlock()
	marks := make([]Mark, 0, len(b.counters))
	for id, k := range b.counters {
		if k.mark > 0 {
			marks = append(marks, Mark{ID: id, Last: k.mark})
		}
	}
	slices.SortFunc(marks, func(a, b Mark) int { return strings.Compare(a.ID, b.ID) })
	return marks
}

// wentBack fences ids of which a block showed that the store went back. Their counters are stopped; those of a store that
// keeps stops itself may go on afterwards: it says who may.
func (b *batcher) wentBack(seen []Mark) {
	for _, m := range seen {
		b.log.Error("the store went back: it gave a block that this node had received, or a smaller one; none of it was handed out",
			"id", m.ID, "mark", m.Last)
	}
	b.tellWentBack(seen)
	if b.fenced == nil {
		b.mu.Lock()
		b.rollbacks += uint64(len(seen))
		b.mu.Unlock()
		return
	}
	if err := b.fence(seen); err != nil {
		b.log.Error("fence the store: it is tried again, and the ids stay stopped on this node until then", "err", err, "ids", len(seen))
		b.workers.Go(func() { b.fenceUntilDone(seen) })
	}
}

// fenceUntilDone tries until the store is fenced.
func (b *batcher) fenceUntilDone(seen []Mark) {
	for {
		select {
		case <-time.After(fenceEvery):
		case <-b.ctx.Done():
			return
		}
		if b.fence(seen) == nil {
			return
		}
	}
}

// fence stops or moves the counters of ids that went back, which may go on then.
func (b *batcher) fence(seen []Mark) error {
	within, cancel := context.WithTimeout(b.ctx, b.timeout)
	defer cancel()
	marks := slices.DeleteFunc(b.marks(), func(m Mark) bool {
		return !slices.ContainsFunc(seen, func(s Mark) bool { return s.ID == m.ID })
	})
	back, err := b.fenced.Fence(within, marks, b.jump)
	b.record(back)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range seen {
		if k := b.counters[m.ID]; k != nil {
			k.stopped = false
		}
	}
	return nil
}

// record keeps what fencing found, before any number beyond it is handed out by this node.
func (b *batcher) record(back []Rollback) {
	b.mu.Lock()
	for _, r := range back {
		b.rollbacks++
		if r.To <= r.Last {
			continue
		}
		if k := b.counters[r.ID]; k != nil {
			k.mark = max(k.mark, r.To)
		}
		b.declaredCount += r.To - r.Last
		if b.declared = append(b.declared, api.Range{ID: r.ID, First: r.Last + 1, Last: r.To}); len(b.declared) > maxDeclared {
			b.declared = b.declared[1:]
		}
	}
	b.mu.Unlock()
	for _, r := range back {
		if r.To > 0 {
			b.log.Error("the store went back: jumped forward", "id", r.ID, "store", r.Store, "mark", r.Last, "to", r.To)
		} else {
			b.log.Error("the store went back: the id is stopped until its counter is moved forward (tmctl counters set)",
				"id", r.ID, "store", r.Store, "mark", r.Last)
		}
	}
	b.tellFenced(back)
}

// declaredRanges is what this process skipped.
func (b *batcher) declaredRanges() []api.Range {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]api.Range{}, b.declared...)
}

// skipped is how often ids were found to have gone back, and how many numbers were skipped for it.
func (b *batcher) skipped() (rollbacks, declared uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.rollbacks, b.declaredCount
}

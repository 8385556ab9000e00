package server

import (
	"context"

	"github.com/turnomatico/tmctl/server/api"
)

// parts are the batchers of a node: one for each part of its store, so that a part which is slow, down or gone back concerns
// nobody but its own ids. What is counted is the node's.
type parts struct {
	books *books
	room  *room
	all   []*batcher
	of    func(id []byte) int // which of them has an id
}

func newParts(store Store, config *Config) parts {
	p := parts{books: new(books), room: &room{most: int64(config.MaxInFlight)}, of: func([]byte) int { return 0 }}
	stores := []Store{store}
	if s, ok := store.(Sharded); ok {
		stores, p.of = s.Parts(), s.Part
	}
	for _, s := range stores {
		p.all = append(p.all, newBatcher(s, config, &p))
	}
	return p
}

// run lets them work until ctx ends; wait returns when all their goroutines have. No request may wait then.
func (p *parts) run(ctx context.Context) (wait func()) {
	waits := make([]func(), len(p.all))
	for i, b := range p.all {
		waits[i] = b.run(ctx)
	}
	return func() {
		for _, wait := range waits {
			wait()
		}
	}
}

// having is the batcher of an id.
func (p *parts) having(id []byte) *batcher { return p.all[p.of(id)] }

// declaredRanges is what this process skipped.
func (p *parts) declaredRanges() []api.Range {
	ranges := []api.Range{}
	for _, b := range p.all {
		ranges = append(ranges, b.declaredRanges()...)
	}
	return ranges
}

// skipped is how often ids were found to have gone back, and how many numbers were skipped for it.
func (p *parts) skipped() (rollbacks, declared uint64) {
	for _, b := range p.all {
		r, d := b.skipped()
		rollbacks, declared = rollbacks+r, declared+d
	}
	return rollbacks, declared
}

// waiting is how many requests wait for the store.
func (p *parts) waiting() int64 { return p.room.taken.Load() }

package file

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/api"
)

// List calls fn with each id and the last number given of it, in order of the ids, until fn returns an error. Counters that
// are broken are left out, and are the error at the end.
func (s *Store) List(ctx context.Context, fn func(id string, last uint64) error) error {
	s.mu.RLock()
	ids := slices.Sorted(maps.Keys(s.counters))
	s.mu.RUnlock()
	var broken []error
	for _, id := range ids {
		last, err := s.Peek(ctx, id)
		if err != nil {
			broken = append(broken, err)
			continue
		}
		if err := fn(id, last); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if more := len(broken) - maxBroken; more > 0 {
		broken = append(broken[:maxBroken], fmt.Errorf("and %d more are broken", more))
	}
	return errors.Join(broken...)
}

// maxBroken bounds how many broken counters are told of.
const maxBroken = 20

// Set moves the counter of id, which it makes if need be, so that last+1 is given next, and returns what it was. With back it
// may go back, and takes the place of one that is broken; else those are server.ErrBackwards and a [*server.BrokenError].
func (s *Store) Set(ctx context.Context, id string, last uint64, back bool) (was uint64, err error) {
	if !api.ValidID(id) || last > api.MaxTurno {
		return 0, fmt.Errorf("counter %q can't be %d", id, last)
	}
	var found uint64
	err = s.wait(ctx, func() (err error) {
		found, err = s.set(id, last, back)
		return err
	})
	if errors.Is(err, errHangs) {
		return 0, err // and found is the writer's
	}
	return found, err
}

var errHangs = errors.New("the disk has not answered: what was asked for may be done yet")

// wait has the writer do something. After errHangs it may do so later.
func (s *Store) wait(ctx context.Context, do func() error) error {
	j, err := s.ask(ctx, do)
	if err != nil {
		return err
	}
	select {
	case <-j.done:
		return j.err
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", errHangs, ctx.Err())
	}
}

func (s *Store) set(id string, last uint64, back bool) (was uint64, err error) {
	d := s.draft()
	c := s.counters[id]
	switch {
	case c == nil:
		if c, err = d.counter(id, nil); err != nil {
			return 0, err
		}
	case c.broken && !back:
		return 0, s.brokenError(id)
	case !c.broken:
		was = c.last.Load()
	}
	if last < was && !back {
		return was, server.ErrBackwards
	}
	d.move(c, last)
	return was, s.commit(d)
}

package file

import (
	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/api"
	"github.com/turnomatico/tmctl/server/store/sessions"
)

// draft is what a call will change. Nothing of it is seen before it is on disk.
type draft struct {
	s     *Store
	moved []*counter
	fresh map[string]*counter
	keys  *sessions.Draft // nil: none was asked for
}

func (s *Store) draft() *draft { return &draft{s: s} }

// newKeys are those that got a number.
func (d *draft) newKeys() []sessions.Entry {
	if d == nil || d.keys == nil {
		return nil
	}
	return d.keys.Fresh
}

// counter returns id's, which it makes if it may.
func (d *draft) counter(id string, noNew error) (*counter, error) {
	c := d.s.counters[id]
	if c == nil {
		c = d.fresh[id]
	}
	switch {
	case c != nil && c.broken:
		return nil, d.s.brokenError(id)
	case c != nil:
		return c, nil
	case len(d.s.counters)+len(d.fresh) >= d.s.bounds.IDs:
		return nil, server.ErrTooManyIDs
	case noNew != nil:
		return nil, noNew
	}
	c = &counter{id: id, place: d.s.places + len(d.fresh)}
	if d.fresh == nil {
		d.fresh = map[string]*counter{}
	}
	d.fresh[id] = c
	return c, nil
}

// take takes up to n numbers.
func (d *draft) take(c *counter, n uint64) (first, granted uint64, err error) {
	if c.next >= api.MaxTurno {
		return 0, 0, server.ErrExhausted
	}
	first, granted = c.next+1, min(n, api.MaxTurno-c.next)
	d.move(c, c.next+granted)
	return first, granted, nil
}

// move sets a counter.
func (d *draft) move(c *counter, last uint64) {
	c.next = last
	d.moved = append(d.moved, c)
}

// publish lets everyone see what is on disk now.
func (d *draft) publish() {
	s := d.s
	s.places += len(d.fresh)
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, c := range d.fresh {
		s.counters[id] = c
	}
	for _, c := range d.moved {
		c.last.Store(c.next)
		c.broken = false
	}
	if d.keys != nil {
		d.keys.Commit()
	}
}

// drop forgets the draft.
func (d *draft) drop() {
	for _, c := range d.moved {
		c.next = c.last.Load()
	}
}

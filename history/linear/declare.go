package linear

import "github.com/turnomatico/tmctl/history"

// maxSpans bounds the declared ranges that are kept, after joining those that touch: 1 MiB.
const maxSpans = 64 << 10

// Declare takes numbers that the server says it skipped on purpose. Those of them that are missing need no other
// explanation; nothing else is excused, and a number among them that was given is like any other. It may come before the
// numbers or after them: the counts of Close are the same. It reports whether it told anything new about the Checker's ids.
func (c *Checker) Declare(r history.Range) (news bool) {
	id, ok := c.lookup(r.ID)
	if !ok || r.First < 1 || r.First > r.Last || r.Last > history.MaxTurno {
		return false
	}
	s := c.declared[id]
	if s == nil {
		s = new(spans)
	}
	if s.within(r.First, r.Last) == r.Size() {
		return false
	}
	if c.spans >= maxSpans {
		c.refused = true
		return false
	}
	c.spans += s.add(r.First, r.Last)
	c.declared[id] = s
	if k := c.counters[id]; k != nil {
		k.declare(s, r.First, r.Last)
	}
	return true
}

// lookup finds an id among those of the Config.
func (c *Checker) lookup(id string) (i uint32, ok bool) {
	if c.index == nil {
		c.index, c.declared = make(map[string]uint32, len(c.cfg.IDs)), map[uint32]*spans{}
		for i, id := range c.cfg.IDs {
			c.index[id] = uint32(i)
		}
	}
	i, ok = c.index[id]
	return i, ok
}

// Declared lists what was declared of the Checker's ids, id by id and ascending, ranges that touch as one: declaring these
// alone gives the same proof.
func (c *Checker) Declared() (all []history.Range) {
	for i, id := range c.cfg.IDs {
		if s := c.declared[uint32(i)]; s != nil {
			for _, p := range s.all {
				all = append(all, history.Range{ID: id, First: p.first, Last: p.last})
			}
		}
	}
	return all
}

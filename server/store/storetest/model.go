package storetest

import (
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/api"
)

// testModel makes random calls, some of them again, from random nodes, and wants what a map would give. Every check has ids of
// its own, so that one store does for all.
func testModel(t *testing.T, p *place) {
	checks := 0
	handles := p.nodes(t)
	rapid.Check(t, func(rt *rapid.T) {
		checks++
		m := &model{t: t, p: p, handles: handles, prefix: fmt.Sprintf("%d-", checks), last: map[string]uint64{}, calls: map[*slotOf]*call{}}
		actions := map[string]func(*rapid.T){"reserve": m.reserve, "reserve again": m.again, "an older call": m.older, "peek": m.peek}
		if p.Lasts {
			actions["reopen"] = m.reopen
		}
		rt.Repeat(actions)
		handles = m.handles
	})
}

// model is a store as a map.
type model struct {
	t       *testing.T
	p       *place
	handles []*handle
	prefix  string
	last    map[string]uint64
	calls   map[*slotOf]*call // the last of each slot
}

// call is one that was made, and what it was given.
type call struct {
	claims, given []server.Claim
}

// take is what a store should do.
func (m *model) take(c *server.Claim) {
	last := m.last[c.ID]
	if last == api.MaxTurno {
		c.Err = server.ErrExhausted
		return
	}
	c.First, c.Granted = last+1, min(c.N, api.MaxTurno-last)
	m.last[c.ID] = last + c.Granted
}

func (m *model) id(rt *rapid.T) string {
	return m.prefix + rapid.SampledFrom([]string{"a", "b", "c", "d", "e"}).Draw(rt, "id")
}

func (m *model) slot(rt *rapid.T) *slotOf {
	h := rapid.SampledFrom(m.handles).Draw(rt, "handle")
	return h.free[rapid.IntRange(0, len(h.free)-1).Draw(rt, "slot")]
}

func (m *model) reserve(rt *rapid.T) {
	s := m.slot(rt)
	amounts := rapid.OneOf(rapid.Uint64Range(1, 100), rapid.Uint64Range(api.MaxTurno-100, api.MaxTurno+100), rapid.Uint64Min(1))
	c := &call{}
	for _, id := range rapid.SliceOfNDistinct(rapid.Custom(m.id), 1, 5, rapid.ID).Draw(rt, "ids") {
		c.claims = append(c.claims, server.Claim{ID: id, N: amounts.Draw(rt, "n")})
	}
	c.given = append(c.given, c.claims...)
	for i := range c.given {
		m.take(&c.given[i])
	}
	got, err := s.reserve(m.t.Context(), c.claims...)
	m.compare(rt, s, c, got, err)
	m.calls[s] = c
}

func (m *model) again(rt *rapid.T) {
	s := m.slot(rt)
	c := m.calls[s]
	if c == nil {
		rt.Skip("it made no call yet")
	}
	got, err := s.call(m.t.Context(), s.seq, c.claims...)
	m.compare(rt, s, c, got, err)
}

func (m *model) compare(rt *rapid.T, s *slotOf, c *call, got []server.Claim, err error) {
	if err != nil {
		rt.Fatalf("call %d of slot %d: %v", s.seq, s.slot, err)
	}
	for i, want := range c.given {
		g := got[i]
		same := g.First == want.First && g.Granted == want.Granted && g.Err == nil
		if want.Err != nil {
			same = errors.Is(g.Err, want.Err)
		}
		if !same {
			rt.Fatalf("call %d of slot %d, the claim of %d of %s = %d, %d, %v; want %d, %d, %v",
				s.seq, s.slot, g.N, g.ID, g.First, g.Granted, g.Err, want.First, want.Granted, want.Err)
		}
	}
}

func (m *model) older(rt *rapid.T) {
	s := m.slot(rt)
	if s.seq < 2 {
		rt.Skip("there is none")
	}
	seq := s.seq - min(rapid.Uint64Range(1, 9).Draw(rt, "before"), s.seq-1)
	got, err := s.call(m.t.Context(), seq, server.Claim{ID: m.id(rt), N: 1})
	if err == nil && got[0].Granted > 0 {
		rt.Fatalf("a call older than %d grants %d from %d", s.seq, got[0].Granted, got[0].First)
	}
}

func (m *model) peek(rt *rapid.T) {
	h, id := rapid.SampledFrom(m.handles).Draw(rt, "handle"), m.id(rt)
	if last, err := h.Peek(m.t.Context(), id); last != m.last[id] || err != nil {
		rt.Fatalf("Peek(%s) = %d, %v; want %d", id, last, err, m.last[id])
	}
}

// reopen replaces a handle: its successor's calls are others'.
func (m *model) reopen(rt *rapid.T) {
	i := rapid.IntRange(0, len(m.handles)-1).Draw(rt, "handle")
	for _, s := range m.handles[i].free {
		delete(m.calls, s)
	}
	m.handles[i].close(m.t)
	m.handles[i] = m.p.open(m.t)
}

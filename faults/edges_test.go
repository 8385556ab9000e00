//go:build linux

package faults

import (
	"slices"
	"strings"

	"github.com/turnomatico/tmctl/history"
	"github.com/turnomatico/tmctl/server/api"
)

// edgeID is a counter with few numbers left.
const (
	edgeID = "at-the-edge"
	left   = 9 // the counter is set to 2^53−10
)

// toTheEdge sets the counter before any node runs.
func toTheEdge(s *scene) {
	s.given = api.MaxTurno - left
	s.setCounter(edgeID, s.given)
}

// lastOnce wants each number that was left given once, and then no more.
func lastOnce(s *scene, r *history.Result) {
	s.Helper()
	var given []uint64
	for _, op := range s.load.ops() {
		if op.Outcome == history.OK {
			given = append(given, op.Turno)
		}
	}
	slices.Sort(given)
	if len(given) != left || given[0] != api.MaxTurno-left+1 || given[left-1] != api.MaxTurno || len(slices.Compact(given)) != left {
		s.Errorf("given were %d; want %d, each number once up to %d", given, left, uint64(api.MaxTurno))
	}
	if refused := r.ErrorReasons["not_consumed_409"]; refused != r.Requests-left {
		s.Errorf("of %d requests after the last number, %d were refused with 409", r.Requests-left, refused)
	}
	s.reconcile(r)
	for _, n := range s.nodes {
		if a, err := n.ask(edgeID); err != nil || a.status != 409 || a.consumed != api.ConsumedNo || !strings.Contains(a.body, string(api.Exhausted)) {
			s.Errorf("%s answers %+v, %v; want 409 exhausted", n.name, a, err)
		}
	}
}

// poisons are ids whose keys hold no counter: what to do so, and what the key says afterwards.
var poisons = []struct{ id, makes, asks, holds string }{
	{"a-word", "SET KEY abc", "GET KEY", "abc"},
	{"a-float", "SET KEY 4.2", "GET KEY", "4.2"},
	{"too-large", "SET KEY 9007199254740993", "GET KEY", "9007199254740993"},
	{"negative", "SET KEY -1", "GET KEY", "-1"},
	{"a-list", "RPUSH KEY 1 2", "LRANGE KEY 0 -1", "1\n2"},
}

func poison(s *scene) {
	for _, p := range poisons {
		s.redis.Run(strings.ReplaceAll(p.makes, "KEY", s.key(p.id)))
	}
}

// askPoisoned asks for numbers of what is no counter, while the load's id goes on.
func askPoisoned(s *scene) {
	for _, p := range poisons {
		for _, n := range s.nodes {
			a, err := n.ask(p.id)
			if err != nil || a.status < 500 || a.consumed != api.ConsumedNo || !strings.Contains(a.body, s.key(p.id)) {
				s.Errorf("%s, %s: %+v, %v; want a 5xx that names the key, nothing consumed", n.name, p.id, a, err)
			}
		}
		if holds := s.redis.Do(strings.Fields(strings.ReplaceAll(p.asks, "KEY", s.key(p.id)))...); holds != p.holds {
			s.Errorf("%s holds %q afterwards; want %q, as before", p.id, holds, p.holds)
		}
	}
	s.goesOn()
}

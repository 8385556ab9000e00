//go:build linux

package faults

import (
	"net/http"
	"slices"
	"strings"

	"github.com/turnomatico/tmctl/server/api"
)

// loss is a way in which a Redis forgets numbers that were given. Each is met three times.
type loss struct {
	name, does string
	store      *store
	lose       func(*scene)
}

// lossFaults is the rows of the losses: without the fence numbers are given again; with it the id stops, or jumps.
func lossFaults() (rows []*fault) {
	for _, l := range losses {
		row := func(how string, args ...string) *fault {
			f := &fault{name: l.name + ", " + how, does: l.does, stores: []*store{l.store}, args: args, play: l.lose}
			if l.name == "redis lost little" {
				f.ready = favourOne
			}
			rows = append(rows, f)
			return f
		}
		off := row("fence off")
		off.does += "; the fence is taken out of the server's source, as a negative control"
		off.mutant, off.want.violated = fenceOff, true

		stop := row("stop", "--on-rollback", "stop")
		stop.does += "; `--on-rollback stop`"
		stop.want.stops = true
		stop.play = func(s *scene) {
			id := s.idInRedis()
			l.lose(s)
			s.stopsAndIsSet(id)
		}

		jump := row("jump", "--on-rollback", "jump")
		jump.does += "; `--on-rollback jump`"
		jump.want.declares = true
		jump.play = func(s *scene) { l.lose(s); s.jumps() }
	}
	return rows
}

// stopsAndIsSet waits until the load's id is stopped, sees that no node gives numbers of it, and moves the counter to
// where it was, as an operator does.
func (s *scene) stopsAndIsSet(id string) {
	s.Helper()
	s.until("the id is stopped", func() bool { return s.anyoneSays(saysStopped) })
	s.until("every node has compared its marks", func() bool {
		return !slices.ContainsFunc(s.nodes, func(n *node) bool { return !n.says("rejoined the store") })
	})
	for _, n := range s.nodes {
		a, err := n.ask(id)
		if err != nil || a.status != http.StatusServiceUnavailable || a.consumed != api.ConsumedNo || !strings.Contains(a.body, "stopped") {
			s.Fatalf("%s answers %+v, %v; want a 503 that says that the id is stopped", n.name, a, err)
		}
	}
	s.setCounter(id, s.stoppedAt(id))
	s.goesOn()
}

func (s *scene) jumps() {
	s.Helper()
	s.until("the counter has jumped", func() bool { return s.anyoneSays(saysJumped) })
	s.goesOn()
}

func (s *scene) anyoneSays(text string) bool {
	return slices.ContainsFunc(s.nodes, func(n *node) bool { return n.says(text) })
}

// stoppedAt is the largest number that any node knew when the id was stopped: what an operator reads, and sets.
func (s *scene) stoppedAt(id string) string {
	s.Helper()
	at := s.redis.Do("HGET", s.key("#stopped"), id)
	if at == "" {
		s.Fatalf("Redis does not say where %s was stopped", id)
	}
	return at
}

// setCounter moves a counter.
func (s *scene) setCounter(id, last string) {
	s.Helper()
	if _, stderr, code := run(s.T, "tmctl counters set", binary(s.T, nil), "counters", "set", id, last, "--store", s.store.url(s, 0)); code != 0 {
		s.Fatalf("tmctl counters set %s %s ended with %d: %s", id, last, code, stderr)
	}
}

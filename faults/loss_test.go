//go:build linux

package faults

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

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
		off.mutant, off.want = fenceOff, want{violated: true, also: "negative control: the fence is taken out of the server's source"}

		stop := row("stop", "--on-rollback", "stop")
		stop.want.stops = true
		stop.play = func(s *scene) {
			id := s.idInRedis()
			l.lose(s)
			s.stopsAndIsSet(id)
		}

		jump := row("jump", "--on-rollback", "jump")
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
	last := s.largestMark(id)
	s.refused(id)
	if code, said := s.moveCounter(id, last-1); code != 1 || !strings.Contains(said, "would stay stopped") { // an operator's slip
		s.Fatalf("a counter was moved below the largest mark, exit %d: %s", code, said)
	}
	s.refused(id)
	s.setCounter(id, last)
	s.goesOn()
}

// refused wants every node to refuse the id for what it is.
func (s *scene) refused(id string) {
	s.Helper()
	for _, n := range s.nodes {
		a, err := n.ask(id)
		if err != nil || a.status != http.StatusServiceUnavailable || a.consumed != api.ConsumedNo || !strings.Contains(a.body, "stopped") {
			s.Fatalf("%s answers %+v, %v; want a 503 that says that the id is stopped", n.name, a, err)
		}
	}
}

func (s *scene) jumps() {
	s.Helper()
	s.until("the counter has jumped", func() bool { return s.anyoneSays(saysJumped) })
	s.goesOn()
}

func (s *scene) anyoneSays(text string) bool {
	return slices.ContainsFunc(s.nodes, func(n *node) bool { return n.says(text) })
}

// largestMark is what an operator reads in the logs of the nodes, and sets.
func (s *scene) largestMark(id string) (largest uint64) {
	s.Helper()
	for _, n := range s.nodes {
		for line := range strings.Lines(n.log()) {
			var l struct {
				Msg, ID string
				Mark    uint64
			}
			if json.Unmarshal([]byte(line), &l) == nil && strings.Contains(l.Msg, saysStopped) && l.ID == id {
				largest = max(largest, l.Mark)
			}
		}
	}
	if largest == 0 {
		s.Fatalf("no node says where %s was stopped:%s", id, s.logs())
	}
	return largest
}

// setCounter moves a counter.
func (s *scene) setCounter(id string, last uint64) {
	s.Helper()
	if code, said := s.moveCounter(id, last); code != 0 {
		s.Fatalf("tmctl counters set %s %d ended with %d: %s", id, last, code, said)
	}
}

// moveCounter asks for that.
func (s *scene) moveCounter(id string, last uint64) (code int, said string) {
	s.Helper()
	p := start(s.T, "tmctl counters set", []string{"TMCTL_COUNTERS_STORE=" + s.store.url(s, 0)},
		binary(s.T, nil), "counters", "set", id, strconv.FormatUint(last, 10))
	code = p.exit(s.T, time.Minute)
	return code, p.stderr.String()
}

// Package scenario makes up what nodes might say, so that alerts can be tried on it: those of package monitor, and what
// they are in Prometheus. Start with [All]; stories.go has one that fires and one that must not for each alert.
package scenario

import (
	"fmt"
	"strings"
	"time"

	"github.com/turnomatico/tmctl/monitor"
	"github.com/turnomatico/tmctl/server/api"
)

// Scenario is a cluster's life, as it was observed.
type Scenario struct {
	Name         string
	Fires        []string // the alerts that it is made for; none: it is made to fire none
	Calm         string   // the alert that it nearly fires, where none does
	Observations []monitor.Observation
}

// Step is the time between two observations, and Begin that of the first.
const Step = 30 * time.Second

var Begin = time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)

// Promise is what the stores of all scenarios promise at first; Weak is what one of them does later.
const (
	Promise = "nothing lost: appendfsync always"
	Weak    = "up to 1 s of numbers can be lost at a power cut: appendfsync everysec"
)

// nodes is how many there are: three, so that one that is odd is not half of all.
const nodes = 3

// beat is what happens on a node between two observations.
type beat struct {
	ok, shed, refused, slow, calls, slowCalls, failedCalls, late, unknown, rollbacks, lost uint64

	busy    float64 // share of its cores
	reach   monitor.Reach
	restart bool                // it began anew, before all the above
	gauges  func(*api.Snapshot) // whatever does not count up
}

// healthy is a node of a service that is well: 100 requests a second.
func healthy() beat {
	return beat{ok: 3000, calls: 600, busy: 0.25, reach: monitor.Up}
}

// life is a node since its process began.
type life struct {
	api.Snapshot
	instance string
}

func (l *life) begin() {
	l.Snapshot = api.Snapshot{
		Name: l.instance, State: "ready", Store: "redis://localhost", Promise: Promise,
		IDs: 100, MaxIDs: 1000, Sessions: 100, MaxSessions: 1000, Connections: 64, MaxConnections: 1000,
		Requests: map[string]uint64{}, StoreErrors: map[string]uint64{}, Lost: map[string]uint64{},
		Ledger: api.Ledger{Burned: map[string]uint64{}}, Process: api.Process{Cores: 2},
	}
}

// live adds a beat, and is what the node says then.
func (l *life) live(b beat) monitor.Node {
	if b.restart {
		l.begin()
	}
	s := &l.Snapshot
	s.Requests["ok"] += b.ok
	s.Requests["overloaded"] += b.shed
	s.Requests["bad_id"] += b.refused
	s.StoreErrors["timeout"] += b.failedCalls
	s.Lost["log"] += b.lost
	s.Ledger.Burned[api.BurnedLate] += b.late
	s.Ledger.Unknown += b.unknown
	s.Ledger.Delivered += b.ok
	s.Ledger.Issued += b.ok + b.late + b.unknown
	s.Rollbacks += b.rollbacks
	s.Blocks.Calls += b.calls + b.failedCalls
	s.Process.CPU += int64(b.busy * float64(s.Process.Cores) * float64(Step))
	count(&s.Durations, b.ok, b.slow)
	count(&s.StoreCalls, b.calls, b.slowCalls)
	if b.reach != monitor.Up {
		return monitor.Node{Instance: l.instance, Reach: b.reach, Says: "it was told to be " + string(b.reach)}
	}
	said := l.clone()
	if b.gauges != nil {
		b.gauges(&said)
	}
	return monitor.Node{Instance: l.instance, Reach: monitor.Up, Snapshot: said}
}

// clone shares nothing with l that changes.
func (l *life) clone() api.Snapshot {
	s := l.Snapshot
	for _, m := range []*map[string]uint64{&s.Requests, &s.StoreErrors, &s.Lost, &s.Ledger.Burned} {
		own := map[string]uint64{}
		for k, n := range *m {
			own[k] = n
		}
		*m = own
	}
	s.Durations.Counts = append([]uint64{}, s.Durations.Counts...)
	s.StoreCalls.Counts = append([]uint64{}, s.StoreCalls.Counts...)
	return s
}

// count adds durations to a histogram: 1 ms, and 1 s for the slow ones among them.
func count(h *api.Histogram, n, slow uint64) {
	if h.Bounds = monitor.Bounds(); h.Counts == nil {
		h.Counts = make([]uint64, len(h.Bounds))
	}
	h.Count += n
	for i, bound := range h.Bounds {
		if bound >= int64(time.Millisecond) {
			h.Counts[i] += n - slow
		}
	}
}

// story is a scenario to be: what happens at each step, on each node, in place of what is healthy.
type story struct {
	name, fires, calm string
	steps             int
	tell              func(step, node int, b *beat)
}

func (s *story) scenario() Scenario {
	sc := Scenario{Name: s.name, Fires: strings.Fields(s.fires), Calm: s.calm}
	var lives [nodes]life
	for n := range lives {
		lives[n].instance = fmt.Sprintf("n%d:7018", n+1)
		lives[n].begin()
	}
	for step := range s.steps {
		o := monitor.Observation{At: Begin.Add(time.Duration(step) * Step)}
		for n := range lives {
			b := healthy()
			s.tell(step, n, &b)
			o.Nodes = append(o.Nodes, lives[n].live(b))
		}
		sc.Observations = append(sc.Observations, o)
	}
	return sc
}

// All makes up every scenario.
func All() (all []Scenario) {
	for i := range stories {
		all = append(all, stories[i].scenario())
	}
	return all
}

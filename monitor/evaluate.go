package monitor

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// State is how far an alert has come.
type State string

const (
	Pending  State = "pending"  // true, but not for long enough to tell somebody
	Firing   State = "firing"   // somebody is to be told
	Resolved State = "resolved" // it was firing, and is true no more
	Calm     State = "calm"     // it was pending, and is true no more
)

// Status is an alert of a node at one time, or of all nodes, whose name is "".
type Status struct {
	*Alert
	Instance string
	State    State
	Value    float64   // of the expression when it was last true
	Since    time.Time // when it became true
	Fired    time.Time // when somebody was to be told; zero if nobody was
	At       time.Time // of this status
	Says     string    // more than the value does: why a node is down
}

// Evaluator watches for alerts. It reads no clock: time is what observations say it is. Make one with [NewEvaluator].
type Evaluator struct {
	alerts  []Alert
	history History
	active  map[key]Status // pending or firing
}

type key struct{ alert, instance string }

// NewEvaluator watches for these alerts.
func NewEvaluator(alerts []Alert) *Evaluator {
	return &Evaluator{alerts: alerts, active: map[key]Status{}}
}

// Add takes the next observation, and returns what changed by it, in the order of the list of alerts.
func (e *Evaluator) Add(o Observation) (changes []Status) {
	e.history.Add(o)
	for i := range e.alerts {
		changes = append(changes, e.step(&e.alerts[i], e.alerts[i].When.Eval(&e.history, o.At), o)...)
	}
	return changes
}

// step moves one alert on.
func (e *Evaluator) step(a *Alert, holds Vector, o Observation) (changes []Status) {
	for k, s := range e.active {
		if _, still := holds[k.instance]; k.alert == a.Name && !still {
			delete(e.active, k)
			s.At = o.At
			if s.State == Firing {
				s.State = Resolved
			} else {
				s.State = Calm
			}
			changes = append(changes, s)
		}
	}
	for instance, value := range holds {
		k := key{a.Name, instance}
		s, known := e.active[k]
		if !known {
			s = Status{Alert: a, Instance: instance, Since: o.At}
		}
		before := s.State
		s.Value, s.At, s.Says = value, o.At, o.why(instance)
		if s.State = Pending; o.At.Sub(s.Since) >= a.For {
			s.State = Firing
		}
		if s.State == Firing && before != Firing {
			s.Fired = o.At
		}
		if e.active[k] = s; s.State != before {
			changes = append(changes, s)
		}
	}
	slices.SortFunc(changes, func(a, b Status) int { return cmp.Compare(a.Instance, b.Instance) })
	return changes
}

// Active is what is pending or firing, in the order of the list of alerts.
func (e *Evaluator) Active() (all []Status) {
	for i := range e.alerts {
		from := len(all)
		for k, s := range e.active {
			if k.alert == e.alerts[i].Name {
				all = append(all, s)
			}
		}
		slices.SortFunc(all[from:], func(a, b Status) int { return cmp.Compare(a.Instance, b.Instance) })
	}
	return all
}

// why is why a node is not up.
func (o *Observation) why(instance string) string {
	for i := range o.Nodes {
		if o.Nodes[i].Instance == instance {
			return o.Nodes[i].Says
		}
	}
	return ""
}

// Line says it for people, without the state: "127.0.0.1:7018 uses more than 90 % of its cores (97 %)".
func (s *Status) Line() string {
	line := s.Summary
	if s.Instance != "" {
		line = s.Instance + " " + line
	}
	switch {
	case s.Says != "":
		return line + " (" + s.Says + ")"
	case s.Unit == Share:
		return line + " (" + percent(s.Value) + ")"
	case s.Unit == Count:
		return line + " (" + strconv.FormatFloat(s.Value, 'f', 0, 64) + ")"
	default:
		return line
	}
}

// Took is for how long it had been true.
func (s *Status) Took() time.Duration { return s.At.Sub(s.Since) }

// Runbook is what to do about it, as a page to read.
func (a *Alert) Runbook() string {
	return fmt.Sprintf("https://github.com/turnomatico/tmctl/blob/main/docs/runbooks/%s.md", a.Name)
}

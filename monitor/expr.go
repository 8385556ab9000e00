package monitor

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Vector is a value for each node, or one for all together, of whom "" is the name.
type Vector map[string]float64

// Expr is what an alert computes. It is so small a part of PromQL that both can be read at once: a vector has at most one
// label, the node's. One thing differs on purpose: an increase is what was counted between the first and the last
// observation within the window, where Prometheus extrapolates to the window's edges. Shares are the same either way.
type Expr interface {
	// Eval computes it of what had been observed up to a time.
	Eval(h *History, at time.Time) Vector
	// String is it in PromQL.
	String() string
}

// Job is the Prometheus job that scrapes the nodes, in what String returns.
const Job = "turno"

// pick is the sum of a family's metrics of each node, as they are now, or by how much they grew within a window.
type pick struct {
	name, label string
	values      []string // of the label; none: any
	window      time.Duration
	rate        bool // a second
}

func now(name string) pick { return pick{name: name} }

func (p pick) with(label string, values ...string) pick {
	p.label, p.values = label, values
	return p
}

// in is how much p grew within a window.
func (p pick) in(window time.Duration) pick {
	p.window = window
	return p
}

// rateIn is how much p grew a second.
func (p pick) rateIn(window time.Duration) pick {
	p.window, p.rate = window, true
	return p
}

func (p pick) String() string { return "sum by (instance) (" + p.bare() + ")" }

// bare is p without its sum.
func (p pick) bare() string {
	s := p.name + `{job="` + Job + `"`
	switch len(p.values) {
	case 0:
	case 1:
		s += fmt.Sprintf(`,%s="%s"`, p.label, p.values[0])
	default:
		s += fmt.Sprintf(`,%s=~"%s"`, p.label, strings.Join(p.values, "|"))
	}
	switch s += "}"; {
	case p.rate:
		return "rate(" + s + "[" + PromDuration(p.window) + "])"
	case p.window > 0:
		return "increase(" + s + "[" + PromDuration(p.window) + "])"
	default:
		return s
	}
}

func (p pick) Eval(h *History, at time.Time) Vector {
	v := Vector{}
	which := find(p.name, p.values)
	switch {
	case p.name == up:
		for node, r := range h.last(at).nodes {
			v[node] = 0
			if r.values != nil {
				v[node] = 1
			}
		}
	case p.window == 0:
		for node, r := range h.last(at).nodes {
			if r.values != nil {
				v[node] = r.sum(which)
			}
		}
	default:
		p.grown(h.between(at.Add(-p.window), at), which, v)
	}
	return v
}

func (r reading) sum(which []int) (n float64) {
	for _, i := range which {
		n += r.values[i]
	}
	return n
}

// growth is how a node's metrics grew. A count that is smaller than before began anew: its process did.
type growth struct {
	first, last time.Time
	values      []float64
	by          float64
}

func (p pick) grown(window []instant, which []int, v Vector) {
	of := map[string]*growth{}
	for _, in := range window {
		for node, r := range in.nodes {
			if r.values == nil {
				continue
			}
			g := of[node]
			if g == nil {
				of[node] = &growth{first: in.at, last: in.at, values: r.values}
				continue
			}
			for _, i := range which {
				if before := g.values[i]; r.values[i] >= before {
					g.by += r.values[i] - before
				} else {
					g.by += r.values[i]
				}
			}
			g.last, g.values = in.at, r.values
		}
	}
	for node, g := range of {
		took := g.last.Sub(g.first).Seconds()
		switch {
		case took <= 0: // one observation: nothing is known of growth
		case p.rate:
			v[node] = g.by / took
		default:
			v[node] = g.by
		}
	}
}

// all is the sum over nodes.
type all struct{ of Expr }

func (a all) String() string {
	if p, is := a.of.(pick); is {
		return "sum(" + p.bare() + ")"
	}
	return "sum(" + a.of.String() + ")"
}

func (a all) Eval(h *History, at time.Time) Vector {
	v := a.of.Eval(h, at)
	if len(v) == 0 {
		return nil
	}
	total := 0.0
	for _, x := range v {
		total += x
	}
	return Vector{"": total}
}

// mean is the mean over nodes, for comparing each with it.
type mean struct{ of Expr }

func (m mean) String() string { return "scalar(avg(" + m.of.String() + "))" }

func (m mean) Eval(h *History, at time.Time) Vector {
	v := m.of.Eval(h, at)
	return Vector{"": all(m).Eval(h, at)[""] / float64(len(v))}
}

// number is a constant.
type number float64

func (n number) String() string                      { return strconv.FormatFloat(float64(n), 'g', 10, 64) }
func (n number) Eval(_ *History, _ time.Time) Vector { return Vector{"": float64(n)} }

// abs is the size of a number.
type abs struct{ of Expr }

func (a abs) String() string { return "abs(" + a.of.String() + ")" }

func (a abs) Eval(h *History, at time.Time) Vector {
	v := Vector{}
	for node, x := range a.of.Eval(h, at) {
		v[node] = math.Abs(x)
	}
	return v
}

// op is two expressions and what is between them: arithmetic, of nodes with the same or with a number b; a comparison, which
// leaves those of a for which it holds; "and", which leaves those of a that b has; "and on ()", which leaves a if b has any;
// "or", which adds to a what only b has.
type op struct {
	a    Expr
	sign string
	b    Expr
}

func (o op) String() string { return inner(o.a) + " " + o.sign + " " + inner(o.b) }

func inner(e Expr) string {
	if _, is := e.(op); is {
		return "(" + e.String() + ")"
	}
	return e.String()
}

func (o op) Eval(h *History, at time.Time) Vector {
	a, b := o.a.Eval(h, at), o.b.Eval(h, at)
	v := Vector{}
	for node, x := range a {
		y, both := b[node]
		if scalar(o.b) {
			y, both = b[""], true
		}
		switch result, keep := o.apply(x, y); {
		case o.sign == "or", o.sign == "and" && both, o.sign == "and on ()" && len(b) > 0:
			v[node] = x
		case both && keep:
			v[node] = result
		}
	}
	for node, y := range b {
		if _, has := a[node]; o.sign == "or" && !has {
			v[node] = y
		}
	}
	return v
}

// apply computes a sign between two numbers; a comparison keeps the first.
func (o op) apply(x, y float64) (result float64, keep bool) {
	switch o.sign {
	case "+":
		return x + y, true
	case "-":
		return x - y, true
	case "*":
		return x * y, true
	case "/":
		return x / y, true
	case ">":
		return x, x > y
	case ">=":
		return x, x >= y
	case "<":
		return x, x < y
	case "==":
		return x, x == y
	default:
		return 0, false
	}
}

// scalar reports whether e is one number, whatever it is compared with.
func scalar(e Expr) bool {
	switch e.(type) {
	case number, mean:
		return true
	default:
		return false
	}
}

// Record is an expression that Prometheus computes once, under a name.
type Record struct {
	Name string
	Of   Expr
}

func (r Record) String() string                       { return r.Name }
func (r Record) Eval(h *History, at time.Time) Vector { return r.Of.Eval(h, at) }

// Recorded are the records that an expression is made of, those first of which others are.
func Recorded(e Expr) []Record {
	switch e := e.(type) {
	case op:
		return append(Recorded(e.a), Recorded(e.b)...)
	case all:
		return Recorded(e.of)
	case mean:
		return Recorded(e.of)
	case abs:
		return Recorded(e.of)
	case Record:
		return append(Recorded(e.Of), e)
	default:
		return nil
	}
}

// weak are the nodes whose store promises none of what it should.
type weak struct{ promises []string }

func (w weak) String() string {
	quoted := make([]string, len(w.promises))
	for i, p := range w.promises {
		quoted[i] = promPattern(p)
	}
	return fmt.Sprintf(`sum by (instance) (turno_store_info{job="%s",promise!~".*(%s).*"})`, Job, strings.Join(quoted, "|"))
}

func (w weak) Eval(h *History, at time.Time) Vector {
	v := Vector{}
	for node, r := range h.last(at).nodes {
		if r.values != nil && !containsAny(r.promise, w.promises) {
			v[node] = 1
		}
	}
	return v
}

func containsAny(s string, of []string) bool {
	for _, sub := range of {
		if strings.Contains(s, sub) {
			return true
		}
	}
	return false
}

package monitor

import (
	"slices"
	"time"
)

// What a [History] keeps: everything of the last while, then one observation a step, and nothing beyond the longest window.
const (
	denseFor = 10 * time.Minute
	thinStep = time.Minute
	keepFor  = 3*24*time.Hour + time.Hour
)

// History is what was observed, oldest first. Its zero value is ready. Four nodes for three days are 12 MB.
type History struct {
	old, recent []instant
}

// instant is an observation as it is kept.
type instant struct {
	at    time.Time
	nodes map[string]reading
}

// reading is what a node said; values are nil if it said nothing.
type reading struct {
	promise string
	values  []float64 // of each of metrics
}

// Add appends an observation, which must be later than those before.
func (h *History) Add(o Observation) {
	in := instant{o.At, make(map[string]reading, len(o.Nodes))}
	for i := range o.Nodes {
		in.nodes[o.Nodes[i].Instance] = read(&o.Nodes[i])
	}
	h.recent = append(h.recent, in)
	h.thin(o.At)
}

func read(n *Node) (r reading) {
	if n.Reach != Up {
		return r
	}
	r = reading{n.Promise, make([]float64, len(metrics))}
	for i, m := range metrics {
		r.values[i] = m.of(&n.Snapshot)
	}
	return r
}

// thin makes room. What counts is cumulative, so that leaving out an observation loses detail only.
func (h *History) thin(now time.Time) {
	n := 0
	for ; n < len(h.recent) && now.Sub(h.recent[n].at) > denseFor; n++ {
		if last := len(h.old) - 1; last < 0 || h.recent[n].at.Sub(h.old[last].at) >= thinStep {
			h.old = append(h.old, h.recent[n])
		}
	}
	h.recent = slices.Delete(h.recent, 0, n)
	n = 0
	for n < len(h.old) && now.Sub(h.old[n].at) > keepFor {
		n++
	}
	h.old = slices.Delete(h.old, 0, n)
}

// between is what was observed from one time to another, both included, oldest first.
func (h *History) between(from, to time.Time) (found []instant) {
	for _, part := range [][]instant{h.old, h.recent} {
		first, _ := slices.BinarySearchFunc(part, from, func(i instant, t time.Time) int { return i.at.Compare(t) })
		for _, in := range part[first:] {
			if !in.at.After(to) {
				found = append(found, in)
			}
		}
	}
	return found
}

// last is the latest observation up to a time.
func (h *History) last(to time.Time) (none instant) {
	for _, part := range [][]instant{h.recent, h.old} {
		for _, in := range slices.Backward(part) {
			if !in.at.After(to) {
				return in
			}
		}
	}
	return none
}

package linear

import (
	"cmp"
	"slices"
	"time"

	"github.com/turnomatico/tmctl/history"
)

// overlap finds out whether any two requests were in flight together. If none were, a server without any locking passes
// the proof, and a remark says so.
type overlap struct {
	found  bool
	lost   bool // too many intervals waited for the watermark: nothing is said
	open   []interval
	latest time.Duration // the largest end of those that were dropped
}

type interval struct{ from, to time.Duration }

const maxIntervals = 64 << 10

// add looks at the ops of a batch until an overlap is found: under load, the first batch has one. Two requests with one
// Idempotency-Key are none.
func (v *overlap) add(b history.Batch) {
	if v.found || v.lost {
		return
	}
	for i := range b.Ops {
		if o := &b.Ops[i]; o.Outcome != history.Failed && o.Attempt < 2 {
			v.open = append(v.open, interval{o.Call, o.Return})
		}
	}
	v.settle(b.Watermark)
	if v.found || len(v.open) > maxIntervals {
		v.lost, v.open = !v.found, nil
	}
}

// settle judges the intervals that ended before the watermark: no later op can overlap them.
func (v *overlap) settle(watermark time.Duration) {
	slices.SortFunc(v.open, func(a, b interval) int { return cmp.Compare(a.from, b.from) })
	end := v.latest
	keep := v.open[:0]
	for _, i := range v.open {
		if i.from < end {
			v.found = true
			return
		}
		end = max(end, i.to)
		if i.to >= watermark {
			keep = append(keep, i)
		} else {
			v.latest = max(v.latest, i.to)
		}
	}
	v.open = keep
}

// none reports that all requests were one after the other.
func (v *overlap) none() bool { return !v.found && !v.lost }

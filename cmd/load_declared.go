package cmd

import (
	"context"
	"time"

	"github.com/turnomatico/tmctl/history"
	"github.com/turnomatico/tmctl/history/linear"
	"github.com/turnomatico/tmctl/loadgen"
)

// Missing numbers may have been skipped on purpose: a node whose store went back may jump forward, and says so on its admin
// plane. So the proof's gaps count only when every node had its say.
const (
	// declareWithin is how long nodes are asked again before a gap counts. One node's jump is seen in the numbers of another,
	// which may answer the client before the first has heard from the store that it jumped.
	declareWithin = 2 * time.Second
	askAgain      = 100 * time.Millisecond
)

// declarations brings what the nodes declare to the proof, and holds gaps back until then. Nothing in it waits but settle:
// asking is done beside the run. Without admin planes gaps count at once.
type declarations struct {
	checker *linear.Checker
	ask     func() []loadgen.Look // nil without admin planes
	learned func(history.Range)
	now     func() time.Time

	asking chan []loadgen.Look // nil when nobody is asked
	asked  time.Time           // when that, or the last time, began
	since  time.Time           // when gaps came up that nobody has declared; zero when there are none
	counts uint64              // how many gaps count
}

// violations is how many invariants broke, without the gaps that may still be declared.
func (d *declarations) violations() uint64 {
	n, gaps := d.checker.Violations(), d.checker.Gaps()
	if d.ask == nil {
		return n
	}
	return n - gaps + min(gaps, d.counts)
}

// review is called after each batch. It takes what nodes answered, and asks them where there are new gaps.
func (d *declarations) review() {
	if d.ask == nil {
		return
	}
	select {
	case looks := <-d.asking:
		d.asking = nil
		d.take(looks)
	default:
	}
	now := d.now()
	if d.checker.Gaps() <= d.counts {
		d.since, d.counts = time.Time{}, d.checker.Gaps()
		return
	}
	if d.since.IsZero() {
		d.since = now
	}
	if d.asking == nil && now.Sub(d.asked) >= askAgain {
		answer := make(chan []loadgen.Look, 1)
		d.asking, d.asked = answer, now
		go func() { answer <- d.ask() }() // it ends by itself: asking has a time-out; settle reads what it left
	}
}

// take declares what nodes said. Gaps count that are left when nothing new has been declared for declareWithin.
func (d *declarations) take(looks []loadgen.Look) {
	news := false
	for i := range looks {
		for _, r := range looks[i].Ranges() {
			if d.checker.Declare(r) {
				news = true
				d.learned(r)
			}
		}
	}
	switch {
	case news:
		d.since = time.Time{}
	case !d.since.IsZero() && !d.asked.Before(d.since) && d.now().Sub(d.since) >= declareWithin:
		d.counts, d.since = d.checker.Gaps(), time.Time{}
	}
}

// settle asks the nodes when the run is over and the proof closed; again, within declareWithin, while gaps are left that may
// still be declared or the answers are not enough.
func (d *declarations) settle(ctx context.Context, ask func(context.Context) []loadgen.Look, enough func([]loadgen.Look) bool) {
	if d.asking != nil {
		d.take(<-d.asking)
		d.asking = nil
	}
	for began := d.now(); ; {
		d.asked = d.now()
		looks := ask(ctx)
		d.take(looks)
		if enough(looks) && d.checker.Gaps() <= d.counts || d.now().Sub(began) >= declareWithin {
			return
		}
		select {
		case <-time.After(askAgain):
		case <-ctx.Done():
			return
		}
	}
}

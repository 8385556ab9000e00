package server

import (
	"context"
	"fmt"
	"time"
)

// lookEvery is how often the lookout looks: so late may its events be.
const lookEvery = 250 * time.Millisecond

// tally is the counters that the lookout compares. All only grow, and cost requests nothing: they are kept anyway.
type tally struct {
	answered uint64 // calls of the store, and checks of whether it is still the same
	failed   uint64 // those that were not
	unserved uint64 // requests that ended without a number because of the store
	shed     uint64 // requests refused because too many wait
	refused  uint64 // connections
}

func (s *Server) tally() tally {
	books, problems := s.parts.books, &s.metrics.problems
	t := tally{
		answered: books.checked.Load() + books.calls.Load(), failed: books.checksFailed.Load(),
		unserved: problems[unavailable].Load() + problems[silent].Load() + problems[unknown].Load() + problems[broken].Load(),
		shed:     problems[overloaded].Load(), refused: problems[crowded].Load() + problems[crowdedAddress].Load(),
	}
	for kind := range books.failures {
		n := books.failures[kind].Load()
		t.answered -= min(n, t.answered)
		if failure(kind) != failedChanged {
			t.failed += n
		}
	}
	if s.direct != nil {
		t.answered = s.metrics.issued()
	}
	return t
}

// lookout sees from the counters when trouble begins and ends. Its zero value is ready.
type lookout struct {
	store, shedding         spell
	before                  tally // when it looked last
	storeBegan, sheddingWas tally // when the spells began
}

// watch looks until ctx ends.
func (l *lookout) watch(ctx context.Context, s *Server) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			for _, e := range l.look(now, s.tally(), s.parts.books.lastTrouble()) {
				s.config.recordAt(e.At, e.Kind, e.Text, e.Data)
				if e.Kind == EventStoreAvailable {
					s.parts.books.trouble.Store(nil)
				}
			}
		}
	}
}

// look returns what has begun or ended since it looked last. err is the last one of the store.
func (l *lookout) look(now time.Time, t tally, err string) (events []Event) {
	before := l.before
	l.before = t
	trouble := t.failed > before.failed || t.unserved > before.unserved
	well := t.answered > before.answered
	switch began, ended := l.store.look(now, trouble, well); {
	case began:
		l.storeBegan = before
		events = append(events, Event{At: now, Kind: EventStoreUnavailable, Text: "the store fails: " + err, Data: fields{"error": err}})
	case ended:
		calls, requests := t.failed-l.storeBegan.failed, t.unserved-l.storeBegan.unserved
		events = append(events, Event{At: l.store.better, Kind: EventStoreAvailable,
			Text: fmt.Sprintf("the store answers again, after %s: %d calls had failed, and %d requests got no number for it", lasted(&l.store), calls, requests),
			Data: fields{"since": l.store.since.UTC().Format(time.RFC3339Nano), "lasted_ns": int64(l.store.lasted()), "failed_calls": calls, "requests": requests}})
	}
	switch began, ended := l.shedding.look(now, t.shed > before.shed || t.refused > before.refused, true); {
	case began:
		l.sheddingWas = before
		what := "requests are shed: too many wait for the store (--max-inflight), or too many of one id"
		if t.shed == before.shed {
			what = "connections are refused: as many are open as may be (--max-conns, --max-conns-per-ip)"
		}
		events = append(events, Event{At: now, Kind: EventSheddingBegan, Text: what})
	case ended:
		requests, connections := t.shed-l.sheddingWas.shed, t.refused-l.sheddingWas.refused
		events = append(events, Event{At: l.shedding.better, Kind: EventSheddingEnded,
			Text: fmt.Sprintf("nothing is shed any more, after %s: %d requests and %d connections were refused", lasted(&l.shedding), requests, connections),
			Data: fields{"since": l.shedding.since.UTC().Format(time.RFC3339Nano), "lasted_ns": int64(l.shedding.lasted()), "requests": requests, "connections": connections}})
	}
	return events
}

func lasted(s *spell) time.Duration { return s.lasted().Round(100 * time.Millisecond) }

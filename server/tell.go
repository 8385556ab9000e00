package server

import (
	"fmt"
	"time"
)

// What the journal is told, in words.

func (s *Server) tellStarted() {
	c, info := &s.config, s.store.Info()
	c.record(EventStarted, fmt.Sprintf("tmctl %s, process %d, store %s", c.Version, c.PID, info.Name),
		fields{"version": c.Version, "pid": c.PID, "addr": s.Addr(), "admin": s.AdminAddr(), "on_rollback": c.OnRollback})
	data := fields{"store": info.Name, "promise": info.Promise, "ids": info.IDs}
	if len(info.Details) > 0 {
		data["details"] = info.Details
	}
	if len(info.Warnings) > 0 {
		data["warnings"] = info.Warnings
	}
	c.record(EventStoreOpened, info.Name+": "+info.Promise, data)
}

func (s *Server) tellDraining() {
	s.config.record(EventDraining, fmt.Sprintf("stopping: %d connections are open, %d requests wait for the store", s.conns.open(), s.parts.waiting()),
		fields{"connections": s.conns.open(), "in_flight": s.parts.waiting()})
}

// tellStopped has the ledger: no request is under way any more.
func (s *Server) tellStopped(err error) {
	l := s.ledger()
	var burned uint64
	for _, n := range l.Burned {
		burned += n
	}
	up := time.Since(s.started)
	text := fmt.Sprintf("stopped after %s: of %d numbers issued %d were delivered, %d burned, %d are unknown",
		up.Round(time.Millisecond), l.Issued, l.Delivered, burned, l.Unknown)
	data := fields{"uptime_ns": int64(up), "ledger": l}
	if err != nil {
		text += "; " + err.Error()
		data["error"] = err.Error()
	}
	s.config.record(EventStopped, text, data)
}

func (b *batcher) tellRejoined(store string, took time.Duration, back int) {
	b.events(EventStoreRejoined, fmt.Sprintf("%s was compared with what this node knows, in %s: %d ids had gone back", store, took.Round(time.Millisecond), back),
		fields{"store": store, "took_ns": int64(took), "went_back": back})
}

// tellWentBack tells of ids whose blocks showed that the store went back.
func (b *batcher) tellWentBack(seen []Mark) {
	for i, m := range seen {
		if i == maxTold {
			b.events(EventWentBack, fmt.Sprintf("and %d more ids", len(seen)-i), fields{"more": len(seen) - i})
			return
		}
		b.events(EventWentBack, fmt.Sprintf("%s: the store gave a block that this node had received, or a smaller one; the largest number was %d; none of it was handed out", m.ID, m.Last),
			fields{"id": m.ID, "mark": m.Last})
	}
}

// tellFenced tells what was done about ids that had gone back.
func (b *batcher) tellFenced(back []Rollback) {
	for i, r := range back {
		if i == maxTold {
			kind := EventIDStopped
			if r.To > 0 {
				kind = EventJumped
			}
			b.events(kind, fmt.Sprintf("and %d more ids", len(back)-i), fields{"more": len(back) - i})
			return
		}
		if r.To == 0 {
			b.events(EventIDStopped, fmt.Sprintf("%s is stopped: the store knows %d, and %d was given; it goes on when the counter is moved (tmctl counters set %s %d)", r.ID, r.Store, r.Last, r.ID, r.Last),
				fields{"id": r.ID, "store": r.Store, "mark": r.Last})
			continue
		}
		b.events(EventJumped, fmt.Sprintf("%s jumped to %d: the store knew %d, and %d was given", r.ID, r.To, r.Store, r.Last),
			fields{"id": r.ID, "store": r.Store, "mark": r.Last, "to": r.To})
		if r.To > r.Last {
			b.events(EventRangeDeclared, fmt.Sprintf("%s: %d numbers declared skipped, from %d to %d", r.ID, r.To-r.Last, r.Last+1, r.To),
				fields{"id": r.ID, "first": r.Last + 1, "last": r.To})
		}
	}
}

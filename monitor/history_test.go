package monitor

import (
	"testing"
	"time"

	"github.com/turnomatico/tmctl/server/api"
)

// A long watch is bounded in memory, and what it leaves out changes no window's sum.
func TestHistoryIsThinned(t *testing.T) {
	var h History
	begin := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	const step = 5 * time.Second
	steps := int((keepFor + time.Hour) / step)
	for i := range steps {
		h.Add(Observation{At: begin.Add(time.Duration(i) * step), Nodes: []Node{{Instance: "n1", Reach: Up,
			Snapshot: api.Snapshot{State: "ready", Ledger: api.Ledger{Issued: uint64(i)}}}}})
	}
	now := begin.Add(time.Duration(steps-1) * step)
	if most := int(denseFor/step) + int(keepFor/thinStep) + 3; len(h.old)+len(h.recent) > most {
		t.Errorf("%d + %d observations are kept; want at most %d", len(h.old), len(h.recent), most)
	}
	for _, window := range []time.Duration{5 * time.Minute, time.Hour, 6 * time.Hour, 72 * time.Hour} {
		got, want := pick{name: "turno_issued_total"}.in(window).Eval(&h, now)["n1"], float64(window/step)
		if got > want || got < want-float64(thinStep/step) {
			t.Errorf("increase over %s = %v; want %v, or what a minute makes less", window, got, want)
		}
	}
}

// What is computed here of a window is what Prometheus says an increase is, but for its edges.
func TestGrowth(t *testing.T) {
	const down = -1
	tests := []struct {
		name   string
		counts []int64 // of one node, a second apart
		grown  float64
		rate   float64
		known  bool
	}{
		{"steady", []int64{10, 20, 30}, 20, 10, true},
		{"nothing happens", []int64{7, 7, 7}, 0, 0, true},
		{"seen once", []int64{7}, 0, 0, false},
		{"restarted", []int64{10, 20, 5, 15}, 25, 25. / 3, true},
		{"away for a while", []int64{10, down, down, 40}, 30, 10, true},
		{"gone", []int64{10, 20, down, down}, 10, 10, true},
		{"away and restarted", []int64{10, down, 3}, 3, 1.5, true},
	}
	begin := time.Unix(1000, 0)
	for _, tt := range tests {
		var h History
		now := begin
		for i, n := range tt.counts {
			node := Node{Instance: "n1", Reach: Up, Snapshot: api.Snapshot{Ledger: api.Ledger{Issued: uint64(max(n, 0))}}}
			if n == down {
				node = Node{Instance: "n1", Reach: Silent}
			}
			now = begin.Add(time.Duration(i) * time.Second)
			h.Add(Observation{At: now, Nodes: []Node{node}})
		}
		issued := pick{name: "turno_issued_total"}
		grown, known := issued.in(time.Minute).Eval(&h, now)["n1"]
		if rate := issued.rateIn(time.Minute).Eval(&h, now)["n1"]; grown != tt.grown || rate != tt.rate || known != tt.known {
			t.Errorf("%s: %v grew by %v, %v/s, known %v; want %v, %v/s, %v", tt.name, tt.counts, grown, rate, known, tt.grown, tt.rate, tt.known)
		}
	}
}

package scenario

import (
	"github.com/turnomatico/tmctl/monitor"
	"github.com/turnomatico/tmctl/server/api"
)

// stories are told of steps of half a minute, and of nodes 0, 1 and 2.
var stories = []story{
	{"all is well", "", "", 60, func(int, int, *beat) {}},
	{"nobody asks for anything", "", "", 40, func(_, _ int, b *beat) { *b = beat{busy: 0.001, reach: monitor.Up} }},
	{"a node is rolled: it restarts while the others serve", "", "TurnoNodeDown", 40, func(step, node int, b *beat) {
		b.restart = step == 20 && node == 1
		if step == 19 && node == 1 {
			b.reach = monitor.Down
		}
	}},

	{"a node dies, and is back", "TurnoNodeDown", "", 40, func(step, node int, b *beat) {
		if b.restart = step == 25 && node == 1; 10 <= step && step < 25 && node == 1 {
			*b = beat{reach: monitor.Down}
		}
	}},
	{"a node hangs", "TurnoNodeDown", "", 30, func(step, node int, b *beat) {
		if step >= 10 && node == 2 {
			*b = beat{reach: monitor.Silent}
		}
	}},
	{"something else answers where a node was", "TurnoNodeDown", "", 30, func(step, node int, b *beat) {
		if step >= 10 && node == 2 {
			*b = beat{reach: monitor.Odd}
		}
	}},

	{"a node drains and does not end", "TurnoNodeNotReady", "", 40, func(step, node int, b *beat) {
		if step >= 10 && node == 0 {
			b.ok, b.calls, b.gauges = 0, 0, func(s *api.Snapshot) { s.State = "draining" }
		}
	}},
	{"a node drains for a minute", "", "TurnoNodeNotReady", 40, func(step, node int, b *beat) {
		if 10 <= step && step < 12 && node == 0 {
			b.gauges = func(s *api.Snapshot) { s.State = "draining" }
		}
	}},

	{"a node's cores are busy", "TurnoCPUHigh", "", 50, func(step, node int, b *beat) {
		if 10 <= step && step < 35 && node == 0 {
			b.busy = 0.98
		}
	}},
	{"a node's cores are busy for a minute", "", "TurnoCPUHigh", 40, func(step, node int, b *beat) {
		if 10 <= step && step < 12 && node == 0 {
			b.busy = 0.98
		}
	}},

	{"a node's connections run out", "TurnoConnectionsNearBound", "", 40, gaugeFrom(func(s *api.Snapshot) { s.Connections = 950 })},
	{"many connections", "", "TurnoConnectionsNearBound", 40, gaugeFrom(func(s *api.Snapshot) { s.Connections = 890 })},

	{"a balancer sends most to one node", "TurnoImbalance", "", 60, func(step, node int, b *beat) {
		if step >= 10 {
			b.ok = []uint64{8000, 500, 500}[node]
		}
	}},
	{"a balancer sends somewhat more to one node", "", "TurnoImbalance", 60, func(step, node int, b *beat) {
		if step >= 10 {
			b.ok = []uint64{3900, 2550, 2550}[node]
		}
	}},
	{"hardly anybody asks, and always the same node", "", "TurnoImbalance", 60, func(_, node int, b *beat) {
		b.ok, b.calls = []uint64{20, 0, 0}[node], []uint64{20, 0, 0}[node]
	}},

	{"lines of the log are lost", "TurnoTelemetryLost", "", 60, func(step, node int, b *beat) {
		if step == 10 && node == 1 {
			b.lost = 5
		}
	}},
	{"lines were lost before anybody looked, and the node restarts", "", "TurnoTelemetryLost", 40, func(step, node int, b *beat) {
		if b.restart = step == 20 && node == 1; step == 0 && node == 1 {
			b.lost = 5
		}
	}},

	{"a tenth of the requests is shed", "TurnoErrorBurn TurnoErrorBurnSlow", "", 60, func(step, _ int, b *beat) {
		if 10 <= step && step < 40 {
			b.shed = 300
		}
	}},
	{"a burst of errors that ends", "TurnoErrorBurn TurnoErrorBurnSlow", "", 60, func(step, _ int, b *beat) {
		if 10 <= step && step < 14 {
			b.shed = 3000
		}
	}},
	{"clients ask for what does not exist", "", "TurnoErrorBurn", 40, func(_, _ int, b *beat) { b.refused = 3000 }},
	{"three of four requests fail, but they are four", "", "TurnoErrorBurn", 20, func(step, node int, b *beat) {
		*b = beat{reach: monitor.Up}
		if step == 10 && node == 0 {
			b.ok, b.shed = 1, 3
		}
	}},
	{"four errors in a thousand, all the time", "TurnoErrorBurnSlow", "", 60, func(_, _ int, b *beat) { b.shed = 12 }},
	{"three errors in ten thousand, all the time", "", "TurnoErrorBurnSlow", 60, func(_, _ int, b *beat) { b.shed = 1 }},

	{"every third answer is slow", "TurnoLatencyBurn TurnoLatencyBurnSlow", "", 60, func(step, _ int, b *beat) {
		if 10 <= step && step < 40 {
			b.slow = 1000
		}
	}},
	{"three of four answers are slow, but they are four", "", "TurnoLatencyBurn", 20, func(step, node int, b *beat) {
		*b = beat{reach: monitor.Up}
		if step == 10 && node == 0 {
			b.ok, b.slow = 4, 3
		}
	}},
	{"four answers in a hundred are slow, all the time", "TurnoLatencyBurnSlow", "", 60, func(_, _ int, b *beat) { b.slow = 120 }},
	{"one answer in two hundred is slow", "", "TurnoLatencyBurnSlow", 60, func(_, _ int, b *beat) { b.slow = 15 }},

	{"a node's calls of the store fail", "TurnoStoreFailing", "", 50, func(step, node int, b *beat) {
		if 10 <= step && step < 30 && node == 1 {
			b.calls, b.failedCalls = 300, 300
		}
	}},
	{"one call of the store in a hundred fails", "", "TurnoStoreFailing", 50, func(_, _ int, b *beat) { b.failedCalls = 6 }},

	{"the store takes long", "TurnoStoreSlow", "", 60, func(step, _ int, b *beat) {
		if 10 <= step && step < 35 {
			b.slowCalls = 100
		}
	}},
	{"the store takes long once in two hundred calls", "", "TurnoStoreSlow", 60, func(_, _ int, b *beat) { b.slowCalls = 3 }},

	{"the store's persistence is turned down", "TurnoPromiseWeak", "", 40, func(step, node int, b *beat) {
		if 10 <= step && step < 30 && node == 0 {
			b.gauges = func(s *api.Snapshot) { s.Promise = Weak }
		}
	}},
	{"the store's promise is put into other words", "", "TurnoPromiseWeak", 40, gaugeFrom(func(s *api.Snapshot) { s.Promise = "really nothing lost" })},

	{"the store goes back", "TurnoFenceFired", "", 100, func(step, node int, b *beat) {
		if step == 10 && node == 2 {
			b.rollbacks = 1
		}
	}},
	{"the store went back before anybody looked, and the node restarts", "", "TurnoFenceFired", 40, func(step, node int, b *beat) {
		if b.restart = step == 20 && node == 2; step == 0 && node == 2 {
			b.rollbacks = 1
		}
	}},

	{"numbers reach nobody", "TurnoBurned", "", 60, func(step, _ int, b *beat) {
		if step >= 10 {
			b.late, b.unknown = 20, 10
		}
	}},
	{"few numbers reach nobody", "", "TurnoBurned", 60, func(step, _ int, b *beat) { b.late = uint64(step % 2) }},

	{"numbers are neither delivered nor burned", "TurnoLedgerOff", "", 40, gaugeFrom(func(s *api.Snapshot) { s.Ledger.Issued += 2000 })},
	{"more numbers are delivered than issued", "TurnoLedgerOff", "", 40, gaugeFrom(func(s *api.Snapshot) { s.Ledger.Delivered++ })},
	{"numbers are on their way", "", "TurnoLedgerOff", 40, gaugeFrom(func(s *api.Snapshot) { s.Ledger.Issued += 64 })},

	{"ids run out", "TurnoIDsNearBound", "", 40, gaugeFrom(func(s *api.Snapshot) { s.IDs = 950 })},
	{"many ids", "", "TurnoIDsNearBound", 40, gaugeFrom(func(s *api.Snapshot) { s.IDs = 890 })},
	{"keys run out", "TurnoSessionsNearBound", "", 40, gaugeFrom(func(s *api.Snapshot) { s.Sessions = 950 })},
	{"keys are refused by configuration", "", "TurnoSessionsNearBound", 40, gaugeFrom(func(s *api.Snapshot) { s.Sessions, s.MaxSessions = 0, 0 })},
}

// gaugeFrom changes a gauge of node 1 from the tenth step to the thirtieth.
func gaugeFrom(change func(*api.Snapshot)) func(step, node int, b *beat) {
	return func(step, node int, b *beat) {
		if 10 <= step && step < 30 && node == 1 {
			b.gauges = change
		}
	}
}

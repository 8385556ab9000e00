package server

import (
	"sync/atomic"
	"time"
)

// stripes is how often the counters of answers exist: requests of one connection write to one stripe, so that cores
// rarely fight over a cache line. A power of two.
const stripes = 16

// metrics counts what the public listener did. Its zero value is ready.
type metrics struct {
	stripe   [stripes]stripe
	problems [outcomes]atomic.Uint64
}

type stripe struct {
	durations histogram
	_         [64]byte
}

// answered counts a number handed out on a connection, and how long it took.
func (m *metrics) answered(conn uint64, took time.Duration) {
	m.stripe[conn%stripes].durations.add(took)
}

// other counts a request that got no number, or one that its key had.
func (m *metrics) other(o outcome) { m.problems[o].Add(1) }

// issued is how many numbers were handed out. Without blocks that is one an answer.
func (m *metrics) issued() uint64 { return m.durations().count }

// requests counts answers by code; "ok" for a 200.
func (m *metrics) requests() map[string]uint64 {
	n := map[string]uint64{"ok": m.issued()}
	for o := answered + 1; o < outcomes; o++ {
		n[string(problems[o].code)] += m.problems[o].Load()
	}
	return n
}

// durations is the sum of all stripes. It is read while requests are counted, so it is a moment's only nearly.
func (m *metrics) durations() *distribution {
	d := new(distribution)
	for i := range m.stripe {
		m.stripe[i].durations.addTo(d)
	}
	return d
}

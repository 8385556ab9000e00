package loadgen

import (
	"sync/atomic"
	"time"
)

// turnaround is how long a connection may stay idle between two hits without counting as idle: it is our own way from
// one hit to the next, not a time when a due hit could have been sent.
const turnaround = 200 * time.Microsecond

// gauge knows since when every connection has been waiting for the target. It tells whose fault a late hit is: a hit that
// was due while all connections waited is late by the target; one that was due while a connection stood idle is late by
// our own timer or CPU.
type gauge struct {
	idle      atomic.Int64
	idleSince atomic.Int64
	busySince atomic.Int64 // meaningful while idle is 0
}

// begin starts with n connections idle.
func (g *gauge) begin(n int, now time.Duration) {
	g.idle.Store(int64(n))
	g.idleSince.Store(int64(now) - int64(turnaround))
	g.busySince.Store(int64(now))
}

// rest: one connection has nothing to do.
func (g *gauge) rest(now time.Duration) {
	if g.idle.Add(1) == 1 {
		g.idleSince.Store(int64(now))
	}
}

// work: an idle connection takes a hit.
func (g *gauge) work(now time.Duration) {
	if g.idle.Add(-1) == 0 && now-time.Duration(g.idleSince.Load()) >= turnaround {
		g.busySince.Store(int64(now))
	}
}

// blame splits the lateness of a hit that is sent now and was due earlier into what the target caused and what we did.
func (g *gauge) blame(due, now time.Duration) (target, ours time.Duration) {
	late := max(0, now-due)
	if g.idle.Load() == 0 {
		target = min(late, max(0, now-time.Duration(g.busySince.Load())))
	}
	return target, late - target
}

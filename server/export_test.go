package server

import (
	"net"
	"net/netip"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/turnomatico/tmctl/server/api"
)

// Handle answers ctx without a connection, for counting allocations.
func (s *Server) Handle(ctx *fasthttp.RequestCtx) { s.handle(ctx) }

// Hurry bounds every pause of the stop order by d.
func (s *Server) Hurry(d time.Duration) {
	s.pauses.lastAnswers, s.pauses.silent = d, d
}

// Drain replaces the wait for balancers.
func (s *Server) Drain(wait func(time.Duration)) { s.pauses.drain = wait }

// Ledger is what s wrote down of its numbers.
func (s *Server) Ledger() api.Ledger { return s.ledger() }

// InFlight is how many requests wait for the store.
func (s *Server) InFlight() int64 { return s.parts.waiting() }

// Connections is how many are open.
func (s *Server) Connections() int { return s.conns.open() }

// Sweep passes time, as connections know it, and ends those that are overdue.
func (s *Server) Sweep(d time.Duration) {
	s.conns.clock.Add(int64(d/sweepEvery) + 1)
	s.conns.endOverdue(s.limits())
}

// Passing reports whether Accept outlives err.
func Passing(err error) bool { return passing(err) }

// Limits of connections.
const (
	IdleTimeout  = idleTimeout
	ReadTimeout  = readTimeout
	WriteTimeout = writeTimeout
	MaxHeader    = maxHeader
	MaxBody      = maxBody
)

// Reading is how many connections are in the middle of a request, Writing of an answer, Idle how many wait for a request.
func (s *Server) Reading() int { return s.inPhase(reading) }
func (s *Server) Writing() int { return s.inPhase(writing) }
func (s *Server) Idle() int    { return s.inPhase(idle) }

func (s *Server) inPhase(p phase) (n int) {
	s.conns.mu.Lock()
	defer s.conns.mu.Unlock()
	for c := range s.conns.all {
		if phase(c.mark.Load()%int64(phases)) == p {
			n++
		}
	}
	return n
}

// Bounds of connections.
const (
	Lingerers   = lingerers
	CrowdedIdle = crowdedIdle
)

// Refused is how many connections were not let in.
func (s *Server) Refused() uint64 {
	return s.metrics.problems[crowded].Load() + s.metrics.problems[crowdedAddress].Load()
}

// CountedBy is what the connections of an address are counted by.
func CountedBy(remote net.Addr, perAddress int, trusted []netip.Prefix) netip.Addr {
	a := admission{perAddress: perAddress, trusted: trusted}
	return a.counted(remote)
}

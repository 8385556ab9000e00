package server

import (
	"errors"
	"time"
)

// pauses are the bounds of the stop order; tests shorten them.
type pauses struct {
	askedWithin time.Duration // a balancer that did not ask /readyz for so long is not there
	lastAnswers time.Duration // how long keep-alive connections may take to send one more request and be told
	silent      time.Duration // how long a connection accepted last may take to send its request
	drain       func(time.Duration)
}

var defaultPauses = pauses{askedWithin: time.Minute, lastAnswers: time.Second, silent: 250 * time.Millisecond, drain: time.Sleep}

// stop ends the public listener in an order in which no request fails:
//
//  1. /readyz fails, and balancers get --drain to notice; everything is served as before.
//  2. Every answer closes its connection, while the listener still takes clients that come back at once.
//  3. The listener closes; what is in flight is finished. Connections that say nothing are ended by their reading half, so
//     that one whose request crosses our end still gets its answer.
//
// What it can't help: a client that writes to a keep-alive connection in the instant in which it is closed (RFC 9112 §9.5).
// Nothing was consumed then.
func (s *Server) stop(served chan error) error {
	s.state.Store(int32(Draining))
	s.log.Info("stopping", "connections", s.conns.open(), "in_flight", s.parts.waiting())
	s.tellDraining()
	s.waitForBalancers()

	s.lastRequests.Store(true)
	s.conns.waitEmpty(s.pauses.lastAnswers)

	err := s.public.finish()
	if served := <-served; err == nil {
		err = served
	}
	err = errors.Join(err, s.public.Close())
	s.public.porch.waiting.Wait()
	for !s.conns.waitEmpty(s.pauses.silent) { // ends: the sweeper ends whoever dawdles
		s.conns.stopReading()
	}
	s.log.Info("stopped", "issued", s.metrics.issued(), "uptime", time.Since(s.started).Round(time.Millisecond))
	s.tellStopped(err)
	return err
}

// waitForBalancers gives those who ask /readyz time to send their traffic elsewhere.
func (s *Server) waitForBalancers() {
	asked := s.readyAsked.Load()
	switch {
	case s.config.Drain == 0:
	case asked == 0 || time.Since(time.Unix(0, asked)) > s.pauses.askedWithin:
		s.log.Info("not waiting for balancers: none asks /readyz")
	default:
		s.log.Info("waiting for balancers to notice", "drain", s.config.Drain)
		s.pauses.drain(s.config.Drain)
	}
}

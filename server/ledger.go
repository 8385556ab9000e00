package server

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/turnomatico/tmctl/server/api"
)

// reason is why a number is burned: an index into the names below.
type reason uint8

const (
	burnedClientGone reason = iota
	burnedLate
	burnedRollback
	reasons
)

var reasonNames = [reasons]string{api.BurnedClientGone, api.BurnedLate, api.BurnedRollback}

// books are what the batcher writes down. Its zero value is ready.
type books struct {
	issued  atomic.Uint64 // numbers that the store gave, or may have given
	unknown atomic.Uint64 // those of which that is not known
	burned  [reasons]atomic.Uint64

	calls, blocks atomic.Uint64
	took          histogram // of calls that were answered
	failures      [failures]atomic.Uint64

	checked, checksFailed atomic.Uint64 // of whether the store is still the same, and attempts to rejoin it
	trouble               atomic.Pointer[error]
}

// failure is how a call of the store can fail.
type failure uint8

const (
	failedUnavailable failure = iota
	failedChanged
	failedTimeout
	failedUnknown
	failures
)

var failureNames = [failures]string{"unavailable", "changed", "timeout", "unknown"}

func (b *books) granted(n uint64)        { b.issued.Add(n) }
func (b *books) burn(r reason, n uint64) { b.burned[r].Add(n) }

// lose counts numbers of which nobody will know whether the store gave them.
func (b *books) lose(n uint64) {
	b.unknown.Add(n)
	b.issued.Add(n)
}

// check counts a check of the store. That it has changed is an answer, and none that tells how it is.
func (b *books) check(err error) {
	switch {
	case err == nil:
		b.checked.Add(1)
	case errors.Is(err, ErrChanged), errors.Is(err, context.Canceled): // or this node stops
	default:
		b.remember(err)
		b.checksFailed.Add(1)
	}
}

// remember keeps what the store failed with last.
func (b *books) remember(err error) { b.trouble.Store(&err) }

// lastTrouble is that in words.
func (b *books) lastTrouble() string {
	if err := b.trouble.Load(); err != nil {
		return (*err).Error()
	}
	return "no answer in time"
}

// called counts a call of the store.
func (b *books) called(took time.Duration, blocks int, err error) {
	b.calls.Add(1)
	if err != nil && !errors.Is(err, ErrChanged) {
		b.remember(err)
	}
	switch {
	case err == nil:
		b.blocks.Add(uint64(blocks))
		b.took.add(took)
	case errors.Is(err, ErrUnavailable):
		b.failures[failedUnavailable].Add(1)
	case errors.Is(err, ErrChanged):
		b.failures[failedChanged].Add(1)
	case errors.Is(err, context.DeadlineExceeded):
		b.failures[failedTimeout].Add(1)
	default:
		b.failures[failedUnknown].Add(1)
	}
}

// ledger accounts for every number. What ends a number's way is read before what begins it, so that a moment's books never
// show more delivered than issued.
func (s *Server) ledger() api.Ledger {
	l := api.Ledger{Burned: map[string]uint64{}}
	var failed uint64
	l.Delivered, failed = s.conns.delivered()
	l.Burned[api.BurnedWriteFailed] = failed
	ended := l.Delivered + failed
	books := s.parts.books
	for r := range books.burned {
		n := books.burned[r].Load()
		l.Burned[reasonNames[r]] = n
		ended += n
	}
	l.Unknown = books.unknown.Load()
	ended += l.Unknown
	if l.Issued = books.issued.Load(); s.direct != nil {
		l.Issued += s.metrics.issued()
	}
	l.InFlight = l.Issued - min(ended, l.Issued)
	return l
}

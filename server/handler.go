package server

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/turnomatico/tmctl/server/api"
)

// allowed are the methods that take a number; HEAD is none of them, since nobody would see it.
const allowed = "GET, POST"

var (
	turnoPath    = []byte(api.TurnoPath)
	jsonType     = []byte("application/json")
	cacheControl = []byte("Cache-Control")
	noStore      = []byte("no-store")
)

// handle answers one request. It allocates nothing when it hands out a number (TestHandleAllocatesNothing).
func (s *Server) handle(ctx *fasthttp.RequestCtx) {
	o := s.answer(ctx)
	if s.lastRequests.Load() { // asked last, so that one who waited for the store while it was set is told
		ctx.SetConnectionClose()
	}
	if o == answered {
		s.metrics.answered(ctx.ConnID(), time.Since(ctx.Time()))
		return
	}
	s.metrics.refused(o)
	refuse(ctx, o)
}

// answer hands out a number, or says why not.
func (s *Server) answer(ctx *fasthttp.RequestCtx) outcome {
	// The bytes of the path as they came, without the query: what a proxy and we might decode differently is no id.
	id, ok := bytes.CutPrefix(ctx.URI().PathOriginal(), turnoPath)
	switch {
	case !ok:
		return notFound
	case !ctx.IsGet() && !ctx.IsPost():
		return method
	case !api.ValidID(id):
		return badID
	}
	if s.inFlight.Add(1) > s.maxInFlight {
		s.inFlight.Add(-1)
		return overloaded
	}
	turno, o := s.reserve(ctx, id)
	s.inFlight.Add(-1)
	if o != answered {
		return o
	}
	var b [len(`{"id":"","turno":}`) + api.MaxIDLength + 16]byte // 2^53 has 16 digits
	ctx.Response.SetBody(appendTurno(b[:0], id, turno))
	ctx.Response.Header.SetContentTypeBytes(jsonType)
	ctx.Response.Header.SetCanonical(cacheControl, noStore)
	return answered
}

// appendTurno appends api.Turno as JSON; no character of an id needs escaping.
func appendTurno(b, id []byte, turno uint64) []byte {
	b = append(b, `{"id":"`...)
	b = append(b, id...)
	b = append(b, `","turno":`...)
	b = strconv.AppendUint(b, turno, 10)
	return append(b, '}')
}

// errBadGrant is logged when a store breaks its contract; nothing that it granted is handed out.
var errBadGrant = errors.New("the store granted a number outside 1…2^53−1, or not one")

// reserve asks the store for one number.
func (s *Server) reserve(ctx *fasthttp.RequestCtx, id []byte) (uint64, outcome) {
	d := s.deadlines.begin(ctx.Time())
	first, granted, err := s.store.Reserve(d, id, 1)
	s.deadlines.end(d)
	switch {
	case err == nil && granted == 1 && first-1 < api.MaxTurno:
		return first, answered
	case err == nil:
		err = errBadGrant
	case errors.Is(err, ErrExhausted):
		return 0, exhausted
	case errors.Is(err, ErrTooManyIDs):
		return 0, tooManyIDs
	}
	s.storeErrors.log(s, ctx.Time(), err)
	if errors.Is(err, ErrUnavailable) {
		return 0, unavailable
	}
	return 0, unknown
}

// onceASecond lets one of many complaints through to the log.
type onceASecond struct {
	next    atomic.Int64 // Unix nanoseconds
	skipped atomic.Int64
}

func (o *onceASecond) log(s *Server, now time.Time, err error) {
	next, t := o.next.Load(), now.UnixNano()
	if t < next || !o.next.CompareAndSwap(next, t+int64(time.Second)) {
		o.skipped.Add(1)
		return
	}
	message := "store failed"
	if errors.Is(err, context.DeadlineExceeded) {
		message = "store did not answer in time"
	}
	s.log.Warn(message, "err", err, "more", o.skipped.Swap(0))
}

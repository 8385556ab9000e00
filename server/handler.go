package server

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
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
	o, err := s.answer(ctx)
	if s.lastRequests.Load() { // asked last, so that one who waited for the store while it was set is told
		ctx.SetConnectionClose()
	}
	if o == answered {
		s.metrics.answered(ctx.ConnID(), time.Since(ctx.Time()))
		return
	}
	c, _ := ctx.Conn().(*conn)
	c.refused()
	s.metrics.other(o)
	if o == badRequest {
		ctx.SetConnectionClose() // where the next request begins is in doubt
	}
	if o == replayed {
		return
	}
	refuse(ctx, o)
	if o == broken {
		ctx.Response.SetBody(problemBody(problems[o], err.Error()))
	}
}

// answer hands out a number, or says why not.
func (s *Server) answer(ctx *fasthttp.RequestCtx) (outcome, error) {
	if o := screen(&ctx.Request.Header); o != answered {
		return o, nil
	}
	// The bytes of the path as they came, without the query: what a proxy and we might decode differently is no id.
	id, ok := bytes.CutPrefix(ctx.URI().PathOriginal(), turnoPath)
	switch {
	case !ok:
		return notFound, nil
	case !ctx.IsGet() && !ctx.IsPost():
		return method, nil
	case !api.ValidID(id):
		return badID, nil
	}
	key, ok := keyOf(ctx)
	if !ok {
		return badKey, nil
	}
	c, _ := ctx.Conn().(*conn)
	turno, o, err := s.take(ctx.Time(), c, id, key)
	switch o {
	case answered:
		c.hand(s.parts.books, ctx.Time())
	case replayed:
		ctx.Response.Header.Set(api.ReplayedHeader, "true")
	default:
		return o, err
	}
	var b [len(`{"id":"","turno":}`) + api.MaxIDLength + 16]byte // 2^53 has 16 digits
	ctx.Response.SetBody(appendTurno(b[:0], id, turno))
	ctx.Response.Header.SetContentTypeBytes(jsonType)
	ctx.Response.Header.SetCanonical(cacheControl, noStore)
	return o, nil
}

// keyOf is the request's idempotency key, empty if it has none; ok is false if that can't be one.
func keyOf(ctx *fasthttp.RequestCtx) (key string, ok bool) {
	switch values := ctx.Request.Header.PeekAll(api.KeyHeader); len(values) {
	case 0:
		return "", true
	case 1:
		return api.ParseKey(values[0])
	default:
		return "", false
	}
}

// take takes a number, or the one that key has, for a request that came on c at since.
func (s *Server) take(since time.Time, c *conn, id []byte, key string) (uint64, outcome, error) {
	if s.direct == nil {
		c.asks()
		return s.parts.having(id).take(since, c, id, key)
	}
	turno, again, err := s.takeDirect(id, key)
	if err == nil && turno-1 >= api.MaxTurno {
		err = errBadGrant
	}
	switch {
	case err == nil && again:
		return turno, replayed, nil
	case err == nil:
		return turno, answered, nil
	}
	o := outcomeOf(err)
	if o.storeFailed() {
		s.parts.books.remember(err)
		s.errors.log(s.log, since, err)
	}
	return 0, o, err
}

func (s *Server) takeDirect(id []byte, key string) (turno uint64, again bool, err error) {
	if key != "" {
		return s.direct.TakeOnce(id, key)
	}
	turno, err = s.direct.Take(id)
	return turno, false, err
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
var errBadGrant = errors.New("the store granted a number outside 1…2^53−1, or not as many as asked")

// onceASecond lets one of many complaints through to the log.
type onceASecond struct {
	next    atomic.Int64 // Unix nanoseconds
	skipped atomic.Int64
}

func (o *onceASecond) log(to *slog.Logger, now time.Time, err error) {
	more, due := o.due(now)
	if !due {
		return
	}
	message := "store failed"
	if errors.Is(err, context.DeadlineExceeded) {
		message = "store did not answer in time"
	}
	to.Warn(message, "err", err, "more", more)
}

// due reports whether a complaint is to be made now, and how many were not since the last one.
func (o *onceASecond) due(now time.Time) (more int64, due bool) {
	next, t := o.next.Load(), now.UnixNano()
	if t < next || !o.next.CompareAndSwap(next, t+int64(time.Second)) {
		o.skipped.Add(1)
		return 0, false
	}
	return o.skipped.Swap(0), true
}

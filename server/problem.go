package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/valyala/fasthttp"

	"github.com/turnomatico/tmctl/server/api"
)

// outcome is how a request ended: an index into the list below, and into the metrics.
type outcome uint8

const (
	answered outcome = iota // a 200
	replayed                // a 200 with the number that the key had
	badID
	badRequest
	headersTooLarge
	bodyTooLarge
	slowRequest
	prefetch
	notFound
	method
	exhausted
	tooManyIDs
	overloaded
	crowded        // as many connections as may be
	crowdedAddress // … from this address
	unavailable    // the store was not reached
	silent         // it has not answered for so long that nobody waits for it any more
	unknown        // the store may have given a number
	stopped        // the store went back
	broken         // what the store holds is no counter
	badKey
	sessionsFull
	clientGone // nobody waits for the answer
	outcomes
)

// problems is what each outcome tells the client. Several may share a code: a client acts on the code and on whether a
// number may be gone, a person reads the detail.
var problems = [outcomes]problem{
	replayed: {code: "replayed"}, // no problem, but a name in the metrics
	badID: {api.BadID, http.StatusBadRequest, api.ConsumedNo,
		"An id is 1 to 64 of the characters A-Z a-z 0-9 . _ - and is written as it is, without percent-encoding."},
	badRequest:      {api.BadRequest, http.StatusBadRequest, api.ConsumedNo, "This is not an HTTP request that this server reads."},
	headersTooLarge: {api.BadRequest, http.StatusRequestHeaderFieldsTooLarge, api.ConsumedNo, "The request's headers are too large."},
	bodyTooLarge:    {api.BadRequest, http.StatusRequestEntityTooLarge, api.ConsumedNo, "The request's body is too large; none is needed."},
	slowRequest:     {api.BadRequest, http.StatusRequestTimeout, api.ConsumedNo, "The request did not arrive in time."},
	prefetch: {api.Prefetch, http.StatusForbidden, api.ConsumedNo,
		"This request was made ahead of its user (Purpose: prefetch), who may never come; each request takes a number."},
	notFound: {api.NotFound, http.StatusNotFound, api.ConsumedNo, "Numbers are at " + api.TurnoPath + "{id}."},
	method: {api.Method, http.StatusMethodNotAllowed, api.ConsumedNo,
		"POST takes the next number; so does GET, which proxies may repeat."},
	exhausted:  {api.Exhausted, http.StatusConflict, api.ConsumedNo, "The last number of this id, 2^53-1, was given."},
	tooManyIDs: {api.TooManyIDs, http.StatusTooManyRequests, api.ConsumedNo, "This server has as many ids as it may have; those that live go on."},
	overloaded: {api.Overloaded, http.StatusServiceUnavailable, api.ConsumedNo,
		"Too many requests wait for the store, or too many of this id; try again in a second."},
	crowded: {api.Overloaded, http.StatusServiceUnavailable, api.ConsumedNo, "Too many connections are open; try again in a second."},
	crowdedAddress: {api.Overloaded, http.StatusServiceUnavailable, api.ConsumedNo,
		"Too many connections are open from your address; keep some and use them again."},
	unavailable: {api.StoreUnavailable, http.StatusServiceUnavailable, api.ConsumedNo, "The store can't be reached."},
	silent: {api.StoreUnavailable, http.StatusServiceUnavailable, api.ConsumedNo,
		"The store has not answered for so long that this request would have waited in vain; try again in a second."},
	unknown: {api.StoreUnavailable, http.StatusServiceUnavailable, api.ConsumedMaybe,
		"The store did not answer in time, or failed; it may have given a number to this request."},
	stopped: {api.StoreUnavailable, http.StatusServiceUnavailable, api.ConsumedNo,
		"The store went back to an earlier number, so this id is stopped until an operator has looked; no number is given twice."},
	broken: {api.StoreUnavailable, http.StatusServiceUnavailable, api.ConsumedNo, "What the store holds of this id is no counter."},
	badKey: {api.BadKey, http.StatusBadRequest, api.ConsumedNo,
		"An Idempotency-Key is one value of 1 to 255 visible ASCII characters; a UUID is a good one."},
	sessionsFull: {api.SessionsFull, http.StatusServiceUnavailable, api.ConsumedNo,
		"As many idempotency keys have a number as may; those that have one are answered, and so are requests without a key."},
	clientGone: {api.ClientGone, http.StatusServiceUnavailable, api.ConsumedNo, "The client closed its side of the connection before its turn came."},
}

// outcomeOf is what a store's error means to the client.
func outcomeOf(err error) outcome {
	var e *BrokenError
	switch {
	case errors.Is(err, ErrExhausted):
		return exhausted
	case errors.Is(err, ErrTooManyIDs):
		return tooManyIDs
	case errors.Is(err, ErrSessionsFull):
		return sessionsFull
	case errors.Is(err, ErrStopped):
		return stopped
	case errors.Is(err, ErrUnavailable), errors.Is(err, ErrChanged):
		return unavailable
	case errors.As(err, &e):
		return broken
	}
	return unknown
}

// storeFailed reports whether an operator should look at the store.
func (o outcome) storeFailed() bool { return o == unavailable || o == unknown || o == broken }

type problem struct {
	code     api.Code
	status   int
	consumed string
	detail   string
}

// problemBodies are written once: an overloaded server must be able to say so for less than it costs to serve.
var problemBodies = func() (bodies [outcomes][]byte) {
	for i, p := range problems {
		bodies[i] = problemBody(p, p.detail)
	}
	return bodies
}()

func problemBody(p problem, detail string) []byte {
	p.detail = detail
	b, err := json.Marshal(p.wire())
	if err != nil {
		panic(err) // a struct of strings and an int
	}
	return b
}

// wire is p in the form of RFC 9457. Its type is about:blank (§4.2.1), which makes the title the status in words: clients go
// by the code, and a URI that leads nowhere would help nobody.
func (p problem) wire() api.Problem {
	return api.Problem{Type: "about:blank", Title: http.StatusText(p.status), Status: p.status, Code: p.code, Detail: p.detail}
}

// rawProblem is an answer in whole, for a connection that is not fasthttp's; header is a line more, or nothing.
func rawProblem(p problem, header string) []byte {
	body := problemBody(p, p.detail)
	return fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nCache-Control: no-store\r\n%s: %s\r\nConnection: close\r\n%s\r\n%s",
		p.status, http.StatusText(p.status), problemType, len(body), api.ConsumedHeader, p.consumed, header, body)
}

const problemType = "application/problem+json"

// refuse answers with the problem that o stands for.
func refuse(ctx *fasthttp.RequestCtx, o outcome) {
	p := &problems[o]
	ctx.SetStatusCode(p.status)
	h := &ctx.Response.Header
	h.SetContentType(problemType)
	h.Set("Cache-Control", "no-store")
	h.Set(api.ConsumedHeader, p.consumed)
	switch o {
	case method:
		h.Set("Allow", allowed)
	case overloaded, sessionsFull, unavailable, silent: // what may pass at any moment, and took nothing
		h.Set("Retry-After", "1")
	}
	ctx.Response.SetBodyRaw(problemBodies[o])
}

// refuseRaw answers what is not a request that the handler could be asked. fasthttp closes the connection afterwards: where
// the next request would begin is unknown.
func (s *Server) refuseRaw(ctx *fasthttp.RequestCtx, err error) {
	o := badRequest
	var small *fasthttp.ErrSmallBuffer
	var network net.Error
	switch {
	case errors.As(err, &small):
		o = headersTooLarge
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		o = bodyTooLarge
	case errors.As(err, &network):
		o = slowRequest
		if !network.Timeout() {
			return // the client is gone: nobody reads an answer, and nothing was asked
		}
	}
	s.metrics.other(o)
	refuse(ctx, o)
}

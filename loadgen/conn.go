package loadgen

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/turnomatico/tmctl/history"
	"github.com/turnomatico/tmctl/server/api"
)

// Subtleness ahead! The proof stands on the order of four acts around a request (history.Op): stamp Call, load Seen,
// write; and then parse, raise the id's done, stamp Return. begin and end hold mu while they stamp, so that the sweep
// sees either "in flight since Call" or the finished op, never neither.

const (
	maxHeader  = 16 << 10              // bytes of an answer's header
	maxBody    = 1 << 20               // bytes read of one answer
	staleAfter = 50 * time.Millisecond // an idle connection older than this is looked at before it is written to
)

// queue is one id of the run.
type queue struct {
	id      string
	request []byte
	done    atomic.Uint64 // the largest turno completed so far
	_       [40]byte      // one cache line each: neighbours must not slow each other
}

// raise makes done at least v.
func (q *queue) raise(v uint64) {
	for old := q.done.Load(); v > old && !q.done.CompareAndSwap(old, v); old = q.done.Load() {
	}
}

// conn sends one request at a time to one address and never repeats one. A connection that broke, or that the server
// wants closed, is dialled anew by the next request, in that request's own time.
type conn struct {
	run  *runner
	node uint8
	addr string

	nc   net.Conn
	br   *bufio.Reader
	resp fasthttp.Response
	used time.Duration // when it last carried an answer
	out  []byte        // a request with a key

	mu      sync.Mutex // guards what the sweep reads
	flight  bool
	call    time.Duration
	expired history.Reason // why the sweep ended the request in flight
	ops     []history.Op
	lags    []time.Duration
	answers []history.Answer
	keyed   []lagged // first requests with a key: their sessions hand them on
	busy    bool     // between two hits of the vegeta engine, the second of them due
	full    bool     // the sweep does not come any more; the connection's own
}

// lagged is an op that was due, and how late our own timer and CPU were.
type lagged struct {
	op  history.Op
	lag time.Duration
}

// hit is one due request.
type hit struct {
	queue int
	wait  time.Duration // see history.Op.Wait
	lag   time.Duration // how late our own timer and CPU were
}

// do sends one request that is due, records what became of it and returns it.
func (c *conn) do(ctx context.Context, h hit) (op history.Op) {
	k := c.run.sessions.begin(h.queue, c.node)
	op = history.Op{ID: uint32(h.queue), Node: c.node, Wait: h.wait}
	op.Call = c.begin()
	c.run.enter()
	defer c.run.inFlight.Add(-1)
	if k != nil {
		op.Attempt = 1
		k.hold(op.Call)
	}
	body := c.try(ctx, &op, k)
	c.end(&op, h.lag, body)
	if k != nil {
		k.ended(ctx, op, body)
	}
	return op
}

// try sends op's request, with a key unless k is nil. It returns the body of a bad answer.
func (c *conn) try(ctx context.Context, op *history.Op, k *retrier) []byte {
	if err := c.connect(ctx, op.Call); err != nil {
		op.Outcome, op.Reason = history.Failed, history.NotSent
		return nil
	}
	q := c.run.queues[op.ID]
	op.Seen = q.done.Load()
	if k == nil {
		return c.exchange(q, q.request, op)
	}
	c.out = k.appendRequest(c.out[:0], q.request)
	if op.Attempt == 1 {
		k.begun(ctx)
	}
	return c.exchange(q, c.out, op)
}

func (c *conn) begin() time.Duration {
	c.mu.Lock()
	c.call = c.run.now()
	c.flight = true
	c.mu.Unlock()
	return c.call
}

// end stamps the op's return and hands it to the sweep; one with a key only to be counted as due.
func (c *conn) end(op *history.Op, lag time.Duration, body []byte) {
	c.mu.Lock()
	expired := c.expired
	if expired != history.NoReason && op.Outcome == history.Unknown && op.Reason == history.Reset {
		op.Reason = expired
	}
	c.flight, c.expired = false, history.NoReason
	op.Return = c.run.now()
	c.used = op.Return
	switch op.Attempt {
	case 0:
		c.ops = append(c.ops, *op)
		c.lags = append(c.lags, lag)
		if kept := badBody(op, body); kept != nil {
			c.answers = append(c.answers, history.Answer{Index: len(c.ops) - 1, Body: kept})
		}
	case 1:
		c.keyed = append(c.keyed, lagged{*op, lag})
	}
	c.full = len(c.ops)+len(c.keyed) > max(1024, maxBacklog/len(c.run.conns))
	c.mu.Unlock()
	if expired != history.NoReason { // its deadline is in the past for ever
		c.close()
	}
}

// expire ends the request in flight if it was sent at limit or before. The sweep calls it, holding mu.
func (c *conn) expire(limit time.Duration, why history.Reason) {
	if c.flight && c.call <= limit && c.expired == history.NoReason && c.nc != nil { // a dial has its own timeout
		c.expired = why
		_ = c.nc.SetDeadline(time.Unix(1, 0)) // the read returns an error, which says all there is to say
	}
}

// exchange writes the request and reads the answer into op. It returns the body of a bad answer.
func (c *conn) exchange(q *queue, request []byte, op *history.Op) []byte {
	n, err := c.nc.Write(request)
	if err != nil {
		secure := c.tls() // close forgets it
		c.close()
		op.Outcome, op.Reason = history.Unknown, history.Reset
		if n == 0 && !secure { // TLS may have sent a record that it does not count
			op.Outcome, op.Reason = history.Failed, history.NotSent
		}
		return nil
	}
	err = c.resp.ReadLimitBody(c.br, maxBody)
	if err != nil {
		return c.unreadable(op, err)
	}
	op.Status = uint16(c.resp.StatusCode())
	body := c.resp.Body()
	if op.Status != fasthttp.StatusOK {
		op.Outcome, op.Reason = history.Unknown, history.BadStatus
		if string(c.resp.Header.Peek(api.ConsumedHeader)) == api.ConsumedNo {
			op.Outcome, op.Reason = history.Failed, history.NotConsumed
		}
	} else if op.Turno, op.Reason = c.run.answers.read(body, q.id); op.Reason.BadAnswer() {
		op.Outcome = history.Unknown
	} else {
		q.raise(op.Turno)
		op.Replayed = op.Attempt != 0 && string(c.resp.Header.Peek(api.ReplayedHeader)) == "true"
	}
	// Bytes after the answer belong to no request of ours: reading them as the next answer would pair them wrongly.
	if c.mustClose() || c.br.Buffered() > 0 {
		c.close()
	}
	return body
}

func (c *conn) mustClose() bool {
	if c.resp.ConnectionClose() {
		return true
	}
	v := c.resp.Header.Peek(fasthttp.HeaderConnection) // fasthttp knows only "close", to the letter
	return len(v) > 0 && bytes.Contains(bytes.ToLower(v), []byte("close"))
}

// unreadable says what an answer that could not be read means.
func (c *conn) unreadable(op *history.Op, err error) []byte {
	c.close()
	op.Outcome = history.Unknown
	var netErr net.Error
	switch {
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		op.Status, op.Reason = uint16(c.resp.StatusCode()), history.BadStatus
		if op.Status == fasthttp.StatusOK {
			op.Reason = history.NotJSON
			return []byte("(a body of more than 1 MiB)")
		}
	case isEOF(err), errors.Is(err, fasthttp.ErrTimeout), errors.As(err, &netErr):
		op.Reason = history.Reset // or what the sweep says
	default:
		op.Reason = history.BadHTTP
	}
	return nil
}

func (c *conn) tls() bool { _, ok := c.nc.(*tls.Conn); return ok }

func (c *conn) close() {
	if c.nc != nil {
		_ = c.nc.Close() // the request on it is already accounted for
		c.mu.Lock()
		c.nc = nil
		c.mu.Unlock()
	}
}

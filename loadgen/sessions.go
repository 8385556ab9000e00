package loadgen

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/turnomatico/tmctl/history"
	"github.com/turnomatico/tmctl/server/api"
)

// sessions gives a share of the requests an Idempotency-Key each, and has them sent again with it. The first request with
// a key is one that was due, like any other; the retries come on top of the rate, on connections of their own, so that no
// due hit waits for them. A key in flight has a retrier: no more keys are in flight than there are retriers.
type sessions struct {
	run     *runner
	ratio   float64
	all     []*retrier
	idle    chan *retrier
	stopped <-chan struct{} // of the step
	without atomic.Uint64   // requests that went without a key because no retrier was idle
	lent    atomic.Pointer[lent]
}

// lent is a key that another id shall use, too: there it must have a number of its own.
type lent struct {
	queue int
	key   sessionKey
}

type sessionKey [32]byte // hex digits

const (
	maxRetriers = 4096
	maxAttempts = 32 // of one key
	// patience is how many time-outs after its first request a key that is not answered is given up.
	patience = 2
	// together is the share of the keys that are sent twice at once.
	together = 0.25
)

// retriers is how many keys may be in flight: about three requests each, one after the other, as fast as the due ones.
func (p *Plan) retriers() int {
	if p.KeyRatio == 0 {
		return 0
	}
	return min(maxRetriers, 4+int(math.Ceil(3*p.KeyRatio*float64(p.Connections))))
}

// newSessions returns nil for a plan without keys.
func newSessions(r *runner, addrs []string) *sessions {
	n := r.plan.retriers()
	if n == 0 {
		return nil
	}
	s := &sessions{run: r, ratio: r.plan.KeyRatio, idle: make(chan *retrier, n)}
	for range n {
		k := &retrier{of: s, first: make(chan tried, 1)}
		for node, addr := range addrs {
			k.conns = append(k.conns, &conn{run: r, node: uint8(node), addr: addr})
		}
		s.all = append(s.all, k)
		s.idle <- k
	}
	return s
}

// begin decides whether the next request, by a connection to node, has a key; nil when it has none. A nil *sessions has none.
func (s *sessions) begin(queue int, node uint8) *retrier {
	if s == nil || rand.Float64() >= s.ratio {
		return nil
	}
	select {
	case k := <-s.idle:
		k.queue, k.node, k.key = queue, int(node), s.key(queue)
		k.together, k.started, k.tried = rand.Float64() < together, false, k.tried[:0]
		return k
	default:
		s.without.Add(1)
		return nil
	}
}

// key makes a fresh one. Where there are several ids, about half of the keys are used for a second one.
func (s *sessions) key(queue int) (key sessionKey) {
	several := len(s.run.queues) > 1
	if several {
		if l := s.lent.Swap(nil); l != nil && l.queue != queue {
			return l.key
		}
	}
	var random [16]byte
	binary.NativeEndian.PutUint64(random[:], rand.Uint64())
	binary.NativeEndian.PutUint64(random[8:], rand.Uint64())
	hex.Encode(key[:], random[:])
	if several {
		s.lent.Store(&lent{queue, key})
	}
	return key
}

// drain waits until no key is in flight. Nothing may begin meanwhile.
func (s *sessions) drain() {
	if s == nil {
		return
	}
	for range s.all {
		<-s.idle
	}
	for _, k := range s.all {
		s.idle <- k
	}
}

func (s *sessions) close() {
	if s == nil {
		return
	}
	for _, k := range s.all {
		for _, c := range k.conns {
			c.close()
		}
	}
}

// retrier sees one key at a time through: the first request with it, which a connection of the engine sends, and all others.
// The proof gets them together, when all have ended.
type retrier struct {
	of    *sessions
	conns []*conn // one a node, dialled when it is first needed

	queue    int
	key      sessionKey
	node     int // where the last request went
	together bool
	started  bool // the retries are under way; the engine's connection's own
	first    chan tried
	tried    []tried

	mu      sync.Mutex // guards what the sweep reads
	open    bool       // a key is in flight …
	since   time.Duration
	ops     []history.Op // of keys that are through
	answers []history.Answer
}

// tried is what became of a request with a key.
type tried struct {
	op   history.Op
	body []byte // of a bad answer
}

// hold lets the watermark wait for the key, which is first sent at call. It is called while that request is in flight.
func (k *retrier) hold(call time.Duration) {
	k.mu.Lock()
	k.open, k.since = true, call
	k.mu.Unlock()
}

// begun is called before the engine's connection writes the first request.
func (k *retrier) begun(ctx context.Context) {
	if k.together {
		k.started = true
		go k.see(ctx) // drain waits for it
	}
}

// ended takes what became of the engine's request.
func (k *retrier) ended(ctx context.Context, op history.Op, body []byte) {
	late := !k.started
	if late {
		k.together = false // or it was not written
	}
	k.first <- tried{op, badBody(&op, body)} // from here on, one that sees it may be at the next key
	if late {
		go k.see(ctx) // drain waits for it
	}
}

// see sends the key again until that has proved something. An attempt's number is its place by when it was sent.
func (k *retrier) see(ctx context.Context) {
	var twin tried
	if k.together {
		twin = k.again(ctx, 2)
	}
	k.tried = append(k.tried, <-k.first)
	if k.together {
		k.tried = append(k.tried, twin)
	}
	answered := k.anyAnswered()
	for pause := time.Duration(0); k.goOn(pause); {
		t := k.again(ctx, len(k.tried)+1)
		k.tried = append(k.tried, t)
		switch ok := t.op.Outcome == history.OK; {
		case ok && answered:
			k.through()
			return
		case ok:
			answered, pause = true, 0
		default:
			pause = min(max(retryDial, 2*pause), time.Second)
		}
	}
	k.through()
}

// goOn waits for a pause between requests. It reports false when the key is given up.
func (k *retrier) goOn(pause time.Duration) bool {
	r := k.of.run
	if len(k.tried) >= maxAttempts || r.now()-k.tried[0].op.Call > patience*r.plan.Timeout {
		return false
	}
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-k.of.stopped:
		return false
	case <-t.C:
	}
	select {
	case <-k.of.stopped:
		return false
	default:
		return true
	}
}

func (k *retrier) anyAnswered() bool {
	for i := range k.tried {
		if k.tried[i].op.Outcome == history.OK {
			return true
		}
	}
	return false
}

// again sends the key once more, to the next node.
func (k *retrier) again(ctx context.Context, n int) tried {
	k.node = (k.node + 1) % len(k.conns)
	c := k.conns[k.node]
	op := history.Op{ID: uint32(k.queue), Node: c.node, Attempt: uint8(n)}
	op.Call = c.begin()
	body := c.try(ctx, &op, k)
	c.end(&op, 0, body)
	return tried{op, badBody(&op, body)}
}

// through hands the key's requests to the sweep.
func (k *retrier) through() {
	k.mu.Lock()
	for i := range k.tried {
		if t := &k.tried[i]; t.body != nil {
			k.answers = append(k.answers, history.Answer{Index: len(k.ops), Body: t.body})
		}
		k.ops = append(k.ops, k.tried[i].op)
	}
	k.open = false
	k.mu.Unlock()
	k.of.idle <- k
}

// appendRequest appends request, which ends with an empty line, with the key in it.
func (k *retrier) appendRequest(b, request []byte) []byte {
	b = append(b, request[:len(request)-len("\r\n")]...)
	b = append(b, api.KeyHeader+": "...)
	b = append(b, k.key[:]...)
	return append(b, "\r\n\r\n"...)
}

// badBody keeps the first bytes of an answer that breaks the contract; nil of others.
func badBody(op *history.Op, body []byte) []byte {
	if !op.Reason.BadAnswer() {
		return nil
	}
	return append([]byte{}, body[:min(len(body), history.MaxAnswer)]...)
}

// sweep collects what keys that are through came to, and returns the watermark that those in flight allow. The connections
// must have been swept before: until one has ended a key's first request it is in flight there, and from then on here.
func (s *sessions) sweep(r *runner, t *stepTally, watermark, now time.Duration) time.Duration {
	if s == nil {
		return watermark
	}
	for _, k := range s.all {
		k.mu.Lock()
		if k.open {
			watermark = min(watermark, k.since)
		}
		for i := range k.ops {
			if k.ops[i].Attempt > 1 {
				t.retry(&k.ops[i])
			}
		}
		r.take(&k.ops, &k.answers)
		k.mu.Unlock()
		for _, c := range k.conns {
			c.mu.Lock()
			r.expire(c, now)
			c.mu.Unlock()
		}
	}
	return watermark
}

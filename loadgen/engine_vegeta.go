package loadgen

import (
	"context"
	"io"
	"net/http"
	"strconv"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// vegetaEngine lets vegeta's Attacker send the hits: its dispatcher, workers and targeter, over our own RoundTripper, so
// that nothing is repeated and every op is recorded where its bytes are. It costs more CPU a request than http1; it is
// here so that the two can be held against each other.
type vegetaEngine struct {
	run  *runner
	free chan *conn // idle connections
}

var _ engine = (*vegetaEngine)(nil)

func newVegetaEngine(r *runner) *vegetaEngine {
	return &vegetaEngine{run: r, free: make(chan *conn, len(r.conns))}
}

// drive makes a new Attacker a step, since one is single-use; the connections are ours and stay warm. No option that
// wants an *http.Transport may be given (it would panic), nor a timeout (it costs a goroutine a hit): the sweep ends
// requests that take too long.
func (e *vegetaEngine) drive(ctx context.Context, s *step) {
	for _, c := range e.run.conns[:s.connections] {
		c.busy = false
		e.free <- c
	}
	s.schedule.keep = true
	if !s.closedLoop() {
		s.schedule.ahead = uint64(s.connections)
	}
	attacker := vegeta.NewAttacker(
		vegeta.Client(&http.Client{Transport: &transport{engine: e, ctx: ctx, step: s}}),
		vegeta.Redirects(vegeta.NoFollow),
		vegeta.Workers(uint64(s.connections)),
		vegeta.MaxWorkers(uint64(s.connections)),
	)
	results := attacker.Attack(e.target, s.schedule, 0, "")
	for range results { // the ops are recorded by the connections
	}
	s.settle(s.now())
	for range s.connections {
		<-e.free
	}
}

// target names what vegeta should hit; the transport chooses the id by the hit's number.
func (e *vegetaEngine) target(t *vegeta.Target) error {
	t.Method = e.run.plan.Method
	t.URL = e.run.plan.to.URL(e.run.queues[0].id)
	return nil
}

// transport sends one of vegeta's hits over an idle connection of ours.
type transport struct {
	engine *vegetaEngine
	ctx    context.Context // of the run: vegeta's requests carry none
	step   *step
}

// RoundTrip never repeats a request. Its response has no body: the connection has read it.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	n, err := strconv.ParseUint(req.Header.Get("X-Vegeta-Seq"), 10, 64)
	if err != nil {
		return nil, err
	}
	s := t.step
	c := <-t.engine.free
	now := s.now()
	h := hit{queue: t.engine.run.queueOf(n)}
	if !c.busy { // before blame: c itself is not idle
		s.gauge.work(now)
	}
	if !s.closedLoop() {
		h.wait, h.lag = s.gauge.blame(s.schedule.take(n), now)
	}
	op := c.do(t.ctx, h)
	if c.full { // the sink blocks: stop rather than eat all memory
		s.schedule.stop()
	}
	// On its way to a hit that is already due, a connection is not idle, however long vegeta takes to hand it over.
	if now = s.now(); !s.schedule.waits(now) {
		s.gauge.rest(now)
		c.busy = false
	} else {
		c.busy = true
	}
	t.engine.free <- c
	if op.Status == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	return &http.Response{StatusCode: int(op.Status), ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Body: http.NoBody,
		Request: req}, nil
}

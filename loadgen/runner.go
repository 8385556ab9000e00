package loadgen

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/turnomatico/tmctl/history"
)

// runner is a run in progress.
type runner struct {
	plan     *Plan
	sink     Sink
	watch    Watcher
	epoch    time.Time
	engine   engine
	queues   []*queue
	conns    []*conn
	answers  *answerReader
	sessions *sessions // nil without keys
	host     *hostMeter

	inFlight, inFlightMax atomic.Int64

	// The sweep's own.
	batch    history.Batch
	lags     []time.Duration
	cutOff   time.Duration // requests in flight since before it are given up: the run was interrupted
	seed     uint64
	scaling  float64 // closed-loop throughput of all connections over that of half of them; 0 = not measured
	machine  *Search // nil for a fixed rate
	outcome  Outcome
	lastTold time.Duration
}

// now counts from the start of the run, on the monotonic clock.
func (r *runner) now() time.Duration { return time.Since(r.epoch) }

// queueOf spreads the hits over the ids in turn.
func (r *runner) queueOf(n uint64) int { return int(n % uint64(len(r.queues))) }

// enter counts one more request in flight.
func (r *runner) enter() {
	n := r.inFlight.Add(1)
	for old := r.inFlightMax.Load(); n > old && !r.inFlightMax.CompareAndSwap(old, n); old = r.inFlightMax.Load() {
	}
}

// newRunner prepares connections to addrs in turn; it dials none.
func newRunner(p *Plan, addrs []string, sink Sink, watch Watcher) (*runner, error) {
	r := &runner{plan: p, sink: sink, watch: watch, epoch: time.Now(), seed: p.Seed,
		answers: newAnswerReader(p.Field, p.IDField), host: newHostMeter()}
	for _, id := range p.IDs {
		request, err := p.to.request(p.Method, id, p.Headers)
		if err != nil {
			return nil, err
		}
		r.queues = append(r.queues, &queue{id: id, request: request})
	}
	for i := range p.Connections {
		node := i % len(addrs)
		r.conns = append(r.conns, &conn{run: r, node: uint8(node), addr: addrs[node]})
	}
	r.sessions = newSessions(r, addrs)
	r.engine = &http1{run: r}
	if p.Engine == EngineVegeta {
		r.engine = newVegetaEngine(r)
	}
	return r, nil
}

// open dials every connection before the clock of the first step starts.
func (r *runner) open(ctx context.Context) error {
	var wg sync.WaitGroup
	errs := make(chan error, len(r.conns))
	slots := make(chan struct{}, 64) // dial a few at a time: a backlog overflow would be our doing
	for _, c := range r.conns {
		slots <- struct{}{}
		wg.Go(func() {
			if err := c.connect(ctx, r.now()); err != nil {
				errs <- err
			}
			c.used = r.now()
			<-slots
		})
	}
	wg.Wait()
	close(errs)
	if failed := len(errs); failed > 0 {
		return &UnreachableError{Addr: r.plan.to.host, Hint: "lower --connections, or raise what the target accepts",
			Err: fmt.Errorf("%d of %d connections could not be opened: %w", failed, len(r.conns), <-errs)}
	}
	return nil
}

func (r *runner) close() {
	for _, c := range r.conns {
		c.close()
	}
	r.sessions.close()
}

// drive runs one step to its end and drains it: when it returns, nothing is in flight.
func (r *runner) drive(ctx context.Context, t Trial, connections int) (history.Step, error) {
	s := r.newStep(t, connections)
	before := r.host.read()
	finished := make(chan struct{})
	if r.sessions != nil {
		r.sessions.stopped = s.stopped
	}
	go func() {
		r.engine.drive(ctx, s)
		r.sessions.drain()
		close(finished)
	}()
	err := r.attend(ctx, s, finished)
	use := r.host.read().since(before)
	st := r.summarize(s, use)
	r.outcome.add(s, st)
	r.outcome.CPU += time.Duration(use.seconds * float64(time.Second))
	r.outcome.GC += time.Duration(use.gc * float64(time.Second))
	if r.sessions != nil {
		r.outcome.Keyless = r.sessions.without.Load()
	}
	r.cutOff = 0
	return st, err
}

func (r *runner) newStep(t Trial, connections int) *step {
	s := &step{phase: t.Phase, rate: t.Rate, length: t.Duration, connections: connections,
		clock: r.now, stopped: make(chan struct{})}
	r.seed++
	s.schedule = newSchedule(t.Rate, t.Duration, r.plan.Arrivals, r.seed)
	s.schedule.clock = s.now
	r.inFlightMax.Store(0)
	s.start = r.now()
	s.tally.lastAnswer = s.start
	s.gauge.begin(connections, 0)
	return s
}

// attend sweeps until the engine has finished, and ends the step early where going on makes no sense.
func (r *runner) attend(ctx context.Context, s *step, finished <-chan struct{}) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	cancelled := ctx.Done()
	var failed error
	for {
		select {
		case <-finished:
			s.stop(onTime)
			return cmp.Or(failed, r.sweep(s))
		case <-cancelled:
			cancelled = nil
			s.stop(interrupted)
		case <-tick.C:
		}
		if err := r.sweep(s); err != nil {
			s.stop(sinkFailed) // and go on sweeping: what is in flight must still end, and be proved
			failed = cmp.Or(failed, err)
			r.cutOff = cmp.Or(r.cutOff, r.now())
		}
		r.consider(s)
		r.tell(s)
	}
}

// tellEvery is how often the watcher hears of progress.
const tellEvery = 250 * time.Millisecond

func (r *runner) tell(s *step) {
	now := r.now()
	if now-r.lastTold < tellEvery {
		return
	}
	r.lastTold = now
	p := Moment{Phase: s.phase, Offered: s.rate, P99: s.tally.latency.Quantile(.99), Errors: s.tally.errors,
		InFlight: r.inFlight.Load(), Spent: now, Left: r.left(s, now)}
	if elapsed := s.now().Seconds(); elapsed > 0 {
		p.Achieved = float64(s.tally.ok) / elapsed
	}
	if r.machine != nil {
		p.Bracket[0], p.Bracket[1] = r.machine.Bracket()
	}
	r.watch.Progress(p)
}

// left is about how much longer the run takes.
func (r *runner) left(s *step, now time.Duration) time.Duration {
	if r.machine != nil {
		return r.machine.Progress().Left
	}
	end := s.start + s.length
	if s.phase == history.Warmup {
		end += r.plan.Duration
	}
	return max(0, end-now)
}

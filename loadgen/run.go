package loadgen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/turnomatico/tmctl/history"
)

// Watcher is told how a run goes. Run calls it from one goroutine; it should return at once.
type Watcher interface {
	Progress(Moment)       // a few times a second
	StepDone(history.Step) // after each step
}

// Moment is a run at one moment.
type Moment struct {
	Phase    history.Phase
	Offered  float64 // requests/s; 0 = closed loop
	Achieved float64 // valid answers/s so far in the step
	P99      time.Duration
	Errors   uint64 // in the step
	InFlight int64
	Spent    time.Duration // since the run began
	Left     time.Duration // at most, by the plan
	Bracket  [2]float64    // search: the rates that passed and failed so far; 0 = none
}

// Outcome is what Run did: the facts, without a verdict.
type Outcome struct {
	Steps       []history.Step
	MaxRate     *history.MaxRate // nil for a fixed rate
	Bracket     [2]float64       // the rates that passed and failed in short steps, unconfirmed
	Requests    uint64
	Errors      uint64
	Reasons     history.Counts // why requests failed
	Remarked    uint64         // numbers written as 42.0 or 4.2e1
	Keyless     uint64         // requests that went without the Idempotency-Key that they should have had
	Colocated   bool           // the target runs on this machine
	Interrupted bool           // ctx ended
	CPU         time.Duration  // that this process used during the steps
	GC          time.Duration  // of it, for garbage collection
}

func (o *Outcome) add(s *step, st history.Step) {
	o.Steps = append(o.Steps, st)
	o.Requests += st.Sent + s.tally.retries
	o.Errors += st.Errors + s.tally.retryErrors
	o.Remarked += s.tally.remarked
	for f, n := range s.tally.failures {
		if o.Reasons == nil {
			o.Reasons = history.Counts{}
		}
		o.Reasons[f.String()] += n
	}
	o.Interrupted = o.Interrupted || s.early == interrupted
}

// Session is a plan whose target was reached: ready to Run.
type Session struct {
	plan  *Plan
	addrs []string
}

// Connect resolves and tries every address of the plan, before any load is sent.
func Connect(ctx context.Context, p *Plan) (*Session, error) {
	hosts := p.ConnectTo
	if len(hosts) == 0 {
		hosts = []string{p.to.host}
	}
	s := &Session{plan: p}
	for _, h := range hosts {
		addr, err := resolve(ctx, h, p.tls, p.Timeout)
		if err != nil {
			return nil, err
		}
		s.addrs = append(s.addrs, addr)
	}
	return s, nil
}

// Nodes are the addresses that the connections go to, in turn.
func (s *Session) Nodes() []string { return s.addrs }

// Run drives the plan: warm-up, then the search or the fixed rate. It returns what it found so far also when ctx ends or
// the Sink fails; then the error says so, except for the end of ctx, which [Outcome.Interrupted] tells. Every op's times
// count from epoch.
func (s *Session) Run(ctx context.Context, epoch time.Time, sink Sink, watch Watcher) (*Outcome, error) {
	r, err := newRunner(s.plan, s.addrs, sink, watch)
	if err != nil {
		return nil, err
	}
	r.epoch = epoch
	r.outcome.Colocated = colocated(s.addrs)
	defer r.close()
	if err := r.open(ctx); err != nil {
		return nil, err
	}
	if s.plan.searching() {
		err = r.search(ctx)
	} else {
		err = r.fixed(ctx)
	}
	if errors.Is(err, errOver) {
		err = nil
	}
	return &r.outcome, err
}

// errOver ends a run early, all said in its steps.
var errOver = errors.New("the run is over")

// warmUp drives the plan's warm-up; its ops count for the proof, its figures for nothing.
func (r *runner) warmUp(ctx context.Context, rate float64) error {
	if r.plan.Warmup == 0 {
		return nil
	}
	_, err := r.step(ctx, Trial{Phase: history.Warmup, Rate: rate, Duration: r.plan.Warmup}, r.plan.Connections)
	return err
}

// step drives one trial, tells about it, and says with errOver when the run must not go on.
func (r *runner) step(ctx context.Context, t Trial, connections int) (history.Step, error) {
	st, err := r.drive(ctx, t, connections)
	r.watch.StepDone(st)
	if err != nil {
		return st, err
	}
	switch st.Limit {
	case history.TargetLost, history.RunInterrupted, history.InvariantViolated: // the last only without KeepGoing
		return st, errOver
	}
	return st, nil
}

// fixed drives one rate for the plan's duration.
func (r *runner) fixed(ctx context.Context) error {
	if err := r.warmUp(ctx, r.plan.Rate); err != nil {
		return err
	}
	_, err := r.step(ctx, Trial{Phase: history.Fixed, Rate: r.plan.Rate, Duration: r.plan.Duration}, r.plan.Connections)
	return err
}

// search lets the search machine choose the rates.
func (r *runner) search(ctx context.Context) error {
	m := NewSearch(SearchConfig{Start: r.plan.Start, MaxRate: r.plan.MaxRate, Step: r.plan.Step,
		Precision: r.plan.Precision, Budget: r.plan.Budget - r.plan.Warmup})
	r.machine = m
	defer func() {
		answer := m.Answer()
		if r.outcome.Colocated {
			answer.Label = "on this shared machine"
		}
		r.outcome.MaxRate = &answer
		r.outcome.Bracket[0], r.outcome.Bracket[1] = m.Bracket()
	}()
	if err := r.warmUp(ctx, r.plan.Start); err != nil {
		if limit := r.outcome.lastLimit(); limit != history.NoLimit {
			m.Observe(Observation{Limit: limit})
		}
		return err
	}
	began := r.now()
	for {
		t, ok := m.Next()
		if !ok {
			return nil
		}
		st, err := r.trial(ctx, t)
		m.Observe(Observation{Trial: t, Spent: r.now() - began, Achieved: st.AchievedRate, Pass: st.Pass, Limit: st.Limit})
		if err != nil {
			return err
		}
	}
}

// trial drives one trial of the search. It makes a step longer where its rate is too low for the objective's percentiles.
func (r *runner) trial(ctx context.Context, t Trial) (history.Step, error) {
	if t.Phase == history.Peak {
		return r.peak(ctx, t)
	}
	need := time.Duration(1.1 * float64(r.plan.Objective.Samples()) / t.Rate * float64(time.Second))
	t.Duration = max(t.Duration, min(need, maxStretch, r.plan.Budget-r.now()))
	return r.step(ctx, t, r.plan.Connections)
}

// maxStretch bounds how long a step is made for the sake of its percentiles.
const maxStretch = 30 * time.Second

// peak drives half of the connections, then all, in a closed loop: what all carry is the search's first guess, and what
// twice the connections add says whether connections are what limits.
func (r *runner) peak(ctx context.Context, t Trial) (history.Step, error) {
	half := Trial{Phase: history.Peak, Duration: t.Duration / 3}
	t.Duration -= half.Duration
	if r.plan.Connections < 2 {
		return r.step(ctx, t, r.plan.Connections)
	}
	few, err := r.step(ctx, half, r.plan.Connections/2)
	if err != nil {
		return few, err
	}
	all, err := r.step(ctx, t, r.plan.Connections)
	if few.AchievedRate > 0 {
		r.scaling = all.AchievedRate / few.AchievedRate
	}
	return all, err
}

func (o *Outcome) lastLimit() history.Limit {
	if len(o.Steps) == 0 {
		return history.NoLimit
	}
	return o.Steps[len(o.Steps)-1].Limit
}

// colocated reports whether any of addrs is this machine.
func colocated(addrs []string) bool {
	own, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range addrs {
		host, _, _ := net.SplitHostPort(a)
		ip := net.ParseIP(host)
		if ip.IsLoopback() {
			return true
		}
		for _, o := range own {
			if n, ok := o.(*net.IPNet); ok && n.IP.Equal(ip) {
				return true
			}
		}
	}
	return false
}

// CheckOpenFiles says whether limit open files are enough for the plan's connections; 0 = unknown.
func (p *Plan) CheckOpenFiles(limit uint64) error {
	const others = 64 // the run's files, the standard streams, the poller
	n := p.Connections + p.retriers()*max(1, len(p.ConnectTo))
	if limit != 0 && uint64(n)+others > limit {
		return fmt.Errorf("%d connections need %d open files; the limit is %d", n, n+others, limit)
	}
	return nil
}

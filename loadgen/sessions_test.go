package loadgen

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/turnomatico/tmctl/history"
	"github.com/turnomatico/tmctl/loadgen/targettest"
	"github.com/turnomatico/tmctl/server/api"
)

// keySink takes batches apart into the attempts of each key.
type keySink struct {
	nullSink
	t      *testing.T
	groups [][]history.Op
	plain  int
}

func (s *keySink) Add(b history.Batch) error {
	for ops := b.Ops; len(ops) > 0; {
		n := history.Attempts(ops)
		if ops[0].Attempt == 0 {
			s.plain++
		} else {
			s.groups = append(s.groups, append([]history.Op{}, ops[:n]...))
		}
		ops = ops[n:]
	}
	for _, a := range b.Answers {
		if !b.Ops[a.Index].Reason.BadAnswer() {
			s.t.Errorf("a bad answer is said to be that of %+v", b.Ops[a.Index])
		}
	}
	return s.nullSink.Add(b)
}

// keyRun drives a server of targettest.
func keyRun(t *testing.T, ctx context.Context, b targettest.Behaviour, change func(*history.Plan)) (*keySink, *Outcome) {
	t.Helper()
	srv := targettest.Start(t, b)
	spec := DefaultPlan()
	spec.Target, spec.ConnectTo, spec.IDs = srv.URL(), srv.Targets(), []string{"a", "b"}
	spec.Rate, spec.Duration, spec.Warmup, spec.Connections, spec.KeyRatio = 1000, time.Second, 200*time.Millisecond, 8, 0.5
	change(&spec)
	p, err := Prepare(spec, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Connect(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	sink := &keySink{t: t}
	o, err := s.Run(ctx, time.Now(), sink, logWatcher{t})
	if err != nil {
		t.Fatal(err)
	}
	if sink.early > 0 {
		t.Errorf("%d ops were called before a watermark that had promised them away", sink.early)
	}
	if o.Requests != sink.ops || srv.Arrivals() > o.Requests {
		t.Errorf("%d requests, %d recorded, %d arrived", o.Requests, sink.ops, srv.Arrivals())
	}
	return sink, o
}

// The attempts of a key come together, numbered by when they were sent, each to the next node; some of them are under way
// together. They end when a replay has been asked for.
func TestAttemptsComeTogether(t *testing.T) {
	for _, engine := range Engines {
		t.Run(engine, func(t *testing.T) {
			sink, o := keyRun(t, t.Context(), targettest.Named("sessions-thinking"), func(p *history.Plan) { p.Engine, p.Connections = engine, 32 })
			twins := 0
			for _, g := range sink.groups {
				for i := range g {
					if int(g[i].Attempt) != i+1 || i > 0 && (g[i].Call < g[i-1].Call || g[i].Node == g[i-1].Node || g[i].ID != g[0].ID) {
						t.Fatalf("attempt %d follows %+v: %+v", i+1, g[max(0, i-1)], g[i])
					}
				}
				last := g[len(g)-1]
				if !last.Replayed || last.Outcome != history.OK || last.Call <= g[0].Return {
					t.Errorf("a key was left at %+v", g)
				}
				if g[1].Call < g[0].Return {
					twins++
				}
			}
			share := float64(len(sink.groups)) / float64(len(sink.groups)+sink.plain)
			if share < 0.4 || share > 0.6 || twins < len(sink.groups)/10 || twins > len(sink.groups)/2 || o.Errors > 0 || o.Keyless > 0 {
				t.Errorf("%.0f%% of the requests had a key, %d of %d sent twice at once; %d errors, %d without a key", 100*share, twins, len(sink.groups), o.Errors, o.Keyless)
			}
			st := o.Steps[len(o.Steps)-1]
			if st.Sent > st.Planned || o.Requests <= st.Sent {
				t.Errorf("planned %d, sent %d of %d requests: retries are no hits of the step", st.Planned, st.Sent, o.Requests)
			}
		})
	}
}

// An answer that was lost is asked for again until it comes.
func TestLostAnswersAreAskedForAgain(t *testing.T) {
	sink, o := keyRun(t, t.Context(), targettest.Named("sessions-resets"), func(p *history.Plan) { p.KeyRatio = 1 })
	lost := 0
	for _, g := range sink.groups {
		op := history.Fold(nil, g)
		if len(op) != 1 || op[0].Outcome != history.OK {
			t.Errorf("a key came to nothing: %+v", g)
		}
		if g[0].Outcome == history.Unknown {
			lost++
		}
	}
	if lost == 0 || o.Errors < uint64(lost) || o.Reasons["reset"] != o.Errors {
		t.Errorf("%d first answers were lost; %d errors: %v", lost, o.Errors, o.Reasons)
	}
}

// A run that was interrupted does not ask again, and leaves nothing in flight.
func TestKeysOfAnInterruptedRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	b := targettest.Named("hangs-at-once")
	b.Nodes = 2
	sink, o := keyRun(t, ctx, b, func(p *history.Plan) {
		p.KeyRatio, p.Timeout, p.Duration, p.Warmup = 1, time.Minute, time.Minute, 0
		time.AfterFunc(200*time.Millisecond, cancel)
	})
	for _, g := range sink.groups {
		if op := history.Fold(nil, g); len(op) != 1 || op[0].Outcome == history.OK || len(g) > 2 {
			t.Errorf("a key came to %+v", g)
		}
	}
	if len(sink.groups) == 0 || !o.Interrupted {
		t.Errorf("%d keys, interrupted: %v", len(sink.groups), o.Interrupted)
	}
}

// Nor does a run whose target is lost.
func TestKeysOfALostTarget(t *testing.T) {
	b := targettest.Named("hangs")
	b.Nodes = 2
	sink, o := keyRun(t, t.Context(), b, func(p *history.Plan) {
		p.KeyRatio, p.Timeout, p.Duration, p.Warmup = 1, 300*time.Millisecond, time.Minute, 0
	})
	if last := o.Steps[len(o.Steps)-1]; last.Limit != history.TargetLost || len(sink.groups) == 0 {
		t.Errorf("the run of %d keys ended by %q", len(sink.groups), last.Limit)
	}
}

// A target that never answers a key does not keep the run: it is given up.
func TestKeysAreGivenUp(t *testing.T) {
	b := targettest.Named("503-maybe")
	b.Period = 1
	sink, _ := keyRun(t, t.Context(), b, func(p *history.Plan) {
		p.KeyRatio, p.Timeout, p.SLO, p.Rate, p.Duration = 1, 50*time.Millisecond, "errors<100%", 100, 300*time.Millisecond
	})
	most := 0
	for _, g := range sink.groups {
		most = max(most, len(g))
		if last := g[len(g)-1]; last.Call-g[0].Call > patience*50*time.Millisecond+time.Second || len(g) > maxAttempts {
			t.Errorf("a key was sent %d times, for %s", len(g), last.Call-g[0].Call)
		}
	}
	if most < 3 {
		t.Errorf("no key was sent more than %d times", most)
	}
}

// keysOf is what newRunner makes for a plan.
func keysOf(t *testing.T, change func(*history.Plan)) *runner {
	t.Helper()
	spec := DefaultPlan()
	spec.Target, spec.IDs = "http://127.0.0.1:1", []string{"a"}
	change(&spec)
	p, err := Prepare(spec, nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := newRunner(p, []string{"127.0.0.1:1"}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestKeysInFlightAreBounded(t *testing.T) {
	if s := keysOf(t, func(*history.Plan) {}).sessions; s != nil || s.begin(0, 0) != nil {
		t.Error("a plan without keys has sessions")
	}
	s := keysOf(t, func(p *history.Plan) { p.KeyRatio = 1e-9 }).sessions
	for range 1000 {
		if s.begin(0, 0) != nil {
			t.Fatal("one in 10^9 is one in 1000")
		}
	}
	s.ratio = 1
	for i := range len(s.all) {
		if s.begin(0, 0) == nil {
			t.Errorf("key %d of %d is refused", i+1, len(s.all))
		}
	}
	if s.begin(0, 0) != nil || s.without.Load() != 1 {
		t.Errorf("a key more than retriers; %d went without", s.without.Load())
	}
	p := &Plan{Plan: history.Plan{KeyRatio: 1, Connections: 60_000}}
	if n := p.retriers(); n != maxRetriers {
		t.Errorf("%d retriers; want %d at most", n, maxRetriers)
	}
}

// A key is used for two ids at most, once each.
func TestKeysAreFresh(t *testing.T) {
	for ids, least := range map[int]int{1: 1000, 4: 500} {
		s := keysOf(t, func(p *history.Plan) { p.KeyRatio, p.IDs = 1, []string{"a", "b", "c", "d"}[:ids] }).sessions
		used := map[sessionKey][]int{}
		for i := range 1000 {
			key := s.key(i % ids)
			used[key] = append(used[key], i%ids)
			if k, ok := api.ParseKey(key[:]); !ok || k != string(key[:]) {
				t.Fatalf("key %q is not one", key)
			}
		}
		for key, by := range used {
			if len(by) > 2 || len(by) == 2 && by[0] == by[1] {
				t.Errorf("key %q was used for %v", key, by)
			}
		}
		if len(used) < least || ids > 1 && len(used) > 600 {
			t.Errorf("%d keys for %d ids, 1000 times", len(used), ids)
		}
	}
}

func TestRequestWithKey(t *testing.T) {
	for _, method := range Methods {
		r := keysOf(t, func(p *history.Plan) { p.KeyRatio, p.Method, p.Headers = 1, method, []string{"X-A: b"} })
		k := r.sessions.begin(0, 0)
		got := k.appendRequest(nil, r.queues[0].request)
		in := bufio.NewReader(bytes.NewReader(got))
		req, err := http.ReadRequest(in)
		if err != nil {
			t.Fatal(err)
		}
		rest, _ := io.ReadAll(in)
		if req.Method != method || req.Header.Get(api.KeyHeader) != string(k.key[:]) || req.Header.Get("X-A") != "b" || len(rest) > 0 ||
			req.URL.Path != "/turno/a" || strings.Contains(string(r.queues[0].request), api.KeyHeader) {
			t.Errorf("the request reads %+v, then %q", req, rest)
		}
	}
}

func TestPlanOfKeys(t *testing.T) {
	for _, tt := range []struct {
		ratio   float64
		headers []string
		want    string
	}{
		{0, nil, ""}, {1, nil, ""}, {0, []string{"idempotency-key: x"}, ""},
		{-0.1, nil, "idempotency-key-ratio -0.1: want 0 to 1"},
		{1.5, nil, "want 0 to 1"},
		{0.1, []string{"idempotency-key: x"}, "header Idempotency-Key and idempotency-key-ratio"},
	} {
		spec := DefaultPlan()
		spec.Target, spec.IDs, spec.KeyRatio, spec.Headers = "localhost", []string{"a"}, tt.ratio, tt.headers
		if _, err := Prepare(spec, nil); (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Prepare(ratio %v, headers %q): %v; want %q", tt.ratio, tt.headers, err, tt.want)
		}
	}
	p := &Plan{Plan: history.Plan{KeyRatio: 0.5, Connections: 100, ConnectTo: []string{"a:1", "b:1"}}}
	if err := p.CheckOpenFiles(400); err == nil || !strings.Contains(err.Error(), "408 connections need 472 open files") {
		t.Errorf("CheckOpenFiles(400): %v; want the retriers' connections counted", err)
	}
}

// What a run says of keys that it could not send.
func TestConcludeOfKeys(t *testing.T) {
	p := &Plan{Plan: history.Plan{KeyRatio: 0.5, Connections: 10}}
	said := strings.Join(Conclude(p, &Outcome{Keyless: 7}, history.Proof{}).Remarks, "\n")
	if !strings.Contains(said, "7 requests went without") || !strings.Contains(said, "as many keys as are kept, 19") || !strings.Contains(said, "no request was sent with") {
		t.Errorf("remarks %q", said)
	}
	if said := Conclude(p, &Outcome{}, history.Proof{Sessions: &history.Sessions{Keys: 1}}).Remarks; len(said) > 0 {
		t.Errorf("remarks %q; want none", said)
	}
}

package loadgen

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/turnomatico/tmctl/history"
)

// nullSink takes everything and counts it.
type nullSink struct {
	ops       uint64
	watermark time.Duration
	early     int // ops that came after a watermark had promised them away
}

func (s *nullSink) Add(b history.Batch) error {
	for _, op := range b.Ops {
		if op.Call < s.watermark {
			s.early++
		}
	}
	s.ops += uint64(len(b.Ops))
	s.watermark = b.Watermark
	return nil
}
func (s *nullSink) Violations() uint64 { return 0 }

type logWatcher struct{ t testing.TB }

func (w logWatcher) Progress(Moment) {}
func (w logWatcher) StepDone(s history.Step) {
	w.t.Logf("%-8s %9.0f/s planned %7d sent %7d in time %7d errors %d p50 %s p99 %s service p99 %s lag p99 %s inflight %d cpu %.0f%% host %.0f%% pass %v %s",
		s.Phase, s.PlannedRate, s.Planned, s.Sent, s.Answered, s.Errors, s.Latency.P50, s.Latency.P99, s.Service.P99, s.LagP99, s.InFlightMax, s.GeneratorCPU, s.HostCPU, s.Pass, s.Why)
}

// counterServer is a right turn server on a free port.
func counterServer(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var n atomic.Uint64
	srv := &fasthttp.Server{NoDefaultServerHeader: true, Handler: func(ctx *fasthttp.RequestCtx) {
		ctx.SetContentType("application/json")
		id := ctx.Path()[len("/turno/"):]
		fmt.Fprintf(ctx, `{"id":"%s","turno":%d}`, id, n.Add(1))
	}}
	go func() { _ = srv.Serve(ln) }()
	t.Cleanup(func() { _ = srv.Shutdown() })
	return ln.Addr().String()
}

func drivePlan(t testing.TB, spec history.Plan) (*Outcome, *nullSink) {
	t.Helper()
	spec.IDs = []string{"a"}
	p, err := Prepare(spec, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Connect(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	var sink nullSink
	o, err := s.Run(context.Background(), time.Now(), &sink, logWatcher{t})
	if err != nil {
		t.Fatal(err)
	}
	return o, &sink
}

func TestEnginesDriveAFixedRate(t *testing.T) {
	for _, engine := range Engines {
		for _, arrivals := range Arrivals {
			t.Run(engine+" "+arrivals, func(t *testing.T) {
				spec := DefaultPlan()
				spec.Target, spec.Engine, spec.Arrivals = counterServer(t), engine, arrivals
				spec.Rate, spec.Duration, spec.Warmup, spec.Connections = 2000, time.Second, 200*time.Millisecond, 16
				o, sink := drivePlan(t, spec)
				if sink.early > 0 {
					t.Errorf("%d ops were called before a watermark that had promised them away", sink.early)
				}
				st := o.Steps[len(o.Steps)-1]
				late := st.Limit == history.LimitGenerator || st.Limit == history.LimitHost // this machine is too busy: it says so
				if st.Sent > st.Planned || st.Sent < st.Planned && !late || st.Errors != 0 || o.Requests != sink.ops {
					t.Errorf("planned %d, sent %d, %d errors; %d requests, %d recorded", st.Planned, st.Sent, st.Errors, o.Requests, sink.ops)
				}
			})
		}
	}
}

package server

import (
	"context"
	"log/slog"
	"math"
	"regexp"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	dto "github.com/prometheus/client_model/go"

	"github.com/turnomatico/tmctl/server/api"
)

// lostLog is the kind of what is lost when a line of the log can't be written.
const lostLog = "log"

// observe adds what those need who watch the node: the same as /metrics says, under other names.
func (s *Server) observe(o *api.Snapshot) {
	took := new(distribution)
	s.parts.books.took.addTo(took)
	o.Connections, o.MaxConnections = s.conns.open(), s.conns.admission.total
	o.Durations, o.StoreCalls = s.metrics.durations().wire(), took.wire()
	o.StoreErrors = s.parts.books.failed()
	o.Rollbacks, o.Skipped = s.parts.skipped()
	o.Lost = s.lost()
	o.Process = process(s.process)
}

// lost is what the node could not say of itself, by kind.
func (s *Server) lost() map[string]uint64 {
	n := map[string]uint64{lostLog: s.lostLogs.Load()}
	if s.config.Journal != nil {
		n[lostEvents] = s.config.Journal.Dropped()
	}
	return n
}

// failed counts the calls that were not answered, by kind.
func (b *books) failed() map[string]uint64 {
	n := map[string]uint64{}
	for kind := range b.failures {
		n[failureNames[kind]] = b.failures[kind].Load()
	}
	return n
}

// wire is d in its classic buckets.
func (d *distribution) wire() api.Histogram {
	h := api.Histogram{Count: d.count, Sum: d.nanos}
	var upTo uint64
	for i, n := range d.classic {
		upTo += n
		h.Bounds = append(h.Bounds, nanos(classicBounds[i]))
		h.Counts = append(h.Counts, upTo)
	}
	return h
}

func nanos(seconds float64) int64 { return int64(math.Round(seconds * float64(time.Second))) }

// Go's own metrics that are not exported unless asked for.
var runtimeMetrics = regexp.MustCompile(`^/sched/latencies:seconds$|^/cpu/classes/gc/total:cpu-seconds$`)

// newProcess gathers what this process costs.
func newProcess() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(collectors.GoRuntimeMetricsRule{Matcher: runtimeMetrics})))
	return r
}

// process reads it. What this system does not tell stays 0.
func process(r *prometheus.Registry) (p api.Process) {
	families, _ := r.Gather() // with an error it holds what could be had
	for _, f := range families {
		m := f.GetMetric()[0]
		switch f.GetName() {
		case "process_cpu_seconds_total":
			p.CPU = nanos(m.GetCounter().GetValue())
		case "go_cpu_classes_gc_total_cpu_seconds_total":
			p.GC = nanos(m.GetCounter().GetValue())
		case "go_sched_gomaxprocs_threads":
			p.Cores = int(m.GetGauge().GetValue())
		case "go_goroutines":
			p.Goroutines = int(m.GetGauge().GetValue())
		case "process_open_fds":
			p.Files = int(m.GetGauge().GetValue())
		case "process_max_fds":
			p.MaxFiles = int(min(m.GetGauge().GetValue(), math.MaxInt32)) // no bound is a very large number
		case "go_sched_latencies_seconds":
			p.RunQueue = wire(m.GetHistogram())
		}
	}
	return p
}

// wire is a histogram of Prometheus.
func wire(h *dto.Histogram) api.Histogram {
	w := api.Histogram{Count: h.GetSampleCount(), Sum: nanos(h.GetSampleSum())}
	for _, b := range h.GetBucket() {
		if bound := b.GetUpperBound(); !math.IsInf(bound, 0) {
			w.Bounds = append(w.Bounds, nanos(bound))
			w.Counts = append(w.Counts, b.GetCumulativeCount())
		}
	}
	return w
}

// countedLog counts the lines that could not be written: slog drops their errors.
type countedLog struct {
	slog.Handler
	lost *atomic.Uint64
}

var _ slog.Handler = countedLog{}

// Handle implements slog.Handler.
func (h countedLog) Handle(ctx context.Context, r slog.Record) error {
	err := h.Handler.Handle(ctx, r)
	if err != nil {
		h.lost.Add(1)
	}
	return err
}

// WithAttrs implements slog.Handler.
func (h countedLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return countedLog{h.Handler.WithAttrs(attrs), h.lost}
}

// WithGroup implements slog.Handler.
func (h countedLog) WithGroup(name string) slog.Handler {
	return countedLog{h.Handler.WithGroup(name), h.lost}
}

package server_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/api"
	"github.com/turnomatico/tmctl/server/store/memory"
)

// A snapshot says of the process what /metrics says.
func TestSnapshotOfProcess(t *testing.T) {
	r := busy(t)
	s := r.snapshot()
	p, families := s.Process, r.metrics()
	if p.CPU <= 0 || p.Cores != runtime.GOMAXPROCS(0) || p.Goroutines < 2 || p.RunQueue.Count == 0 {
		t.Errorf("process = %+v; want CPU time, %d cores, goroutines, and how long they waited", p, runtime.GOMAXPROCS(0))
	}
	if runtime.GOOS == "linux" && (p.Files < 3 || p.MaxFiles < p.Files) {
		t.Errorf("%d of %d files are open; want some", p.Files, p.MaxFiles)
	}
	later := value(families, "process_cpu_seconds_total", "")
	if cpu := time.Duration(p.CPU).Seconds(); cpu > later || later > cpu+10 {
		t.Errorf("snapshot has %.3f s of CPU time, /metrics %.3f s", cpu, later)
	}
	for _, name := range []string{"go_sched_latencies_seconds", "go_cpu_classes_gc_total_cpu_seconds_total", "go_sched_gomaxprocs_threads"} {
		if families[name] == nil {
			t.Errorf("no %s", name)
		}
	}
}

// A snapshot has the same histogram as /metrics, in nanoseconds.
func TestSnapshotOfDurations(t *testing.T) {
	r := busy(t)
	got, want := r.snapshot().Durations, r.metrics()["turno_request_duration_seconds"].GetMetric()[0].GetHistogram()
	if got.Count != 3 || got.Count != want.GetSampleCount() || got.Sum <= 0 {
		t.Errorf("durations = %+v; want %d", got, want.GetSampleCount())
	}
	for i, b := range want.GetBucket() {
		if math.IsInf(b.GetUpperBound(), 1) {
			continue
		}
		if le := time.Duration(got.Bounds[i]).Seconds(); le != b.GetUpperBound() || got.Counts[i] != b.GetCumulativeCount() {
			t.Errorf("%d took at most %v s; want %d, %v", got.Counts[i], le, b.GetCumulativeCount(), b.GetUpperBound())
		}
	}
}

// fullDisk is a log that nothing can be written to.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestLostLogLinesAreCounted(t *testing.T) {
	r := run(t, memory.New(server.Bounds{IDs: 1}), func(c *server.Config) { c.Log = slog.New(slog.NewJSONHandler(fullDisk{}, nil)) })
	for r.snapshot().Lost["log"] == 0 { // the line of the start comes after it takes requests
		runtime.Gosched()
	}
	if n := value(r.metrics(), "turno_telemetry_lost_total", "log"); n < 1 {
		t.Errorf("turno_telemetry_lost_total = %v; want at least 1", n)
	}
}

func (r *running) snapshot() (s api.Snapshot) {
	r.t.Helper()
	if _, body, _ := r.get(api.SnapshotPath); json.Unmarshal([]byte(body), &s) != nil {
		r.t.Fatalf("%s is no snapshot", body)
	}
	return s
}

package server_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/api"
	"github.com/turnomatico/tmctl/server/store/memory"
)

func TestAdmin(t *testing.T) {
	tests := []struct {
		path   string
		status int
		want   string // in the body
	}{
		{api.HealthPath, 200, "ok"},
		{api.ReadyPath, 200, "ready"},
		{api.CountersPath + "grupo1", 200, `{"id":"grupo1","turno":3}`},
		{api.CountersPath + "grupo2", 404, `"code":"not_found"`},
		{api.CountersPath + "a%20b", 400, `"code":"bad_id"`},
		{api.CountersPath, 404, ""},
		{api.TurnoPath + "grupo1", 404, ""},
		{"/debug/pprof/", 200, "goroutine"},
		{"/debug/pprof/cmdline", 404, ""}, // may hold a password
	}
	store := memory.New(server.Bounds{IDs: 10})
	r := run(t, store, nil)
	takeOf(t, store, "grupo1", 3)
	for _, tt := range tests {
		status, body, _ := r.get(tt.path)
		if status != tt.status || !strings.Contains(body, tt.want) {
			t.Errorf("GET %s = %d %s; want %d … %s", tt.path, status, body, tt.status, tt.want)
		}
	}
	if ids := store.Info().IDs; ids != 1 {
		t.Errorf("looking made %d ids; want 0", ids-1)
	}
	resp, err := http.Post("http://"+r.AdminAddr()+api.CountersPath+"grupo1", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST %sgrupo1 = %d; want 405", api.CountersPath, resp.StatusCode)
	}
}

// busy answers some requests in each way, and asks the admin plane things that must not count.
func busy(t *testing.T) *running {
	r := run(t, memory.New(server.Bounds{IDs: 1}), func(c *server.Config) { c.Version, c.PID = "v9", 42 })
	for _, path := range []string{"/turno/a", "/turno/a", "/turno/a", "/turno/%20", "/elsewhere", "/turno/b"} {
		r.ask("GET " + path + " HTTP/1.1\r\n" + host + "\r\n")
	}
	r.ask("HEAD /turno/a HTTP/1.1\r\n" + host + "\r\n")
	r.ask("hello\r\n\r\n")
	r.get(api.CountersPath + "%20")
	r.settled()
	return r
}

var busyRequests = map[string]uint64{"ok": 3, "bad_id": 1, "bad_request": 1, "not_found": 1, "method": 1, "too_many_ids": 1,
	"exhausted": 0, "overloaded": 0, "store_unavailable": 0, "client_gone": 0, "replayed": 0, "bad_key": 0, "sessions_full": 0, "prefetch": 0}

func TestSnapshot(t *testing.T) {
	r := busy(t)
	status, body, h := r.get(api.SnapshotPath)
	var s api.Snapshot
	if err := json.Unmarshal([]byte(body), &s); err != nil || status != 200 || h.Get("Content-Type") != "application/json" {
		t.Fatalf("GET %s = %d %s: %v", api.SnapshotPath, status, body, err)
	}
	if !maps.Equal(s.Requests, busyRequests) {
		t.Errorf("requests = %v; want %v", s.Requests, busyRequests)
	}
	s.Requests = nil
	want := api.Snapshot{At: s.At, Name: r.Addr(), Version: "v9", Go: s.Go, PID: 42, Uptime: s.Uptime, State: "ready", Store: "memory",
		Promise: "volatile: starts again at 1 after a restart", IDs: 1, MaxIDs: 1,
		Ledger:   api.Ledger{Issued: 3, Delivered: 3, Burned: map[string]uint64{"client_gone": 0, "late": 0, "rollback": 0, "write_failed": 0}},
		Declared: []api.Range{}, Connections: s.Connections, MaxConnections: server.DefaultMaxConns,
		StoreErrors: map[string]uint64{"changed": 0, "timeout": 0, "unavailable": 0, "unknown": 0}, Lost: map[string]uint64{"log": 0}}
	s.Durations, s.StoreCalls, s.Process = api.Histogram{}, api.Histogram{}, api.Process{} // observe_test.go looks at them
	if got, want := marshal(t, s), marshal(t, want); got != want || s.Uptime <= 0 || s.At == "" || s.Go == "" {
		t.Errorf("snapshot = %s; want %s", got, want)
	}
}

func TestMetrics(t *testing.T) {
	r := busy(t)
	families := r.metrics()
	for code, want := range busyRequests {
		if got := value(families, "turno_requests_total", code); got != float64(want) {
			t.Errorf("turno_requests_total{code=%q} = %v; want %d", code, got, want)
		}
	}
	tests := []struct {
		name, label string
		want        float64
	}{
		{"turno_issued_total", "", 3}, {"turno_delivered_total", "", 3}, {"turno_unknown_total", "", 0}, {"turno_undelivered", "", 0},
		{"turno_burned_total", "late", 0}, {"turno_rollbacks_total", "", 0}, {"turno_declared_total", "", 0},
		{"turno_store_calls_total", "", 0}, {"turno_store_errors_total", "timeout", 0}, {"turno_ids", "", 1}, {"turno_ids_limit", "", 1}, {"turno_connections_limit", "", server.DefaultMaxConns},
		{"turno_store_info", "volatile: starts again at 1 after a restart", 1}, {"turno_telemetry_lost_total", "log", 0}, {"turno_in_flight_requests", "", 0},
		{"turno_state", "ready", 1}, {"turno_state", "draining", 0}, {"turno_build_info", "v9", 1},
	}
	for _, tt := range tests {
		if got := value(families, tt.name, tt.label); got != tt.want {
			t.Errorf("%s{%s} = %v; want %v", tt.name, tt.label, got, tt.want)
		}
	}
	d := families["turno_request_duration_seconds"].GetMetric()[0].GetHistogram()
	if d.GetSampleCount() != 3 || d.GetSampleSum() <= 0 || d.GetBucket()[0].GetUpperBound() != 50e-6 {
		t.Errorf("turno_request_duration_seconds = %v; want 3 samples, buckets from 50µs", d)
	}
	for _, name := range []string{"go_goroutines", "process_cpu_seconds_total"} {
		if families[name] == nil {
			t.Errorf("no %s", name)
		}
	}
}

// The protobuf form holds native buckets besides the classic ones.
func TestNativeHistogram(t *testing.T) {
	r := busy(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+r.AdminAddr()+api.MetricsPath, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", string(expfmt.NewFormat(expfmt.TypeProtoDelim)))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	for dec := expfmt.NewDecoder(resp.Body, expfmt.ResponseFormat(resp.Header)); ; {
		var f dto.MetricFamily
		if err := dec.Decode(&f); err != nil {
			t.Fatalf("no turno_request_duration_seconds: %v", err)
		}
		if f.GetName() != "turno_request_duration_seconds" {
			continue
		}
		h := f.GetMetric()[0].GetHistogram()
		in := int64(h.GetZeroCount())
		var n int64
		for _, delta := range h.GetPositiveDelta() {
			n += delta
			in += n
		}
		if h.GetSchema() != 3 || in != 3 || len(h.GetBucket()) == 0 {
			t.Errorf("histogram = %v; want 3 samples in native buckets of schema 3, and classic buckets", h)
		}
		return
	}
}

// metrics reads what the admin plane exports.
func (r *running) metrics() map[string]*dto.MetricFamily {
	r.t.Helper()
	_, body, _ := r.get(api.MetricsPath)
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	return families
}

// value is that of the metric one of whose labels is label; −1 when there is none.
func value(families map[string]*dto.MetricFamily, name, label string) float64 {
	for _, m := range families[name].GetMetric() {
		is := func(l *dto.LabelPair) bool { return l.GetValue() == label }
		if label == "" || slices.ContainsFunc(m.GetLabel(), is) {
			return m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return -1
}

func marshal(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

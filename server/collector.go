package server

import (
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
)

// What /metrics says of the public listener. An id is never a label: there are as many ids as clients care to invent.
var (
	descRequests = prometheus.NewDesc("turno_requests_total", "Requests by code; ok handed out a number.", []string{"code"}, nil)
	descDuration = prometheus.NewDesc("turno_request_duration_seconds",
		"How long it took to hand out a number, from the parsed request to the made answer.", nil, nil)
	descInFlight    = prometheus.NewDesc("turno_in_flight_requests", "Requests that wait for the store.", nil, nil)
	descConns       = prometheus.NewDesc("turno_connections", "Open connections of the public listener.", nil, nil)
	descMaxConns    = prometheus.NewDesc("turno_connections_limit", "Connections that may be open.", nil, nil)
	descIDs         = prometheus.NewDesc("turno_ids", "Live ids.", nil, nil)
	descMaxIDs      = prometheus.NewDesc("turno_ids_limit", "Ids that may live.", nil, nil)
	descSessions    = prometheus.NewDesc("turno_sessions", "Idempotency keys that have a number.", nil, nil)
	descMaxSessions = prometheus.NewDesc("turno_sessions_limit", "Idempotency keys that may have one.", nil, nil)
	descState       = prometheus.NewDesc("turno_state", "1 for the state that the server is in.", []string{"state"}, nil)
	descBuild       = prometheus.NewDesc("turno_build_info", "1, with what runs here.", []string{"version", "goversion", "store"}, nil)
	descPromise     = prometheus.NewDesc("turno_store_info", "1, with what the store promises now.", []string{"store", "promise"}, nil)
	descLost        = prometheus.NewDesc("turno_telemetry_lost_total", "What the server could not say of itself, by kind.", []string{"kind"}, nil)
)

// What /metrics says of the numbers (api.Ledger) and of the store.
var (
	descIssued      = prometheus.NewDesc("turno_issued_total", "Numbers that the store gave, or may have given, this process.", nil, nil)
	descDelivered   = prometheus.NewDesc("turno_delivered_total", "Numbers whose answer was written.", nil, nil)
	descBurned      = prometheus.NewDesc("turno_burned_total", "Numbers that nobody has, by reason.", []string{"reason"}, nil)
	descUnknown     = prometheus.NewDesc("turno_unknown_total", "Numbers of which the store's answer was lost.", nil, nil)
	descUndelivered = prometheus.NewDesc("turno_undelivered", "Numbers on their way to the client.", nil, nil)
	descRollbacks   = prometheus.NewDesc("turno_rollbacks_total", "Ids found to have gone back in the store.", nil, nil)
	descDeclared    = prometheus.NewDesc("turno_declared_total", "Numbers skipped on purpose after the store went back.", nil, nil)
	descCalls       = prometheus.NewDesc("turno_store_calls_total", "Calls of the store; the requests of all ids that wait share one.", nil, nil)
	descBlocks      = prometheus.NewDesc("turno_store_blocks_total", "Blocks asked for; the requests of an id that wait share one.", nil, nil)
	descErrors      = prometheus.NewDesc("turno_store_errors_total", "Calls of the store that failed, by kind.", []string{"kind"}, nil)
	descTook        = prometheus.NewDesc("turno_store_call_duration_seconds", "How long the store took to answer a call.", nil, nil)
)

// collector shows the server's own counters in Prometheus' form.
type collector struct{ *Server }

var _ prometheus.Collector = collector{}

func (s *Server) metricsHandler() http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(collector{s})
	return promhttp.HandlerFor(prometheus.Gatherers{r, s.process}, promhttp.HandlerOpts{EnableOpenMetrics: true})
}

// Describe implements prometheus.Collector.
func (c collector) Describe(out chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, out) }

// Collect implements prometheus.Collector.
func (c collector) Collect(out chan<- prometheus.Metric) {
	send := func(d *prometheus.Desc, t prometheus.ValueType, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, t, v, labels...)
	}
	for code, n := range c.metrics.requests() {
		send(descRequests, prometheus.CounterValue, float64(n), code)
	}
	d := c.metrics.durations()
	out <- duration{d.asNative(descDuration, c.started), d}
	info := c.store.Info()
	send(descInFlight, prometheus.GaugeValue, float64(c.parts.waiting()))
	send(descConns, prometheus.GaugeValue, float64(c.conns.open()))
	send(descMaxConns, prometheus.GaugeValue, float64(c.conns.admission.total))
	send(descIDs, prometheus.GaugeValue, float64(info.IDs))
	send(descMaxIDs, prometheus.GaugeValue, float64(info.Bounds.IDs))
	send(descSessions, prometheus.GaugeValue, float64(info.Sessions))
	send(descMaxSessions, prometheus.GaugeValue, float64(info.Bounds.Sessions))
	for i, name := range stateNames {
		is := 0.0
		if State(i) == c.State() {
			is = 1
		}
		send(descState, prometheus.GaugeValue, is, name)
	}
	send(descBuild, prometheus.GaugeValue, 1, c.config.Version, runtime.Version(), info.Name)
	send(descPromise, prometheus.GaugeValue, 1, info.Name, info.Promise)
	for kind, n := range c.lost() {
		send(descLost, prometheus.CounterValue, float64(n), kind)
	}
	c.collectNumbers(send)
	took := new(distribution)
	c.parts.books.took.addTo(took)
	out <- duration{took.asNative(descTook, c.started), took}
}

// collectNumbers shows the ledger and what was asked of the store.
func (c collector) collectNumbers(send func(d *prometheus.Desc, t prometheus.ValueType, v float64, labels ...string)) {
	count := func(d *prometheus.Desc, n uint64, labels ...string) {
		send(d, prometheus.CounterValue, float64(n), labels...)
	}
	l := c.ledger()
	count(descIssued, l.Issued)
	count(descDelivered, l.Delivered)
	for reason, n := range l.Burned {
		count(descBurned, n, reason)
	}
	count(descUnknown, l.Unknown)
	send(descUndelivered, prometheus.GaugeValue, float64(l.InFlight))
	rollbacks, declared := c.parts.skipped()
	count(descRollbacks, rollbacks)
	count(descDeclared, declared)
	books := c.parts.books
	count(descCalls, books.calls.Load())
	count(descBlocks, books.blocks.Load())
	for kind := range books.failures {
		count(descErrors, books.failures[kind].Load(), failureNames[kind])
	}
}

// asNative is d as Prometheus' native histogram.
func (d *distribution) asNative(desc *prometheus.Desc, since time.Time) prometheus.Metric {
	positive := map[int]int64{}
	for i, n := range d.native {
		if n > 0 {
			positive[i+lowest+1] = int64(n)
		}
	}
	m, err := prometheus.NewConstNativeHistogram(desc, d.count, time.Duration(d.nanos).Seconds(), positive, nil,
		d.zero, schema, zeroThreshold, since)
	if err != nil {
		return prometheus.NewInvalidMetric(desc, err)
	}
	return m
}

// duration is a native histogram with classic buckets besides, which client_golang makes in one only by its own counting.
type duration struct {
	prometheus.Metric
	*distribution
}

// Write implements prometheus.Metric.
func (m duration) Write(out *dto.Metric) error {
	if err := m.Metric.Write(out); err != nil {
		return err
	}
	var upTo uint64
	for i, n := range m.classic {
		upTo += n
		bound, count := classicBounds[i], upTo
		out.Histogram.Bucket = append(out.Histogram.Bucket, &dto.Bucket{UpperBound: &bound, CumulativeCount: &count})
	}
	return nil
}

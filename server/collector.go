package server

import (
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
)

// What /metrics says of the public listener. An id is never a label: there are as many ids as clients care to invent.
var (
	descRequests = prometheus.NewDesc("turno_requests_total", "Requests by code; ok handed out a number.", []string{"code"}, nil)
	descDuration = prometheus.NewDesc("turno_request_duration_seconds",
		"How long it took to hand out a number, from the parsed request to the made answer.", nil, nil)
	descIssued   = prometheus.NewDesc("turno_issued_total", "Numbers handed out by this process.", nil, nil)
	descInFlight = prometheus.NewDesc("turno_in_flight_requests", "Requests that wait for the store.", nil, nil)
	descConns    = prometheus.NewDesc("turno_connections", "Open connections of the public listener.", nil, nil)
	descIDs      = prometheus.NewDesc("turno_ids", "Live ids.", nil, nil)
	descMaxIDs   = prometheus.NewDesc("turno_ids_limit", "Ids that may live.", nil, nil)
	descState    = prometheus.NewDesc("turno_state", "1 for the state that the server is in.", []string{"state"}, nil)
	descBuild    = prometheus.NewDesc("turno_build_info", "1, with what runs here.", []string{"version", "goversion", "store"}, nil)
)

// collector shows the server's own counters in Prometheus' form.
type collector struct{ *Server }

var _ prometheus.Collector = collector{}

func (s *Server) metricsHandler() http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(collector{s}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{EnableOpenMetrics: true})
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
	out <- duration{d.asNative(c.started), d}
	info := c.store.Info()
	send(descIssued, prometheus.CounterValue, float64(d.count))
	send(descInFlight, prometheus.GaugeValue, float64(c.inFlight.Load()))
	send(descConns, prometheus.GaugeValue, float64(c.conns.open()))
	send(descIDs, prometheus.GaugeValue, float64(info.IDs))
	send(descMaxIDs, prometheus.GaugeValue, float64(info.MaxIDs))
	for i, name := range stateNames {
		is := 0.0
		if State(i) == c.State() {
			is = 1
		}
		send(descState, prometheus.GaugeValue, is, name)
	}
	send(descBuild, prometheus.GaugeValue, 1, c.config.Version, runtime.Version(), info.Name)
}

// asNative is d as Prometheus' native histogram.
func (d *distribution) asNative(since time.Time) prometheus.Metric {
	positive := map[int]int64{}
	for i, n := range d.native {
		if n > 0 {
			positive[i+lowest+1] = int64(n)
		}
	}
	m, err := prometheus.NewConstNativeHistogram(descDuration, d.count, time.Duration(d.nanos).Seconds(), positive, nil,
		d.zero, schema, zeroThreshold, since)
	if err != nil {
		return prometheus.NewInvalidMetric(descDuration, err)
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

package monitor

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/turnomatico/tmctl/server/api"
)

// metric is one series of a node: as /metrics names it, and where a snapshot has it. A metric has one label, or none.
type metric struct {
	name, label, value string
	of                 func(*api.Snapshot) float64
}

// up is the one metric that a node does not say itself.
const up = "up"

// states and codes are labels; so are bounds, those of a server's histograms. A real server is asked in a test whether it
// has all of these, and no other.
var (
	codes = []string{"ok", "replayed", string(api.BadID), string(api.BadRequest), string(api.Prefetch), string(api.NotFound),
		string(api.Method), string(api.Exhausted), string(api.TooManyIDs), string(api.Overloaded), string(api.StoreUnavailable),
		string(api.BadKey), string(api.SessionsFull), string(api.ClientGone)}
	failures = []string{"unavailable", "changed", "timeout", "unknown"}
	burns    = []string{api.BurnedClientGone, api.BurnedLate, api.BurnedWriteFailed, api.BurnedRollback}
	bounds   = []time.Duration{50 * time.Microsecond, 100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond,
		time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond,
		50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond}
)

// metrics is all that alerts are made of. What a node says is kept as a value of each, in this order.
var metrics = slices.Concat(
	[]metric{
		{"process_cpu_seconds_total", "", "", func(s *api.Snapshot) float64 { return seconds(s.Process.CPU) }},
		{"go_sched_gomaxprocs_threads", "", "", func(s *api.Snapshot) float64 { return float64(s.Process.Cores) }},
		{"turno_connections", "", "", func(s *api.Snapshot) float64 { return float64(s.Connections) }},
		{"turno_connections_limit", "", "", func(s *api.Snapshot) float64 { return float64(s.MaxConnections) }},
		{"turno_ids", "", "", func(s *api.Snapshot) float64 { return float64(s.IDs) }},
		{"turno_ids_limit", "", "", func(s *api.Snapshot) float64 { return float64(s.MaxIDs) }},
		{"turno_sessions", "", "", func(s *api.Snapshot) float64 { return float64(s.Sessions) }},
		{"turno_sessions_limit", "", "", func(s *api.Snapshot) float64 { return float64(s.MaxSessions) }},
		{"turno_issued_total", "", "", func(s *api.Snapshot) float64 { return float64(s.Ledger.Issued) }},
		{"turno_delivered_total", "", "", func(s *api.Snapshot) float64 { return float64(s.Ledger.Delivered) }},
		{"turno_unknown_total", "", "", func(s *api.Snapshot) float64 { return float64(s.Ledger.Unknown) }},
		{"turno_rollbacks_total", "", "", func(s *api.Snapshot) float64 { return float64(s.Rollbacks) }},
		{"turno_store_calls_total", "", "", func(s *api.Snapshot) float64 { return float64(s.Blocks.Calls) }},
	},
	labelled("turno_telemetry_lost_total", "kind", []string{"log"}, func(s *api.Snapshot) map[string]uint64 { return s.Lost }),
	labelled("turno_requests_total", "code", codes, func(s *api.Snapshot) map[string]uint64 { return s.Requests }),
	labelled("turno_burned_total", "reason", burns, func(s *api.Snapshot) map[string]uint64 { return s.Ledger.Burned }),
	labelled("turno_store_errors_total", "kind", failures, func(s *api.Snapshot) map[string]uint64 { return s.StoreErrors }),
	labelled("turno_state", "state", states, func(s *api.Snapshot) map[string]uint64 { return map[string]uint64{s.State: 1} }),
	histogram("turno_request_duration_seconds", func(s *api.Snapshot) *api.Histogram { return &s.Durations }),
	histogram("turno_store_call_duration_seconds", func(s *api.Snapshot) *api.Histogram { return &s.StoreCalls }),
)

// labelled is a metric of a family for each value of its label.
func labelled(name, label string, values []string, of func(*api.Snapshot) map[string]uint64) (all []metric) {
	for _, v := range values {
		all = append(all, metric{name, label, v, func(s *api.Snapshot) float64 { return float64(of(s)[v]) }})
	}
	return all
}

// histogram is what a histogram counts: all, and those up to each bound.
func histogram(name string, of func(*api.Snapshot) *api.Histogram) []metric {
	all := []metric{{name + "_count", "", "", func(s *api.Snapshot) float64 { return float64(of(s).Count) }}}
	for _, bound := range bounds {
		all = append(all, metric{name + "_bucket", "le", le(bound), func(s *api.Snapshot) float64 {
			h := of(s)
			i, found := slices.BinarySearch(h.Bounds, int64(bound))
			if !found || i >= len(h.Counts) {
				return float64(h.Count) // a server with other bounds says nothing about this one
			}
			return float64(h.Counts[i])
		}})
	}
	return all
}

// le is a bound as Prometheus labels it.
func le(bound time.Duration) string { return strconv.FormatFloat(bound.Seconds(), 'g', -1, 64) }

func seconds(nanos int64) float64 { return time.Duration(nanos).Seconds() }

// find is where the metrics of a family are whose label has one of the values, all of them where none is given.
func find(name string, values []string) (at []int) {
	for i, m := range metrics {
		if m.name == name && (len(values) == 0 || slices.Contains(values, m.value)) {
			at = append(at, i)
		}
	}
	return at
}

// Bounds are those at which nodes count durations, in nanoseconds.
func Bounds() []int64 {
	nanos := make([]int64, len(bounds))
	for i, b := range bounds {
		nanos[i] = int64(b)
	}
	return nanos
}

// Series is a metric of one node in a number of observations. A value is nil where the node did not answer.
type Series struct {
	metric   metric
	instance string
	Values   []*float64
}

// Name is the series as Prometheus names it.
func (s Series) Name() string {
	name := s.metric.name + `{job="` + Job + `",instance="` + s.instance + `"`
	if s.metric.label != "" {
		name += "," + s.metric.label + `="` + s.metric.value + `"`
	}
	return name + "}"
}

// Matters reports whether any of these expressions, as they are in PromQL, has the series.
func (s Series) Matters(promql string) bool {
	with := s.metric.name + `{job="` + Job + `"`
	if s.metric.label == "le" {
		with += `,le="` + s.metric.value + `"`
	}
	return strings.Contains(promql, with)
}

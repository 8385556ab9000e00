package export

import (
	"strings"

	"github.com/turnomatico/tmctl/monitor"
)

// row is a row of the dashboard, graph one of its graphs, line a line of that. In expressions $ stands for the nodes chosen.
type (
	row struct {
		title  string
		graphs []graph
	}
	graph struct {
		title, says, unit string
		table             bool
		lines             []line
	}
	line struct{ legend, expr string }
)

// pick puts the nodes chosen into an expression.
func pick(expr string) string {
	return strings.ReplaceAll(expr, "{$", `{job="`+monitor.Job+`",instance=~"$node"`)
}

// rows is the dashboard: what clients get (rate, errors, duration), what nodes cost (utilization, saturation, errors), the
// numbers, the store, and each node.
var rows = []row{
	{"What clients get", []graph{
		{title: "Requests", unit: "reqps", lines: []line{{"{{code}}", `sum by (code) (rate(turno_requests_total{$}[$__rate_interval]))`}}},
		{title: "Errors by the service's fault", says: "the budget of 30 days is 0.1 % unless you export other rules", unit: "percentunit", lines: []line{
			{"share", `sum(rate(turno_requests_total{$,code=~"overloaded|store_unavailable|sessions_full"}[$__rate_interval])) / sum(rate(turno_requests_total{$,code=~"ok|replayed|overloaded|store_unavailable|sessions_full"}[$__rate_interval]))`}}},
		{title: "How long an answer takes, as nodes see it", unit: "s", lines: []line{
			{"p50", quantile("0.5", "turno_request_duration_seconds")}, {"p99", quantile("0.99", "turno_request_duration_seconds")},
			{"p99.9", quantile("0.999", "turno_request_duration_seconds")}}},
	}},
	{"What nodes cost", []graph{
		{title: "CPU", says: "share of the cores that a node may use", unit: "percentunit", lines: []line{
			{"{{instance}}", `rate(process_cpu_seconds_total{$}[$__rate_interval]) / go_sched_gomaxprocs_threads{$}`},
			{"{{instance}} garbage", `rate(go_cpu_classes_gc_total_cpu_seconds_total{$}[$__rate_interval]) / go_sched_gomaxprocs_threads{$}`}}},
		{title: "How long a goroutine waits for a core, p99", unit: "s", lines: []line{
			{"{{instance}}", `histogram_quantile(0.99, sum by (instance, le) (rate(go_sched_latencies_seconds_bucket{$}[$__rate_interval])))`}}},
		{title: "Connections and open files", says: "share of their bounds", unit: "percentunit", lines: []line{
			{"{{instance}} connections", `turno_connections{$} / turno_connections_limit{$}`},
			{"{{instance}} files", `process_open_fds{$} / process_max_fds{$}`}}},
		{title: "Memory", unit: "bytes", lines: []line{{"{{instance}}", `process_resident_memory_bytes{$}`}}},
	}},
	{"The numbers", []graph{
		{title: "Issued and delivered", unit: "cps", lines: []line{
			{"issued", `sum(rate(turno_issued_total{$}[$__rate_interval]))`}, {"delivered", `sum(rate(turno_delivered_total{$}[$__rate_interval]))`}}},
		{title: "Numbers that reach nobody", unit: "cps", lines: []line{
			{"{{reason}}", `sum by (reason) (rate(turno_burned_total{$}[$__rate_interval]))`}, {"unknown", `sum(rate(turno_unknown_total{$}[$__rate_interval]))`}}},
		{title: "Rollbacks, and numbers skipped for them", unit: "short", lines: []line{
			{"{{instance}} rollbacks", `increase(turno_rollbacks_total{$}[$__rate_interval])`}, {"{{instance}} skipped", `increase(turno_declared_total{$}[$__rate_interval])`}}},
		{title: "Ids and keys", says: "share of their bounds", unit: "percentunit", lines: []line{
			{"{{instance}} ids", `turno_ids{$} / turno_ids_limit{$}`}, {"{{instance}} keys", `turno_sessions{$} / turno_sessions_limit{$}`}}},
	}},
	{"The store", []graph{
		{title: "Calls, and blocks in them", unit: "cps", lines: []line{
			{"calls", `sum(rate(turno_store_calls_total{$}[$__rate_interval]))`}, {"blocks", `sum(rate(turno_store_blocks_total{$}[$__rate_interval]))`}}},
		{title: "Calls that fail", unit: "cps", lines: []line{{"{{instance}} {{kind}}", `rate(turno_store_errors_total{$}[$__rate_interval])`}}},
		{title: "How long a call takes", unit: "s", lines: []line{
			{"p50", quantile("0.5", "turno_store_call_duration_seconds")}, {"p99", quantile("0.99", "turno_store_call_duration_seconds")}}},
		{title: "Requests that wait for it", unit: "short", lines: []line{{"{{instance}}", `turno_in_flight_requests{$}`}}},
	}},
	{"Each node", []graph{
		{title: "Nodes", table: true, lines: []line{
			{"up", `sum by (instance) (up{$})`}, {"ready", `sum by (instance) (turno_state{$,state="ready"})`},
			{"requests/s", `sum by (instance) (rate(turno_requests_total{$}[1m]))`},
			{"cores busy", `sum by (instance) (rate(process_cpu_seconds_total{$}[1m]))`},
			{"connections", `sum by (instance) (turno_connections{$})`},
			{"rollbacks", `sum by (instance) (turno_rollbacks_total{$})`},
			{"lost log lines", `sum by (instance) (turno_telemetry_lost_total{$})`}}},
		{title: "Versions and promises", table: true, lines: []line{
			{"build", `sum by (instance, version, goversion) (turno_build_info{$})`}, {"store", `sum by (instance, store, promise) (turno_store_info{$})`}}},
	}},
}

func quantile(q, histogram string) string {
	return `histogram_quantile(` + q + `, sum by (le) (rate(` + histogram + `_bucket{$}[$__rate_interval])))`
}

package monitor

import (
	"slices"
	"time"
)

// Severity says whom an alert is for.
type Severity string

const (
	Critical Severity = "critical" // wakes somebody
	Warning  Severity = "warning"  // is looked at the next day
)

// Alert is a worry: what it is, and when it is one.
type Alert struct {
	Name     string
	Severity Severity
	When     Expr          // has a value for each node that it is true of, or one for all
	For      time.Duration // how long it must be true before somebody is told
	OfAll    bool          // When is of all nodes together
	Summary  string        // one line, which follows the node's name, unless it is of all
	Unit     Unit          // of When's value
}

// Unit says how a value is shown to people.
type Unit string

const (
	Share Unit = "share" // of 1: as a percentage
	Count Unit = "count"
	None  Unit = "" // the value says nothing that the summary does not
)

// Windows of burn rates, of 30 days (Google's SRE Workbook, chapter 5): how many times faster than allowed errors use up
// their budget, over a long window, and over a short one to see that it still goes on. 14.4 for an hour is 2 % of it.
var (
	burnFast = []burn{{time.Hour, 5 * time.Minute, 14.4}, {6 * time.Hour, 30 * time.Minute, 6}}
	burnSlow = []burn{{24 * time.Hour, 2 * time.Hour, 3}, {72 * time.Hour, 6 * time.Hour, 1}}
)

type burn struct {
	long, short time.Duration
	times       float64
}

// Bounds of alerts that no flag sets.
const (
	minBad      = 10   // requests gone wrong in the short window, or a burn rate means nothing
	minRequests = 1000 // in 5 minutes, or nodes can't be compared
	minCalls    = 100  // of the store in 5 minutes, or they can't be judged
	nearBound   = 0.9
	// answersAConnection is how many answers a connection can hold back: those of requests that came in one packet.
	answersAConnection = 16
)

// Codes of answers by what they say of the service. The others are the client's doing, and are neither good nor bad.
var (
	goodCodes = []string{"ok", "replayed"}
	badCodes  = []string{"overloaded", "store_unavailable", "sessions_full"}
)

// Alerts lists them, the most urgent first. The config must be valid.
func Alerts(c Config) []Alert {
	list := append(nodeAlerts(c), serviceAlerts(c)...)
	list = append(list, numberAlerts(c)...)
	for i := range list {
		list[i].For = c.compressed(list[i].For)
	}
	return list
}

// nodeAlerts are about processes.
func nodeAlerts(c Config) []Alert {
	cpu := op{now("process_cpu_seconds_total").rateIn(c.compressed(2 * time.Minute)), "/", now("go_sched_gomaxprocs_threads")}
	asked := op{requests(slices.Concat(badCodes, goodCodes)).in(c.compressed(5 * time.Minute)), "and", op{now("turno_state").with("state", "ready"), "==", number(1)}}
	return []Alert{
		{Name: "TurnoNodeDown", Severity: Critical, For: 30 * time.Second, When: op{now(up), "==", number(0)},
			Summary: "does not answer on its admin plane"},
		{Name: "TurnoNodeNotReady", Severity: Warning, For: 2 * time.Minute, When: op{now("turno_state").with("state", "ready"), "==", number(0)},
			Summary: "runs, but takes no requests"},
		{Name: "TurnoCPUHigh", Severity: Warning, For: 2 * time.Minute, When: op{cpu, ">", number(c.CPU)}, Unit: Share,
			Summary: "uses more than " + percent(c.CPU) + " of its cores"},
		{Name: "TurnoConnectionsNearBound", Severity: Warning, For: time.Minute, When: near("turno_connections"), Unit: Share,
			Summary: "has nearly as many connections as it takes"},
		{Name: "TurnoImbalance", Severity: Warning, For: 5 * time.Minute, Unit: Share,
			When: op{op{abs{op{op{asked, "/", mean{asked}}, "-", number(1)}}, ">", number(c.Imbalance)},
				"and on ()", op{all{asked}, ">=", number(minRequests)}},
			Summary: "gets " + percent(c.Imbalance) + " more or fewer requests than the mean of the ready nodes"},
		{Name: "TurnoTelemetryLost", Severity: Warning, Unit: Count,
			When:    op{now("turno_telemetry_lost_total").in(c.compressed(10 * time.Minute)), ">", number(0)},
			Summary: "could not write all that it had to say of itself"},
	}
}

// serviceAlerts are about what clients get.
func serviceAlerts(c Config) []Alert {
	failed := sli{name: "turno_errors", budget: 1 - c.Objective, compress: c.compressed,
		all: requests(slices.Concat(badCodes, goodCodes)), bad: requests(badCodes)}
	slow := sli{name: "turno_slow", budget: 1 - c.LatencyObjective, compress: c.compressed,
		all: now("turno_request_duration_seconds_count"), within: now("turno_request_duration_seconds_bucket").with("le", le(c.Latency))}
	calls := c.compressed(5 * time.Minute)
	answered, quick := now("turno_store_call_duration_seconds_count").in(calls), now("turno_store_call_duration_seconds_bucket").with("le", le(c.StoreLatency)).in(calls)
	wrong, made := now("turno_store_errors_total").in(calls), now("turno_store_calls_total").in(calls)
	return []Alert{
		{Name: "TurnoErrorBurn", Severity: Critical, OfAll: true, When: failed.burns(burnFast), Unit: Share,
			Summary: "errors use up the budget of " + percent(1-c.Objective) + " so fast that it is gone within days"},
		{Name: "TurnoErrorBurnSlow", Severity: Warning, OfAll: true, When: failed.burns(burnSlow), Unit: Share,
			Summary: "errors use up the budget of " + percent(1-c.Objective) + " before the 30 days are over"},
		{Name: "TurnoLatencyBurn", Severity: Critical, OfAll: true, When: slow.burns(burnFast), Unit: Share,
			Summary: "so many answers take longer than " + c.Latency.String() + " that the budget of " + percent(1-c.LatencyObjective) + " is gone within days"},
		{Name: "TurnoLatencyBurnSlow", Severity: Warning, OfAll: true, When: slow.burns(burnSlow), Unit: Share,
			Summary: "so many answers take longer than " + c.Latency.String() + " that the budget of " + percent(1-c.LatencyObjective) + " is gone before the 30 days are over"},
		{Name: "TurnoStoreFailing", Severity: Critical, For: 30 * time.Second, Unit: Share,
			When:    op{op{op{wrong, "/", made}, ">", number(c.StoreErrors)}, "and", op{wrong, ">=", number(minBad)}},
			Summary: "finds that more than " + percent(c.StoreErrors) + " of its calls of the store fail"},
		{Name: "TurnoStoreSlow", Severity: Warning, For: 2 * time.Minute, Unit: Share,
			When:    op{op{op{op{answered, "-", quick}, "/", answered}, ">", number(0.01)}, "and", op{answered, ">=", number(minCalls)}},
			Summary: "waits longer than " + c.StoreLatency.String() + " for more than 1 % of its calls of the store"},
	}
}

// numberAlerts are about the numbers and what keeps them.
func numberAlerts(c Config) []Alert {
	hour := c.compressed(time.Hour)
	issued, gone := now("turno_issued_total").in(hour), op{all{now("turno_burned_total").in(hour)}, "+", all{now("turno_unknown_total").in(hour)}}
	open := op{op{op{now("turno_issued_total"), "-", now("turno_delivered_total")}, "-", now("turno_burned_total")}, "-", now("turno_unknown_total")}
	list := []Alert{
		{Name: "TurnoFenceFired", Severity: Critical, Unit: Count,
			When:    op{now("turno_rollbacks_total").in(c.compressed(30 * time.Minute)), ">", number(0)},
			Summary: "found that the store had gone back, and handed out none of what it gave"},
		{Name: "TurnoLedgerOff", Severity: Critical, For: time.Minute, Unit: Count,
			When: op{op{open, "<", number(0)}, "or", op{open, ">",
				op{now("turno_connections"), "*", number(answersAConnection)}}},
			Summary: "can't account for all of its numbers"},
		{Name: "TurnoBurned", Severity: Warning, OfAll: true, Unit: Share,
			When:    op{op{op{gone, "/", all{issued}}, ">", number(c.Burned)}, "and", op{gone, ">=", number(minBad)}},
			Summary: "more than " + percent(c.Burned) + " of the numbers of the last hour reached nobody"},
		{Name: "TurnoIDsNearBound", Severity: Warning, For: time.Minute, When: near("turno_ids"), Unit: Share,
			Summary: "has nearly as many live ids as it takes"},
		{Name: "TurnoSessionsNearBound", Severity: Warning, For: time.Minute, When: near("turno_sessions"), Unit: Share,
			Summary: "has nearly as many idempotency keys as it takes"},
	}
	if len(c.Promises) > 0 {
		list = append(list, Alert{Name: "TurnoPromiseWeak", Severity: Critical, For: time.Minute, When: weak{c.Promises},
			Summary: "has a store that promises less than it should"})
	}
	return list
}

func requests(codes []string) pick { return now("turno_requests_total").with("code", codes...) }

// near is a gauge that has nearly reached its limit. Where there is no limit, or all is refused, the quotient is no number.
func near(gauge string) Expr {
	return op{op{now(gauge), "/", now(gauge + "_limit")}, ">", number(nearBound)}
}

// sli is what share of requests goes wrong: bad of all, or those of all that are not within.
type sli struct {
	name             string
	budget           float64
	all, bad, within pick
	compress         func(time.Duration) time.Duration
}

// wrong counts the requests gone wrong in a window.
func (s sli) wrong(window time.Duration) Expr {
	if s.within.name == "" {
		return all{s.bad.in(window)}
	}
	return op{all{s.all.in(window)}, "-", all{s.within.in(window)}}
}

// share is that of requests gone wrong in a window, which Prometheus records.
func (s sli) share(window time.Duration) Record {
	window = s.compress(window)
	return Record{"job:" + s.name + ":ratio_" + PromDuration(window), op{s.wrong(window), "/", all{s.all.in(window)}}}
}

func (s sli) count(window time.Duration) Record {
	window = s.compress(window)
	return Record{"job:" + s.name + ":increase_" + PromDuration(window), s.wrong(window)}
}

// burns is true while the budget burns as fast as any of these says.
func (s sli) burns(any []burn) (e Expr) {
	for _, b := range any {
		bound := number(b.times * s.budget)
		one := op{op{s.share(b.long), ">", bound}, "and", op{op{s.share(b.short), ">", bound}, "and", op{s.count(b.short), ">=", number(minBad)}}}
		if e == nil {
			e = one
		} else {
			e = op{e, "or", one}
		}
	}
	return e
}

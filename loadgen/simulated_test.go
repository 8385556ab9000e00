package loadgen

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/turnomatico/tmctl/history"
)

var update = flag.Bool("update", false, "write the table of docs/SEARCH.md anew")

const (
	simSeeds = 200
	simSLO   = 50 * time.Millisecond // of which 1 % of a trial's answers may take longer
	simPause = 100 * time.Millisecond
)

// simServer makes one server in virtual time. It is asked trial by trial; the answer's Spent is the trial's own length.
type simServer func(r *rand.Rand) func(t Trial, at time.Duration) Observation

// simQueue is a single server with Poisson arrivals and exponential service, from an empty queue at each trial.
type simQueue struct {
	rate  func(at float64) float64 // services/s at a time of the search
	stall float64                  // s, every 7 s
}

func (q simQueue) server(r *rand.Rand) func(Trial, time.Duration) Observation {
	phase := 7 * r.Float64()
	return func(t Trial, began time.Duration) Observation {
		if t.Rate == 0 {
			return Observation{Spent: t.Duration, Achieved: q.rate(began.Seconds()) * (0.95 + 0.1*r.Float64()), Limit: history.LimitSLO}
		}
		at, free, n, slow := 0.0, 0.0, 0, 0
		for {
			if at += r.ExpFloat64() / t.Rate; at > t.Duration.Seconds() {
				break
			}
			now := began.Seconds() + max(at, free)
			if in := math.Mod(now+phase, 7); in < q.stall {
				free = max(at, free) + q.stall - in
			}
			free = max(at, free) + r.ExpFloat64()/q.rate(now)
			n++
			if free-at > simSLO.Seconds() {
				slow++
			}
			if free-at > 1 { // in flight has grown without end: the runner stops such a trial
				return Observation{Spent: time.Duration(at * 1e9), Limit: history.LimitThroughput}
			}
		}
		return verdict(slow*100 <= n, t.Duration, history.LimitSLO)
	}
}

func verdict(pass bool, spent time.Duration, limit history.Limit) Observation {
	if pass {
		limit = history.NoLimit
	}
	return Observation{Spent: spent, Pass: pass, Limit: limit}
}

// simCliff passes up to a rate and never above it. A closed loop shows about peak, so that each seed tries other rates.
func simCliff(edge, peak float64, limit history.Limit) simServer {
	return func(r *rand.Rand) func(Trial, time.Duration) Observation {
		peak := peak * (0.8 + 0.4*r.Float64())
		return func(t Trial, _ time.Duration) Observation {
			o := verdict(t.Rate <= edge, t.Duration, limit)
			o.Achieved = min(t.Rate, edge)
			if t.Rate == 0 {
				o.Achieved = peak
			}
			return o
		}
	}
}

// simLogistic passes with a probability that falls with the log of the rate, however long the trial.
func simLogistic(edge, width float64) simServer {
	return func(r *rand.Rand) func(Trial, time.Duration) Observation {
		return func(t Trial, _ time.Duration) Observation {
			o := verdict(r.Float64() < 1/(1+math.Pow(t.Rate/edge, 1/width)), t.Duration, history.LimitSLO)
			if t.Rate == 0 {
				o.Achieved = 1.1 * edge
			}
			return o
		}
	}
}

// simMortal is a server that dies for good between 10 s and 70 s.
func simMortal(s simServer) simServer {
	return func(r *rand.Rand) func(Trial, time.Duration) Observation {
		trial, death := s(r), time.Duration((10+60*r.Float64())*1e9)
		return func(t Trial, at time.Duration) Observation {
			if at+t.Duration > death {
				return Observation{Spent: max(0, death-at), Limit: history.TargetLost}
			}
			return trial(t, at)
		}
	}
}

func constant(rate float64) func(float64) float64 { return func(float64) float64 { return rate } }

var (
	simMM1       = simQueue{rate: constant(1000)}.server
	simStall     = simQueue{rate: constant(1000), stall: 0.08}.server
	simMM1Edge   = sync.OnceValue(func() float64 { return simTruth(simMM1, 800, 1000) })
	simStallEdge = sync.OnceValue(func() float64 { return simTruth(simStall, 400, 800) })
	simWarm      = simQueue{rate: func(at float64) float64 { return 1000 - 700*math.Exp(-at/15) }}.server
)

// simRow is a line of docs/SEARCH.md, with what must hold.
type simRow struct {
	name   string
	server simServer
	cfg    SearchConfig
	truth  func() float64  // requests/s; 0 = there is none
	below  float64         // 95 % of the answers are at least truth · (1 − below),
	above  float64         // and 95 % at most truth · (1 + above); all of them where it is 0
	reason []history.Limit // one of these has at least 95 %, taken together
}

var (
	bySLO    = []history.Limit{history.LimitSLO}
	byQueue  = []history.Limit{history.LimitSLO, history.LimitThroughput}
	cliff10  = simCliff(10_000, 10_500, history.LimitSLO)
	cliff100 = simCliff(100_000, 105_000, history.LimitSLO)
)

var simRows = []simRow{
	{"cliff at 10,000/s", cliff10, simDefaults, exactly(10_000), 0.05, 0, bySLO},
	{"cliff at 100,000/s", cliff100, simDefaults, exactly(100_000), 0.05, 0, bySLO},
	{"cliff at 100,000/s, the demo's budget", cliff100, simDemo, exactly(100_000), 0.05, 0, bySLO},
	{"M/M/1, 1,000/s", simMM1, simSmall, simMM1Edge, 0.12, 0.05, bySLO},
	{"M/M/1, the demo's budget", simMM1, simDemo, simMM1Edge, 0.12, 0.08, bySLO},
	{"M/M/1, budget 6 min", simMM1, simLong, simMM1Edge, 0.12, 0.03, bySLO},
	{"M/M/1 that stops for 80 ms every 7 s", simStall, simSmall, simStallEdge, 0.30, 0.35, bySLO},
	{"M/M/1 that warms up from 300/s, τ = 15 s", simWarm, simSmall, simMM1Edge, 0.12, 0.05, byQueue},
	{"noise at the edge, width 2 %", simLogistic(20_000, 0.02), simDefaults, exactly(20_000), 0.12, 0.05, bySLO},
	{"noise at the edge, width 5 %", simLogistic(20_000, 0.05), simDefaults, exactly(20_000), 0.20, 0.10, bySLO},
	{"generator ends at 5,000/s", simCliff(5000, 5000, history.LimitGenerator), simDefaults, exactly(5000), 0.05, 0,
		[]history.Limit{history.LimitGenerator}},
	{"never saturates, `--max-rate 8000`", simCliff(math.Inf(1), 50_000, ""), simBounded, exactly(8000), 0, 0,
		[]history.Limit{history.NoFailureInRange}},
	{"fails at the first rate", simCliff(400, 450, history.LimitSLO), simDefaults, exactly(0), 0, 0,
		[]history.Limit{history.NoPassInRange}},
	{"cliff at 10,000/s, dies after 10–70 s", simMortal(cliff10), simDefaults, exactly(10_000), 0.05, 0,
		[]history.Limit{history.TargetLost}},
}

func exactly(rate float64) func() float64 { return func() float64 { return rate } }

// simTruth bisects for the rate at which half of the 30 s trials of a warm server pass.
func simTruth(server simServer, lo, hi float64) float64 {
	const trials = 200
	for hi/lo > 1.002 {
		mid, passed := math.Sqrt(lo*hi), 0
		for seed := range uint64(trials) {
			trial := server(rand.New(rand.NewPCG(seed, 29)))
			if trial(Trial{history.Confirm, mid, longestConfirm}, time.Hour).Pass {
				passed++
			}
		}
		if 2*passed >= trials {
			lo = mid
		} else {
			hi = mid
		}
	}
	return math.Sqrt(lo * hi)
}

// simSummary is what the searches of a row came to.
type simSummary struct {
	truth    float64
	pass     []float64 // the answers, sorted
	contains int       // answers whose [pass, fail] holds the truth
	trials   float64   // median
	spent    float64   // median, s
	reasons  map[history.Limit]int
}

func summarize(row simRow) simSummary {
	sum := simSummary{truth: row.truth(), reasons: map[history.Limit]int{}}
	var trials, spent []float64
	for seed := range uint64(simSeeds) {
		run := simulate(row.server, row.cfg, seed)
		a := run.answer
		sum.reasons[a.Reason]++
		trials = append(trials, float64(len(run.trials)))
		spent = append(spent, run.spent.Seconds())
		if a.Pass > 0 {
			sum.pass = append(sum.pass, a.Pass)
			if a.Pass <= sum.truth && (a.Fail == 0 || sum.truth < a.Fail) {
				sum.contains++
			}
		}
	}
	slices.Sort(sum.pass)
	sum.trials, sum.spent = quantile(trials, 0.5), quantile(spent, 0.5)
	return sum
}

// quantile sorts v.
func quantile(v []float64, q float64) float64 {
	slices.Sort(v)
	return v[int(q*float64(len(v)-1)+0.5)]
}

// hold checks the summary against what the row promises.
func (sum simSummary) hold(t *testing.T, row simRow) {
	n := 0
	for _, r := range row.reason {
		n += sum.reasons[r]
	}
	if n*100 < 95*simSeeds {
		t.Errorf("reasons %v; want 95 %% of %v", sum.reasons, row.reason)
	}
	if len(sum.pass) == 0 {
		if sum.truth > 0 {
			t.Errorf("no answer at all")
		}
		return
	}
	if low := quantile(sum.pass, 0.05)/sum.truth - 1; low < -row.below {
		t.Errorf("5th percentile of the error: %+.3f; want ≥ %+.3f", low, -row.below)
	}
	q := 0.95
	if row.above == 0 {
		q = 1
	}
	if high := quantile(sum.pass, q)/sum.truth - 1; high > row.above {
		t.Errorf("percentile %g of the error: %+.3f; want ≤ %+.3f", 100*q, high, row.above)
	}
}

func (sum simSummary) line(row simRow) string {
	var reasons []string
	for r, n := range sum.reasons {
		reasons = append(reasons, fmt.Sprintf("%s %g %%", r, float64(n)*100/simSeeds))
	}
	slices.Sort(reasons)
	truth, median, errs, held := "none", "–", "–", "–"
	if sum.truth > 0 {
		truth = fmt.Sprintf("%.0f/s", sum.truth)
	}
	if n := len(sum.pass); n > 0 {
		median = fmt.Sprintf("%.0f/s", quantile(sum.pass, 0.5))
		errs = fmt.Sprintf("%+.1f … %+.1f %%", 100*quantile(sum.pass, 0.05)/sum.truth-100, 100*quantile(sum.pass, 0.95)/sum.truth-100)
		held = fmt.Sprintf("%.0f %%", 100*float64(sum.contains)/float64(n))
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %g | %.0f s | %s |\n", row.name, truth, median, errs, held, sum.trials,
		sum.spent, strings.Join(reasons, ", "))
}

// TestSimulatedServers searches 200 times on each server, holds the bounds, and keeps docs/SEARCH.md true.
func TestSimulatedServers(t *testing.T) {
	if testing.Short() || underRace() {
		t.Skip("2,800 searches of code without a goroutine")
	}
	lines := make([]string, len(simRows))
	t.Run("rows", func(t *testing.T) {
		for i, row := range simRows {
			t.Run(row.name, func(t *testing.T) {
				t.Parallel()
				sum := summarize(row)
				sum.hold(t, row)
				lines[i] = sum.line(row)
			})
		}
	})
	compareTable(t, "../docs/SEARCH.md", strings.Join(lines, ""))
}

// underRace reports whether the race detector is on: it makes the simulations, and only them, fifteen times slower.
func underRace() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// compareTable holds the generated part of a document to what it should be, or with -update makes it so.
func compareTable(t *testing.T, path, table string) {
	const begin, end = "|---|---|---|---|---|---|---|---|\n", "<!-- end of the table -->"
	doc, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(doc), begin)
	old, tail, ok2 := strings.Cut(rest, end)
	switch {
	case !ok || !ok2:
		t.Fatalf("%s has lost the table's marks", path)
	case *update:
		if err := os.WriteFile(path, []byte(head+begin+table+end+tail), 0o644); err != nil {
			t.Fatal(err)
		}
	case old != table && runtime.GOARCH == "amd64": // others may fuse floating-point operations: other last digits
		t.Errorf("%s is stale (go test ./loadgen -run Simulated -update):\n%s\nwant:\n%s", path, old, table)
	}
}

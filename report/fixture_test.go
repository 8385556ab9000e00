package report

import (
	"time"

	"github.com/turnomatico/tmctl/history"
)

// The runs of the golden documents. Their figures are made up, but such as a search finds.

func ms(v float64) time.Duration { return time.Duration(v * float64(time.Millisecond)) }

func fixturePlan() history.Plan {
	return history.Plan{
		Target: "http://127.0.0.1:7017/turno/{id}", Admin: "http://127.0.0.1:7018", Method: "GET", IDs: []string{"load-3f9a"}, Fresh: true,
		Exclusive: true, Engine: "http1", SLO: "p99<50ms,errors<0.1%", Connections: 64, Arrivals: "uniform", Start: 500,
		Step: 3 * time.Second, Warmup: 2 * time.Second, Precision: .05, Budget: 2 * time.Minute, Timeout: 5 * time.Second,
		Field: "turno", IDField: "id", Record: "full", Seed: 7,
	}
}

func fixtureRun() *history.Run {
	started := time.Date(2026, 11, 21, 10, 15, 2, 0, time.UTC)
	yes := true
	plan := fixturePlan()
	return &history.Run{
		Schema: history.Schema, Tool: "tmctl 0.1.0", Started: started, Finished: started.Add(118 * time.Second),
		Command: []string{"tmctl", "load", "--target", "http://127.0.0.1:7017/turno/{id}", "--admin", "http://127.0.0.1:7018"},
		Plan:    plan, IDs: plan.IDs, Nodes: []string{"127.0.0.1:7017"},
		Environment: history.Environment{
			Host: "bench-1", OS: "linux/amd64", Kernel: "6.1.0-28-amd64", CPU: "AMD EPYC 7B13", Cores: 2, Memory: 8 << 30,
			OpenFiles: 1 << 20, Go: "go1.26.1",
			Targets: []history.Target{{Name: "n1", Version: "0.1.0", Go: "go1.26.1", Store: "memory", Promise: "volatile: starts again at 1"}},
		},
		Result: history.Result{
			Verdict: history.Pass,
			Sentence: "pass · 41,200/s sustained, p99 3.1 ms ≤ 50 ms (first fails at 43,300/s: slo) · 2,104,332 turnos of 1 id: unique, consecutive, linearizable\n" +
				"     · generator innocent (28 % CPU, lag p99 1.2 ms), on this shared machine · runs/20261121T101502Z",
			MaxRate:  &history.MaxRate{Pass: 41237, Fail: 43299, Reason: history.LimitSLO, Label: "on this shared machine"},
			SLO:      plan.SLO,
			Requests: 2_104_400, Errors: 68, ErrorReasons: history.Counts{"timeout": 60, "reset": 8},
			Steps: fixtureSteps(),
			Proof: history.Proof{Ops: 2_104_332, Unknown: 68, IDs: 1, Burned: 41, Exclusive: true, Linearizable: &yes},
			Generator: history.Generator{
				Engine: "http1", CPUPerRequest: 6.8, CPUPercent: 28, GCPercent: .4, LagP99: ms(1.2), Colocated: true, Healthy: true,
			},
			StorePromise: "volatile: starts again at 1", RunDir: "runs/20261121T101502Z",
		},
	}
}

// step is a step at a rate whose latencies grow from its p50 as a queue's do; spread is p99/p50.
func step(phase history.Phase, rate, p50, spread float64) history.Step {
	d := 3 * time.Second
	if phase == history.Confirm || phase == history.Above {
		d = 15 * time.Second
	}
	n := uint64(rate * d.Seconds())
	lat := history.Percentiles{P50: ms(p50), P90: ms(p50 * (1 + spread) / 2.4), P99: ms(p50 * spread), P999: ms(p50 * spread * 2.3), Max: ms(p50 * spread * 4.1)}
	svc := history.Percentiles{P50: ms(p50 * .96), P90: lat.P90 * 9 / 10, P99: lat.P99 * 8 / 10, P999: lat.P999 * 7 / 10, Max: lat.Max * 7 / 10}
	return history.Step{
		Phase: phase, PlannedRate: rate, Duration: d, Elapsed: d, Planned: n, Sent: n, Answered: n, AchievedRate: rate * .9991,
		Latency: lat, Service: svc, LagP99: ms(.3 + rate/50_000), InFlightMax: int(4 + rate/900), GeneratorCPU: rate / 1500, HostCPU: min(10+rate/520, 98), Pass: true,
	}
}

func failed(s history.Step, limit history.Limit, why string) history.Step {
	s.Pass, s.Limit, s.Why, s.InFlightMax = false, limit, why, 64
	return s
}

func fixtureSteps() []history.Step {
	peak := failed(step(history.Peak, 45_180, 1.39, 2.6), "", "")
	peak.PlannedRate = 0
	over := failed(step(history.Bracket, 64_000, 800, 3), history.LimitThroughput, "in flight grew to 64 of 64 and stayed")
	over.EndedEarly, over.Elapsed, over.AchievedRate, over.Errors = true, 1100*time.Millisecond, 44_802, 31
	return []history.Step{
		step(history.Warmup, 500, .16, 6),
		peak,
		step(history.Bracket, 500, .11, 5.2),
		step(history.Bracket, 1000, .11, 5.4),
		step(history.Bracket, 2000, .12, 5.6),
		step(history.Bracket, 4000, .13, 5.7),
		step(history.Bracket, 8000, .15, 5.9),
		step(history.Bracket, 16_000, .19, 6),
		step(history.Bracket, 32_000, .31, 6.6),
		over,
		failed(step(history.Bisect, 45_255, 18, 7), history.LimitSLO, "p99 126 ms > 50 ms"),
		step(history.Bisect, 38_055, .42, 6.5),
		step(history.Bisect, 41_237, .48, 6.2),
		failed(step(history.Bisect, 43_299, 7.1, 7.5), history.LimitSLO, "p99 53.3 ms > 50 ms"),
		failed(step(history.Bisect, 43_299, 8.6, 7.1), history.LimitSLO, "p99 61.1 ms > 50 ms"),
		step(history.Confirm, 41_237, .48, 6.3),
		failed(step(history.Confirm, 41_237, .9, 9), history.LimitHost, "our own lag p99 26 ms > 25 ms"),
		step(history.Confirm, 41_237, .5, 6.2),
		step(history.Confirm, 41_237, .47, 6.1),
		failed(step(history.Above, 43_299, 8.6, 7.1), history.LimitSLO, "p99 61.1 ms > 50 ms"),
	}
}

// fixtureMissed never meets its objective, has several nodes, and knows little of itself.
func fixtureMissed() *history.Run {
	r := fixtureRun()
	r.Verdict, r.ExitCode = history.SLOMissed, 3
	r.Sentence = "slo_missed · no rate met p99<1ms, max<20ms: 250/s fails, p99 4.2 ms > 1 ms · runs/slow"
	r.MaxRate = &history.MaxRate{Fail: 250, Reason: history.NoPassInRange}
	r.SLO, r.Plan.SLO, r.RunDir = "p99<1ms, max<=20ms", "p99<1ms, max<=20ms", "runs/slow"
	r.Plan.Target, r.Nodes, r.Plan.Fresh = "https://turnos.example/turno/{id}?team=a|b", []string{"10.0.0.1:7017", "10.0.0.2:7017"}, false
	r.IDs = []string{"a", "b", "c", "d"}
	r.Steps = []history.Step{
		failed(step(history.Bracket, 500, 1.1, 4), history.LimitSLO, "p99 4.4 ms > 1 ms"),
		failed(step(history.Bracket, 250, 1.05, 4), history.LimitSLO, "p99 4.2 ms > 1 ms"),
	}
	r.Environment = history.Environment{Cores: 2, OS: "linux/amd64"}
	r.StorePromise, r.Generator.Colocated, r.Remarks = "", false, []string{"no two requests ever overlapped on id c"}
	return r
}

// fixtureViolated met a server that was wrong in every way, and that answers with markup.
func fixtureViolated() *history.Run {
	r := fixtureRun()
	no := false
	r.Verdict, r.ExitCode = history.Violated, 4
	r.Sentence = "violated · turno 41207 of load-3f9a was handed out twice · runs/broken"
	r.MaxRate = &history.MaxRate{Pass: 32_000, Reason: history.InvariantViolated}
	r.Steps, r.RunDir = r.Steps[:8], "runs/broken"
	r.Command = append(r.Command, "--header", "Cookie: it's mine", "--slo", r.SLO)
	r.Proof.Linearizable = &no
	r.Proof.Duplicates, r.Proof.WentBack, r.Proof.Gaps, r.Proof.BadAnswers = 3, 1, 1, 1
	first := &history.Request{Call: ms(1204.031), Return: ms(1204.9), Turno: 41207, Seen: 41190, Node: "10.0.0.1:7017", Status: 200}
	again := &history.Request{Call: ms(1206.5), Return: ms(1207.25), Turno: 41207, Seen: 41230, Node: "10.0.0.2:7017", Status: 200}
	bad := &history.Request{Call: ms(2000), Return: ms(2001), Seen: 50_000, Status: 200, Reason: "not_json", Answer: "<html>`<b>|503\n</b>"}
	r.Proof.Findings = []history.Finding{
		{Kind: history.Duplicate, ID: "load-3f9a", First: 41207, Last: 41207, Op: again, Other: first, Text: "handed out twice, 1.6 ms apart"},
		{Kind: history.WentBack, ID: "load-3f9a", First: 41207, Last: 41207, Op: again, Other: first, Text: "41230 had been completed before it was asked for"},
		{Kind: history.Gap, ID: "load-3f9a", First: 41300, Last: 41309, Op: again},
		{Kind: history.BadAnswer, ID: "load-3f9a", Op: bad, Text: "the body is not a JSON object"},
	}
	return r
}

// fixtureInconclusive was driven at one rate by a generator that could not, and shared its ids.
func fixtureInconclusive() *history.Run {
	r := fixtureRun()
	r.Verdict, r.ExitCode = history.Inconclusive, 5
	r.Sentence = "inconclusive · the generator could not send 90,000/s (61,300/s sent) · runs/weak"
	r.MaxRate, r.Plan.Rate, r.Plan.Duration = nil, 90_000, 30*time.Second
	s := failed(step(history.Fixed, 90_000, .9, 5), history.LimitGenerator, "68.1 % of what was due was sent")
	s.AchievedRate, s.Elapsed, s.Duration = 61_300, r.Plan.Duration, r.Plan.Duration
	r.Steps, r.RunDir = []history.Step{s}, "runs/weak"
	r.Generator.Healthy, r.Generator.Why = false, "68.1 % of what was due was sent while connections were idle"
	r.Proof.Remarks = []string{"gaps were not judged: others may use the id"}
	r.Proof.Exclusive, r.Proof.Linearizable, r.Plan.Exclusive = false, nil, false
	return r
}

// fixtureClosedLoop was driven as fast as it went.
func fixtureClosedLoop() *history.Run {
	r := fixtureRun()
	r.Sentence = "pass · 45,100/s answered in a closed loop · runs/max"
	r.MaxRate, r.Plan.ClosedLoop, r.Plan.Duration = nil, true, 10*time.Second
	s := step(history.Fixed, 45_180, 1.39, 2.6)
	s.PlannedRate, s.Elapsed, s.Duration = 0, r.Plan.Duration, r.Plan.Duration
	r.Steps, r.RunDir = []history.Step{s}, "runs/max"
	return r
}

// fixtureDeclared met two nodes on one store that went back: they jumped, and say so.
func fixtureDeclared() *history.Run {
	r := fixtureRun()
	r.Proof.Declared = 1_000_000
	r.Proof.Remarks = []string{"1000000 numbers are missing that the server declares skipped: that nobody was given them is its word alone"}
	r.Declared = []history.Range{{ID: "load-3f9a", First: 40_001, Last: 1_040_000}}
	for i := range uint64(maxSkipped + 2) {
		r.Declared = append(r.Declared, history.Range{ID: "load-3f9a", First: 1_500_001 + 2_000_000*i, Last: 2_500_000 + 2_000_000*i})
	}
	r.StorePromise, r.RunDir = "as its persistence: everysec, at most a second is lost", "runs/jumped"
	r.Warnings = []string{"maxmemory-policy is allkeys-lru: counters may be evicted"}
	r.Remarks = []string{"n2 (http://10.0.0.2:7018) was restarted during the run"}
	n := history.Target{Admin: "http://10.0.0.1:7018", Name: "n1", Version: "0.1.0", Go: "go1.26.1", Store: "redis://10.0.0.9:6379/0", Promise: r.StorePromise,
		Details: map[string]string{"appendonly": "yes", "appendfsync": "everysec", "role|replicas": "master"}, Warnings: r.Warnings,
		Ledger: &history.Ledger{Issued: 1_052_200, Delivered: 1_052_166, Burned: 34}}
	m := n
	m.Name, m.Admin, m.Ledger = "n2", "http://10.0.0.2:7018", nil
	r.Environment.Targets, r.Nodes = []history.Target{n, m}, []string{"10.0.0.1:7017", "10.0.0.2:7017"}
	return r
}

// fixtureSessions gave a tenth of the requests an Idempotency-Key; the server keeps its word.
func fixtureSessions() *history.Run {
	r := fixtureRun()
	r.Plan.KeyRatio, r.RunDir = 0.1, "runs/sessions"
	r.Proof.Sessions = &history.Sessions{Keys: 210_433, Retried: 210_433, Retries: 263_011, Replays: 263_004, Recovered: 7}
	r.Proof.Remarks = []string{"7 numbers came by a retry alone: the answer that first gave them was lost"}
	return r
}

// fixtureSessionsViolated met one that does not.
func fixtureSessionsViolated() *history.Run {
	r := fixtureViolated()
	r.Sentence = "violated: sessions · 2 keys that took two numbers · runs/keys"
	r.RunDir, r.Plan.KeyRatio = "runs/keys", 0.1
	yes, first, again := true, *r.Proof.Findings[0].Other, *r.Proof.Findings[0].Op
	r.Proof.Duplicates, r.Proof.WentBack, r.Proof.Gaps, r.Proof.BadAnswers, r.Proof.Linearizable = 0, 0, 0, 0, &yes
	r.Proof.Sessions = &history.Sessions{Keys: 40, Retried: 40, Retries: 49, Replays: 44, TwoNumbers: 2, WrongMarks: 1}
	again.Turno, first.Attempt, again.Attempt = 41240, 1, 2
	r.Proof.Findings = []history.Finding{
		{Kind: history.TwoNumbers, ID: "load-3f9a", First: 41240, Last: 41240, Op: &again, Other: &first, Text: "two numbers for one Idempotency-Key"},
		{Kind: history.WrongMark, ID: "load-3f9a", First: 41207, Last: 41207, Op: &first, Text: "marked Idempotent-Replayed: true, but its key had not been given a number before"},
	}
	return r
}

// fixtureUnfinished is all that a run that was killed at its start leaves.
func fixtureUnfinished() *history.Run { return &history.Run{Schema: 1} }

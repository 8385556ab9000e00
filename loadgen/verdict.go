package loadgen

import (
	"fmt"

	"github.com/turnomatico/tmctl/history"
)

// Exit codes of a load test: with the verdict they are a contract (DESIGN §4).
const (
	ExitPass         = 0
	ExitSLOMissed    = 3
	ExitViolated     = 4
	ExitInconclusive = 5
	ExitInterrupted  = 130
)

// enoughOps is how many completed ops prove anything.
const enoughOps = 100

// Conclude puts what was driven and what was proved together: verdict, exit code, the generator's innocence. It is pure;
// the sentence for people is the caller's.
func Conclude(p *Plan, o *Outcome, proof history.Proof) history.Result {
	r := history.Result{
		MaxRate: o.MaxRate, SLO: p.SLO, Requests: o.Requests, Errors: o.Errors, ErrorReasons: o.Reasons,
		Steps: o.Steps, Proof: proof, Generator: generatorOf(p, o),
	}
	r.Verdict, r.ExitCode = weigh(o, &proof)
	if o.lastLimit() == history.InvariantViolated && proof.Violations() == 0 {
		r.Remarks = append(r.Remarks, "the run was ended by missing numbers that were declared skipped only later")
	}
	if o.Keyless > 0 {
		r.Remarks = append(r.Remarks, fmt.Sprintf("%d requests went without the Idempotency-Key that they should have had: as many keys as are kept, %d, were in flight",
			o.Keyless, p.retriers()))
	}
	if p.KeyRatio > 0 && proof.Sessions == nil {
		r.Remarks = append(r.Remarks, "no request was sent with an Idempotency-Key: nothing is proved about sessions")
	}
	if o.Remarked > 0 {
		r.Remarks = append(r.Remarks, "some numbers were written like 42.0 or 4.2e1; they count as integers, but other clients may refuse them")
	}
	return r
}

// weigh is the first of DESIGN's list that applies.
func weigh(o *Outcome, proof *history.Proof) (history.Verdict, int) {
	last := o.lastLimit()
	switch {
	case proof.Violations() > 0 || proof.Linearizable != nil && !*proof.Linearizable:
		return history.Violated, ExitViolated
	case o.Interrupted:
		return history.Inconclusive, ExitInterrupted
	case o.MaxRate != nil:
		return searchVerdict(o.MaxRate, proof)
	case last == history.TargetLost:
		return history.SLOMissed, ExitSLOMissed
	case proof.Ops < enoughOps, last == history.LimitGenerator, last == history.LimitHost, last == history.LimitSamples,
		last == history.RunInterrupted, last == history.InvariantViolated:
		return history.Inconclusive, ExitInconclusive
	case last != history.NoLimit:
		return history.SLOMissed, ExitSLOMissed
	}
	return history.Pass, ExitPass
}

func searchVerdict(m *history.MaxRate, proof *history.Proof) (history.Verdict, int) {
	switch {
	case m.Reason == history.NoPassInRange:
		return history.SLOMissed, ExitSLOMissed
	case proof.Ops < enoughOps, m.Pass == 0, m.Reason == history.LimitGenerator,
		m.Reason == history.BudgetSpent, m.Reason == history.TargetLost, m.Reason == history.RunInterrupted,
		m.Reason == history.InvariantViolated:
		return history.Inconclusive, ExitInconclusive
	}
	return history.Pass, ExitPass
}

// generatorOf is the evidence that it was not this process that was measured.
func generatorOf(p *Plan, o *Outcome) history.Generator {
	g := history.Generator{Engine: p.Engine, Colocated: o.Colocated}
	if o.Requests > 0 {
		g.CPUPerRequest = float64(o.CPU.Microseconds()) / float64(o.Requests)
	}
	if o.CPU > 0 {
		g.GCPercent = float64(o.GC) / float64(o.CPU) * 100
	}
	passed := false
	for i := range o.Steps {
		s := &o.Steps[i]
		if s.Phase == history.Warmup || s.Phase == history.Peak {
			continue
		}
		if s.Pass {
			if !passed {
				g.LagP99 = 0 // of those that failed
			}
			g.LagP99 = max(g.LagP99, s.LagP99)
			g.CPUPercent = s.GeneratorCPU // of the last that passed: a confirmation, where there is one
			passed = true
		} else if !passed {
			g.LagP99, g.CPUPercent = s.LagP99, s.GeneratorCPU
		}
		if s.Limit == history.LimitGenerator || s.Limit == history.LimitHost {
			g.Why = s.Why
		}
	}
	limit := o.lastLimit()
	if o.MaxRate != nil {
		limit = o.MaxRate.Reason
	}
	g.Healthy = limit != history.LimitGenerator && (limit != history.LimitHost || o.MaxRate != nil)
	if g.Healthy {
		g.Why = ""
	}
	return g
}

package cmd

import (
	"fmt"
	"strings"

	"github.com/turnomatico/tmctl/history"
	"github.com/turnomatico/tmctl/loadgen"
	"github.com/turnomatico/tmctl/report"
)

// sentence is the first line that a person reads of a run: verdict, answer, proof, generator, where it is.
func sentence(r *history.Run, slo loadgen.SLO, bracket [2]float64) string {
	parts := []string{verdictPart(r), answerPart(r, slo, bracket), proofPart(&r.Proof), generatorPart(&r.Generator)}
	if r.RunDir != "" {
		parts = append(parts, r.RunDir)
	}
	return strings.Join(parts, " · ")
}

// verdictPart is the verdict; where nothing but the promise about Idempotency-Keys broke, it says so.
func verdictPart(r *history.Run) string {
	if s := r.Proof.Sessions; s != nil && r.Proof.Violations() > 0 && r.Proof.Violations() == s.TwoNumbers+s.WrongMarks {
		return string(r.Verdict) + ": sessions"
	}
	return string(r.Verdict)
}

func answerPart(r *history.Run, slo loadgen.SLO, bracket [2]float64) string {
	if r.MaxRate == nil {
		return fixedPart(r, slo)
	}
	m := r.MaxRate
	if m.Pass == 0 {
		return noAnswer(r, bracket)
	}
	part := report.Rate(m.Pass) + " sustained"
	if s := promisedStep(r.Steps, m.Pass); s != nil {
		part += ", " + latencyPart(s, slo)
	}
	switch {
	case m.Reason == history.RunInterrupted, m.Reason == history.TargetLost, m.Reason == history.InvariantViolated:
		part += fmt.Sprintf(" until the run ended (%s)", m.Reason)
	case m.Fail > 0:
		part += fmt.Sprintf(" (first fails at %s: %s)", report.Rate(m.Fail), m.Reason)
	case m.Reason == history.NoFailureInRange:
		part += fmt.Sprintf(" (%s: the maximum is above what was tried)", m.Reason)
	default:
		part += fmt.Sprintf(" (%s)", m.Reason)
	}
	return part
}

func noAnswer(r *history.Run, bracket [2]float64) string {
	m := r.MaxRate
	why := lastWhy(r.Steps)
	switch m.Reason {
	case history.NoPassInRange:
		return fmt.Sprintf("%s is already too much: %s", report.Rate(m.Fail), failingWhy(r.Steps, m.Fail))
	case history.BudgetSpent:
		return fmt.Sprintf("nothing confirmed within the budget (between %s and %s, unconfirmed)", rateOr(bracket[0], "0/s"), rateOr(bracket[1], "?"))
	case history.LimitSamples:
		return "nothing could be judged: " + failingWhy(r.Steps, m.Fail)
	case history.LimitGenerator, history.LimitHost:
		return "the generator was the limit: " + failingWhy(r.Steps, m.Fail)
	default:
		return fmt.Sprintf("no maximum found: %s (%s)", m.Reason, why)
	}
}

func fixedPart(r *history.Run, slo loadgen.SLO) string {
	if n := len(r.Steps); n == 0 || r.Steps[n-1].Phase != history.Fixed {
		return lastWhy(r.Steps)
	}
	s := &r.Steps[len(r.Steps)-1]
	part := fmt.Sprintf("%s answered of %s offered, %s", report.Rate(s.AchievedRate), offered(s.PlannedRate), latencyPart(s, slo))
	if s.PlannedRate == 0 {
		part = fmt.Sprintf("%s in a closed loop, %s", report.Rate(s.AchievedRate), latencyPart(s, slo))
	}
	if !s.Pass {
		part += fmt.Sprintf(" (%s)", s.Why)
	}
	return part
}

// latencyPart says the p99 and, where the objective bounds it, the bound.
func latencyPart(s *history.Step, slo loadgen.SLO) string {
	if s.EndedEarly {
		return "ended early"
	}
	part := "p99 " + report.Duration(s.Latency.P99)
	for _, b := range slo.Latency {
		if b.Name != "p99" {
			continue
		}
		sign := "≤"
		if s.Latency.P99 > b.Max {
			sign = ">"
		}
		part += fmt.Sprintf(" %s %s", sign, report.Duration(b.Max))
	}
	return part
}

func proofPart(p *history.Proof) string {
	part := fmt.Sprintf("%s turnos of %s", report.Count(p.Ops), plural(uint64(p.IDs), "id"))
	if broken := brokenParts(p); len(broken) > 0 {
		part += ": " + strings.Join(broken, ", ")
		if len(p.Findings) > 0 {
			part += " (" + p.Findings[0].Text + ")"
		}
		return part
	}
	switch {
	case p.Ops == 0:
		part = "no turno was answered"
	case p.Linearizable == nil:
		part += ": unique, in order (gaps can't be judged on shared ids)"
	default:
		part += ": unique, consecutive, linearizable"
	}
	if s := p.Sessions; s != nil {
		part += fmt.Sprintf(", one for each of %s (%s)", plural(s.Keys, "key"), plural(s.Replays, "replay"))
	}
	if p.Burned > 0 {
		part += fmt.Sprintf(", %s burned", report.Count(p.Burned))
	}
	if p.Declared > 0 {
		part += ", " + declaredPart(p)
	}
	return part
}

func generatorPart(g *history.Generator) string {
	state := "innocent"
	if !g.Healthy {
		state = "at its limit"
	}
	part := fmt.Sprintf("generator %s (%s CPU, lag p99 %s)", state, report.Percent(g.CPUPercent), report.Duration(g.LagP99))
	if g.Colocated {
		part += ", on this shared machine"
	}
	return part
}

func plural(n uint64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	if before, after, ok := strings.Cut(what, " that "); ok {
		return report.Count(n) + " " + before + "s that " + after
	}
	return report.Count(n) + " " + what + "s"
}

// promisedStep is the passing step at rate with the largest p99, of the long ones where there are any: what is promised is what
// held every time.
func promisedStep(steps []history.Step, rate float64) (worst *history.Step) {
	for i := range steps {
		s := &steps[i]
		if !s.Pass || s.PlannedRate != rate {
			continue
		}
		if worst == nil || s.Duration > worst.Duration || s.Duration == worst.Duration && s.Latency.P99 > worst.Latency.P99 {
			worst = s
		}
	}
	return worst
}

func failingWhy(steps []history.Step, rate float64) string {
	for i := len(steps) - 1; i >= 0; i-- {
		if !steps[i].Pass && steps[i].PlannedRate == rate {
			return steps[i].Why
		}
	}
	return lastWhy(steps)
}

func lastWhy(steps []history.Step) string {
	if len(steps) == 0 {
		return "nothing was driven"
	}
	return steps[len(steps)-1].Why
}

package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/turnomatico/tmctl/history"
)

// limits says in a sentence what each reason means, to a reader who has never seen tmctl.
var limits = map[history.Limit]string{
	history.NoLimit:           "the run does not say what set the limit.",
	history.LimitSLO:          "above this rate the target answers too slowly for the objective.",
	history.LimitErrors:       "above this rate too many requests fail for the objective.",
	history.LimitThroughput:   "above this rate the target answers fewer requests than it is sent; the rest pile up.",
	history.LimitConnections:  "every connection was busy although the target answered fast, so the limit is the number of connections. Run it again with a larger `--connections`.",
	history.LimitGenerator:    "the load generator itself could not send faster. This is a limit of the machine that ran tmctl, and says nothing about the target's own.",
	history.LimitHost:         "the target and the load generator share one machine, and it was saturated. On a machine of its own the target may take more.",
	history.LimitSamples:      "a step had too few answers for the objective's percentiles to mean anything. Give it longer steps (`--step`), or a larger `--start`.",
	history.NoFailureInRange:  "nothing stopped it: every rate that was tried passed. The true maximum is above what was tried (`--max-rate`).",
	history.NoPassInRange:     "the lowest rate that was tried already failed. The true maximum, if there is one, is below it (`--start`).",
	history.BudgetSpent:       "the time that was allowed ran out before any rate was confirmed. Run it again with a larger `--budget`.",
	history.TargetLost:        "the target stopped answering, and the run ended there. The last rate before that is no maximum.",
	history.InvariantViolated: "the target handed out a wrong number, and the run ended there. A rate means nothing before the numbers are right.",
	history.RunInterrupted:    "somebody stopped the run.",
}

// explain is the sentence for a reason.
func explain(l history.Limit) string {
	if s, ok := limits[l]; ok {
		return s
	}
	return "its reason is " + code(string(l)) + ", which this version of tmctl does not know."
}

// phases says what each kind of step is for; the step table's legend, in this order.
var phases = []struct {
	Phase history.Phase
	Is    string
}{
	{history.Warmup, "brings caches and connections to temperature; judged by the proof only"},
	{history.Peak, "every connection as fast as it goes (closed loop), to learn the scale"},
	{history.Bracket, "doubles or halves the rate until a pass and a failure enclose the answer"},
	{history.Bisect, "halves that interval"},
	{history.Confirm, "repeats the answer for longer"},
	{history.Above, "runs just above the answer, and must fail"},
	{history.Fixed, "the one rate that was asked for"},
}

// Legend explains the phases that occur in the run.
func (v runView) Legend() string {
	seen := map[history.Phase]bool{}
	for _, s := range v.Steps {
		seen[s.Phase] = true
	}
	var parts []string
	for _, p := range phases {
		if seen[p.Phase] {
			parts = append(parts, fmt.Sprintf("*%s* %s", p.Phase, p.Is))
		}
	}
	return strings.Join(parts, "; ")
}

// Answer says what the run found, one paragraph a string.
func (v runView) Answer() []string {
	if v.MaxRate == nil {
		return v.fixedAnswer()
	}
	var p []string
	m, label := v.MaxRate, v.on()
	switch {
	case v.Verdict == history.Violated:
		p = append(p, "The numbers were wrong, so no rate counts as sustained."+v.until())
	case m.Pass > 0 && m.Fail > 0:
		p = append(p, fmt.Sprintf("The target sustains **%s** within the objective%s. The smallest rate above it that failed is %s, so its "+
			"true maximum lies between the two, which are %s apart.", Rate(m.Pass), label, Rate(m.Fail), Percent(100*(m.Fail-m.Pass)/m.Pass)))
	case m.Pass > 0:
		p = append(p, fmt.Sprintf("The target sustains at least **%s** within the objective%s. No higher rate was seen to fail.", Rate(m.Pass), label))
	case m.Fail > 0:
		p = append(p, fmt.Sprintf("No rate was confirmed%s. The smallest rate that failed is %s.", label, Rate(m.Fail)))
	default:
		p = append(p, "No rate was confirmed, and none failed.")
	}
	why := "Reason (" + code(string(m.Reason)) + "): " + explain(m.Reason)
	if s := v.failing(); s != nil && s.Why != "" {
		why += fmt.Sprintf(" At %s: %s.", Rate(m.Fail), strings.TrimSuffix(prose(s.Why), "."))
	}
	p = append(p, why)
	if s := v.confirmation(); s != "" {
		p = append(p, s)
	}
	return p
}

// until says what had been reached when a wrong number ended the search.
func (v runView) until() string {
	if v.MaxRate.Pass == 0 {
		return ""
	}
	return fmt.Sprintf(" Until then the largest rate that passed was %s%s.", Rate(v.MaxRate.Pass), v.on())
}

// on is where the answer holds: ", on this shared machine", or "".
func (v runView) on() string {
	if v.MaxRate.Label == "" {
		return ""
	}
	return ", " + prose(v.MaxRate.Label)
}

// confirmation says what the confirmed rate stands on: every run at it, also those that did not pass, and the spread of
// their p99 rather than the best.
func (v runView) confirmation() string {
	steps, tries := v.confirming()
	if len(steps) == 0 {
		return ""
	}
	least := slices.MinFunc(steps, func(a, b *history.Step) int { return cmp.Compare(a.Latency.P99, b.Latency.P99) })
	most := slices.MaxFunc(steps, func(a, b *history.Step) int { return cmp.Compare(a.Latency.P99, b.Latency.P99) })
	short := slices.MinFunc(steps, func(a, b *history.Step) int { return cmp.Compare(a.Elapsed, b.Elapsed) })
	long := slices.MaxFunc(steps, func(a, b *history.Step) int { return cmp.Compare(a.Elapsed, b.Elapsed) })

	count := fmt.Sprintf("%d runs", len(steps))
	if tries > len(steps) {
		count = fmt.Sprintf("%d of %d runs", len(steps), tries)
	} else if tries == 1 {
		count = "one run"
	}
	return fmt.Sprintf("Confirmed by %s at that rate, of %s; p99 %s.", count,
		span(Duration(short.Elapsed), Duration(long.Elapsed)), span(Duration(least.Latency.P99), Duration(most.Latency.P99)))
}

// span writes a range, or one value where its ends read the same.
func span(from, to string) string {
	if from == to {
		return from
	}
	return from + " to " + to
}

// fixedAnswer is the answer of a run that searched nothing.
func (v runView) fixedAnswer() []string {
	steps := v.fixed()
	if len(steps) == 0 {
		return []string{"The run recorded none."}
	}
	var p []string
	for _, s := range steps {
		offered := "As fast as the connections went (closed loop)"
		if s.PlannedRate > 0 {
			offered = "Offered " + Rate(s.PlannedRate)
		}
		judged := "meets the objective"
		switch {
		case s.Limit == history.LimitGenerator, s.Limit == history.LimitHost, s.Limit == history.RunInterrupted:
			judged = "says nothing about the objective"
		case !s.Pass:
			judged = "does not meet the objective"
		}
		if s.Why != "" {
			judged += ": " + strings.TrimSuffix(prose(s.Why), ".")
		}
		p = append(p, fmt.Sprintf("No maximum was searched for. %s for %s, the target answered **%s**; this %s.",
			offered, Duration(s.Elapsed), Rate(s.AchievedRate), judged))
		if s.Limit != history.NoLimit {
			p = append(p, "Reason ("+code(string(s.Limit))+"): "+explain(s.Limit))
		}
	}
	return p
}

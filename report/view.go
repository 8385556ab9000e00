package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/turnomatico/tmctl/history"
)

// document is what the template sees.
type document struct {
	Heading string // of a run's sections
	Runs    []runView
}

// runView is a run with the few readings of it that the template can't make by itself.
type runView struct {
	*history.Run
	Path, Chart, H string
	Index          int
}

// Sentences are the lines of the verdict sentence.
func (v runView) Sentences() []string {
	if strings.TrimSpace(v.Sentence) == "" {
		return []string{"No verdict was recorded: the run did not come to its end."}
	}
	return strings.Split(strings.TrimSpace(v.Sentence), "\n")
}

// Took is how long the run was, or 0 if its end was not recorded.
func (v runView) Took() time.Duration { return max(v.Finished.Sub(v.Started), 0) }

// Reasons lists why requests failed, the most frequent first.
func (v runView) Reasons() string {
	names := make([]string, 0, len(v.ErrorReasons))
	for name := range v.ErrorReasons {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if n, m := v.ErrorReasons[a], v.ErrorReasons[b]; n != m {
			return int(m) - int(n)
		}
		return strings.Compare(a, b)
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %s", prose(name), Count(v.ErrorReasons[name]))
	}
	return strings.Join(names, ", ")
}

// Drawable says whether LatencyChart has anything to draw.
func (v runView) Drawable() bool {
	return slices.ContainsFunc(v.Steps, func(s history.Step) bool { return drawn(&s) && readable(&s) })
}

// QueueNames are up to three of the ids, the first ones.
func (v runView) QueueNames() []string { return v.IDs[:min(len(v.IDs), 3)] }

// Rows are the steps as the table shows them.
func (v runView) Rows() []row {
	rows := make([]row, len(v.Steps))
	for i := range v.Steps {
		rows[i] = row{Step: &v.Steps[i], Index: i + 1}
	}
	return rows
}

// confirming are the steps that confirmed the answer of a search; tries is how many were run for it.
func (v runView) confirming() (found []*history.Step, tries int) {
	for i, s := range v.Steps {
		if v.MaxRate == nil || s.Phase != history.Confirm || !sameRate(s.PlannedRate, v.MaxRate.Pass) {
			continue
		}
		tries++
		if s.Pass {
			found = append(found, &v.Steps[i])
		}
	}
	return found, tries
}

// failing is the last step that failed at the rate which the answer calls the first to fail, or nil.
func (v runView) failing() *history.Step {
	for i := len(v.Steps) - 1; i >= 0; i-- {
		if s := &v.Steps[i]; v.MaxRate != nil && !s.Pass && s.PlannedRate > 0 && sameRate(s.PlannedRate, v.MaxRate.Fail) {
			return s
		}
	}
	return nil
}

// AnswerP99 is the largest p99 among the steps that the answer stands on, or "–".
func (v runView) AnswerP99() string {
	steps, _ := v.confirming()
	if v.MaxRate == nil {
		steps = v.fixed()
	}
	worst := time.Duration(0)
	for _, s := range steps {
		if readable(s) {
			worst = max(worst, s.Latency.P99)
		}
	}
	if worst == 0 {
		return missing
	}
	return Duration(worst)
}

// fixed are the steps of a run that had one rate.
func (v runView) fixed() []*history.Step {
	var found []*history.Step
	for i, s := range v.Steps {
		if s.Phase == history.Fixed {
			found = append(found, &v.Steps[i])
		}
	}
	return found
}

// HostCPU is how busy the whole machine was in its busiest step, in per cent; −1 when that was not measured.
func (v runView) HostCPU() float64 {
	busiest := -1.0
	for _, s := range v.Steps {
		busiest = max(busiest, s.HostCPU)
	}
	return busiest
}

// row is a step in the table.
type row struct {
	*history.Step
	Index int
}

// Judged says whether the step could pass or fail: a warm-up has no objective, and a search's closed loop no offered rate.
func (r row) Judged() bool {
	return r.Limit != history.NoLimit || r.Phase != history.Warmup && r.Phase != history.Peak
}

// Result says how the step ended: pass, or what it failed by and why.
func (r row) Result() string {
	switch {
	case !r.Judged():
		return "not judged"
	case r.Pass:
		return "pass"
	}
	words := "**fail**"
	if r.Limit != history.NoLimit {
		words += " (" + prose(string(r.Limit)) + ")"
	}
	if r.EndedEarly && !strings.HasPrefix(r.Why, "ended") {
		words += ", ended early"
	}
	if r.Why != "" {
		words += ": " + prose(r.Why)
	}
	return words
}

// Readable says whether the percentiles mean anything.
func (r row) Readable() bool { return readable(r.Step) }

// readable reports whether a step's percentiles may be read: one that was ended early is cut off at a moment that its
// latencies chose, so they describe nothing.
func readable(s *history.Step) bool { return !s.EndedEarly && s.Answered > 0 && s.Latency.Max > 0 }

// sameRate forgives the rounding of a rate on its way through JSON and back.
func sameRate(a, b float64) bool { return max(a, b)-min(a, b) <= 1e-6*max(a, b) }

// perSecond writes a rate in full for the table, where the head says /s.
func perSecond(v float64) string {
	if v < 100 {
		return digits(v, 3)
	}
	return Count(int64(v + .5))
}

// gibibytes writes a size of memory.
func gibibytes(n uint64) string { return oneDecimal(float64(n)/(1<<30)) + " GiB" }

// at writes a moment of the run so that it can be looked up in its history.
func at(d time.Duration) string { return fmt.Sprintf("%.6f s", d.Seconds()) }

// known writes a value of the environment, or says that there is none.
func known(v any) string {
	switch v := v.(type) {
	case string:
		if s := prose(v); s != "" {
			return s
		}
	case int:
		if v > 0 {
			return Count(v)
		}
	case uint64:
		if v > 0 {
			return Count(v)
		}
	}
	return "not recorded"
}

package export

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/turnomatico/tmctl/monitor"
	"github.com/turnomatico/tmctl/monitor/scenario"
)

// RuleTests writes what `promtool test rules` reads: all scenarios, and of each alert what fires in them by the model of
// package monitor. So promtool says whether Prometheus would do the same.
func RuleTests(w io.Writer, alerts []monitor.Alert) error {
	var b bytes.Buffer
	promql := expressions(alerts)
	b.WriteString("# Written by tmctl export prometheus, for promtool test rules.\nrule_files:\n  - " + RulesFile + "\nevaluation_interval: " +
		monitor.PromDuration(scenario.Step) + "\ntests:\n")
	for _, s := range scenario.All() {
		fmt.Fprintf(&b, "  - name: %s\n    interval: %s\n    input_series:\n", quote(s.Name), monitor.PromDuration(scenario.Step))
		for _, series := range monitor.SeriesOf(s.Observations) {
			if series.Matters(promql) {
				fmt.Fprintf(&b, "      - series: %s\n        values: %s\n", quote(series.Name()), quote(notation(series.Values)))
			}
		}
		b.WriteString("    alert_rule_test:\n")
		for i := range alerts {
			writeExpectations(&b, s, alerts, i)
		}
	}
	_, err := b.WriteTo(w)
	return err
}

// margin is how many steps around a change of the model's mind are not asked about: Prometheus extrapolates increases to the
// edges of their window, and its versions differ in whether an edge is within.
const margin = 2

// writeExpectations asks what fires of an alert, wherever the model has not changed its mind within the margin.
func writeExpectations(b *bytes.Buffer, s scenario.Scenario, alerts []monitor.Alert, nth int) {
	firing := model(s, alerts[nth])
	last := len(firing) - 1
	for i := range firing {
		// Two questions a stretch: at its beginning, and at its end.
		begins := i >= margin && names(firing[i]) != names(firing[max(i-margin-1, 0)])
		ends := i+margin+1 <= last && names(firing[i]) != names(firing[i+margin+1])
		if (begins || ends || i == last) && steady(firing, i) {
			writeExpectation(b, time.Duration(i)*scenario.Step, alerts[nth], firing[i])
		}
	}
}

// steady reports whether the same fires at i as around it.
func steady(firing [][]monitor.Status, i int) bool {
	for j := max(i-margin, 0); j <= min(i+margin, len(firing)-1); j++ {
		if names(firing[j]) != names(firing[i]) {
			return false
		}
	}
	return true
}

func names(firing []monitor.Status) string {
	var b strings.Builder
	for i := range firing {
		b.WriteString(firing[i].Instance + " ")
		if firing[i].Instance == "" {
			b.WriteString("all ")
		}
	}
	return b.String()
}

// model is what fires of an alert after each observation.
func model(s scenario.Scenario, a monitor.Alert) (firing [][]monitor.Status) {
	e := monitor.NewEvaluator([]monitor.Alert{a})
	for _, o := range s.Observations {
		e.Add(o)
		var now []monitor.Status
		for _, status := range e.Active() {
			if status.State == monitor.Firing {
				now = append(now, status)
			}
		}
		firing = append(firing, now)
	}
	return firing
}

func writeExpectation(b *bytes.Buffer, at time.Duration, a monitor.Alert, firing []monitor.Status) {
	fmt.Fprintf(b, "      - eval_time: %s\n        alertname: %s\n", monitor.PromDuration(max(at, time.Second)), a.Name)
	if len(firing) == 0 {
		return
	}
	b.WriteString("        exp_alerts:\n")
	for _, s := range firing {
		labels, notes := s.Labels(), s.Annotations()
		fmt.Fprintf(b, "          - exp_labels:\n              severity: %s\n", labels["severity"])
		if s.Instance != "" {
			fmt.Fprintf(b, "              instance: %s\n", quote(labels["instance"]))
		}
		fmt.Fprintf(b, "            exp_annotations:\n              summary: %s\n              runbook_url: %s\n", quote(notes["summary"]), quote(notes["runbook_url"]))
	}
}

// notation is values as promtool reads them: a+bxn is a and n further ones, each b more.
func notation(values []*float64) string {
	var parts []string
	for i := 0; i < len(values); {
		switch {
		case values[i] != nil:
			n, step := run(values[i:])
			if n == 1 {
				parts = append(parts, number(*values[i]))
			} else {
				parts = append(parts, fmt.Sprintf("%s%sx%d", number(*values[i]), signed(step), n-1))
			}
			i += n
		case i > 0 && values[i-1] != nil:
			parts = append(parts, "stale") // Prometheus notes at once that a target does not answer
			i++
		default:
			parts = append(parts, "_")
			i++
		}
	}
	return strings.Join(parts, " ")
}

// run is how many values from the first on are the same step apart.
func run(values []*float64) (n int, step float64) {
	if len(values) == 1 || values[1] == nil {
		return 1, 0
	}
	step = *values[1] - *values[0]
	for n = 2; n < len(values) && values[n] != nil && *values[n]-*values[n-1] == step; n++ {
	}
	return n, step
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func signed(v float64) string {
	if v < 0 {
		return number(v)
	}
	return "+" + number(v)
}

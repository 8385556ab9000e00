// Package export writes what package monitor knows for other tools: rules and their tests for Prometheus, a dashboard for
// Grafana, a compose file that runs them all. Start with [Rules].
package export

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/turnomatico/tmctl/monitor"
)

// RulesFile is what the tests call the file that Rules writes; RuleTestsFile is their own name.
const (
	RulesFile     = "turno.rules.yml"
	RuleTestsFile = "turno.tests.yml"
)

// Rules writes alerts as rules of Prometheus: first what it computes once, under a name, then the alerts.
func Rules(w io.Writer, alerts []monitor.Alert) error {
	var b bytes.Buffer
	b.WriteString("# Written by tmctl export prometheus. The job that scrapes the nodes is " + monitor.Job + ": job_name: " + monitor.Job + ".\n")
	b.WriteString("groups:\n  - name: turno\n    rules:\n")
	seen := map[string]bool{}
	for _, a := range alerts {
		for _, r := range monitor.Recorded(a.When) {
			if !seen[r.Name] {
				seen[r.Name] = true
				fmt.Fprintf(&b, "      - record: %s\n        expr: %s\n", r.Name, quote(r.Of.String()))
			}
		}
	}
	for _, a := range alerts {
		fmt.Fprintf(&b, "      - alert: %s\n        expr: %s\n", a.Name, quote(a.When.String()))
		if a.For > 0 {
			fmt.Fprintf(&b, "        for: %s\n", monitor.PromDuration(a.For))
		}
		fmt.Fprintf(&b, "        labels:\n          severity: %s\n        annotations:\n          summary: %s\n          runbook_url: %s\n",
			a.Severity, quote(summary(a)), quote(a.Runbook()))
	}
	_, err := b.WriteTo(w)
	return err
}

// summary is the alert's line, with the node's name where it is of one.
func summary(a monitor.Alert) string {
	if a.OfAll {
		return a.Summary
	}
	return "{{ $labels.instance }} " + a.Summary
}

// quote is a text of one line in YAML.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// expressions are all those of the alerts.
func expressions(alerts []monitor.Alert) string {
	var b strings.Builder
	for _, a := range alerts {
		for _, r := range monitor.Recorded(a.When) {
			b.WriteString(r.Of.String() + "\n")
		}
		b.WriteString(a.When.String() + "\n")
	}
	return b.String()
}

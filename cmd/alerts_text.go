package cmd

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/turnomatico/tmctl/journal"
	"github.com/turnomatico/tmctl/monitor"
)

// alertMarks are the states for people whose terminal has no colours.
var alertMarks = map[monitor.State]string{monitor.Pending: "▲", monitor.Firing: "✗", monitor.Resolved: "✓", monitor.Calm: "·"}

// print writes a change as a line.
func (a *alerts) print(s monitor.Status) error {
	if a.asJSON {
		return json.NewEncoder(a.env.Out).Encode(s.Notice())
	}
	lasted := ""
	if s.State == monitor.Resolved {
		lasted = ", for " + s.Took().Round(time.Millisecond).String()
	}
	_, err := fmt.Fprintf(a.env.Out, "%s %s %-8s %-8s %s: %s%s\n",
		s.At.UTC().Format(time.RFC3339), alertMarks[s.State], s.State, s.Severity, s.Name, s.Line(), lasted)
	return err
}

// alert writes what fires and what is resolved into the journal.
func (j nodeJournal) alert(s monitor.Status) {
	e := journal.Event{At: s.At, Source: "alerts", Node: s.Instance, Text: s.Name + ": " + s.Line(),
		Data: map[string]any{"alert": s.Name, "severity": s.Severity, "since": s.Since, "value": s.Notice().Value}}
	switch s.State {
	case monitor.Firing:
		e.Kind = journal.AlertFiring
	case monitor.Resolved:
		e.Kind, e.Text = journal.AlertResolved, s.Name+": resolved after "+s.Took().Round(time.Second).String()+": "+s.Line()
	default:
		return
	}
	j.Recorder.Record(e)
}

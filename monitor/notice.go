package monitor

import (
	"math"
	"time"
)

// Notice is a status as programs are told it. The names are a contract.
type Notice struct {
	At       time.Time  `json:"at"`
	Alert    string     `json:"alert"`
	State    State      `json:"state"`
	Severity Severity   `json:"severity"`
	Instance string     `json:"instance,omitempty"` // nobody's where it is of all nodes
	Text     string     `json:"text"`
	Value    float64    `json:"value"`
	Since    time.Time  `json:"since"`           // when it became true
	Fired    *time.Time `json:"fired,omitempty"` // when somebody was to be told
	Runbook  string     `json:"runbook"`
}

// Notice is s for programs.
func (s *Status) Notice() Notice {
	n := Notice{At: s.At, Alert: s.Name, State: s.State, Severity: s.Severity, Instance: s.Instance, Text: s.Line(), Value: s.Value,
		Since: s.Since, Runbook: s.Runbook()}
	if !s.Fired.IsZero() {
		n.Fired = &s.Fired
	}
	if math.IsInf(n.Value, 0) { // of what was divided by nothing; JSON has no word for it
		n.Value = math.MaxFloat64
	}
	return n
}

// Labels are those that Prometheus gives the alert.
func (s *Status) Labels() map[string]string {
	labels := map[string]string{"alertname": s.Name, "severity": string(s.Severity)}
	if s.Instance != "" {
		labels["instance"] = s.Instance
	}
	return labels
}

// Annotations are those that Prometheus gives it. Its value is not in them: it changes with every look, and Alertmanager
// would take that for news.
func (s *Status) Annotations() map[string]string {
	summary := s.Summary
	if s.Instance != "" {
		summary = s.Instance + " " + summary
	}
	return map[string]string{"summary": summary, "runbook_url": s.Runbook()}
}

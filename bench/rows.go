package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Metrics of a sample. Times are in the unit of the row that shows them.
const (
	rate       = "rate"       // requests answered a second
	cpu        = "cpu"        // µs of the generator's CPU a request
	serverCPU  = "server_cpu" // µs of the server's CPU a request
	p50, p99   = "p50", "p99" // ms; corrected for coordinated omission where the tool can
	service50  = "service_p50"
	service99  = "service_p99"
	lag        = "lag_p99"  // ms
	notSent    = "not_sent" // percent of the hits that were due
	answerSize = "answer_bytes"
)

// row is a line of the table.
type row struct {
	Figure   string  `json:"figure"`
	Unit     string  `json:"unit"`
	Ours     *spread `json:"ours"`
	PeerName string  `json:"peer_name,omitempty"`
	Peer     *spread `json:"peer,omitempty"`
	Ratio    *spread `json:"ratio,omitempty"` // of ours to the peer's, round by round
	limit
	Verdict string `json:"verdict"`
}

// limit is what is asked of a row: of its ratio when it has a peer, of our value when not. Zero: nothing is asked.
type limit struct {
	Bound  float64 `json:"bound,omitempty"`
	Goal   float64 `json:"goal,omitempty"`
	AtMost bool    `json:"at_most,omitempty"`
}

func atMost(bound, goal float64) limit  { return limit{Bound: bound, Goal: goal, AtMost: true} }
func atLeast(bound, goal float64) limit { return limit{Bound: bound, Goal: goal} }

// alone is a row about one contender.
func alone(figure, unit, metric string, ours series, l limit) row {
	return row{Figure: figure, Unit: unit, Ours: ours.of(metric), limit: l}.judged()
}

// against is a row about two.
func against(peerName string, peer series, r row, metric string, ours series) row {
	r.Ours, r.PeerName, r.Peer, r.Ratio = ours.of(metric), peerName, peer.of(metric), ours.over(peer, metric)
	return r.judged()
}

// Verdicts. A figure that falls short is reported short; it fails nothing.
const (
	enough      = "ok"
	short       = "short"
	notJudged   = "–"
	notMeasured = "not measured"
)

func (r row) judged() row {
	value := r.Ours
	if r.PeerName != "" {
		value = r.Ratio
	}
	switch {
	case r.Ours == nil, r.Bound != 0 && value == nil:
		r.Verdict = notMeasured
	case r.Bound == 0:
		r.Verdict = notJudged
	case r.AtMost && value.Median <= r.Bound, !r.AtMost && value.Median >= r.Bound:
		r.Verdict = enough
	default:
		r.Verdict = short
	}
	return r
}

func (r row) markdown() string {
	peer := "–"
	if r.PeerName != "" {
		peer = r.PeerName + ": " + cell(r.Peer, r.Unit)
	}
	unit := r.Unit // of what is bounded
	if r.PeerName != "" {
		unit = "×"
	}
	peer = strings.ReplaceAll(peer, "|", `\|`) // vegeta attack | report
	return "| " + strings.Join([]string{r.Figure, cell(r.Ours, r.Unit), peer, cell(r.Ratio, "×"), r.asked(r.Bound, unit), r.asked(r.Goal, unit),
		r.Verdict}, " | ") + " |"
}

func (r row) asked(v float64, unit string) string {
	switch {
	case v == 0:
		return "–"
	case r.AtMost:
		return "≤ " + format(v, unit)
	default:
		return "≥ " + format(v, unit)
	}
}

// cell is a median, and between what it is one.
func cell(s *spread, unit string) string {
	if s == nil {
		return "–"
	}
	median, lo, hi := format(s.Median, unit), format(s.Min, unit), format(s.Max, unit)
	if lo == hi {
		return "**" + median + "**"
	}
	bare := func(v string) string { return strings.TrimSpace(strings.TrimSuffix(v, unit)) }
	return fmt.Sprintf("**%s** (%s … %s)", median, bare(lo), bare(hi))
}

// format writes three digits, or all of a large number's, with its unit.
func format(v float64, unit string) string {
	s := ""
	switch {
	case math.Abs(v) >= 1000:
		s = thousands(int64(math.Round(v)))
	case unit == "×":
		s = strconv.FormatFloat(v, 'f', 2, 64)
	case math.Abs(v) >= 100:
		s = strconv.FormatFloat(v, 'f', 0, 64)
	case math.Abs(v) >= 10:
		s = strconv.FormatFloat(v, 'f', 1, 64)
	default:
		s = strconv.FormatFloat(v, 'f', 2, 64)
	}
	if unit == "/s" {
		return s + unit
	}
	return s + " " + unit
}

func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

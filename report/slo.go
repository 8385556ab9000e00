package report

import (
	"strings"
	"time"
)

// bound is one latency objective: the share of requests that Name stands for must answer within Limit.
type bound struct {
	Name  string // p50, p90, p95, p99, p99.9, max
	Op    string // < or <=, as written
	Limit time.Duration
}

func (b bound) String() string { return b.Name + " " + b.Op + " " + Duration(b.Limit) }

// latencyBounds reads the latency objectives out of an SLO such as "p99<50ms,errors<0.1%". It is for drawing, not for
// judging: what it can't read it leaves out, since the generator had accepted the whole before the run.
func latencyBounds(slo string) []bound {
	var bounds []bound
	for term := range strings.SplitSeq(slo, ",") {
		name, limit, ok := strings.Cut(term, "<")
		if !ok {
			continue
		}
		b := bound{Name: strings.ToLower(strings.TrimSpace(name)), Op: "<"}
		if rest, ok := strings.CutPrefix(limit, "="); ok {
			b.Op, limit = "≤", rest
		}
		d, err := time.ParseDuration(strings.TrimSpace(limit))
		if err != nil || d <= 0 || !isPercentile(b.Name) {
			continue
		}
		b.Limit = d
		bounds = append(bounds, b)
	}
	return bounds
}

func isPercentile(name string) bool {
	digits, ok := strings.CutPrefix(name, "p")
	return name == "max" || ok && digits != "" && strings.Trim(digits, "0123456789.") == ""
}

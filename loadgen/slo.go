package loadgen

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/turnomatico/tmctl/history"
)

// SLO is the objective that a step must meet: all of its bounds.
type SLO struct {
	Latency []LatencyBound
	Errors  float64 // largest share of sent requests that may fail; 1 = any
}

// LatencyBound says that a share Quantile of all answers must take at most Max, corrected for coordinated omission.
type LatencyBound struct {
	Name     string // "p99"
	Quantile float64
	Max      time.Duration
}

// ParseSLO reads "p99<50ms,errors<0.1%": percentiles (p50, p99, p99.9, max) with a duration, and errors with a
// percentage or a share. An error says where.
func ParseSLO(s string) (SLO, error) {
	slo := SLO{Errors: 1}
	pos := 1
	for _, term := range strings.Split(s, ",") {
		if err := slo.parseTerm(strings.TrimSpace(term)); err != nil {
			return SLO{}, fmt.Errorf("slo %q, at character %d: %w", s, pos, err)
		}
		pos += len(term) + 1
	}
	return slo, nil
}

func (s *SLO) parseTerm(term string) error {
	name, bound, ok := strings.Cut(term, "<")
	if !ok {
		return fmt.Errorf("%q has no <; want for example p99<50ms or errors<0.1%%", term)
	}
	name, bound = strings.TrimSpace(name), strings.TrimPrefix(strings.TrimSpace(bound), "=")
	bound = strings.TrimSpace(bound)
	if name == "errors" {
		share, err := parseShare(bound)
		s.Errors = share
		return err
	}
	q, err := parsePercentile(name)
	if err != nil {
		return err
	}
	d, err := time.ParseDuration(bound)
	if err != nil || d <= 0 {
		return fmt.Errorf("%q is not a duration; want for example 50ms", bound)
	}
	s.Latency = append(s.Latency, LatencyBound{Name: name, Quantile: q, Max: d})
	return nil
}

func parsePercentile(name string) (float64, error) {
	if name == "max" {
		return 1, nil
	}
	digits, ok := strings.CutPrefix(name, "p")
	p, err := strconv.ParseFloat(digits, 64)
	if !ok || err != nil || !(p > 0 && p < 100) {
		return 0, fmt.Errorf("%q is not a percentile; want p50, p90, p99, p99.9, max or errors", name)
	}
	return p / 100, nil
}

func parseShare(s string) (float64, error) {
	digits, percent := strings.CutSuffix(s, "%")
	v, err := strconv.ParseFloat(digits, 64)
	if percent {
		v /= 100
	}
	if err != nil || !(v >= 0 && v <= 1) {
		return 0, fmt.Errorf("%q is not a share; want for example 0.1%% or 0.001", s)
	}
	return v, nil
}

// Tightest is the smallest latency bound, or timeout where the SLO has none.
func (s SLO) Tightest(timeout time.Duration) time.Duration {
	for _, b := range s.Latency {
		timeout = min(timeout, b.Max)
	}
	return timeout
}

// Samples is how many answers a step needs before each percentile of the SLO means anything: one beyond it.
func (s SLO) Samples() uint64 {
	n := 10.0
	for _, b := range s.Latency {
		if b.Quantile < 1 {
			n = max(n, 1/(1-b.Quantile))
		}
	}
	return uint64(math.Ceil(n - 1e-6))
}

// allowedLate is how many of n hits may take longer than b.Max.
func (b LatencyBound) allowedLate(n float64) float64 { return (1 - b.Quantile) * n }

// missed is the first latency bound that h does not meet, in words; "" when all are met.
func (s SLO) missed(h *history.Histogram) string {
	for _, b := range s.Latency {
		if got := h.Quantile(b.Quantile); got > b.Max {
			return fmt.Sprintf("%s %s > %s", b.Name, round(got), b.Max)
		}
	}
	return ""
}

// round keeps three digits of d.
func round(d time.Duration) time.Duration {
	for unit := time.Duration(1); ; unit *= 10 {
		if d < unit*1000 {
			return d.Round(unit)
		}
	}
}

package loadgen

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// ParseRate reads requests per second from "500", "50k", "1.5m", "100/s", "9000/1m" or "2k/100ms". The result is positive
// and at most [MaxRate].
func ParseRate(s string) (float64, error) {
	count, per, slash := strings.Cut(s, "/")
	n, err := parseCount(count)
	if err != nil {
		return 0, fmt.Errorf("rate %q: %w", s, err)
	}
	unit := time.Second
	if slash {
		if unit, err = parsePer(per); err != nil {
			return 0, fmt.Errorf("rate %q: %w", s, err)
		}
	}
	rate := n / unit.Seconds()
	if rate <= 0 || rate > MaxRate || math.IsNaN(rate) {
		return 0, fmt.Errorf("rate %q is outside 0…%.0f/s", s, float64(MaxRate))
	}
	return rate, nil
}

// MaxRate is the largest rate that a plan may ask for, in requests/s.
const MaxRate = 1e8

func parseCount(s string) (float64, error) {
	factor := 1.0
	switch {
	case strings.HasSuffix(s, "k"), strings.HasSuffix(s, "K"):
		factor, s = 1e3, s[:len(s)-1]
	case strings.HasSuffix(s, "m"), strings.HasSuffix(s, "M"):
		factor, s = 1e6, s[:len(s)-1]
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(n, 0) {
		return 0, fmt.Errorf("%q is not a number", s)
	}
	return n * factor, nil
}

func parsePer(s string) (time.Duration, error) {
	if s == "" {
		return 0, fmt.Errorf("nothing after the slash")
	}
	if s[0] < '0' || s[0] > '9' { // "s", "ms", "m"
		s = "1" + s
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%q is not a duration", s)
	}
	return d, nil
}

package monitor

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// promPattern is a text as a regular expression that matches it alone, within a quoted string of PromQL.
func promPattern(s string) string {
	quoted := strconv.Quote(regexp.QuoteMeta(s))
	return strings.TrimSuffix(strings.TrimPrefix(quoted, `"`), `"`)
}

// PromDuration is a duration as Prometheus writes it, in the largest unit of which it is a whole number: 5m, 90m, 3d.
func PromDuration(d time.Duration) string {
	for _, unit := range []struct {
		name string
		is   time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}} {
		if d%unit.is == 0 && d > 0 {
			return strconv.FormatInt(int64(d/unit.is), 10) + unit.name
		}
	}
	return strconv.FormatInt(d.Milliseconds(), 10) + "ms"
}

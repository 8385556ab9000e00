package report

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Rate writes requests per second for people, with the three digits that a load test can vouch for: 41,200/s.
func Rate(perSecond float64) string {
	return digits(perSecond, 3) + "/s"
}

// Count writes a whole number with its thousands apart: 2,104,332.
func Count[T ~int | ~int64 | ~uint32 | ~uint64](n T) string {
	return group(strconv.FormatInt(int64(n), 10))
}

// Duration writes a time span in the unit a person would choose, to one decimal below 100 of it: 3.1 ms, 126 ms, 2 min.
func Duration(d time.Duration) string {
	if d < 0 {
		return "-" + Duration(-d)
	}
	units := []struct {
		size time.Duration
		name string
	}{{time.Microsecond, "µs"}, {time.Millisecond, "ms"}, {time.Second, "s"}, {time.Minute, "min"}, {time.Hour, "h"}}
	best := units[0]
	for _, u := range units[1:] {
		// A unit is worth changing to when one of it is reached; seconds and minutes are left at two, so that 90 s stays.
		reach := u.size
		if u.size >= time.Minute {
			reach *= 2
		}
		if d >= reach-best.size/20 { // 999.96 µs would be written as 1,000 µs
			best = u
		}
	}
	return oneDecimal(float64(d)/float64(best.size)) + " " + best.name
}

// Percent writes a share that is already in per cent: 28 %, 0.04 %.
func Percent(p float64) string { return digits(p, 2) + " %" }

// milliseconds writes a duration for a table whose head names the unit: 0.042, 3.1, 1,240.
func milliseconds(d time.Duration) string { return digits(float64(d)/float64(time.Millisecond), 3) }

// digits writes v to n significant digits, never in powers of ten.
func digits(v float64, n int) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "?"
	}
	if v == 0 {
		return "0"
	}
	decimals := n - 1 - int(math.Floor(math.Log10(math.Abs(v))))
	if decimals <= 0 {
		pow := math.Pow10(-decimals)
		return group(strconv.FormatFloat(math.Round(v/pow)*pow, 'f', 0, 64))
	}
	return trimZeros(strconv.FormatFloat(v, 'f', min(decimals, 6), 64))
}

func oneDecimal(v float64) string {
	if v >= 100 {
		return group(strconv.FormatFloat(v, 'f', 0, 64))
	}
	return trimZeros(strconv.FormatFloat(v, 'f', 1, 64))
}

// trimZeros drops the zeros that end a fraction: 50.0 becomes 50.
func trimZeros(s string) string {
	if !strings.Contains(s, ".") {
		return s
	}
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// group sets commas between the thousands of a decimal integer.
func group(s string) string {
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

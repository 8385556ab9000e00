package main

import (
	"strings"
	"testing"
)

func TestVerdict(t *testing.T) {
	runs := func(values ...float64) (r series) {
		for _, v := range values {
			r = append(r, sample{rate: v})
		}
		return r
	}
	tests := []struct {
		name       string
		ours, peer series
		limit      limit
		ratio      float64
		want       string
	}{
		{"fast enough", runs(80, 90, 70), runs(100, 100, 100), atLeast(0.8, 1), 0.8, enough},
		{"too slow", runs(79, 90, 70), runs(100, 100, 100), atLeast(0.8, 1), 0.79, short},
		{"cheap enough", runs(14), runs(10), atMost(1.4, 1), 1.4, enough},
		{"too dear", runs(15), runs(10), atMost(1.4, 1), 1.5, short},
		{"nothing is asked", runs(15), runs(10), limit{}, 1.5, notJudged},
		{"the ratios of rounds, not of medians", runs(10, 100, 1000), runs(20, 400, 1000), atLeast(0.5, 1), 0.5, enough},
		{"an even number of rounds", runs(1, 3), runs(1, 1), atLeast(2, 3), 2, enough},
		{"a round that failed", series{nil, {rate: 9}}, runs(1, 10), atLeast(0.8, 1), 0.9, enough},
		{"no peer", runs(15), nil, atMost(1.4, 1), 0, notMeasured},
		{"not us", nil, runs(10), limit{}, 0, notMeasured},
	}
	for _, tt := range tests {
		r := against("peer", tt.peer, row{Unit: "/s", limit: tt.limit}, rate, tt.ours)
		ratio := 0.0
		if r.Ratio != nil {
			ratio = r.Ratio.Median
		}
		if r.Verdict != tt.want || ratio != tt.ratio {
			t.Errorf("against(%s) = %s at %v; want %s at %v", tt.name, r.Verdict, ratio, tt.want, tt.ratio)
		}
	}
}

func TestFormat(t *testing.T) {
	tests := []struct {
		v          float64
		unit, want string
	}{
		{1234567, "/s", "1,234,567/s"}, {999.4, "/s", "999/s"}, {12.34, "µs", "12.3 µs"}, {7.126, "µs", "7.13 µs"}, {0, "%", "0.00 %"}, {12.345, "×", "12.35 ×"},
	}
	for _, tt := range tests {
		if got := format(tt.v, tt.unit); got != tt.want {
			t.Errorf("format(%v, %s) = %s; want %s", tt.v, tt.unit, got, tt.want)
		}
	}
}

func TestBetween(t *testing.T) {
	tests := []struct{ name, page, want, err string }{
		{"an empty place", "a\n" + pageBegin + pageEnd + "z\n", "a\n" + pageBegin + "new\n" + pageEnd + "z\n", ""},
		{"a full one", "a\n" + pageBegin + "old\n" + pageEnd + "z\n", "a\n" + pageBegin + "new\n" + pageEnd + "z\n", ""},
		{"no end", "a\n" + pageBegin + "z\n", "", "want the lines"},
		{"the wrong order", pageEnd + pageBegin, "", "want the lines"},
	}
	for _, tt := range tests {
		got, err := between(tt.page, "new\n")
		if got != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("between(%s) = %q, %v; want %q, %q", tt.name, got, err, tt.want, tt.err)
		}
	}
}

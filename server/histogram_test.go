package server

import (
	"math"
	"testing"
	"time"
)

// A native bucket i holds what is above 2^((i−1)/8) s and up to 2^(i/8) s.
func TestNativeBucket(t *testing.T) {
	tests := []struct {
		seconds float64
		want    int // Prometheus' index; the zero bucket is lowest
	}{
		{0, lowest}, {zeroThreshold, lowest}, {1e-12, lowest},
		{zeroThreshold * 1.01, lowest + 1},
		{50e-6, -114}, {1e-3, -79}, {0.5, -8}, {0.51, -7}, {1, 0}, {1.01, 1}, {2, 8}, {64, 48}, {1000, 48}, {math.MaxFloat64, 48},
	}
	for _, tt := range tests {
		if got := nativeBucket(tt.seconds) + lowest + 1; got != tt.want {
			t.Errorf("nativeBucket(%g) is Prometheus' %d; want %d", tt.seconds, got, tt.want)
		}
	}
	for s := 2e-6; s < 60; s *= 1.013 {
		i := float64(nativeBucket(s) + lowest + 1)
		if low, high := math.Exp2((i-1)/perDoubling), math.Exp2(i/perDoubling); s <= low*(1-1e-12) || s > high*(1+1e-12) {
			t.Errorf("nativeBucket(%g) is (%g, %g]", s, low, high)
		}
	}
}

func TestHistogram(t *testing.T) {
	var h histogram
	for _, d := range []time.Duration{0, time.Microsecond, 50 * time.Microsecond, 51 * time.Microsecond, time.Second, time.Minute, time.Hour} {
		h.add(d)
	}
	var d distribution
	h.addTo(&d)
	h.addTo(&d) // as a second stripe
	if d.count != 14 || d.zero != 2 || time.Duration(d.nanos) != 2*(time.Hour+time.Minute+time.Second+102*time.Microsecond) {
		t.Errorf("count, zero, sum = %d, %d, %s; want 14, 2, 2h2m2.000204s", d.count, d.zero, time.Duration(d.nanos))
	}
	if d.classic[0] != 6 || d.classic[1] != 2 || d.classic[13] != 2 {
		t.Errorf("classic = %v; want 6 up to 50µs, 2 up to 100µs, 2 up to 1s", d.classic)
	}
}

func BenchmarkHistogram(b *testing.B) {
	var h histogram
	for b.Loop() {
		h.add(700 * time.Nanosecond)
	}
}

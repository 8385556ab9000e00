package server

import (
	"math"
	"sync/atomic"
	"time"
)

// Prometheus' native histograms of schema 3 have eight buckets a doubling, each 2^(1/8) = 1.09 times as wide as the one
// before. Ours span 2^−20 s (just under a microsecond) to 2^6 s; what is shorter is in the zero bucket, what is longer in
// the last one.
const (
	schema      = 3
	perDoubling = 1 << schema
	lowest      = -20 * perDoubling // index of the last bucket left out
	buckets     = 26 * perDoubling
)

// zeroThreshold is the upper bound of the zero bucket, in seconds.
const zeroThreshold = 1.0 / (1 << 20)

// classicBounds are the upper bounds, in seconds, for those whose Prometheus reads no native histograms.
var classicBounds = [...]float64{50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 250e-3, 500e-3, 1, 2.5, 5}

// steps are the upper bounds of the native buckets within one doubling, as math.Frexp gives fractions: (0.5, 1].
var steps = func() (s [perDoubling]float64) {
	for i := range s {
		s[i] = math.Exp2(float64(i)/perDoubling - 1)
	}
	return s
}()

// histogram counts durations in both kinds of buckets, by plain atomics. Prometheus' own takes ten times as long, since it
// sums in floating point by compare-and-swap and looks its native buckets up in a map.
type histogram struct {
	nanos   atomic.Int64 // first come those that a fast store writes: one cache line
	zero    atomic.Uint64
	classic [len(classicBounds)]atomic.Uint64 // each without those below; what is longer than all is in native alone
	native  [buckets]atomic.Uint64
}

// distribution is a histogram at rest.
type distribution struct {
	count   uint64 // zero and native together
	zero    uint64
	nanos   int64
	native  [buckets]uint64
	classic [len(classicBounds)]uint64
}

func (h *histogram) add(d time.Duration) {
	seconds := float64(d) / float64(time.Second)
	h.nanos.Add(int64(d))
	if i := nativeBucket(seconds); i < 0 {
		h.zero.Add(1)
	} else {
		h.native[i].Add(1)
	}
	for i, bound := range classicBounds {
		if seconds <= bound {
			h.classic[i].Add(1)
			break
		}
	}
}

// nativeBucket is where seconds is counted; −1 is the zero bucket.
func nativeBucket(seconds float64) int {
	if seconds <= zeroThreshold {
		return -1
	}
	fraction, exponent := math.Frexp(seconds)
	i := 0
	for i < perDoubling && fraction > steps[i] {
		i++
	}
	return min(i+(exponent-1)*perDoubling-lowest-1, buckets-1)
}

// addTo adds h to d while others add to h. The classic buckets are read first and written last, so that together they never
// hold more than the count.
func (h *histogram) addTo(d *distribution) {
	for i := range h.classic {
		d.classic[i] += h.classic[i].Load()
	}
	d.nanos += h.nanos.Load()
	for i := range h.native {
		n := h.native[i].Load()
		d.native[i] += n
		d.count += n
	}
	n := h.zero.Load()
	d.zero += n
	d.count += n
}

package report

import (
	"math"
	"time"
)

// axis maps values to pixels. A logarithmic one shows every decade alike, so that 100 µs and 1 s fit one picture.
type axis struct {
	min, max float64 // of the values
	from, to float64 // in pixels; y axes run from bottom to top
	log      bool
}

func (a axis) at(v float64) float64 {
	lo, hi := a.min, a.max
	if a.log {
		v, lo, hi = math.Log(max(v, a.min)), math.Log(lo), math.Log(hi)
	}
	return a.from + (v-lo)/(hi-lo)*(a.to-a.from)
}

// rateAxis spans 0 to a round number above the largest rate, so that distances mean what they look like.
func rateAxis(largest, from, to float64) (a axis, ticks []float64) {
	step := niceStep(largest / 8)
	top := step * math.Ceil(largest*1.02/step)
	a = axis{max: top, from: from, to: to}
	for i := 0; float64(i)*step <= top*1.0001; i++ {
		ticks = append(ticks, float64(i)*step)
	}
	return a, ticks
}

// niceStep is the smallest of 1, 2, 5 times a power of ten that is not below v.
func niceStep(v float64) float64 {
	pow := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if m*pow >= v*0.9999 {
			return m * pow
		}
	}
	return 10 * pow
}

// latencyAxis spans the durations with room around them. major ticks carry a label; minor ones are lines only. Where
// there are few decades, 2 and 5 of each are labelled too.
func latencyAxis(shortest, longest time.Duration, from, to float64) (a axis, major, minor []time.Duration) {
	lo, hi := math.Log10(float64(shortest))-.15, math.Log10(float64(longest))+.15
	if hi-lo < 1 {
		lo, hi = lo-(1-hi+lo)/2, hi+(1-hi+lo)/2
	}
	a = axis{min: math.Pow(10, lo), max: math.Pow(10, hi), from: from, to: to, log: true}
	few := hi-lo < 4
	for e := int(math.Floor(lo)); e <= int(math.Floor(hi)); e++ {
		for m := 1; m <= 9; m++ {
			v := float64(m) * math.Pow(10, float64(e))
			if v < a.min || v > a.max {
				continue
			}
			if m == 1 || few && (m == 2 || m == 5) {
				major = append(major, time.Duration(math.Round(v)))
			} else {
				minor = append(minor, time.Duration(math.Round(v)))
			}
		}
	}
	return a, major, minor
}

package main

import (
	"context"
	"slices"
)

// sample is what one run measured, by metric.
type sample map[string]float64

// series is the runs of one contender, one a round; nil where the run failed.
type series []sample

// contender is one of those who take turns.
type contender struct {
	name string
	run  func(ctx context.Context) (sample, error)
}

// interleave lets the contenders take turns, A B C A B C …, so that a machine that becomes slower becomes slower for all
// of them. A run that fails is noted and left out; the others go on.
func (b *bench) interleave(ctx context.Context, figure string, all []contender) map[string]series {
	got := map[string]series{}
	b.runs[figure] = got
	for round := range b.rounds {
		for _, c := range all {
			s, err := c.run(ctx)
			switch {
			case ctx.Err() != nil:
				return got
			case err != nil:
				b.note("%s, %s, round %d: %v", figure, c.name, round+1, err)
				s = nil
			default:
				b.say("%s %d/%d  %-28s %s", figure, round+1, b.rounds, c.name, s.brief())
			}
			got[c.name] = append(got[c.name], s)
		}
	}
	return got
}

func (s sample) brief() string {
	out := ""
	for _, m := range []struct{ metric, unit string }{{rate, "/s"}, {cpu, "µs"}, {serverCPU, "µs"}} {
		if v, ok := s[m.metric]; ok {
			out += "  " + m.metric + " " + format(v, m.unit)
		}
	}
	return out
}

// spread is a metric over the rounds.
type spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// of is the spread of a metric; nil when no run has it.
func (r series) of(metric string) *spread {
	var values []float64
	for _, s := range r {
		if v, ok := s[metric]; ok {
			values = append(values, v)
		}
	}
	return spreadOf(values)
}

// over is the spread of the ratios of the same round: what the machine did to both is not in them.
func (r series) over(peer series, metric string) *spread {
	var ratios []float64
	for i := range min(len(r), len(peer)) {
		ours, ok := r[i][metric]
		theirs, has := peer[i][metric]
		if ok && has && theirs > 0 {
			ratios = append(ratios, ours/theirs)
		}
	}
	return spreadOf(ratios)
}

func spreadOf(values []float64) *spread {
	if len(values) == 0 {
		return nil
	}
	slices.Sort(values)
	n := len(values)
	return &spread{Median: (values[(n-1)/2] + values[n/2]) / 2, Min: values[0], Max: values[n-1]}
}

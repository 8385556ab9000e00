package report

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/turnomatico/tmctl/history"
)

// curves draws each percentile: a line through the median of the steps at each rate, a mark for every step, and its
// name where the line ends.
func (c *chart) curves() {
	ends := make([]point, 0, len(series))
	for _, p := range series {
		line := c.medians(p.Of)
		if len(line) > 1 {
			c.polyline("line "+p.Class, line)
		}
		if len(line) == 0 {
			line = c.closedLoop(p.Of)
		}
		ends = append(ends, line[len(line)-1])
	}
	for i := len(series) - 1; i >= 0; i-- { // the worst percentile below the others
		for j := range c.run.Steps {
			c.dot(i, &c.run.Steps[j])
		}
	}
	c.names(ends)
}

// dot marks one percentile of one step: filled if the step passed, hollow if not.
func (c *chart) dot(i int, s *history.Step) {
	p := series[i]
	d := p.Of(s.Latency)
	if !drawn(s) || !readable(s) || d <= 0 {
		return
	}
	m, class := disc, "dot "+p.Class+" hollow"
	if s.PlannedRate == 0 {
		m = diamond
	}
	if s.Pass && s.Phase != history.Peak { // a peak is not judged
		class = "dot " + p.Class + " " + p.Class + "-fill"
	}
	c.mark(m, class, point{c.x.at(rateOf(s)), c.y.at(float64(d))}, p.Name+" "+Duration(d)+" · "+tip(s))
}

// medians is the line of one percentile: for every offered rate, the median of the steps that had it, since one step may
// be repeated and a line through all of them would run up and down. Steps in which the generator was the limit say nothing
// of the target, so they have marks but no say.
func (c *chart) medians(of func(history.Percentiles) time.Duration) []point {
	byRate := map[float64][]time.Duration{}
	for i := range c.run.Steps {
		s := &c.run.Steps[i]
		ours := s.Limit == history.LimitGenerator || s.Limit == history.LimitHost
		if d := of(s.Latency); drawn(s) && readable(s) && !ours && s.PlannedRate > 0 && d > 0 {
			byRate[s.PlannedRate] = append(byRate[s.PlannedRate], d)
		}
	}
	line := make([]point, 0, len(byRate))
	for rate, ds := range byRate {
		slices.Sort(ds)
		line = append(line, point{c.x.at(rate), c.y.at(float64(ds[len(ds)/2]))})
	}
	slices.SortFunc(line, func(a, b point) int { return cmp.Compare(a.x, b.x) })
	return line
}

// closedLoop is where one percentile of a run stands that had no offered rate at all.
func (c *chart) closedLoop(of func(history.Percentiles) time.Duration) []point {
	at := []point{{plotLeft, plotBottom}} // for a percentile that no step has
	for i := range c.run.Steps {
		if s := &c.run.Steps[i]; drawn(s) && readable(s) && of(s.Latency) > 0 {
			at = append(at, point{c.x.at(rateOf(s)), c.y.at(float64(of(s.Latency)))})
		}
	}
	return at
}

// names writes the name of each percentile beside the end of its line, the labels pushed apart.
func (c *chart) names(ends []point) {
	order := []int{0, 1, 2}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(ends[b].y, ends[a].y) })
	y := float64(plotBottom + lineHeight)
	for _, i := range order {
		y = min(y-lineHeight, ends[i].y)
		c.text(series[i].Class+"-fill halo", left, ends[i].x+11, y+4, series[i].Name)
	}
}

// endedEarly puts a cross into the lane above the curves for every step whose percentiles say nothing.
func (c *chart) endedEarly() {
	for i := range c.run.Steps {
		if s := &c.run.Steps[i]; drawn(s) && !readable(s) {
			c.mark(cross, "key", point{c.x.at(rateOf(s)), plotTop + laneHeight/2}, tip(s))
		}
	}
}

// tip says what a mark stands for.
func tip(s *history.Step) string {
	t := fmt.Sprintf("%s answered", Rate(s.AchievedRate))
	if s.PlannedRate > 0 {
		t = fmt.Sprintf("%s offered, %s", Rate(s.PlannedRate), t)
	} else {
		t += " (closed loop)"
	}
	t += " · " + string(s.Phase) + ", "
	switch {
	case s.EndedEarly:
		t += "ended early"
	case s.Phase == history.Peak:
		t += "not judged"
	case s.Pass:
		t += "pass"
	default:
		t += "fail"
	}
	if s.Why != "" {
		t += ": " + s.Why
	}
	return t
}

// legend explains the marks that occur.
func (c *chart) legend() {
	kinds := []struct {
		mark  mark
		class string
		text  string
		is    func(*history.Step) bool
	}{
		{disc, "key", "step passed", func(s *history.Step) bool { return readable(s) && s.Pass && s.PlannedRate > 0 }},
		{disc, "key hollow", "step failed", func(s *history.Step) bool { return readable(s) && !s.Pass && s.PlannedRate > 0 }},
		{diamond, "key hollow", "closed loop (at the rate it achieved)", func(s *history.Step) bool { return readable(s) && s.PlannedRate == 0 }},
		{cross, "key", "no percentiles: ended early or unanswered", func(s *history.Step) bool { return !readable(s) }},
	}
	x := float64(plotLeft)
	const width = .84 // this text is smaller than textWidth takes it to be
	for _, k := range kinds {
		if !slices.ContainsFunc(c.run.Steps, func(s history.Step) bool { return drawn(&s) && k.is(&s) }) {
			continue
		}
		c.mark(k.mark, k.class, point{x + 5, 72}, "")
		c.text("soft small", left, x+16, 76, k.text)
		x += 16 + width*textWidth(k.text) + 18
	}
}

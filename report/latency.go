package report

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/turnomatico/tmctl/history"
)

// ErrNoChart is returned by LatencyChart when no step of the run has percentiles.
var ErrNoChart = errors.New("no step of the run has percentiles")

// series are the percentiles that are drawn. Class names the colours in style.
var series = []struct {
	Name, Class string
	Of          func(history.Percentiles) time.Duration
}{
	{"p50", "a", func(p history.Percentiles) time.Duration { return p.P50 }},
	{"p99", "b", func(p history.Percentiles) time.Duration { return p.P99 }},
	{"p99.9", "c", func(p history.Percentiles) time.Duration { return p.P999 }},
}

// Geometry, in pixels.
const (
	chartWidth, chartHeight = 960, 560
	plotLeft, plotRight     = 78, chartWidth - 66
	plotTop, plotBottom     = 112, chartHeight - 62
	lineHeight              = 16
	laneHeight              = 26 // above the curves, for steps without percentiles
)

// LatencyChart draws the corrected response times of a run against the offered rate as an SVG: the percentiles with a
// mark for each step, the objective, the interval in which the maximum lies. A closed-loop step offers nothing, so it
// stands at the rate that it achieved. Warm-up is left out. The same run gives the same bytes.
func LatencyChart(w io.Writer, r *history.Run) error {
	c := chart{run: r, bounds: latencyBounds(r.SLO)}
	if !c.scale() {
		return ErrNoChart
	}
	c.svg = newSVG(chartWidth, chartHeight, "Latency against rate", c.description())
	c.frame()
	c.interval()
	c.objectives()
	c.curves()
	c.endedEarly()
	c.legend()
	_, err := io.WriteString(w, c.svg.String())
	return err
}

// chart is one drawing in the making.
type chart struct {
	*svg
	run          *history.Run
	bounds       []bound
	x, y         axis
	rates        []float64
	major, minor []time.Duration
}

// drawn reports whether a step is in the chart.
func drawn(s *history.Step) bool { return s.Phase != history.Warmup && rateOf(s) > 0 }

// rateOf is where a step stands on the rate axis.
func rateOf(s *history.Step) float64 {
	if s.PlannedRate > 0 {
		return s.PlannedRate
	}
	return s.AchievedRate
}

// scale fits the axes to what is drawn, and reports whether there is anything.
func (c *chart) scale() bool {
	var rates, times []float64
	top := float64(plotTop)
	for i := range c.run.Steps {
		s := &c.run.Steps[i]
		if !drawn(s) {
			continue
		}
		rates = append(rates, rateOf(s))
		if !readable(s) {
			top = plotTop + laneHeight
		}
		for _, p := range series {
			if d := p.Of(s.Latency); readable(s) && d > 0 {
				times = append(times, float64(d))
			}
		}
	}
	if len(times) == 0 {
		return false
	}
	if m := c.run.MaxRate; m != nil {
		rates = append(rates, m.Pass, m.Fail)
	}
	for _, b := range c.bounds {
		times = append(times, float64(b.Limit))
	}
	c.x, c.rates = rateAxis(slices.Max(rates), plotLeft, plotRight)
	c.y, c.major, c.minor = latencyAxis(time.Duration(slices.Min(times)), time.Duration(slices.Max(times)), plotBottom, top)
	return true
}

func (c *chart) description() string {
	d := "Response time percentiles of " + c.run.Plan.Target + " against the offered rate."
	if c.run.SLO != "" {
		d += " Objective: " + c.run.SLO + "."
	}
	return d
}

// frame draws titles, grid and axes.
func (c *chart) frame() {
	c.text("title", left, plotLeft, 30, "Latency against rate")
	c.text("soft", left, plotLeft, 52, shorten(c.run.Plan.Target, 60)+fmt.Sprintf(" · %d connections, %s arrivals", c.run.Plan.Connections, c.run.Plan.Arrivals))
	for _, d := range c.minor {
		c.line("minor", plotLeft, c.y.at(float64(d)), plotRight, c.y.at(float64(d)))
	}
	for _, d := range c.major {
		y := c.y.at(float64(d))
		c.line("grid", plotLeft, y, plotRight, y)
		c.text("soft small", right, plotLeft-8, y+4, Duration(d))
	}
	for _, r := range c.rates {
		x := c.x.at(r)
		c.line("grid", x, plotTop, x, plotBottom)
		c.text("soft small", middle, x, plotBottom+19, perSecond(r))
	}
	c.line("axis", plotLeft, plotBottom, plotRight, plotBottom)
	c.text("soft", middle, (plotLeft+plotRight)/2, chartHeight-16, "offered rate (requests per second)")
	c.textUp("soft", 18, (plotTop+plotBottom)/2, "response time, corrected (log scale)")
}

// interval draws the band between the largest rate that passed and the smallest that failed. Where numbers were wrong,
// there is no maximum to show.
func (c *chart) interval() {
	m := c.run.MaxRate
	if m == nil || m.Pass <= 0 || c.run.Verdict == history.Violated {
		return
	}
	x1, label := c.x.at(m.Pass), "max ≥ "+Rate(m.Pass)
	mid := x1
	if m.Fail > m.Pass {
		x2 := c.x.at(m.Fail)
		c.rect("band", x1, plotTop, max(x2-x1, 1), plotBottom-plotTop)
		c.line("edge", x2, plotTop, x2, plotBottom)
		mid, label = (x1+x2)/2, "max "+strings.TrimSuffix(Rate(m.Pass), "/s")+" – "+Rate(m.Fail)
	}
	c.line("edge", x1, plotTop, x1, plotBottom)
	half := textWidth(label) / 2
	c.text("good halo", middle, min(max(mid, plotLeft+half), plotRight-half), plotTop-8, label)
}

// objectives draws the latency bounds of the SLO.
func (c *chart) objectives() {
	for i, b := range c.bounds {
		y := c.y.at(float64(b.Limit))
		c.line("slo", plotLeft, y, plotRight, y)
		c.text("slo-text halo", left, plotLeft+8+float64(i)*130, y-7, "SLO "+b.String())
	}
}

func shorten(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

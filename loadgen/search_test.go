package loadgen

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/turnomatico/tmctl/history"
)

// pathOf drives a search with verdicts and returns its trials: "bracket 1000 +" passed, "−" failed, "3s" its length
// where it is a long one.
func pathOf(cfg SearchConfig, verdict func(Trial, int) Observation) ([]string, *Search) {
	var path []string
	s, spent := NewSearch(cfg), time.Duration(0)
	for n := 0; ; n++ {
		t, ok := s.Next()
		if !ok {
			return path, s
		}
		o := verdict(t, n)
		o.Trial = t
		spent += t.Duration
		o.Spent = spent
		s.Observe(o)
		sign := "−"
		if o.Pass {
			sign = "+"
		}
		switch t.Phase {
		case history.Peak:
			path = append(path, "peak")
		case history.Confirm, history.Above:
			path = append(path, fmt.Sprintf("%s %g %v %s", t.Phase, t.Rate, t.Duration.Round(100*time.Millisecond), sign))
		default:
			path = append(path, fmt.Sprintf("%s %g %s", t.Phase, t.Rate, sign))
		}
	}
}

var (
	simDefaults = SearchConfig{Start: 500, Step: 3 * time.Second, Precision: 0.05, Budget: 2 * time.Minute}
	simSmall    = SearchConfig{Start: 20, Step: 3 * time.Second, Precision: 0.05, Budget: 2 * time.Minute}
	simDemo     = SearchConfig{Start: 20, Step: 1500 * time.Millisecond, Precision: 0.05, Budget: 40 * time.Second}
	simBounded  = SearchConfig{Start: 500, MaxRate: 8000, Step: 3 * time.Second, Precision: 0.05, Budget: 2 * time.Minute}
	simLong     = SearchConfig{Start: 20, Step: 3 * time.Second, Precision: 0.05, Budget: 6 * time.Minute}
)

// simRun is one search.
type simRun struct {
	answer history.MaxRate
	trials []Observation
	spent  time.Duration
}

func simulate(server simServer, cfg SearchConfig, seed uint64) (run simRun) {
	trial, s := server(rand.New(rand.NewPCG(seed, 17))), NewSearch(cfg)
	for {
		t, ok := s.Next()
		if !ok {
			run.answer = s.Answer()
			return run
		}
		o := trial(t, run.spent)
		o.Trial = t
		run.spent += o.Spent + simPause
		o.Spent = run.spent
		s.Observe(o)
		run.trials = append(run.trials, o)
	}
}

// edges passes short trials up to one rate and long ones up to another.
func edges(peak, short, long float64) func(Trial, int) Observation {
	return func(t Trial, _ int) Observation {
		edge := short
		if t.Phase == history.Confirm || t.Phase == history.Above {
			edge = long
		}
		o := verdict(t.Rate <= edge, t.Duration, history.LimitSLO)
		o.Achieved = peak
		return o
	}
}

// but changes what trials n, n+1, … show.
func but(usual func(Trial, int) Observation, n int, limits ...history.Limit) func(Trial, int) Observation {
	return func(t Trial, i int) Observation {
		if i >= n && i < n+len(limits) {
			return Observation{Pass: limits[i-n] == history.NoLimit, Limit: limits[i-n]}
		}
		return usual(t, i)
	}
}

func TestSearchPath(t *testing.T) {
	coarse := SearchConfig{Start: 100, Step: time.Second, Precision: 0.2, Budget: time.Minute}
	bounded, tiny, none := coarse, coarse, coarse
	bounded.MaxRate = 500
	tiny.Budget = 6 * time.Second
	none.Budget = time.Millisecond
	for _, tt := range []struct {
		name    string
		cfg     SearchConfig
		verdict func(Trial, int) Observation
		path    string
		want    history.MaxRate
	}{
		{"peak, bracket, bisect, confirm, above", coarse, edges(1600, 1000, 1000),
			"peak, bracket 200 +, bracket 400 +, bracket 800 +, bracket 1600 −, bracket 1600 −, bisect 1130 −, bisect 1130 −, bisect 950 +, confirm 950 10.2s +, confirm 950 10.2s +, above 1130 10.2s −",
			history.MaxRate{Pass: 950, Fail: 1130, Reason: "slo"}},
		{"a peak that misleads: down by halves", coarse, edges(6400, 150, 150),
			"peak, bracket 800 −, bracket 800 −, bracket 400 −, bracket 400 −, bracket 200 −, bracket 200 −, bracket 100 +, bisect 141 +, bisect 168 −, bisect 168 −, confirm 141 9.8s +, confirm 141 9.8s +, above 168 9.8s −",
			history.MaxRate{Pass: 141, Fail: 168, Reason: "slo"}},
		{"a peak below the start", coarse, edges(50, 150, 150),
			"peak, bracket 100 +, bracket 200 −, bracket 200 −, bisect 141 +, bisect 168 −, bisect 168 −, confirm 141 10.6s +, confirm 141 10.6s +, above 168 10.6s −",
			history.MaxRate{Pass: 141, Fail: 168, Reason: "slo"}},
		{"the first rate fails", coarse, edges(50, 0, 0),
			"peak, bracket 100 −, bracket 100 −",
			history.MaxRate{Fail: 100, Reason: "no_pass_in_range"}},
		{"the generator can't send the first rate", coarse, but(edges(50, 0, 0), 1, "generator", "generator"),
			"peak, bracket 100 −, bracket 100 −",
			history.MaxRate{Fail: 100, Reason: "generator"}},
		{"the first rate fails long trials", coarse, edges(50, 100, 0),
			"peak, bracket 100 +, bracket 200 −, bracket 200 −, bisect 141 −, bisect 141 −, bisect 119 −, bisect 119 −, confirm 100 10.4s −, confirm 100 10.4s −",
			history.MaxRate{Fail: 100, Reason: "no_pass_in_range"}},
		{"the bound passes", bounded, edges(1600, 1000, 1000),
			"peak, bracket 200 +, bracket 400 +, bracket 500 +, confirm 500 11.2s +, confirm 500 11.2s +",
			history.MaxRate{Pass: 500, Reason: "no_failure_in_range"}},
		{"one failure bounds nothing", coarse, but(edges(1600, 1000, 1000), 2, "slo"),
			"peak, bracket 200 +, bracket 400 −, bracket 400 +, bracket 800 +, bracket 1600 −, bracket 1600 −, bisect 1130 −, bisect 1130 −, bisect 950 +, confirm 950 8.8s +, confirm 950 8.8s +, above 1130 8.8s −",
			history.MaxRate{Pass: 950, Fail: 1130, Reason: "slo"}},
		{"long trials fail where short ones passed", coarse, edges(1600, 1000, 700),
			"peak, bracket 200 +, bracket 400 +, bracket 800 +, bracket 1600 −, bracket 1600 −, bisect 1130 −, bisect 1130 −, bisect 950 +, confirm 950 10.2s −, confirm 950 10.2s −, confirm 790 5.1s −, confirm 790 5.1s −, confirm 550 3.4s +, confirm 550 3.4s +",
			history.MaxRate{Pass: 550, Fail: 790, Reason: "slo"}},
		{"the failure above was none", coarse, edges(1600, 1000, 1300),
			"peak, bracket 200 +, bracket 400 +, bracket 800 +, bracket 1600 −, bracket 1600 −, bisect 1130 −, bisect 1130 −, bisect 950 +, confirm 950 10.2s +, confirm 950 10.2s +, above 1130 10.2s +, confirm 1130 10.2s +, above 1360 5.1s −, above 1360 5.1s −",
			history.MaxRate{Pass: 1130, Fail: 1360, Reason: "slo"}},
		{"the generator bounds it", coarse, but(edges(1600, 1000, 1000), 11, "generator"),
			"peak, bracket 200 +, bracket 400 +, bracket 800 +, bracket 1600 −, bracket 1600 −, bisect 1130 −, bisect 1130 −, bisect 950 +, confirm 950 10.2s +, confirm 950 10.2s +, above 1130 10.2s −",
			history.MaxRate{Pass: 950, Fail: 1130, Reason: "generator"}},
		{"lost before a confirmation", coarse, but(edges(1600, 1000, 1000), 6, "target_lost"),
			"peak, bracket 200 +, bracket 400 +, bracket 800 +, bracket 1600 −, bracket 1600 −, bisect 1130 −",
			history.MaxRate{Fail: 1600, Reason: "target_lost"}},
		{"lost above a confirmed rate", coarse, but(edges(1600, 1000, 1000), 11, "target_lost"),
			"peak, bracket 200 +, bracket 400 +, bracket 800 +, bracket 1600 −, bracket 1600 −, bisect 1130 −, bisect 1130 −, bisect 950 +, confirm 950 10.2s +, confirm 950 10.2s +, above 1130 10.2s −",
			history.MaxRate{Pass: 950, Fail: 1130, Reason: "target_lost"}},
		{"a wrong number", coarse, but(edges(1600, 1000, 1000), 3, "violated"),
			"peak, bracket 200 +, bracket 400 +, bracket 800 −",
			history.MaxRate{Reason: "violated"}},
		{"interrupted half confirmed", coarse, but(edges(1600, 1000, 1000), 10, "interrupted"),
			"peak, bracket 200 +, bracket 400 +, bracket 800 +, bracket 1600 −, bracket 1600 −, bisect 1130 −, bisect 1130 −, bisect 950 +, confirm 950 10.2s +, confirm 950 10.2s −",
			history.MaxRate{Pass: 950, Fail: 1130, Reason: "interrupted"}},
		{"interrupted before anything", coarse, but(edges(1600, 1000, 1000), 0, "interrupted"),
			"peak",
			history.MaxRate{Reason: "interrupted"}},
		{"no time to confirm", tiny, but(edges(1600, 250, 0), 0, "slo"),
			"bracket 100 −, bracket 100 +, bracket 200 +, confirm 200 1s −, confirm 200 1s −, confirm 167 1s −",
			history.MaxRate{Fail: 200, Reason: "budget"}},
		{"no time for a peak", tiny, edges(1600, 250, 250),
			"bracket 100 +, bracket 200 +, bracket 400 −, confirm 200 1s +, above 400 1s −, above 400 1s −",
			history.MaxRate{Pass: 200, Fail: 400, Reason: "slo"}},
		{"no time for anything", none, edges(1600, 250, 250),
			"",
			history.MaxRate{Reason: "budget"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path, s := pathOf(tt.cfg, tt.verdict)
			if got := strings.Join(path, ", "); got != tt.path {
				t.Errorf("path:\n%s\nwant:\n%s", got, tt.path)
			}
			if got := s.Answer(); got != tt.want {
				t.Errorf("Answer() = %+v; want %+v", got, tt.want)
			}
		})
	}
}

// TestSearchKeepsTimeToConfirm holds the promise of the defaults and of the demo: at least two confirming trials of a
// useful length.
func TestSearchKeepsTimeToConfirm(t *testing.T) {
	for _, tt := range []struct {
		cfg  SearchConfig
		edge float64
		long time.Duration
	}{
		{simDefaults, 100_000, 10 * time.Second},
		{simDefaults, 600, 10 * time.Second},
		{simDefaults, 2_000_000, 10 * time.Second},
		{SearchConfig{Start: 500, Step: 1500 * time.Millisecond, Precision: 0.05, Budget: 40 * time.Second}, 100_000, 4 * time.Second},
	} {
		for _, misled := range []float64{0, 0.1, 1, 1.1, 8} { // the peak, as a multiple of the truth; 0 = it showed nothing
			confirms := 0
			path, s := pathOf(tt.cfg, func(tr Trial, _ int) Observation {
				o := verdict(tr.Rate <= tt.edge, tr.Duration, history.LimitSLO)
				o.Achieved = misled * tt.edge
				if tr.Phase == history.Confirm && o.Pass && tr.Duration >= tt.long {
					confirms++
				}
				return o
			})
			if confirms < 2 {
				t.Errorf("edge %g, peak × %g: %d confirming trials of at least %v; want 2\n%s\n%+v", tt.edge, misled, confirms,
					tt.long, strings.Join(path, ", "), s.Answer())
			}
		}
	}
}

// TestSearchSurvivesAnything drives searches with arbitrary bounds, verdicts and clocks.
func TestSearchSurvivesAnything(t *testing.T) {
	limits := []history.Limit{history.LimitSLO, history.LimitErrors, history.LimitGenerator, history.LimitHost}
	rapid.Check(t, func(t *rapid.T) {
		cfg := SearchConfig{
			Start:     rapid.Float64Range(0.01, 1e6).Draw(t, "start"),
			MaxRate:   rapid.SampledFrom([]float64{0, 100, 1e5, 1e7}).Draw(t, "max"),
			Step:      time.Duration(rapid.Int64Range(1, 5e9).Draw(t, "step")),
			Precision: rapid.SampledFrom([]float64{0.0001, 0.01, 0.05, 1}).Draw(t, "precision"),
		}
		cfg.Budget = cfg.Step * time.Duration(rapid.IntRange(0, 120).Draw(t, "steps"))
		fatal := rapid.IntRange(0, 99).Draw(t, "fatal percent") / 90 // seldom
		bias := rapid.IntRange(0, 100).Draw(t, "pass percent")
		s, spent := NewSearch(cfg), time.Duration(0)
		passed, failed := map[float64]bool{}, map[float64]bool{}
		for n := 0; ; n++ {
			checkAnswer(t, s, passed, failed)
			tr, ok := s.Next()
			if !ok {
				break
			}
			switch {
			case n > 10*int(cfg.Budget/cfg.Step):
				t.Fatalf("trial %d of a budget of %d steps", n, cfg.Budget/cfg.Step)
			case spent+tr.Duration > cfg.Budget:
				t.Fatalf("trial %d ends at %v; the budget is %v", n, spent+tr.Duration, cfg.Budget)
			case tr.Duration < cfg.Step || tr.Duration > max(longestConfirm, cfg.Step, cfg.Budget/slowestShare):
				t.Fatalf("trial %d lasts %v; the step is %v", n, tr.Duration, cfg.Step)
			case tr.Phase != history.Peak && (tr.Rate < min(s.cfg.Start, s.cfg.MaxRate) || tr.Rate > s.cfg.MaxRate):
				t.Fatalf("trial %d at %g/s; the range is %g to %g", n, tr.Rate, s.cfg.Start, s.cfg.MaxRate)
			}
			o := Observation{Trial: tr, Pass: rapid.IntRange(1, 100).Draw(t, "pass") <= bias}
			o.Achieved = rapid.Float64().Draw(t, "achieved")
			spent += time.Duration(rapid.Float64Range(0, 1.2).Draw(t, "took") * float64(tr.Duration))
			o.Spent = spent
			if !o.Pass {
				o.Limit = rapid.SampledFrom(limits).Draw(t, "limit")
			}
			if fatal == 1 && rapid.IntRange(0, 20).Draw(t, "fatal") == 0 {
				o.Pass, o.Limit = false, rapid.SampledFrom([]history.Limit{history.TargetLost, history.InvariantViolated, history.RunInterrupted}).Draw(t, "end")
			} else if long := tr.Phase == history.Confirm || tr.Phase == history.Above; o.Pass && long {
				passed[tr.Rate] = true
			} else if !o.Pass {
				failed[tr.Rate] = true
			}
			s.Observe(o)
		}
		if a := s.Answer(); a.Reason == history.NoLimit {
			t.Fatalf("it ended without a reason: %+v", a)
		}
	})
}

// checkAnswer holds what every answer must be, at any time: a pass that a long trial showed, below a failure that was seen.
func checkAnswer(t *rapid.T, s *Search, passed, failed map[float64]bool) {
	a := s.Answer()
	pass, fail := s.Bracket()
	switch {
	case a.Pass > 0 && !passed[a.Pass]:
		t.Fatalf("%+v: no long trial passed there", a)
	case a.Fail > 0 && !failed[a.Fail]:
		t.Fatalf("%+v: nothing failed there", a)
	case a.Fail > 0 && a.Fail <= a.Pass, fail > 0 && fail <= pass:
		t.Fatalf("%+v, bracket %g to %g: upside down", a, pass, fail)
	case s.Progress().Left < 0 || s.Progress().Left > s.cfg.Budget:
		t.Fatalf("%v left of %v", s.Progress().Left, s.cfg.Budget)
	}
}

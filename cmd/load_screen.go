package cmd

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/turnomatico/tmctl/history"
	"github.com/turnomatico/tmctl/loadgen"
	"github.com/turnomatico/tmctl/report"
)

// loadScreen shows how a run goes, on Err: on a terminal one line that is redrawn, under it a line a step; otherwise
// lines alone; nothing when quiet.
type loadScreen struct {
	env   *Env
	quiet bool
	load  *load
	mu    sync.Mutex
	drawn bool      // a progress line is on the terminal
	said  time.Time // when the last plain progress line was written
}

// sayEvery is how often a run that is not on a terminal says where it is, within a step.
const sayEvery = 10 * time.Second

func newLoadScreen(env *Env, quiet bool, l *load) *loadScreen {
	return &loadScreen{env: env, quiet: quiet, load: l, said: env.Now()}
}

func (s *loadScreen) progress(m loadgen.Moment) {
	if s.quiet {
		return
	}
	line := progressLine(m, s.load)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.env.IsTTY {
		if now := s.env.Now(); now.Sub(s.said) >= sayEvery {
			s.said = now
			fmt.Fprintln(s.env.Err, line)
		}
		return
	}
	if runes := []rune(line); len(runes) > s.env.Width-1 {
		line = string(runes[:max(0, s.env.Width-1)])
	}
	fmt.Fprintf(s.env.Err, "\r\x1b[K%s", line)
	s.drawn = true
}

func progressLine(m loadgen.Moment, l *load) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-7s %s → %s · p99 %s · %d errors", m.Phase, offered(m.Offered), report.Rate(m.Achieved), report.Duration(m.P99), m.Errors)
	if n := l.Violations(); n > 0 {
		fmt.Fprintf(&b, " · %d VIOLATIONS", n)
	} else {
		fmt.Fprintf(&b, " · %s turnos right", report.Count(l.checker.Live().Ops))
	}
	if m.Bracket[0] > 0 || m.Bracket[1] > 0 {
		fmt.Fprintf(&b, " · max in [%s, %s]", rateOr(m.Bracket[0], "?"), rateOr(m.Bracket[1], "?"))
	}
	fmt.Fprintf(&b, " · %s left", m.Left.Round(time.Second))
	return b.String()
}

func offered(rate float64) string {
	if rate == 0 {
		return "closed loop"
	}
	return report.Rate(rate)
}

func rateOr(rate float64, otherwise string) string {
	if rate == 0 {
		return otherwise
	}
	return report.Rate(rate)
}

func (s *loadScreen) stepDone(st history.Step) {
	if s.quiet {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.erase()
	s.said = s.env.Now()
	fmt.Fprintln(s.env.Err, stepLine(&st))
}

// stepLine is a step in one line.
func stepLine(st *history.Step) string {
	mark, why := "✓", ""
	if !st.Pass {
		mark, why = "✗", " · "+st.Why
	}
	if st.Phase == history.Warmup || st.Phase == history.Peak {
		mark = "·"
	}
	return fmt.Sprintf("%s %-8s %11s → %10s · p50 %8s · p99 %8s%s", mark, st.Phase, offered(st.PlannedRate),
		report.Rate(st.AchievedRate), report.Duration(st.Latency.P50), report.Duration(st.Latency.P99), why)
}

func (s *loadScreen) done() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.erase()
}

func (s *loadScreen) erase() {
	if s.drawn {
		fmt.Fprint(s.env.Err, "\r\x1b[K")
		s.drawn = false
	}
}

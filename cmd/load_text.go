package cmd

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/turnomatico/tmctl/history"
	"github.com/turnomatico/tmctl/report"
)

// loadText prints a result for people: the sentence, the steps, the proof, the generator.
func loadText(w io.Writer, r *history.Result) error {
	p := &printer{w: w}
	p.line("%s", fold(r.Sentence))
	p.line("")
	p.steps(r.Steps)
	p.line("")
	proofText(w, &r.Proof)
	if r.StorePromise != "" {
		p.line("store      %s", r.StorePromise)
	}
	for _, warning := range r.Warnings {
		p.line("warning    %s", warning)
	}
	p.generator(&r.Generator)
	if r.Errors > 0 {
		p.line("errors     %s of %s requests (%s)", report.Count(r.Errors), report.Count(r.Requests), countsText(r.ErrorReasons))
	}
	for _, remark := range r.Remarks {
		p.line("remark     %s", remark)
	}
	p.line("run        %s (tmctl report %s, tmctl check %s)", r.RunDir, r.RunDir, r.RunDir)
	return p.err
}

// printer writes lines and keeps the first error.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

// fold breaks a sentence at its dots so that each line is short enough to read.
func fold(sentence string) string {
	const width = 110
	var lines []string
	line := ""
	for i, part := range strings.Split(sentence, " · ") {
		switch {
		case i == 0:
			line = part
		case len([]rune(line))+len([]rune(part)) > width:
			lines = append(lines, line)
			line = "     · " + part
		default:
			line += " · " + part
		}
	}
	return strings.Join(append(lines, line), "\n")
}

func (p *printer) steps(steps []history.Step) {
	tw := tabwriter.NewWriter(p.w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "phase\toffered\tachieved\tp50\tp90\tp99\tp99.9\tservice p99\terrors\tlag p99\tbusy\t  result")
	for i := range steps {
		s := &steps[i]
		l := [4]string{report.Duration(s.Latency.P50), report.Duration(s.Latency.P90), report.Duration(s.Latency.P99), report.Duration(s.Latency.P999)}
		service := report.Duration(s.Service.P99)
		if s.EndedEarly {
			l, service = [4]string{"–", "–", "–", "–"}, "–"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t  %s\n", s.Phase, offered(s.PlannedRate), report.Rate(s.AchievedRate),
			l[0], l[1], l[2], l[3], service, report.Count(s.Errors), report.Duration(s.LagP99), s.InFlightMax, stepResult(s))
	}
	if p.err == nil {
		p.err = tw.Flush()
	}
}

func stepResult(s *history.Step) string {
	switch {
	case s.Phase == history.Warmup && s.Pass:
		return "not counted"
	case s.Phase == history.Peak && s.Pass:
		return "a first guess"
	case s.Pass:
		return "pass"
	default:
		return string(s.Limit) + ": " + s.Why
	}
}

func (p *printer) generator(g *history.Generator) {
	state := "innocent"
	if !g.Healthy {
		state = "at its limit: " + g.Why
	}
	where := "on another machine than the target"
	if g.Colocated {
		where = "on the target's machine: they share its CPU, so the target alone may take more"
	}
	p.line("generator  %s · engine %s · %s CPU a request · %s of a core · GC %s of it · lag p99 %s · %s", state, g.Engine,
		report.Duration(time.Duration(g.CPUPerRequest*float64(time.Microsecond))), report.Percent(g.CPUPercent), report.Percent(g.GCPercent), report.Duration(g.LagP99), where)
}

// countsText lists counts, the largest first.
func countsText(c history.Counts) string {
	names := slices.SortedFunc(maps.Keys(c), func(a, b string) int {
		return cmp.Or(cmp.Compare(c[b], c[a]), cmp.Compare(a, b))
	})
	for i, name := range names {
		names[i] = report.Count(c[name]) + " " + name
	}
	return strings.Join(names, ", ")
}

// Package report writes a run as a document for people who were not there. Start with [Markdown]; [LatencyChart] draws
// its picture; [Rate], [Duration] and [Count] are how tmctl writes numbers for people, everywhere.
//
// It formats what a run says and computes nothing that decides: verdicts, percentiles and proofs come from run.json.
// What is missing there is said to be missing.
package report

import (
	"fmt"
	"io"
	"text/template"

	"github.com/turnomatico/tmctl/history"
	"github.com/turnomatico/tmctl/templates"
)

// missing stands for a value that the run does not have.
const missing = "–"

// Section is one run of a document.
type Section struct {
	Path  string // how its reader knows the run: its directory
	Run   *history.Run
	Chart string // link to its latency chart; "" when none was written
}

// Markdown writes a document about the runs: one section each and, if there are several, a comparison before them.
func Markdown(w io.Writer, sections ...Section) error {
	d := document{Heading: "##"}
	if len(sections) > 1 {
		d.Heading = "###"
	}
	for i, s := range sections {
		d.Runs = append(d.Runs, runView{Run: s.Run, Path: s.Path, Chart: s.Chart, Index: i + 1, H: d.Heading})
	}
	if err := pages.ExecuteTemplate(w, "report.md.tmpl", d); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

var pages = template.Must(template.New("").Funcs(template.FuncMap{
	"code": code, "cell": cell, "prose": prose, "shell": shell,
	"rate": Rate, "duration": Duration, "percent": Percent, "ms": milliseconds,
	"count": Count[uint64], "whole": Count[int], "perSecond": perSecond, "memory": gibibytes, "at": at, "known": known,
	"next": func(i int) int { return i + 1 }, "digits": digits, "pct": func(share float64) float64 { return 100 * share },
}).ParseFS(templates.FS, "*.tmpl"))

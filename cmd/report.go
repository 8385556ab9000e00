package cmd

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/turnomatico/tmctl/history"
	"github.com/turnomatico/tmctl/report"
)

type reportOptions struct {
	runs   []string
	output string
}

func newReport(env *Env) *cobra.Command {
	var o reportOptions
	c := &cobra.Command{
		Use:   "report RUN…",
		Short: "Write runs as a document",
		Long: `Write runs as a markdown document: the verdict, what was asked, the answer and what it stands on, every step, the proof,
whether the generator was innocent, the machines, and the command that repeats it. Several runs are compared first.

With -o the chart of latency against rate is drawn beside the document, as an SVG named after it. Without, the document
goes to stdout and has no chart.`,
		Example: "  tmctl report runs/20261121T101502Z -o report.md\n  tmctl report runs/before runs/after | less",
		RunE: func(_ *cobra.Command, args []string) error {
			o.runs = args
			if err := o.validate(); err != nil {
				return err
			}
			return o.run(env)
		},
	}
	o.addFlags(c.Flags())
	return c
}

func (o *reportOptions) addFlags(f *pflag.FlagSet) {
	f.StringVarP(&o.output, "output", "o", "-", "`file` to write; - is stdout, without charts")
}

func (o *reportOptions) validate() error {
	if err := needRuns("tmctl report", o.runs); err != nil {
		return err
	}
	if o.output == "" {
		return usageError("name a file, or - for stdout", "--output is empty")
	}
	return nil
}

// run reads every run before it writes anything, so that a wrong name leaves an older report as it was.
func (o *reportOptions) run(env *Env) error {
	sections := make([]report.Section, len(o.runs))
	for i, dir := range o.runs {
		r, err := readRun(dir)
		if err != nil {
			return err
		}
		sections[i] = report.Section{Path: dir, Run: r}
	}
	if o.output == "-" {
		return report.Markdown(env.Out, sections...)
	}
	written, err := writeReport(o.output, sections)
	if err != nil {
		return withHint(err, "name a file in a directory that exists and can be written, or leave -o out for stdout")
	}
	fmt.Fprintf(env.Err, "wrote %s\n", strings.Join(written, ", "))
	return nil
}

// writeReport writes a document and the chart of every run that has one, and says which files it wrote.
func writeReport(path string, sections []report.Section) (written []string, err error) {
	written = []string{path}
	for i := range sections {
		var svg bytes.Buffer
		if err := report.LatencyChart(&svg, sections[i].Run); errors.Is(err, report.ErrNoChart) {
			continue
		} else if err != nil {
			return nil, err
		}
		chart := chartPath(path, i, len(sections))
		if err := os.WriteFile(chart, svg.Bytes(), 0o644); err != nil {
			return nil, fmt.Errorf("write chart: %w", err)
		}
		sections[i].Chart = report.Link(filepath.Base(chart))
		written = append(written, chart)
	}
	var page bytes.Buffer
	if err := report.Markdown(&page, sections...); err != nil {
		return nil, err
	}
	if err := os.WriteFile(path, page.Bytes(), 0o644); err != nil {
		return nil, fmt.Errorf("write report: %w", err)
	}
	return written, nil
}

// chartPath names the chart of run i of n after the document: report.md has report.latency.svg, or, where there are
// several runs, report.1.latency.svg and so on.
func chartPath(document string, i, n int) string {
	stem := strings.TrimSuffix(document, filepath.Ext(document))
	if n > 1 {
		stem = fmt.Sprintf("%s.%d", stem, i+1)
	}
	return stem + ".latency.svg"
}

// needRuns refuses a command line that names no run.
func needRuns(command string, runs []string) error {
	if len(runs) == 0 {
		return usageError("name a run directory, as in "+command+" runs/20261121T101502Z", "%s needs a run", command)
	}
	return nil
}

// readRun reads what a run directory says of itself, with a hint for each way in which it can't be read.
func readRun(dir string) (*history.Run, error) {
	r, err := history.ReadRun(dir)
	var unreadable *fs.PathError
	switch {
	case err == nil:
		return r, nil
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Stat(dir); err != nil {
			return nil, withHint(fmt.Errorf("no run in %s: there is no such directory", dir), "tmctl load prints the directory of its run; by default it is in runs/")
		}
		return nil, withHint(fmt.Errorf("no run in %s: it has no %s", dir, history.RunFile), "name the directory that tmctl load --out wrote, not one above or below it")
	case errors.As(err, &unreadable):
		return nil, withHint(err, "name a run directory that this user may read")
	default:
		return nil, withHint(err, "the file is damaged, or from a newer tmctl")
	}
}

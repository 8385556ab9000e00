package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/turnomatico/tmctl/history"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares got with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what is written now; see the difference with `make golden && git diff`\n%s", path, got)
	}
}

var fixtures = []struct {
	name string
	run  func() *history.Run
}{
	{"pass", fixtureRun},
	{"slo_missed", fixtureMissed},
	{"violated", fixtureViolated},
	{"inconclusive", fixtureInconclusive},
	{"closed_loop", fixtureClosedLoop},
	{"declared", fixtureDeclared},
	{"sessions", fixtureSessions},
	{"sessions_violated", fixtureSessionsViolated},
	{"unfinished", fixtureUnfinished},
}

func TestMarkdownOfOneRun(t *testing.T) {
	for _, f := range fixtures {
		t.Run(f.name, func(t *testing.T) {
			r := f.run()
			chart := "report.latency.svg"
			if f.name == "unfinished" {
				chart = ""
			}
			var b bytes.Buffer
			if err := Markdown(&b, Section{Path: "runs/" + f.name, Run: r, Chart: chart}); err != nil {
				t.Fatal(err)
			}
			golden(t, f.name+".md", b.Bytes())
		})
	}
}

func TestMarkdownOfSeveralRuns(t *testing.T) {
	var b bytes.Buffer
	if err := Markdown(&b, Section{Path: "runs/a", Run: fixtureRun()}, Section{Path: "runs/b", Run: fixtureMissed()},
		Section{Path: "runs/c", Run: fixtureInconclusive()}); err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(b.String(), "## Run 1")
	golden(t, "several.md", []byte(head))
	for _, want := range []string{"\n## Run 1: runs/a\n", "\n## Run 3: runs/c\n", "\n### The answer\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the document of three runs has no %q", want)
		}
	}
}

// The words that a reader looks for first must be near the top, whatever the template becomes.
func TestVerdictComesFirst(t *testing.T) {
	for _, f := range fixtures[:4] {
		var b bytes.Buffer
		if err := Markdown(&b, Section{Path: "runs/x", Run: f.run()}); err != nil {
			t.Fatal(err)
		}
		if line := strings.Split(b.String(), "\n")[2]; !strings.HasPrefix(line, "> "+f.name+" · ") {
			t.Errorf("line 3 of the report of a run that is %s = %q; want its verdict sentence", f.name, line)
		}
	}
}

func TestLatencyChart(t *testing.T) {
	for _, f := range fixtures[:5] {
		t.Run(f.name, func(t *testing.T) {
			var b, again bytes.Buffer
			if err := LatencyChart(&b, f.run()); err != nil {
				t.Fatal(err)
			}
			if err := LatencyChart(&again, f.run()); err != nil || !bytes.Equal(b.Bytes(), again.Bytes()) {
				t.Errorf("the same run gave other bytes (%v)", err)
			}
			d := xml.NewDecoder(bytes.NewReader(b.Bytes()))
			for {
				if _, err := d.Token(); err == io.EOF {
					break
				} else if err != nil {
					t.Fatalf("not XML: %v", err)
				}
			}
			golden(t, f.name+".svg", b.Bytes())
		})
	}
	if err := LatencyChart(io.Discard, fixtureUnfinished()); !errors.Is(err, ErrNoChart) {
		t.Errorf("LatencyChart(a run without steps) = %v; want ErrNoChart", err)
	}
}

// A chart of the oddest run is still a drawing.
func TestLatencyChartOfOddRuns(t *testing.T) {
	tests := []struct {
		name string
		odd  func(*history.Run)
	}{
		{"a request an hour", func(r *history.Run) {
			r.Steps, r.MaxRate = []history.Step{step(history.Fixed, 1./3600, 1, 2)}, nil
			r.Steps[0].Answered = 1
		}},
		{"all latencies alike", func(r *history.Run) { r.SLO, r.Steps = "", []history.Step{step(history.Fixed, 1, 1, 1)} }},
		{"one nanosecond and one hour", func(r *history.Run) { r.Steps[3].Latency.P50, r.Steps[3].Latency.P999 = 1, 3600e9 }},
		{"an answer that no step had", func(r *history.Run) { r.MaxRate.Fail = 1e12 }},
		{"a target that is not text", func(r *history.Run) { r.Plan.Target = "http://\xff\x00<&>" }},
		{"a step without a median", func(r *history.Run) { r.Steps = r.Steps[2:3]; r.Steps[0].Latency.P50 = 0 }},
	}
	for _, tt := range tests {
		r := fixtureRun()
		tt.odd(r)
		var b bytes.Buffer
		if err := LatencyChart(&b, r); err != nil {
			t.Errorf("LatencyChart(%s): %v", tt.name, err)
		}
		if s := b.String(); strings.Contains(s, "NaN") || strings.Contains(s, "Inf") || xml.Unmarshal(b.Bytes(), new(struct{})) != nil {
			t.Errorf("LatencyChart(%s) is no drawing:\n%s", tt.name, s)
		}
	}
}

// Every reason that the search can give must be explained, and so must every phase and kind of finding.
func TestClosedListsAreExplained(t *testing.T) {
	for _, l := range []history.Limit{history.NoLimit, history.LimitSLO, history.LimitErrors, history.LimitThroughput, history.LimitConnections,
		history.LimitGenerator, history.LimitHost, history.LimitSamples, history.NoFailureInRange, history.NoPassInRange, history.BudgetSpent, history.TargetLost,
		history.InvariantViolated, history.RunInterrupted} {
		if _, ok := limits[l]; !ok {
			t.Errorf("limits has no sentence for %q", l)
		}
	}
	if got := explain("moon phase"); !strings.Contains(got, "`moon phase`") {
		t.Errorf("explain(moon phase) = %q; want it quoted", got)
	}
	for _, k := range []history.FindingKind{history.Duplicate, history.WentBack, history.Gap, history.BadAnswer} {
		if _, ok := roles[k]; !ok {
			t.Errorf("roles has no words for %q", k)
		}
	}
	if got := len(phases); got != 7 {
		t.Errorf("phases explains %d phases; history has 7", got)
	}
}

package cmd

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/turnomatico/tmctl/loadgen"
	"github.com/turnomatico/tmctl/report"
	"github.com/turnomatico/tmctl/server"
)

// The demo's search is short enough for somebody who only wants to see it.
const (
	demoBudget = 40 * time.Second
	demoStep   = 1500 * time.Millisecond
	demoWarmup = time.Second
)

type demoOptions struct {
	budget time.Duration
	out    string
	quiet  bool
}

func newDemo(env *Env) *cobra.Command {
	o := demoOptions{}
	c := &cobra.Command{
		Use:   "demo",
		Short: "Start a turn server, find the most it takes here, prove it, write the report",
		Long: `demo starts tmctl serve as a child process on a free port, searches for its largest rate, proves every number and
writes the run and its report under runs/. It needs nothing installed, sends nothing beyond this machine, and leaves
nothing running.`,
		Example: "  tmctl demo\n  tmctl demo --budget 1m",
		Args:    noArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return o.run(c.Context(), env) },
	}
	c.Flags().DurationVar(&o.budget, "budget", demoBudget, "how long the search may take")
	c.Flags().StringVar(&o.out, "out", "", "run directory (default runs/<UTC time>)")
	c.Flags().BoolVar(&o.quiet, "quiet", false, "no progress")
	return c
}

func (o *demoOptions) run(ctx context.Context, env *Env) error {
	seed := rand.Uint64()
	spec := loadgen.DefaultPlan()
	spec.Budget, spec.Warmup, spec.Seed = o.budget, min(demoWarmup, o.budget/8), seed
	spec.Step = min(demoStep, (o.budget-spec.Warmup)/5)
	spec.IDs, spec.Fresh = loadgen.FreshIDs(1, seed), true
	spec.Target = server.DefaultAddr // for the check; the child's is not known yet
	if _, err := loadgen.Prepare(spec, nil); err != nil {
		return usageError("for example --budget 40s", "%w", err)
	}
	child, err := startServe(ctx, env)
	if err != nil {
		return err
	}
	defer child.stop()
	fmt.Fprintf(env.Err, "started tmctl serve (pid %d) on http://%s, store memory; searching for the most it takes, %s at most\n",
		child.pid(), child.addr, o.budget)
	spec.Target, spec.Admin = "http://"+child.addr, "http://"+child.admin
	plan, err := loadgen.Prepare(spec, nil)
	if err != nil {
		return err
	}
	l := &load{env: env, plan: plan, dir: o.out, quiet: o.quiet, command: []string{"tmctl", "demo", "--budget", o.budget.String()}}
	result, err := l.run(ctx)
	if result == nil {
		return err
	}
	if err := errors.Join(loadText(env.Out, result), err); err != nil {
		return err
	}
	if err := o.report(env, result.RunDir); err != nil {
		return err
	}
	return exitWith(result.ExitCode)
}

// report writes the run's report beside it and says what to try next.
func (o *demoOptions) report(env *Env, dir string) error {
	run, err := readRun(dir)
	if err != nil {
		return err
	}
	page := filepath.Join(dir, "report.md")
	if _, err := writeReport(page, []report.Section{{Path: dir, Run: run}}); err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.Out, `report     %s (and %s)

Try next:
  tmctl serve                                           a turn server on http://localhost:7017
  curl http://localhost:7017/turno/grupo1               take a number
  tmctl load --target http://localhost:7017             find its maximum; any server in any language will do
  tmctl check %s        prove this run again
`, page, chartPath(page, 0, 1), dir)
	return err
}

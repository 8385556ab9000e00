package cmd

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/turnomatico/tmctl/history"
	"github.com/turnomatico/tmctl/history/linear"
)

type checkOptions struct {
	runs   []string
	asJSON bool
}

func newCheck(env *Env) *cobra.Command {
	var o checkOptions
	c := &cobra.Command{
		Use:   "check RUN…",
		Short: "Prove recorded runs again, offline",
		Long: `Prove the numbers of recorded runs again, from their histories and with the code that proved them while they ran: every
turno unique, consecutive, and in the order of real time. It needs nothing but the run directory; numbers that the server
declared skipped, as far as the run learned of it (load --admin), are no gaps.

The verdict is about the numbers alone, not about the objective: pass, violated, or inconclusive where fewer than 100
requests completed. Of several runs the worst one gives the exit code.`,
		Example: "  tmctl check runs/20261121T101502Z\n  tmctl check --json runs/* | jq .verdict",
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

func (o *checkOptions) addFlags(f *pflag.FlagSet) {
	f.BoolVar(&o.asJSON, "json", false, "print JSON")
}

func (o *checkOptions) validate() error {
	return needRuns("tmctl check", o.runs)
}

// checked is what check found in one run; the names are a contract.
type checked struct {
	RunDir   string          `json:"run_dir"`
	Verdict  history.Verdict `json:"verdict,omitempty"` // "" when it could not be read
	ExitCode int             `json:"exit_code"`
	Proof    *history.Proof  `json:"proof,omitempty"`
	Torn     string          `json:"torn,omitempty"`  // what the end of the history lacks
	Error    string          `json:"error,omitempty"` // why it could not be read, or only up to there
	err      error
}

func (o *checkOptions) run(env *Env) error {
	all := struct {
		Verdict  history.Verdict `json:"verdict,omitempty"`
		ExitCode int             `json:"exit_code"`
		Runs     []checked       `json:"runs"`
	}{}
	for i, dir := range o.runs {
		c := checkRun(dir)
		all.Runs = append(all.Runs, c)
		if i == 0 || worse(c.ExitCode, all.ExitCode) {
			all.Verdict, all.ExitCode = c.Verdict, c.ExitCode
		}
		if !o.asJSON {
			checkText(env.Out, &c)
		}
		if c.err != nil {
			fail(env.Err, c.err)
		}
	}
	if o.asJSON {
		if err := printJSON(env.Out, all); err != nil {
			return err
		}
	}
	return exitWith(all.ExitCode)
}

// worse reports whether a run that ended with a outranks one that ended with b: a wrong number is the worst there is, then
// what could not be read, then what proves nothing.
func worse(a, b int) bool {
	rank := map[int]int{exitViolated: 3, exitFailed: 2, exitInconclusive: 1}
	return rank[a] > rank[b]
}

// checkRun proves the run in dir.
func checkRun(dir string) checked {
	c := checked{RunDir: dir}
	run, err := readRun(dir)
	if err == nil {
		err = c.prove(run)
	}
	if err != nil {
		c.err, c.Error, c.ExitCode = err, err.Error(), exitFailed
	}
	if c.Proof != nil {
		c.judge(err != nil)
	}
	return c
}

// prove reads the history. With an error, Proof is about what could be read, if anything.
func (c *checked) prove(run *history.Run) error {
	path := filepath.Join(c.RunDir, history.HistoryFile)
	ops, err := history.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return withHint(fmt.Errorf("no history in %s", c.RunDir), "was the run recorded with --record none?")
	}
	if err != nil {
		return withHint(err, "name the directory of a run that tmctl load recorded")
	}
	defer ops.Close()
	cfg := linear.Config{IDs: run.IDs, Nodes: run.Nodes, Fresh: run.Plan.Fresh, Exclusive: run.Plan.Exclusive}
	proof, err := proveOps(ops, cfg, run.Declared)
	if err == nil && ops.Torn() == "" {
		remarkOtherCounts(&proof, &run.Proof)
	}
	c.Proof, c.Torn = &proof, ops.Torn()
	lookErr := linear.Resolve(cfg, &proof, func(keys []history.Key) (map[history.Key][]history.Op, error) {
		return history.Lookup(path, keys)
	})
	if err == nil {
		err = lookErr
	}
	if err != nil {
		return withHint(err, "copy the file again if it was copied; the proof covers what is before the damage")
	}
	return nil
}

// proveOps runs the proof over all that can be read. Where the end is lost, what was in flight there is not held against
// the server. What the run learned that the server declared skipped needs no other explanation.
func proveOps(ops *history.Reader, cfg linear.Config, declared []history.Range) (history.Proof, error) {
	checker := linear.New(cfg)
	for _, r := range declared {
		checker.Declare(r)
	}
	for b, err := range ops.Batches() {
		if err != nil {
			return checker.Cut(), err
		}
		checker.Add(b)
	}
	if ops.Torn() != "" {
		return checker.Cut(), nil
	}
	return checker.Close(), nil
}

// remarkOtherCounts says when run.json does not say what the history says: one of them was changed, or tmctl was.
func remarkOtherCounts(now, then *history.Proof) {
	same := now.Ops == then.Ops && now.Unknown == then.Unknown && now.Duplicates == then.Duplicates && now.WentBack == then.WentBack &&
		now.Gaps == then.Gaps && now.Declared == then.Declared && now.BadAnswers == then.BadAnswers &&
		sessionsOf(now) == sessionsOf(then)
	if !same {
		now.Remarks = append(now.Remarks, fmt.Sprintf("%s recorded other counts (%d completed, %d violations): this proof is of the history",
			history.RunFile, then.Ops, then.Violations()))
	}
}

func sessionsOf(p *history.Proof) (s history.Sessions) {
	if p.Sessions != nil {
		s = *p.Sessions
	}
	return s
}

// judge turns the proof into a verdict. A wrong number convicts even where the history can't be read to its end.
func (c *checked) judge(unreadable bool) {
	switch {
	case c.Proof.Violations() > 0:
		c.Verdict, c.ExitCode = history.Violated, exitViolated
	case unreadable:
	case c.Proof.Ops < linear.Enough, c.Proof.Exclusive && c.Proof.Linearizable == nil:
		c.Verdict, c.ExitCode = history.Inconclusive, exitInconclusive
	default:
		c.Verdict, c.ExitCode = history.Pass, exitPass
	}
}

package cmd

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/turnomatico/tmctl/history"
	"github.com/turnomatico/tmctl/history/linear"
	"github.com/turnomatico/tmctl/journal"
	"github.com/turnomatico/tmctl/loadgen"
)

// load is one load test: it joins the generator, the proof, the recorder, the journal and the screen, which do not know
// each other.
type load struct {
	env     *Env
	plan    *loadgen.Plan
	dir     string
	quiet   bool
	command []string

	proves   linear.Config
	checker  *linear.Checker
	declared declarations
	before   []loadgen.Look  // the nodes, as they were; none without --admin
	writer   *history.Writer // nil with --record none
	journal  *journal.Writer
}

// run checks everything that can be checked before load is sent, then drives the plan and writes the run directory. A
// result that could not be recorded is returned beside the error.
func (l *load) run(ctx context.Context) (*history.Result, error) {
	r := &history.Run{Schema: history.Schema, Tool: "tmctl " + build().Version, Command: l.command, IDs: l.plan.IDs,
		Plan: l.plan.Redacted().Plan, Environment: loadgen.DescribeHost()}
	if err := l.plan.CheckOpenFiles(r.Environment.OpenFiles); err != nil {
		return nil, withHint(err, "raise it (ulimit -n 65536), or lower --connections")
	}
	session, err := loadgen.Connect(ctx, l.plan)
	if err != nil {
		return nil, unreachable(ctx, err)
	}
	r.Nodes = session.Nodes()
	l.proves = linear.Config{IDs: l.plan.IDs, Nodes: r.Nodes, Fresh: l.plan.Fresh, Exclusive: l.plan.Exclusive}
	l.checker = linear.New(l.proves)
	if err := l.meet(ctx, r); err != nil {
		return nil, err
	}
	if err := l.open(); err != nil {
		return nil, withHint(err, "choose another directory with --out")
	}
	return l.drive(ctx, session, r)
}

// runsDir is where runs go that nobody gave a place.
const runsDir = "runs"

// open makes the run's directory and its files.
func (l *load) open() (err error) {
	if l.dir == "" {
		l.dir, err = history.NewDir(runsDir, l.env.Now())
	} else {
		err = history.CreateDir(l.dir)
	}
	if err != nil {
		return err
	}
	if l.journal, err = journal.Create(filepath.Join(l.dir, history.JournalFile), l.env.Now); err != nil {
		return err
	}
	if l.plan.Record == loadgen.RecordFull {
		if l.writer, err = history.Create(filepath.Join(l.dir, history.HistoryFile)); err != nil {
			return err
		}
	}
	return nil
}

// drive runs the plan and writes down what came of it, whatever it was.
func (l *load) drive(ctx context.Context, session *loadgen.Session, r *history.Run) (*history.Result, error) {
	screen := newLoadScreen(l.env, l.quiet, l)
	watch := &journalled{load: l, screen: screen}
	r.Started = l.env.Now().UTC()
	epoch := time.Now()
	l.note(journal.RunStarted, "driving "+l.plan.Target, map[string]any{"run_dir": l.dir})
	l.declared.take(l.before)
	outcome, runErr := session.Run(ctx, epoch, l, watch)
	screen.done()
	r.Finished = l.env.Now().UTC()
	if outcome == nil {
		return nil, cmp.Or(unreachable(ctx, runErr), l.close())
	}
	if l.writer != nil {
		runErr = errors.Join(runErr, l.writer.Close())
	}
	books := l.part(ctx)
	r.Result = loadgen.Conclude(l.plan, outcome, l.prove())
	r.RunDir = l.dir
	l.describe(r, books)
	r.Sentence = sentence(r, l.plan.Objective, outcome.Bracket)
	l.note(journal.RunFinished, r.Sentence, map[string]any{"verdict": r.Verdict, "exit_code": r.ExitCode})
	err := errors.Join(runErr, history.WriteRun(l.dir, r), l.journal.Close())
	for i := range r.Steps { // run.json keeps them; people and scripts want the figures
		r.Steps[i].LatencyHDR, r.Steps[i].ServiceHDR = nil, nil
	}
	if err != nil { // what was found can still be printed
		return &r.Result, withHint(fmt.Errorf("record the run in %s: %w", l.dir, err), "is the disk full? --record none keeps only the figures")
	}
	return &r.Result, nil
}

// prove closes the proof and names the other request of each finding from the recorded history.
func (l *load) prove() history.Proof {
	proof := l.checker.Close()
	if l.writer != nil {
		err := linear.Resolve(l.proves, &proof, func(keys []history.Key) (map[history.Key][]history.Op, error) {
			return history.Lookup(filepath.Join(l.dir, history.HistoryFile), keys)
		})
		if err != nil {
			proof.Remarks = append(proof.Remarks, "the other requests could not be looked up: "+err.Error())
		}
	}
	return proof
}

func (l *load) close() error {
	err := l.journal.Close()
	if l.writer != nil {
		err = errors.Join(err, l.writer.Close())
	}
	return err
}

var _ loadgen.Sink = (*load)(nil)

// Add takes a batch of ops from the generator: to the proof first, which must miss none, also when the disk is full.
func (l *load) Add(b history.Batch) error {
	l.checker.Add(b)
	l.declared.review()
	if l.writer != nil {
		return l.writer.Add(b)
	}
	return nil
}

// Violations is how many invariants have broken so far, as far as that is certain.
func (l *load) Violations() uint64 { return l.declared.violations() }

// note writes an event. A journal that can't be written must not end a run that is under way; closing it reports that.
func (l *load) note(kind journal.Kind, text string, data map[string]any) {
	_ = l.journal.Write(journal.Event{Kind: kind, Source: "load", Text: text, Data: data})
}

// journalled writes the steps into the journal and passes everything on to the screen.
type journalled struct {
	load   *load
	screen *loadScreen
}

var _ loadgen.Watcher = (*journalled)(nil)

func (j *journalled) Progress(m loadgen.Moment) { j.screen.progress(m) }

func (j *journalled) StepDone(s history.Step) {
	j.load.note(journal.StepFinished, stepLine(&s), map[string]any{"phase": s.Phase, "planned_rate": s.PlannedRate,
		"achieved_rate": s.AchievedRate, "pass": s.Pass, "limit": s.Limit})
	switch s.Limit {
	case history.TargetLost:
		j.load.note(journal.TargetLost, s.Why, nil)
	case history.InvariantViolated:
		j.load.note(journal.ProofViolation, s.Why, map[string]any{"violations": j.load.Violations()})
	}
	j.screen.stepDone(s)
}

// unreachable gives a connection error its hint; one that ^C caused is none.
func unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return &exitError{code: exitInterrupted, err: errors.New("interrupted before any load was sent")}
	}
	var u *loadgen.UnreachableError
	if errors.As(err, &u) {
		return withHint(err, u.Hint)
	}
	return err
}

// tlsConfig reads --cacert and --insecure.
func tlsConfig(cacert string, insecure bool) (*tls.Config, error) {
	if cacert == "" {
		return &tls.Config{InsecureSkipVerify: insecure}, nil
	}
	pem, err := os.ReadFile(cacert)
	if err != nil {
		return nil, withHint(fmt.Errorf("--cacert: %w", err), "give the PEM file of the authority that signed the target's certificate")
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, withHint(fmt.Errorf("--cacert %s: no PEM certificate in it", cacert), "it must hold -----BEGIN CERTIFICATE-----")
	}
	return &tls.Config{RootCAs: pool, InsecureSkipVerify: insecure}, nil
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

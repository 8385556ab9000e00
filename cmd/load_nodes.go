package cmd

import (
	"context"
	"fmt"

	"github.com/turnomatico/tmctl/history"
	"github.com/turnomatico/tmctl/journal"
	"github.com/turnomatico/tmctl/loadgen"
)

// meet asks every node that --admin names what it is, before any load is sent; all must answer.
func (l *load) meet(ctx context.Context, r *history.Run) error {
	l.declared = declarations{checker: l.checker, now: l.env.Now, learned: l.learned}
	if l.plan.Admin == "" {
		return nil
	}
	l.declared.ask = func() []loadgen.Look { return loadgen.AskNodes(ctx, l.plan) }
	l.before = l.declared.ask()
	for i := range l.before {
		if err := l.before[i].Err; err != nil && ctx.Err() != nil {
			return unreachable(ctx, err)
		} else if err != nil {
			return withHint(err, "is --admin the admin plane of the target? tmctl serve's is http://127.0.0.1:7018")
		}
		r.Environment.Targets = append(r.Environment.Targets, loadgen.TargetOf(&l.before[i]))
	}
	return nil
}

// learned writes down that numbers were declared skipped.
func (l *load) learned(r history.Range) {
	l.note(journal.RangeDeclared, fmt.Sprintf("%s: %s declared skipped, from %d to %d", r.ID, plural(r.Size(), "number"), r.First, r.Last),
		map[string]any{"id": r.ID, "first": r.First, "last": r.Last})
}

// part asks the nodes a last time, now that nothing is in flight: what they declared, and what their books say. A node that
// does not answer any more is worth a remark only. It is asked also when ^C ended the run.
func (l *load) part(ctx context.Context) (books loadgen.Books) {
	proof := l.checker.Close()
	if len(l.before) == 0 {
		return books
	}
	ask := func(ctx context.Context) []loadgen.Look { return loadgen.AskNodes(ctx, l.plan) }
	l.declared.settle(context.WithoutCancel(ctx), ask, func(after []loadgen.Look) bool {
		books = loadgen.CompareBooks(l.before, after, &proof)
		return !books.Wrong
	})
	return books
}

// describe writes what the nodes said into the run.
func (l *load) describe(r *history.Run, books loadgen.Books) {
	targets := r.Environment.Targets
	r.StorePromise, r.Warnings = history.Promises(targets), history.Warnings(targets)
	for i, gained := range books.Nodes {
		targets[i].Ledger = gained
	}
	r.Declared = l.checker.Declared()
	r.Remarks = append(r.Remarks, books.Remarks...)
}

// Command bench measures tmctl from outside, as a user would, against peers on the same machine; `make bench` runs it and
// docs/BENCHMARKS.md says what its numbers mean. Start with figures in figures.go: each figure is a few contenders that
// take turns (rounds.go), and rows made of their medians (rows.go).
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	// A reader of our output that goes away must not kill us: nobody would end what we started.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	rounds, seconds int
	ops             int // of the recorded run
	only            string
	asJSON          bool
	write           string
}

func (o *options) addFlags(f *flag.FlagSet) {
	f.IntVar(&o.rounds, "rounds", 5, "how many times the contenders of a figure take turns")
	f.IntVar(&o.seconds, "seconds", 5, "how long one run lasts")
	f.IntVar(&o.ops, "ops", 10_000_000, "how many requests the recorded run of the memory figure makes")
	f.StringVar(&o.only, "only", "", "measure this figure alone: "+strings.Join(figureNames(), ", "))
	f.BoolVar(&o.asJSON, "json", false, "print JSON, with every run, instead of the table")
	f.StringVar(&o.write, "write", "", "put the table between the markers of this page, too")
}

func (o *options) validate() error {
	switch {
	case o.rounds < 1, o.seconds < 1, o.ops < 1:
		return fmt.Errorf("-rounds %d, -seconds %d and -ops %d: want 1 or more", o.rounds, o.seconds, o.ops)
	case o.only != "" && !slices.Contains(figureNames(), o.only):
		return fmt.Errorf("-only %s: want one of %s", o.only, strings.Join(figureNames(), ", "))
	case o.only != "" && o.write != "":
		// A page whose rows come from different days on a machine of different moods compares nothing.
		return fmt.Errorf("-write with -only: the page holds one run of all figures")
	}
	return nil
}

func run(ctx context.Context, args []string, out, progress io.Writer) error {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(progress)
	o.addFlags(flags)
	switch err := flags.Parse(args); {
	case err == flag.ErrHelp:
		return nil
	case err != nil:
		return err
	case flags.NArg() > 0:
		return fmt.Errorf("bench takes no arguments, got %q", flags.Args())
	}
	if err := o.validate(); err != nil {
		return err
	}
	r, err := measure(ctx, o, progress)
	if err != nil {
		return err
	}
	if err := r.print(out, o.asJSON); err != nil {
		return err
	}
	if o.write != "" {
		if err := writePage(o.write, r.markdown()); err != nil {
			return err
		}
	}
	return r.unmeasured()
}

// measure builds what it needs in a directory of its own, takes the figures, and leaves nothing behind.
func measure(ctx context.Context, o options, progress io.Writer) (*report, error) {
	dir, err := os.MkdirTemp("", "tmctl-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	b := &bench{options: o, dir: dir, progress: progress, runs: map[string]map[string]series{}}
	estimate := b.estimate()
	b.say("at most %s of measuring, after a build; ^C ends it and whatever it started", estimate.Round(time.Second))
	if err := b.build(ctx); err != nil {
		return nil, err
	}
	// A contender that hangs must not hold the machine: the estimate is generous, and nothing outlives it by much.
	ctx, cancel := context.WithTimeout(ctx, estimate)
	defer cancel()
	quiet := startQuiet()
	var rows []row
	for _, f := range b.chosen() {
		got, err := f.measure(ctx, b)
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%s: %w", f.name, context.Cause(ctx))
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		rows = append(rows, got...)
	}
	return &report{Machine: b.describe(ctx, quiet), Settings: b.settings(), Rows: rows, Notes: b.notes, Runs: b.runs}, nil
}

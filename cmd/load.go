package cmd

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/turnomatico/tmctl/history"
	"github.com/turnomatico/tmctl/loadgen"
)

type loadOptions struct {
	plan     history.Plan
	rate     string
	start    rateValue
	maxRate  rateValue
	accuracy shareValue
	keyRatio shareValue
	freshIDs int
	shared   bool
	cacert   string
	insecure bool
	out      string
	asJSON   bool
	quiet    bool
}

func newLoad(env *Env) *cobra.Command {
	o := loadOptions{plan: loadgen.DefaultPlan()}
	o.start, o.accuracy = rateValue(o.plan.Start), shareValue(o.plan.Precision)
	c := &cobra.Command{
		Use:   "load [--target] URL",
		Short: "Find the most a turn server takes, and prove its numbers right",
		Long: `load finds the largest rate (requests/s) at which the target meets the objective (--slo), and proves while doing so
that every number was unique, consecutive and in real-time order. It warms up, drives a closed loop, doubles the rate
until it fails, bisects, confirms the answer with longer runs and shows that the rate just above fails.

With --rate it drives one rate instead; --rate max is a closed loop.

Requests are sent on schedule whatever the answers do, and none is repeated but on purpose: --idempotency-key-ratio. The run is recorded under runs/ for
check, report and export. Exit code: 0 pass, 3 objective missed, 4 a number was wrong, 5 inconclusive, 130 interrupted.`,
		Example: `  tmctl load --target http://localhost:7017
  tmctl load --target http://localhost:7017/turno/{id} --ids 8 --slo "p99<20ms,errors<0.1%"
  tmctl load --target http://localhost:7017/turno/grupo3 --rate 20k --duration 30s
  tmctl load --target http://10.0.0.1/next/{id} --connect-to 10.0.0.2:80,10.0.0.3:80 --field number --id-field queue
  tmctl load --target http://turnos:7017 --admin http://10.0.0.2:7018,http://10.0.0.3:7018
  tmctl load --target http://turnos:7017 --connect-to 10.0.0.2:7017,10.0.0.3:7017 --idempotency-key-ratio 0.1`,
		Args: func(c *cobra.Command, args []string) error { return o.positional(c, args) },
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c.Context(), c, env) },
	}
	o.addTargetFlags(c)
	o.addLoadFlags(c)
	o.addOutputFlags(c)
	return c
}

// positional takes the URL with or without --target.
func (o *loadOptions) positional(c *cobra.Command, args []string) error {
	switch {
	case len(args) > 1:
		return usageError("quote the URL, and give flags their values", "load takes one URL, got %q", args)
	case len(args) == 1 && c.Flags().Changed("target"):
		return usageError("give the URL once", "both --target %s and %s are given", o.plan.Target, args[0])
	case len(args) == 1:
		o.plan.Target = args[0]
	}
	return nil
}

func (o *loadOptions) addTargetFlags(c *cobra.Command) {
	f, p := c.Flags(), &o.plan
	f.StringVar(&p.Target, "target", "", "URL; a bare host means /turno/{id}; without {id} the last path segment is the id")
	f.StringSliceVar(&p.ConnectTo, "connect-to", nil, "spread the connections over these host:port in turn: several nodes, one proof")
	f.Var(&commaList{&p.Admin}, "admin", "URLs of the nodes' admin planes: what their store promises goes into the run, and numbers that they declare skipped are no gaps")
	f.StringArrayVar(&p.IDs, "id", nil, "id to ask for, perhaps already used (repeatable)")
	f.IntVar(&o.freshIDs, "ids", 1, "how many fresh ids to make for the run; each must start at 1")
	f.BoolVar(&o.shared, "shared", false, "others use the ids too: gaps can't be judged")
	choiceFlag(c, &p.Method, "method", loadgen.Methods, "HTTP method")
	f.Var(&o.keyRatio, "idempotency-key-ratio", "share of the requests that carry a fresh Idempotency-Key and are sent again with it, to the next node, some at once: "+
		"each key must have one number. Retries come on top of the rate")
	f.StringArrayVar(&p.Headers, "header", nil, `header to send, "Name: value" (repeatable)`)
	f.StringVar(&p.Field, "field", p.Field, "JSON field of the number; a dot enters an object (data.turno)")
	f.StringVar(&p.IDField, "id-field", p.IDField, "JSON field of the id; empty: not checked")
	f.DurationVar(&p.Timeout, "timeout", p.Timeout, "give a request up after this; whether it consumed a number is then unknown")
	f.StringVar(&o.cacert, "cacert", "", "PEM file of the authority to trust, instead of the system's")
	f.BoolVar(&o.insecure, "insecure", false, "accept any certificate")
}

func (o *loadOptions) addLoadFlags(c *cobra.Command) {
	f, p := c.Flags(), &o.plan
	f.StringVar(&p.SLO, "slo", p.SLO, "objective: percentiles (p50, p99, p99.9, max) and errors, all of them to be met")
	f.IntVar(&p.Connections, "connections", p.Connections, "keep-alive connections")
	f.StringVar(&o.rate, "rate", "", "drive this one rate instead of searching: 50k, 100/s, 9000/1m, or max (closed loop)")
	f.DurationVar(&p.Duration, "duration", 30*time.Second, "how long to drive --rate")
	f.Var(&o.start, "start", "search: the first rate; if it fails, there is no pass in range")
	f.Var(&o.maxRate, "max-rate", "search: no higher rate is tried (default no bound)")
	f.DurationVar(&p.Step, "step", p.Step, "search: length of a step")
	f.Var(&o.accuracy, "precision", "search: how close the passing and the failing rate must come")
	f.DurationVar(&p.Budget, "budget", p.Budget, "search: how long it may take, warm-up included; confirming runs use what is left")
	f.DurationVar(&p.Warmup, "warmup", p.Warmup, "warm-up before anything counts (its numbers are proved too)")
	choiceFlag(c, &p.Arrivals, "arrivals", loadgen.Arrivals, "spacing of the requests")
	choiceFlag(c, &p.Engine, "engine", loadgen.Engines, "who sends the requests")
	f.BoolVar(&p.KeepGoing, "keep-going", false, "go on after a wrong number, and count them all")
}

func (o *loadOptions) addOutputFlags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.out, "out", "", "run directory (default runs/<UTC time>)")
	choiceFlag(c, &o.plan.Record, "record", loadgen.Recording, "keep every request for check and export, or only the figures")
	f.BoolVar(&o.asJSON, "json", false, "print the result as JSON")
	f.BoolVar(&o.quiet, "quiet", false, "no progress")
}

// commaList is a flag that may be given again: what it is given is kept together, separated by commas.
type commaList struct{ value *string }

var _ pflag.Value = (*commaList)(nil)

func (l *commaList) Set(s string) error {
	*l.value = strings.Trim(*l.value+","+s, ",")
	return nil
}

func (l *commaList) String() string {
	if l.value == nil { // pflag asks a zero value
		return ""
	}
	return *l.value
}

func (l *commaList) Type() string { return "strings" }

// searchFlags mean nothing with --rate, and --duration nothing without it.
var searchFlags = []string{"start", "max-rate", "step", "precision", "budget"}

// complete turns the flags into a plan; it has no effects.
func (o *loadOptions) complete(f *pflag.FlagSet, seed uint64) error {
	p := &o.plan
	if p.Target == "" {
		return usageError("for example: tmctl load --target http://localhost:7017", "no target")
	}
	if err := o.readRate(f); err != nil {
		return err
	}
	p.Start, p.MaxRate, p.Precision = float64(o.start), float64(o.maxRate), float64(o.accuracy)
	p.Exclusive, p.Seed, p.KeyRatio = !o.shared, seed, float64(o.keyRatio)
	if f.Changed("id") && f.Changed("ids") {
		return usageError("--id names used ids, --ids makes fresh ones; give one of them", "both --id and --ids are given")
	}
	if !f.Changed("id") {
		if o.freshIDs < 1 {
			return usageError("want 1 or more", "--ids %d", o.freshIDs)
		}
		p.IDs, p.Fresh = loadgen.FreshIDs(o.freshIDs, seed), true
	}
	if f.Changed("ids") && p.Target != "" && !loadgen.TargetTakesIDs(p.Target) {
		return usageError("write {id} in the id's place", "--ids with a target that names its id: %s", p.Target)
	}
	return nil
}

func (o *loadOptions) readRate(f *pflag.FlagSet) error {
	p := &o.plan
	if o.rate == "" {
		if f.Changed("duration") {
			return usageError("give --rate too; a search is bounded by --budget", "--duration without --rate")
		}
		p.Duration = 0
		return nil
	}
	for _, name := range searchFlags {
		if f.Changed(name) {
			return usageError("drop --"+name+", or drop --rate to search", "--%s has no meaning with --rate", name)
		}
	}
	if o.rate == "max" {
		p.ClosedLoop = true
		return nil
	}
	var err error
	if p.Rate, err = loadgen.ParseRate(o.rate); err != nil {
		return usageError("for example --rate 20k, --rate 9000/1m or --rate max", "--rate: %w", err)
	}
	return nil
}

func (o *loadOptions) run(ctx context.Context, c *cobra.Command, env *Env) error {
	if err := o.complete(c.Flags(), rand.Uint64()); err != nil {
		return err
	}
	base, err := tlsConfig(o.cacert, o.insecure)
	if err != nil {
		return err
	}
	plan, err := loadgen.Prepare(o.plan, base)
	if err != nil {
		return usageError(prepareHint(err), "%w", err)
	}
	l := &load{env: env, plan: plan, dir: o.out, quiet: o.quiet, command: command(env, c)}
	result, err := l.run(ctx)
	if result == nil {
		return err
	}
	var printErr error
	if o.asJSON {
		printErr = printJSON(env.Out, result)
	} else {
		printErr = loadText(env.Out, result)
	}
	switch {
	case err != nil:
		return err
	case printErr != nil:
		return fmt.Errorf("print the result: %w", printErr)
	}
	return exitWith(result.ExitCode)
}

// prepareHint says what to do about a plan that can't be run.
func prepareHint(err error) string {
	switch s := err.Error(); {
	case strings.HasPrefix(s, "slo"):
		return `for example --slo "p99<50ms,errors<0.1%"`
	case strings.HasPrefix(s, "idempotency-key-ratio"):
		return "for example --idempotency-key-ratio 0.1, or 10%"
	case strings.HasPrefix(s, "target"):
		return "for example --target http://localhost:7017/turno/{id}"
	default:
		return "see tmctl load --help"
	}
}

// command is argv as a person would type it again, with what came from the environment; what may be secret is left out.
func command(env *Env, c *cobra.Command) []string {
	out := slices.Clone(env.Args)
	if len(out) > 0 {
		out[0] = "tmctl"
	}
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if v := env.Getenv(flagEnv(c.CommandPath(), f.Name)); v != "" && f.Value.String() != f.DefValue && !mentions(out, f.Name) {
			out = append(out, "--"+f.Name+"="+v)
		}
	})
	for i := range out {
		if name, value, ok := strings.Cut(out[i], "="); ok && name == "--header" {
			out[i] = name + "=" + loadgen.RedactHeader(value)
		} else if i > 0 && out[i-1] == "--header" {
			out[i] = loadgen.RedactHeader(out[i])
		}
	}
	return out
}

// mentions reports whether args set a flag.
func mentions(args []string, flag string) bool {
	return slices.ContainsFunc(args, func(a string) bool { return a == "--"+flag || strings.HasPrefix(a, "--"+flag+"=") })
}

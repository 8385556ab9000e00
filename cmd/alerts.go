package cmd

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/turnomatico/tmctl/monitor"
	"github.com/turnomatico/tmctl/monitor/notify"
)

type alertsOptions struct {
	monitor.Config
	nodes    []string
	interval time.Duration
	timeout  time.Duration
	once     bool
	notify   []string
	journal  string
	asJSON   bool

	receivers []notify.Receiver
}

// notifyFlush bounds how long alerts waits, when it ends, for receivers that were not told yet.
const notifyFlush = 5 * time.Second

func newAlerts(env *Env) *cobra.Command {
	o := &alertsOptions{Config: monitor.DefaultConfig(), interval: 5 * time.Second, timeout: monitor.DefaultTimeout}
	c := &cobra.Command{
		Use:   "alerts",
		Short: "Watch nodes, and tell somebody when they are not well",
		Long: `alerts asks the admin plane of each node what it says of itself, every --interval, and prints a line when an alert becomes
pending (true, but not for long enough), firing (somebody is to be told), resolved, or calm again before it fired. Errors
and latency are judged by how fast they use up the budget of 30 days, over a long and a short window. It needs nothing
but the nodes; tmctl export prometheus writes the same alerts as rules for Prometheus.

--notify tells somebody what fires and what is resolved; the scheme of its URL chooses the form:

    https://HOST/…                     JSON: {"status": "firing", "alerts": [{"alert", "state", "severity", "instance", "text", …}]}
    slack+https://hooks.slack.com/…    an incoming webhook of Slack, or of what imitates it
    alertmanager+http://HOST:9093      Alertmanager's API v2

What changes while a receiver is being told, or can't be, is one message; it is tried again until it is taken. A URL that
is a secret is better kept out of the command line, where ps shows it: put it into TMCTL_ALERTS_NOTIFY.

With --once it looks twice, an interval apart, prints what is true then, and ends: with exit code 3 if anything is.

Each alert has a page that says what to do: docs/runbooks.`,
		Example: "  tmctl alerts --nodes 127.0.0.1:7018\n" +
			"  tmctl alerts --nodes n1:7018,n2:7018 --notify alertmanager+http://localhost:9093 --journal events.ndjson\n" +
			"  tmctl alerts --nodes n1:7018,n2:7018 --once --json",
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.validate(); err != nil {
				return err
			}
			return o.run(c.Context(), env)
		},
	}
	o.addFlags(c)
	return c
}

func (o *alertsOptions) addFlags(c *cobra.Command) {
	f := c.Flags()
	f.StringSliceVar(&o.nodes, "nodes", nil, "`URLs` of the nodes' admin planes, comma-separated")
	f.DurationVar(&o.interval, "interval", o.interval, "time between two looks")
	f.DurationVar(&o.timeout, "timeout", o.timeout, "how long a node may take to answer")
	f.BoolVar(&o.once, "once", false, "look twice, say what is true, and end: with exit code 3 if anything is")
	f.StringSliceVar(&o.notify, "notify", nil, "`URLs` of those to tell: http(s)://…, slack+https://…, alertmanager+http://…")
	f.StringVar(&o.journal, "journal", "", "append what fires and what is resolved to this `file`, for tmctl events; without it TMCTL_JOURNAL, if that is set")
	f.BoolVar(&o.asJSON, "json", false, "print JSON, an object a line")
	alertFlags(c, &o.Config)
}

func (o *alertsOptions) validate() error {
	switch {
	case len(o.nodes) == 0:
		return usageError("name their admin planes: --nodes 127.0.0.1:7018", "--nodes is missing")
	case o.interval <= 0:
		return usageError("5s suits most", "--interval %s: want more than 0", o.interval)
	case o.timeout <= 0:
		return usageError("a node that is well answers within milliseconds", "--timeout %s: want more than 0", o.timeout)
	}
	if _, err := monitor.NewScraper(o.nodes, o.timeout); err != nil {
		return usageError("tmctl serve's admin plane is 127.0.0.1:7018", "--nodes: %w", err)
	}
	for _, url := range o.notify {
		r, err := notify.Parse(url)
		if err != nil {
			return usageError("see tmctl alerts --help", "--notify: %w", err)
		}
		o.receivers = append(o.receivers, r)
	}
	return validAlerts(&o.Config)
}

// alerts is one watch: it joins the scraper, the evaluator and those who are told, which don't know each other.
type alerts struct {
	*alertsOptions
	env     *Env
	scraper *monitor.Scraper
	watch   *monitor.Evaluator
	desk    *notify.Desk
	tellers []func(monitor.Status) error
}

func (o *alertsOptions) run(ctx context.Context, env *Env) (err error) {
	log := newLog(env, "text")
	a := &alerts{alertsOptions: o, env: env, watch: monitor.NewEvaluator(monitor.Alerts(o.Config))}
	if a.scraper, err = monitor.NewScraper(o.nodes, o.timeout); err != nil {
		return err
	}
	defer a.scraper.Close()
	a.tellers = append(a.tellers, a.print)
	if path := journalFor(env, o.journal); path != "" {
		j, err := keepJournal(env, path, log)
		if err != nil {
			return err
		}
		defer j.close(ctx)
		a.tellers = append(a.tellers, func(s monitor.Status) error { j.alert(s); return nil })
	}
	a.desk = notify.Open(ctx, o.receivers, nil, log)
	defer a.close(ctx, log)
	if o.once {
		return a.lookOnce(ctx)
	}
	return a.follow(ctx)
}

// close has the receivers told what they have not been told yet.
func (a *alerts) close(ctx context.Context, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), notifyFlush)
	defer cancel()
	if err := a.desk.Close(ctx); err != nil {
		log.Error("not everybody was told", "err", err)
	}
}

// follow watches until ctx ends.
func (a *alerts) follow(ctx context.Context) error {
	tick := time.NewTicker(a.interval)
	defer tick.Stop()
	for looks := 0; ; looks++ {
		seen := a.scraper.Observe(ctx, a.env.Now())
		if ctx.Err() != nil { // what it did not see then says nothing
			return nil
		}
		if err := a.tell(a.watch.Add(seen)); err != nil {
			return err
		}
		if looks == 0 { // what happens from now on is noticed
			fmt.Fprintf(a.env.Err, "watching %s every %s; ^C ends it\n", plural(uint64(len(seen.Nodes)), "node"), a.interval)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// lookOnce looks twice, since rates need two looks, and takes what is true then for what fires.
func (a *alerts) lookOnce(ctx context.Context) error {
	a.watch.Add(a.scraper.Observe(ctx, a.env.Now()))
	select {
	case <-time.After(a.interval):
	case <-ctx.Done():
	}
	seen := a.scraper.Observe(ctx, a.env.Now())
	if ctx.Err() != nil {
		return exitWith(exitInterrupted)
	}
	a.watch.Add(seen)
	active := a.watch.Active()
	for i := range active {
		active[i].State, active[i].Fired = monitor.Firing, seen.At
	}
	if err := a.tell(active); err != nil {
		return err
	}
	if len(active) > 0 {
		return exitWith(exitSLOMissed)
	}
	fmt.Fprintf(a.env.Err, "nothing fires: %s, as far as they can be judged by two looks %s apart\n", plural(uint64(len(seen.Nodes)), "node"), a.interval)
	return nil
}

// tell has everybody know what changed.
func (a *alerts) tell(changes []monitor.Status) error {
	for _, s := range changes {
		for _, teller := range a.tellers {
			if err := teller(s); err != nil {
				return err
			}
		}
	}
	var firing []monitor.Status
	for _, s := range a.watch.Active() {
		if s.State == monitor.Firing {
			firing = append(firing, s)
		}
	}
	a.desk.Tell(changes, firing)
	return nil
}

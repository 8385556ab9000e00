package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/turnomatico/tmctl/honeycomb"
)

const honeycombKey = "HONEYCOMB_API_KEY"

// What a marker can be about, and where it can go; the first is the default.
var (
	markerTypes   = []string{"deploy", "load", "drill", "incident"}
	markerRegions = []string{"us", "eu"}
)

type markerOptions struct {
	honeycomb.Marker
	dataset    string
	start, end sinceValue
	region     string
	api        string
	timeout    time.Duration
	asJSON     bool
}

func newMarker(env *Env) *cobra.Command {
	o := markerOptions{start: sinceValue{now: env.Now}, end: sinceValue{now: env.Now}, region: markerRegions[0]}
	o.Type = markerTypes[0]
	c := &cobra.Command{
		Use:   "marker",
		Short: "Draw a marker on Honeycomb's graphs: a deploy, a load test, a drill, an incident",
		Long: `Draw a marker on the graphs of a Honeycomb dataset, so that who looks at them sees what was done and when. With --end it is a
stripe, from --start.

The key is in HONEYCOMB_API_KEY: a configuration key with the permission Manage Markers, not one for ingest. It is sent to
Honeycomb alone, and printed nowhere. The dataset must be there; ` + honeycomb.Everywhere + ` stands for the whole environment.

A marker that Honeycomb did not take for now (429, 503) is sent again, twice at most. Where nothing came back it is not: it may
have been made.`,
		Example: "  tmctl marker --dataset turnos --message \"v2.3\"\n  tmctl marker --dataset turnos --type load --message \"200k/s\" --start 10m --end 0s --url https://ci.example.com/42\n  tmctl marker --dataset __all__ --type incident --message \"Redis failed over\" --region eu",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.validate(env); err != nil {
				return err
			}
			return o.run(c.Context(), env)
		},
	}
	f := c.Flags()
	f.StringVar(&o.dataset, "dataset", "", "`name` of the dataset as it is in its URL, or "+honeycomb.Everywhere)
	f.StringVar(&o.Message, "message", "", "`text` beside the marker")
	choiceFlag(c, &o.Type, "type", markerTypes, "what it is about: markers of one type have one colour")
	f.StringVar(&o.URL, "url", "", "`URL` that a click on it leads to")
	f.Var(&o.start, "start", "when it began: 10m for ten minutes ago, or a `time`, 2026-11-21T10:15:02Z (default: now)")
	f.Var(&o.end, "end", "when it ended, in the same forms: 0s is now")
	choiceFlag(c, &o.region, "region", markerRegions, "where Honeycomb keeps your team")
	f.StringVar(&o.api, "api-url", "", "`URL` of Honeycomb's API, in the place of the region's")
	f.DurationVar(&o.timeout, "timeout", 10*time.Second, "give up after this long, attempts included")
	f.BoolVar(&o.asJSON, "json", false, "print JSON: the marker as Honeycomb keeps it")
	return c
}

func (o *markerOptions) validate(env *Env) error {
	o.api = cmp.Or(o.api, honeycomb.Endpoints[o.region])
	o.Start, o.End = o.start.at, o.end.at
	switch {
	case strings.TrimSpace(o.Message) == "":
		return usageError(`for example --message "v2.3"`, "--message: what shall stand beside the marker?")
	case o.dataset == "":
		return usageError("a service's spans are in the dataset of its name; --dataset "+honeycomb.Everywhere+" is the whole environment", "--dataset: on whose graphs?")
	case !o.End.IsZero() && o.Start.IsZero():
		return usageError("give --start too", "--end without --start")
	case !o.End.IsZero() && o.End.Before(o.Start):
		return usageError("the start is "+o.start.String(), "--end %s: it is before the start", o.end.String())
	case o.timeout <= 0:
		return usageError("for example --timeout 10s", "--timeout %s: want more than 0", o.timeout)
	}
	if err := honeycomb.CheckURL(o.api); err != nil {
		return usageError("it is "+honeycomb.Endpoints["us"]+", or "+honeycomb.Endpoints["eu"], "--api-url: %w", err)
	}
	key := env.Getenv(honeycombKey)
	if key == "" {
		return usageError("export "+honeycombKey+"=… (a configuration key with the permission Manage Markers)", "which key? %s is not set", honeycombKey)
	}
	if err := honeycomb.CheckKey(key); err != nil {
		return usageError("copy it again", "%s: %w", honeycombKey, err)
	}
	return nil
}

func (o *markerOptions) run(ctx context.Context, env *Env) error {
	within, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	c := honeycomb.Client{URL: o.api, Key: env.Getenv(honeycombKey), Wait: waitOut,
		HTTP: &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}}
	made, err := c.Mark(within, o.dataset, o.Marker)
	switch {
	case ctx.Err() != nil && err != nil:
		return &exitError{code: exitInterrupted, err: errors.New("interrupted: the marker may have been made")}
	case errors.Is(err, context.DeadlineExceeded):
		return withHint(fmt.Errorf("no answer within %s: %w", o.timeout, err), markerHint(err))
	case err != nil:
		return withHint(err, markerHint(err))
	case o.asJSON:
		return printJSON(env.Out, made)
	}
	_, err = fmt.Fprintf(env.Out, "marker %s on %s: %s: %s\n", oneLine(made.ID), o.dataset, o.Type, oneLine(o.Message))
	return err
}

// waitOut waits, unless ctx ends first.
func waitOut(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// markerHint says what to do about a marker that was not made.
func markerHint(err error) string {
	var refused *honeycomb.StatusError
	var dial *net.OpError
	switch {
	case errors.As(err, &refused):
		return refusalHint(refused.Status)
	case errors.As(err, &dial) && dial.Op == "dial" && !errors.Is(err, context.DeadlineExceeded):
		return "nothing was sent. Is there a way from here? HTTPS_PROXY names a proxy"
	}
	return "nothing came back: the marker may have been made all the same. Look before you send it again"
}

func refusalHint(status int) string {
	switch {
	case slices.Contains([]int{http.StatusUnauthorized, http.StatusForbidden}, status):
		return honeycombKey + " must be a configuration key with the permission Manage Markers, of this region (--region eu for Europe)"
	case status == http.StatusNotFound:
		return "the dataset must be there, and is named as in its URL; " + honeycomb.Everywhere + " is the whole environment"
	case status == http.StatusTooManyRequests:
		return "it was not made; --timeout is how long to wait and try again"
	case status >= 500:
		return "https://status.honeycomb.io says whether it is theirs; the marker may have been made, unless it is 503"
	case status/100 == 3:
		return "is --api-url the API itself? The key is sent nowhere else, so no redirect is followed"
	}
	return "tmctl marker --help says what it takes"
}

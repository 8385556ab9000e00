package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"
)

// crowd is how many connections an overload comes over: as long as all wait, a server can't tell three times its maximum from
// a hundred times.
const crowd = 1000

// excess is how many times the maximum is offered.
const excess = 3

// What a run of the figure overload measures, beside rate, which is the goodput.
const (
	maximum     = "maximum"      // numbers a second in a closed loop
	due         = "due"          // requests a second that were to be sent
	sent        = "sent"         // … that were
	refused     = "refused"      // percent of those sent
	recovery    = "recovery"     // ms from the load's end until a request is answered as before
	aloneP99    = "alone_p99"    // of a polite id alone, in ms
	politeP99   = "polite_p99"   // … beside a greedy one
	politeError = "polite_error" // percent of its requests
)

// measureOverload finds what a server gives at most, offers three times that, and sees what it gives then. The loader could not
// offer so much to a server as fast as itself: the server has a quarter of a core, and the loader another one (slow.go). Where the
// store is what lacks, the server has what it gets.
func measureOverload(ctx context.Context, b *bench) ([]row, error) {
	if !b.canSlow(ctx) || !b.has("redis-server") {
		return nil, nil
	}
	hog, err := b.hog(ctx)
	if err != nil {
		return nil, err
	}
	defer hog.stop()
	redis, addr, err := b.redis(ctx)
	if err != nil {
		return nil, err
	}
	defer redis.stop()
	if err := pin(ctx, redis, loaderCores()); err != nil {
		return nil, err
	}
	far, err := delayed(ctx, addr, farAway)
	if err != nil {
		return nil, err
	}
	defer far.Close()
	stores := []overloaded{
		{name: memoryStore, at: anywhere, under: slowly}, {name: "file", store: "file:" + filepath.Join(b.dir, "overload"), at: anywhere, under: slowly},
		{name: "redis", store: "redis://" + addr, at: anywhere, under: slowly},
		{name: farName, store: "redis://" + far.Addr(), flags: []string{"--max-inflight", "300"}, at: []int{connections, 256}},
	}
	var all []contender
	for _, o := range stores {
		all = append(all, contender{o.name, func(ctx context.Context) (sample, error) { return b.overload(ctx, o) }})
	}
	return overloadRows(stores, b.interleave(ctx, "overload", all)), nil
}

// The store that is slow itself, so that the server has time to refuse what it has no room for.
const (
	farAway = 100 * time.Millisecond
	farName = "redis 100 ms away, --max-inflight 300"
)

// anywhere is few connections, and as many as there are to overload it.
var anywhere = []int{connections, crowd}

// overloaded is a server to overload.
type overloaded struct {
	name, store string
	under       []string // how it is started
	flags       []string
	at          []int // where its maximum is looked for: numbers of connections; those beyond its room would only be refused
}

func overloadRows(stores []overloaded, got map[string]series) (rows []row) {
	for _, o := range stores {
		runs, name := got[o.name], "overload, "+o.name+": "
		rows = append(rows,
			against("its maximum", as(runs, maximum, rate), row{Figure: name + "numbers a second when three times as many are asked for", Unit: "/s",
				limit: atLeast(0.9, 0)}, rate, runs),
			against("due", as(runs, due, sent), row{Figure: name + "requests sent a second", Unit: "/s"}, sent, runs),
			alone(name+"requests refused", "%", refused, runs, limit{}),
			alone(name+"from the load's end to an answer as before (worst of the rounds)", "ms", recovery, worst(runs, recovery), atMost(2000, 0)),
			against("alone", as(runs, aloneP99, politeP99), row{Figure: name + "p99 of a polite id beside a greedy one", Unit: "ms"}, politeP99, runs),
			alone(name+"errors of the polite id", "%", politeError, runs, atMost(1, 0)))
	}
	return rows
}

// overload takes one server through all of it.
func (b *bench) overload(ctx context.Context, o overloaded) (sample, error) {
	flags := o.flags
	if o.store != "" {
		flags = append([]string{"--store", o.store}, flags...)
	}
	s, err := b.serveUnder(ctx, o.under, flags...)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	got, err := b.atMost(ctx, s, o.at)
	if err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context, *service, sample) error{b.threeTimes, b.recovers, b.beside} {
		if err := step(ctx, s, got); err != nil {
			return nil, err
		}
	}
	return got, nil
}

// atMost is the most that so many connections get in a closed loop, each number of them for itself.
func (b *bench) atMost(ctx context.Context, s *service, at []int) (sample, error) {
	got := sample{}
	for _, n := range at {
		r, err := b.drive(ctx, s, "max", n)
		if err != nil {
			return nil, err
		}
		got[maximum] = max(got[maximum], r.AchievedRate)
	}
	if got[maximum] == 0 {
		return nil, fmt.Errorf("no number in a closed loop")
	}
	return got, nil
}

func (b *bench) threeTimes(ctx context.Context, s *service, got sample) error {
	r, err := b.drive(ctx, s, tooMuch(got), crowd)
	if err != nil {
		return err
	}
	seconds := r.Elapsed.Seconds()
	got[rate], got[due], got[sent] = r.AchievedRate, float64(r.Planned)/seconds, float64(r.Sent)/seconds
	got[refused], got[p99] = share(r.Errors, r.Sent), ms(r.Service.P99)
	return nil
}

// recovers kills the loader in the midst of it, as if all clients went at once, and asks until requests are answered as before.
func (b *bench) recovers(ctx context.Context, s *service, got sample) error {
	began := time.Now()
	if _, err := asBefore(ctx, s.url, patience); err != nil {
		return err
	}
	before := time.Since(began) / inARow
	load, err := start(ctx, b.driving(s, tooMuch(got), crowd, time.Minute))
	if err != nil {
		return err
	}
	select {
	case <-time.After(b.length()):
	case <-ctx.Done():
	}
	if err := load.cmd.Process.Kill(); err != nil {
		return fmt.Errorf("end the load: %w", err)
	}
	ended := time.Now()
	_, _ = load.wait() // killed, as it says
	usual, err := asBefore(ctx, s.url, before)
	got[recovery] = max(0, ms(usual.Sub(ended)))
	return err
}

// beside has a polite client ask for its own id, alone and then while a greedy one asks for three times the maximum.
func (b *bench) beside(ctx context.Context, s *service, got sample) error {
	alone, err := b.drive(ctx, s, polite, politeConnections)
	if err != nil {
		return err
	}
	greedy, err := start(ctx, b.driving(s, tooMuch(got), crowd, time.Minute))
	if err != nil {
		return err
	}
	beside, err := b.drive(ctx, s, polite, politeConnections)
	_ = greedy.cmd.Process.Kill() // errs if it has ended, and then the polite one was alone again
	if g, _ := greedy.wait(); err == nil && g.code != -1 {
		return fmt.Errorf("the greedy load ended by itself with %d", g.code)
	}
	if err != nil {
		return err
	}
	got[aloneP99], got[politeP99], got[politeError] = ms(alone.Latency.P99), ms(beside.Latency.P99), share(beside.Errors, beside.Sent)
	return nil
}

// What a polite client asks for.
const (
	polite            = "100"
	politeConnections = 20
)

func tooMuch(got sample) string { return fmt.Sprintf("%.0f", excess*got[maximum]) }

func share(part, of uint64) float64 { return float64(part) / float64(max(1, of)) * 100 }

package main

import (
	"context"
	"time"
)

// Who takes turns in the figures loader and fixed.
const (
	loadNone    = "load --record none"
	loadFull    = "load --record full"
	loadVegeta  = "load --engine vegeta"
	loadFixed   = "load --rate 20k"
	wrkName     = "wrk"
	vegetaName  = "vegeta attack | report"
	vegetaNull  = "vegeta attack > /dev/null"
	vegetaFixed = "vegeta -rate 20000"
)

// measureLoader drives `tmctl serve` in a closed loop with each generator in turn.
func measureLoader(ctx context.Context, b *bench) ([]row, error) {
	s, err := b.serve(ctx)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	all := []contender{
		{loadNone, b.loading(s, loadRun{rate: "max", record: "none", engine: "http1", duration: b.length()})},
		{loadFull, b.loading(s, loadRun{rate: "max", record: "full", engine: "http1", duration: b.length()})},
		{vegetaName, func(ctx context.Context) (sample, error) { return b.vegetaReport(ctx, s.url, 0) }},
		{vegetaNull, func(ctx context.Context) (sample, error) { return b.vegetaAlone(ctx, s) }},
		{loadVegeta, b.loading(s, loadRun{rate: "max", record: "full", engine: "vegeta", duration: b.length()})},
	}
	if b.tools.wrk != "" {
		all = append(all, contender{wrkName, func(ctx context.Context) (sample, error) { return b.wrk(ctx, s.url) }})
	}
	got := b.interleave(ctx, "loader", all)
	return loaderRows(got), nil
}

// loaderRows has each of our ways beside each peer: first what is asked of throughput, then what a request costs.
func loaderRows(got map[string]series) (rows []row) {
	asked := map[string]limit{wrkName: atLeast(0.8, 1.0), vegetaName: atLeast(4, 6), vegetaNull: atLeast(4, 6)}
	for _, metric := range []struct{ name, unit, what string }{{rate, "/s", "requests a second"}, {cpu, "µs", "generator CPU a request"}} {
		for _, ours := range []string{loadNone, loadFull} {
			for _, peer := range []string{wrkName, vegetaName, vegetaNull} {
				r := row{Figure: "`" + ours + "`: " + metric.what, Unit: metric.unit}
				if metric.name == rate {
					r.limit = asked[peer]
				}
				rows = append(rows, against(peer, got[peer], r, metric.name, got[ours]))
			}
		}
		r := row{Figure: "`" + loadVegeta + "`: " + metric.what, Unit: metric.unit}
		rows = append(rows, against(vegetaName, got[vegetaName], r, metric.name, got[loadVegeta]))
	}
	return rows
}

// measureFixed drives 20,000/s by the clock, beside a closed loop over as many connections and vegeta at the same rate.
func measureFixed(ctx context.Context, b *bench) ([]row, error) {
	s, err := b.serve(ctx)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	all := []contender{
		{loadFixed, b.loading(s, loadRun{rate: "20k", record: "full", engine: "http1", duration: b.length()})},
		{vegetaFixed, func(ctx context.Context) (sample, error) { return b.vegetaReport(ctx, s.url, fixedRate) }},
	}
	if b.tools.wrk != "" {
		all = append(all, contender{wrkName, func(ctx context.Context) (sample, error) { return b.wrk(ctx, s.url) }})
	}
	got := b.interleave(ctx, "fixed", all)
	ours, vegeta, wrk := got[loadFixed], got[vegetaFixed], got[wrkName]
	const closed = "wrk, closed loop"
	rows := []row{
		alone("20,000/s: p50 corrected", "ms", p50, ours, limit{}),
		against(closed, wrk, row{Figure: "20,000/s: p50 service", Unit: "ms"}, p50, as(ours, service50, p50)),
		against(vegetaFixed, vegeta, row{Figure: "20,000/s: p50 service", Unit: "ms"}, p50, as(ours, service50, p50)),
		alone("20,000/s: p99 corrected", "ms", p99, ours, limit{}),
		against(closed, wrk, row{Figure: "20,000/s: p99 service", Unit: "ms"}, p99, as(ours, service99, p99)),
		against(vegetaFixed, vegeta, row{Figure: "20,000/s: p99 service", Unit: "ms"}, p99, as(ours, service99, p99)),
		alone("20,000/s: lag p99", "ms", lag, ours, limit{}),
		against(vegetaFixed, vegeta, row{Figure: "20,000/s: generator CPU a request", Unit: "µs"}, cpu, ours),
		alone("20,000/s: due and not sent (worst of the rounds)", "%", notSent, worst(ours, notSent), atMost(1, 0)),
		alone("20,000/s: due and not sent by "+vegetaFixed, "%", notSent, vegeta, limit{}),
	}
	return rows, nil
}

// loading is a run of tmctl load.
func (b *bench) loading(s *service, l loadRun) func(context.Context) (sample, error) {
	return func(ctx context.Context) (sample, error) {
		got, _, err := b.load(ctx, s, l)
		return got, err
	}
}

// as shows one metric of ours where a peer has another, round by round.
func as(r series, from, to string) series {
	out := make(series, len(r))
	for i, s := range r {
		if v, ok := s[from]; ok {
			out[i] = sample{to: v}
		}
	}
	return out
}

// worst is the round with the largest value: a bound on every step is not met by a median.
func worst(r series, metric string) series {
	if s := r.of(metric); s != nil {
		return series{{metric: s.Max}}
	}
	return nil
}

// seconds of load that make so many requests, and a tenth more.
func longEnough(ops int, perSecond float64) time.Duration {
	return (time.Duration(float64(ops)/perSecond*1.1*float64(time.Second)) + time.Second).Truncate(time.Second)
}

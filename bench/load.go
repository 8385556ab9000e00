package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/turnomatico/tmctl/history"
)

// loadRun is `tmctl load` at one rate, proof on.
type loadRun struct {
	rate     string // as --rate takes it
	record   string
	engine   string
	duration time.Duration
	keep     string // a directory to keep the run in; "": it is removed
}

// verdicts that a benchmark may end with: an objective missed, or a machine too busy to say. A wrong number (4) may not.
var verdicts = []int{3, 5}

// load runs it against a service. The sample has the CPU of the whole process, start and proof included.
func (b *bench) load(ctx context.Context, s *service, l loadRun) (sample, ended, error) {
	out := l.keep
	if out == "" {
		out = filepath.Join(b.dir, "run")
		defer os.RemoveAll(out)
	}
	target, err := url.Parse(s.url)
	if err != nil {
		return nil, ended{}, err
	}
	argv := []string{b.tools.tmctl, "load", "--target", "http://" + target.Host + "/turno/{id}", "--rate", l.rate,
		"--duration", l.duration.String(), "--warmup", "0s", "--connections", strconv.Itoa(connections), "--record", l.record,
		"--engine", l.engine, "--json", "--quiet", "--out", out}
	e, err := do(ctx, command{argv: argv}, verdicts...)
	if err != nil {
		return nil, e, err
	}
	var r history.Result
	if err := json.Unmarshal(e.out, &r); err != nil {
		return nil, e, fmt.Errorf("load --json: %w", err)
	}
	if len(r.Steps) == 0 || r.Requests == 0 || r.Errors > 0 || r.Proof.Linearizable == nil || !*r.Proof.Linearizable {
		return nil, e, fmt.Errorf("load: %s", r.Sentence)
	}
	if e.code != 0 {
		b.note("a run of tmctl load --rate %s ended with %d: %s", l.rate, e.code, r.Sentence)
	}
	return loadSample(&r, e), e, nil
}

func loadSample(r *history.Result, e ended) sample {
	st := r.Steps[len(r.Steps)-1]
	s := sample{rate: st.AchievedRate, cpu: perRequest(e.cpu, r.Requests), requests: float64(r.Requests),
		p50: ms(st.Latency.P50), p99: ms(st.Latency.P99), service50: ms(st.Service.P50), service99: ms(st.Service.P99), lag: ms(st.LagP99)}
	if st.PlannedRate > 0 && st.Planned > 0 {
		s[notSent] = max(0, float64(st.Planned)-float64(st.Sent)) / float64(st.Planned) * 100
	}
	return s
}

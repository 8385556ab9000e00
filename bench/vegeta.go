package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// attack is the vegeta command; rate 0 is a closed loop.
func (b *bench) attack(url string, rate int) command {
	return command{stdin: strings.NewReader("GET " + url + "\n"), argv: []string{b.tools.vegeta, "attack", "-rate", strconv.Itoa(rate),
		"-max-workers", strconv.Itoa(connections), "-duration", b.length().String()}}
}

// vegetaReport runs vegeta attack | vegeta report. The CPU is attack's alone; report decodes what attack encodes, beside it.
func (b *bench) vegetaReport(ctx context.Context, url string, perSecond int) (sample, error) {
	e, reporter, err := pipe(ctx, b.attack(url, perSecond), command{argv: []string{b.tools.vegeta, "report", "-type", "json"}})
	if err != nil {
		return nil, err
	}
	var r struct {
		Latencies struct {
			P50 time.Duration `json:"50th"`
			P99 time.Duration `json:"99th"`
		} `json:"latencies"`
		Requests   uint64  `json:"requests"`
		Throughput float64 `json:"throughput"`
		Success    float64 `json:"success"`
	}
	if err := json.Unmarshal(reporter.out, &r); err != nil {
		return nil, fmt.Errorf("vegeta report: %w", err)
	}
	if r.Success != 1 {
		return nil, fmt.Errorf("vegeta: %.2f %% of %d requests succeeded", r.Success*100, r.Requests)
	}
	due := float64(perSecond * b.seconds)
	s := sample{rate: r.Throughput, cpu: perRequest(e.cpu, r.Requests), "report_cpu": perRequest(reporter.cpu, r.Requests),
		p50: ms(r.Latencies.P50), p99: ms(r.Latencies.P99), requests: float64(r.Requests)}
	if due > 0 {
		s[notSent] = max(0, due-float64(r.Requests)) / due * 100
	}
	return s, nil
}

// vegetaAlone runs vegeta attack > /dev/null: no reader shares the machine. The server's numbers say how many requests
// there were; they are divided by the whole life of the process.
func (b *bench) vegetaAlone(ctx context.Context, s *service) (sample, error) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	before, err := s.taken(ctx)
	if err != nil {
		return nil, err
	}
	c := b.attack(s.url, 0)
	c.stdout = null
	e, err := do(ctx, c)
	if err != nil {
		return nil, err
	}
	after, err := s.taken(ctx)
	if err != nil {
		return nil, err
	}
	n := after - before - 1
	return sample{rate: float64(n) / e.wall.Seconds(), cpu: perRequest(e.cpu, n), requests: float64(n)}, nil
}

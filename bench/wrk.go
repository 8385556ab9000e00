package main

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// wrkRun is a closed loop.
type wrkRun struct {
	url         string
	connections int    // 0: as everyone's
	script      string // a file that makes the requests; "": all are for url
}

// wrk drives a closed loop over the connections that everyone has.
func (b *bench) wrk(ctx context.Context, url string) (sample, error) {
	return b.wrkAs(ctx, wrkRun{url: url})
}

func (b *bench) wrkAs(ctx context.Context, w wrkRun) (sample, error) {
	n := connections
	if w.connections > 0 {
		n = w.connections
	}
	argv := []string{b.tools.wrk, "-t" + strconv.Itoa(min(n, wrkThreads)), "-c" + strconv.Itoa(n), "-d" + strconv.Itoa(b.seconds) + "s", "--latency"}
	if w.script != "" {
		argv = append(argv, "-s", w.script)
	}
	e, err := do(ctx, command{argv: append(argv, w.url)})
	if err != nil {
		return nil, err
	}
	r, err := parseWrk(string(e.out))
	if err != nil {
		return nil, err
	}
	if r.failed > 0 {
		return nil, fmt.Errorf("wrk: %d of %d requests failed", r.failed, r.requests)
	}
	return sample{rate: r.rate, cpu: perRequest(e.cpu, r.requests), p50: ms(r.p50), p99: ms(r.p99), requests: float64(r.requests),
		answerSize: r.read / float64(r.requests), roundTrip: float64(n) * 1e6 / r.rate}, nil
}

// requests is the count of a run, by which its CPU time is divided.
const requests = "requests"

func perRequest(d time.Duration, requests uint64) float64 {
	return float64(d.Nanoseconds()) / 1e3 / float64(max(1, requests))
}

func ms(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

// wrkResult is what wrk --latency prints.
type wrkResult struct {
	requests uint64
	rate     float64 // a second
	read     float64 // bytes, rounded by wrk to three digits or so
	p50, p99 time.Duration
	failed   uint64 // answers that are no 2xx or 3xx, and socket errors
}

var (
	wrkTotal      = regexp.MustCompile(`(?m)^\s*(\d+) requests in \S+, ([\d.]+)(B|KB|MB|GB|TB) read$`)
	wrkRate       = regexp.MustCompile(`(?m)^Requests/sec:\s+([\d.]+)$`)
	wrkPercentile = regexp.MustCompile(`(?m)^\s*(50|99)%\s+([\d.]+)(us|ms|s|m|h)$`)
	wrkBad        = regexp.MustCompile(`(?m)^\s*Non-2xx or 3xx responses: (\d+)$`)
	wrkSocket     = regexp.MustCompile(`(?m)^\s*Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)$`)
)

var (
	wrkUnits = map[string]time.Duration{"us": time.Microsecond, "ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour}
	wrkBytes = map[string]float64{"B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}
)

// parseWrk reads the figures out of what wrk 4 prints for people; it has no other form.
func parseWrk(out string) (r wrkResult, err error) {
	total, perSecond := wrkTotal.FindStringSubmatch(out), wrkRate.FindStringSubmatch(out)
	if total == nil || perSecond == nil {
		return r, fmt.Errorf("wrk: no figures in %q", lastLine(out))
	}
	r.requests, _ = strconv.ParseUint(total[1], 10, 64) // digits, by the expression
	r.read = number(total[2]) * wrkBytes[total[3]]
	r.rate = number(perSecond[1])
	for _, m := range wrkPercentile.FindAllStringSubmatch(out, -1) {
		d := time.Duration(number(m[2]) * float64(wrkUnits[m[3]]))
		if m[1] == "50" {
			r.p50 = d
		} else {
			r.p99 = d
		}
	}
	failures := wrkSocket.FindStringSubmatch(out)
	if bad := wrkBad.FindStringSubmatch(out); bad != nil {
		failures = append(failures, bad[1])
	}
	for _, f := range failures {
		if n, err := strconv.ParseUint(strings.TrimSpace(f), 10, 64); err == nil { // not the whole line, which comes first
			r.failed += n
		}
	}
	if r.requests == 0 || r.p50 == 0 || r.p99 == 0 {
		return r, fmt.Errorf("wrk: %d requests, p50 %s, p99 %s", r.requests, r.p50, r.p99)
	}
	return r, nil
}

func number(s string) float64 {
	v, _ := strconv.ParseFloat(s, 64) // digits and dots, by the expressions
	return v
}

package main

import (
	"context"
	"fmt"
	"net"
	"regexp"
	"strconv"
)

var incrRate = regexp.MustCompile(`"INCR","([\d.]+)"`)

// incr is redis-benchmark's INCR over one connection: Redis' round trip without anyone in between.
func (b *bench) incr(ctx context.Context, addr string) (sample, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	n := strconv.Itoa(b.seconds * 10_000) // at most 100 µs each on any machine that we saw
	e, err := do(ctx, command{argv: []string{b.tools.redisBenchmark, "-h", host, "-p", port, "-c", "1", "-n", n, "-t", "incr", "--csv"}})
	if err != nil {
		return nil, err
	}
	perSecond, err := parseINCR(string(e.out))
	if err != nil {
		return nil, err
	}
	return sample{rate: perSecond, roundTrip: 1e6 / perSecond}, nil
}

// parseINCR reads the requests a second out of redis-benchmark --csv.
func parseINCR(out string) (float64, error) {
	m := incrRate.FindStringSubmatch(out)
	if m == nil || number(m[1]) <= 0 {
		return 0, fmt.Errorf("redis-benchmark: no figures in %q", lastLine(out))
	}
	return number(m[1]), nil
}

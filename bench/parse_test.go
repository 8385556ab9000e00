package main

import (
	"strings"
	"testing"
	"time"
)

const wrkOut = `Running 2s test @ http://127.0.0.1:33585/turno/bench
  2 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     2.61ms    5.93ms  52.58ms   93.52%
    Req/Sec    26.76k     8.54k   40.98k    60.00%
  Latency Distribution
     50%  805.00us
     75%    1.98ms
     90%    5.28ms
     99%   34.90ms
  108435 requests in 2.06s, 16.65MB read
Requests/sec:  52746.04
Transfer/sec:      8.10MB
`

func TestParseWrk(t *testing.T) {
	replace := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(wrkOut) }
	right := wrkResult{requests: 108435, rate: 52746.04, read: 16.65 * (1 << 20), p50: 805 * time.Microsecond, p99: 34900 * time.Microsecond}
	with := func(change func(*wrkResult)) wrkResult { r := right; change(&r); return r }
	tests := []struct {
		name, out string
		want      wrkResult
		err       string
	}{
		{"a right run", wrkOut, right, ""},
		{"seconds", replace("34.90ms", "1.25s"), with(func(r *wrkResult) { r.p99 = 1250 * time.Millisecond }), ""},
		{"minutes and gigabytes", replace("2.06s, 16.65MB", "1.10m, 1.50GB"), with(func(r *wrkResult) { r.read = 1.5 * (1 << 30) }), ""},
		{"other answers than 200", replace("Requests/sec", "  Non-2xx or 3xx responses: 17\nRequests/sec"),
			with(func(r *wrkResult) { r.failed = 17 }), ""},
		{"socket errors", replace("Requests/sec", "  Socket errors: connect 1, read 20, write 300, timeout 4000\nRequests/sec"),
			with(func(r *wrkResult) { r.failed = 4321 }), ""},
		{"both", replace("Requests/sec", "  Socket errors: connect 0, read 2, write 0, timeout 0\n  Non-2xx or 3xx responses: 3\nRequests/sec"),
			with(func(r *wrkResult) { r.failed = 5 }), ""},
		{"nothing answered", replace("108435 requests", "0 requests"), wrkResult{}, "0 requests"},
		{"without --latency", replace("50%", "", "99%", ""), wrkResult{}, "p50 0s"},
		{"refused", "unable to connect to 127.0.0.1:1 Connection refused\n", wrkResult{}, "Connection refused"},
		{"silent", "", wrkResult{}, "no figures"},
	}
	for _, tt := range tests {
		got, err := parseWrk(tt.out)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("parseWrk(%s): error %v; want %q in it", tt.name, err, tt.err)
			}
		} else if err != nil || got != tt.want {
			t.Errorf("parseWrk(%s) = %+v, %v; want %+v", tt.name, got, err, tt.want)
		}
	}
}

func TestParseStat(t *testing.T) {
	const rest = " S 42 7 7 0 -1 4194560 1500 0 0 0 730 1270 5 6 20 0 9 0 12345 1 2 3"
	tests := []struct {
		name, line string
		want       procStat
		err        string
	}{
		{"a plain name", "99 (tmctl)" + rest, procStat{42, 20 * time.Second}, ""},
		{"a name with spaces", "99 (nginx: worker)" + rest, procStat{42, 20 * time.Second}, ""},
		{"a name with parentheses", "99 (a) R 1 (b))" + rest, procStat{42, 20 * time.Second}, ""},
		{"cut short", "99 (tmctl) S 42 7", procStat{}, "fields"},
		{"no name", "99", procStat{}, "no command"},
		{"no number", "99 (tmctl)" + strings.Replace(rest, "730", "x", 1), procStat{}, "invalid syntax"},
	}
	for _, tt := range tests {
		got, err := parseStat(tt.line)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("parseStat(%s): error %v; want %q in it", tt.name, err, tt.err)
			}
		} else if err != nil || got != tt.want {
			t.Errorf("parseStat(%s) = %+v, %v; want %+v", tt.name, got, err, tt.want)
		}
	}
}

func TestParsePeak(t *testing.T) {
	tests := []struct {
		name, status string
		want         uint64
		ok           bool
	}{
		{"running", "Name:\ttmctl\nVmPeak:\t 1234 kB\nVmHWM:\t   26204 kB\nVmRSS:\t   100 kB\n", 26204 << 10, true},
		{"ended", "Name:\ttmctl\nState:\tZ (zombie)\n", 0, false},
		{"no number", "VmHWM:\t many kB\n", 0, false},
	}
	for _, tt := range tests {
		if got, ok := parsePeak(tt.status); got != tt.want || ok != tt.ok {
			t.Errorf("parsePeak(%s) = %d, %t; want %d, %t", tt.name, got, ok, tt.want, tt.ok)
		}
	}
}

func TestParseMachine(t *testing.T) {
	got, err := parseMachine("cpu  100 20 300 4000 50 6 70 8 9 10\ncpu0 1 2 3\n")
	if want := (machineCPU{busy: 496 * tick, stolen: 8 * tick, all: 4554 * tick}); err != nil || got != want {
		t.Errorf("parseMachine(a line) = %+v, %v; want %+v", got, err, want)
	}
	if _, err := parseMachine("intr 1 2 3"); err == nil {
		t.Error("parseMachine(another file) = nil error; want one")
	}
}

func TestFollow(t *testing.T) {
	tests := []struct {
		name, log string
		want      addresses
	}{
		{"the first line", `{"msg":"listening","addr":"127.0.0.1:1","admin":"127.0.0.1:3"}` + "\n" + `{"msg":"stopped"}`,
			addresses{"127.0.0.1:1", "127.0.0.1:3"}},
		{"after other lines", "a word\n" + `{"msg":"note","addr":"no"}` + "\n" + `{"msg":"listening","addr":"127.0.0.1:2"}`,
			addresses{Addr: "127.0.0.1:2"}},
		{"never", `{"msg":"port taken"}`, addresses{}},
	}
	for _, tt := range tests {
		addrs := make(chan addresses, 1)
		follow(strings.NewReader(tt.log), addrs)
		close(addrs)
		if got := <-addrs; got != tt.want {
			t.Errorf("follow(%s) sent %q; want %q", tt.name, got, tt.want)
		}
	}
}

func TestParseINCR(t *testing.T) {
	const head = `"test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms"` + "\n"
	tests := []struct {
		name, out string
		want      float64
		ok        bool
	}{
		{"redis-benchmark 7", head + `"INCR","43859.65","0.020","0.008","0.015","0.031","0.039","0.135"` + "\n", 43859.65, true},
		{"no answer", "Could not connect to Redis at 127.0.0.1:1: Connection refused\n", 0, false},
		{"nothing done", head + `"INCR","0.00","0.000"` + "\n", 0, false},
	}
	for _, tt := range tests {
		if got, err := parseINCR(tt.out); got != tt.want || (err == nil) != tt.ok {
			t.Errorf("parseINCR(%s) = %v, %v; want %v", tt.name, got, err, tt.want)
		}
	}
}

func TestSum(t *testing.T) {
	got := sum(rate, series{{rate: 1}, nil, {rate: 3}, {rate: 4}}, series{{rate: 10}, {rate: 20}, {cpu: 1}})
	if want := (&spread{11, 11, 11}); len(got) != 3 || *got.of(rate) != *want {
		t.Errorf("sum = %v; want 11 in the first round, and no others", got)
	}
}

//go:build linux

package faults

import (
	"encoding/json"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/turnomatico/tmctl/history"
)

// plan is how a row is driven. The objective is as wide as it goes: what is judged is the numbers.
type plan struct {
	rate        int           // requests/s; 0: 1000
	duration    time.Duration // 0: until the row has been played
	timeout     time.Duration // of a request; 0: 5 s
	connections int           // 0: 24
	id          string        // used already; "": fresh ones
	ids         int           // how many fresh ones; 0: 1
	keepGoing   bool          // count all violations
	keys        string        // the share of requests that are made again with an Idempotency-Key; "": none
}

// longest is how long a load goes on that nobody stops.
const longest = 2 * time.Minute

func (p plan) args() []string {
	or := func(n, otherwise int) string {
		if n == 0 {
			n = otherwise
		}
		return strconv.Itoa(n)
	}
	lasts := func(d, otherwise time.Duration) string {
		if d == 0 {
			d = otherwise
		}
		return d.String()
	}
	args := []string{"--rate", or(p.rate, 1000), "--duration", lasts(p.duration, longest), "--warmup", "0s",
		"--timeout", lasts(p.timeout, 5*time.Second), "--connections", or(p.connections, 24), "--slo", "errors<100%", "--method", "POST"}
	if p.id != "" {
		args = append(args, "--id", p.id)
	} else {
		args = append(args, "--ids", or(p.ids, 1))
	}
	if p.keys != "" {
		args = append(args, "--idempotency-key-ratio", p.keys)
	}
	if p.keepGoing {
		args = append(args, "--keep-going")
	}
	return args
}

// load is a `tmctl load` under way.
type load struct {
	t   *testing.T
	dir string
	*process
}

// startLoad drives p against addrs, and asks the admin planes.
func startLoad(t *testing.T, p plan, addrs, admins []string) *load {
	t.Helper()
	l := &load{t: t, dir: filepath.Join(t.TempDir(), "run")}
	args := append([]string{binary(t, nil), "load", "--target", "http://turnos.test:80", "--connect-to", strings.Join(addrs, ","),
		"--json", "--quiet", "--out", l.dir}, p.args()...)
	if len(admins) > 0 {
		args = append(args, "--admin", "http://"+strings.Join(admins, ",http://"))
	}
	l.process = start(t, "tmctl load", nil, args...)
	return l
}

// stop ends a load that has no end of its own, as ^C does: what is in flight is finished, and all is written.
func (l *load) stop() { l.signal(syscall.SIGINT) }

// result waits for the verdict.
func (l *load) result() *history.Result {
	l.t.Helper()
	code := l.exit(l.t, longest+time.Minute)
	var r history.Result
	if err := json.Unmarshal([]byte(l.stdout.String()), &r); err != nil {
		l.t.Fatalf("tmctl load ended with %d and no result: %s%s", code, l.stdout.String(), tail(l.stderr.String()))
	}
	if code != r.ExitCode {
		l.t.Errorf("tmctl load ended with %d, and says %d", code, r.ExitCode)
	}
	return &r
}

// checked is what tmctl check says of the run: a verdict about the numbers alone.
func (l *load) checked() (verdict history.Verdict, code int) {
	l.t.Helper()
	stdout, stderr, code := run(l.t, "tmctl check", binary(l.t, nil), "check", "--json", l.dir)
	var r struct {
		Verdict  history.Verdict
		ExitCode int `json:"exit_code"`
	}
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || r.ExitCode != code {
		l.t.Errorf("tmctl check ended with %d: %s%s", code, stdout, stderr)
	}
	return r.Verdict, code
}

// ops is what each client did and saw, as recorded.
func (l *load) ops() (ops []history.Op) {
	l.t.Helper()
	r, err := history.Open(filepath.Join(l.dir, history.HistoryFile))
	if err != nil {
		l.t.Fatal(err)
	}
	defer r.Close()
	for batch, err := range r.Batches() {
		if err != nil {
			l.t.Fatal(err)
		}
		ops = append(ops, batch.Ops...)
	}
	return ops
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"github.com/turnomatico/tmctl/history"
)

// slowly starts a server on the first core at nice 5, beside a process that never rests: the scheduler gives it a quarter of
// the core (335 of 335 + 1024), whatever the machine. The loader has the other cores.
var slowly = []string{"taskset", "-c", "0", "nice", "-n", "5"}

func loaderCores() string { return "1-" + strconv.Itoa(runtime.NumCPU()-1) }

// canSlow reports whether there are cores and programs for it.
func (b *bench) canSlow(context.Context) bool {
	for _, name := range []string{"taskset", "nice", "sh"} {
		if _, err := exec.LookPath(name); err != nil {
			b.note("overload: %s is not installed: skipped", name)
			return false
		}
	}
	if runtime.NumCPU() < 2 {
		b.note("overload: wants two cores: skipped")
		return false
	}
	return true
}

// hog keeps the first core busy.
func (b *bench) hog(ctx context.Context) (*service, error) {
	return b.daemon(ctx, "hog", "", "taskset", "-c", "0", "sh", "-c", "while :; do :; done")
}

// pin keeps a process off the first core.
func pin(ctx context.Context, s *service, cores string) error {
	_, err := do(ctx, command{argv: []string{"taskset", "-a", "-c", "-p", cores, strconv.Itoa(s.cmd.Process.Pid)}})
	return err
}

// driving is a loader for an id of its own.
func (b *bench) driving(s *service, rate string, connections int, d time.Duration) command {
	return command{argv: []string{"taskset", "-c", loaderCores(), b.tools.tmctl, "load", "--target", s.ids(), "--rate", rate, "--duration", d.String(),
		"--warmup", "0s", "--connections", strconv.Itoa(connections), "--record", "none", "--json", "--quiet",
		"--out", filepath.Join(b.dir, "runs", strconv.FormatInt(time.Now().UnixNano(), 10))}}
}

// drive runs one to its end and returns its step.
func (b *bench) drive(ctx context.Context, s *service, rate string, connections int) (history.Step, error) {
	e, err := do(ctx, b.driving(s, rate, connections, b.length()), verdicts...)
	if err != nil {
		return history.Step{}, err
	}
	var r history.Result
	if err := json.Unmarshal(e.out, &r); err != nil {
		return history.Step{}, fmt.Errorf("load --json: %w", err)
	}
	if len(r.Steps) == 0 || r.Proof.Linearizable == nil || !*r.Proof.Linearizable {
		return history.Step{}, fmt.Errorf("load: %s", r.Sentence)
	}
	return r.Steps[len(r.Steps)-1], nil
}

// As usual is within three times what it took before, and a little, several times in a row.
const (
	aLittle  = 50 * time.Millisecond
	inARow   = 20
	patience = 30 * time.Second
)

// asBefore asks until requests are answered as fast as before, and returns when the first of them was begun.
func asBefore(ctx context.Context, url string, before time.Duration) (since time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	defer http.DefaultClient.CloseIdleConnections()
	for n := 0; n < inARow; {
		began := time.Now()
		_, err := ask(ctx, url)
		switch {
		case ctx.Err() != nil:
			return since, fmt.Errorf("no answers as before within %s", patience)
		case err != nil || time.Since(began) > 3*before+aLittle:
			n = 0
		default:
			if n == 0 {
				since = began
			}
			n++
		}
		time.Sleep(5 * time.Millisecond)
	}
	return since, nil
}

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// command is a process that ends by itself.
type command struct {
	argv   []string
	stdin  io.Reader
	stdout *os.File // nil: it is kept in ended.out
}

// ended is what a process left.
type ended struct {
	out  []byte
	code int
	cpu  time.Duration // user and system, all threads, as the kernel counted at its end: utime + stime of /proc/PID/stat
	wall time.Duration
	peak uint64 // bytes resident at most
}

// grace is how long a process has to end when it is asked to.
const grace = 5 * time.Second

// newProcess is a process that a cancelled ctx asks to end, and makes end when it doesn't. It has a group of its own, so
// that a terminal's ^C comes to it through us alone, and once.
func newProcess(ctx context.Context, argv []string) *exec.Cmd {
	c := exec.CommandContext(ctx, argv[0], argv[1:]...)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	c.WaitDelay = grace
	return c
}

// running is a command that was started.
type running struct {
	cmd      *exec.Cmd
	name     string
	began    time.Time
	out, err bytes.Buffer
	watched  chan struct{}
	stop     chan struct{}
	peak     uint64
}

func start(ctx context.Context, c command) (*running, error) {
	r := &running{cmd: newProcess(ctx, c.argv), name: filepath.Base(c.argv[0]), watched: make(chan struct{}), stop: make(chan struct{})}
	r.cmd.Stdin, r.cmd.Stdout, r.cmd.Stderr = c.stdin, &r.out, &r.err
	if c.stdout != nil {
		r.cmd.Stdout = c.stdout
	}
	r.began = time.Now()
	if err := r.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", r.name, err)
	}
	go r.watch()
	return r, nil
}

// watch reads the process's VmHWM until it has ended. The mark never falls, so only what a process takes in its last
// moments is missed. Its rusage won't do: Linux hands a parent's resident memory on to what it starts.
func (r *running) watch() {
	defer close(r.watched)
	every := time.NewTicker(10 * time.Millisecond)
	defer every.Stop()
	path := filepath.Join("/proc", strconv.Itoa(r.cmd.Process.Pid), "status")
	for {
		if status, err := os.ReadFile(path); err == nil {
			if peak, ok := parsePeak(string(status)); ok {
				r.peak = peak
			}
		}
		select {
		case <-r.stop:
			return
		case <-every.C:
		}
	}
}

// wait returns when the process has ended. An exit code is no error here: for tmctl it is a verdict.
func (r *running) wait() (ended, error) {
	err := r.cmd.Wait()
	e := ended{out: r.out.Bytes(), wall: time.Since(r.began)}
	close(r.stop)
	<-r.watched
	e.peak = r.peak
	state := r.cmd.ProcessState
	if state != nil {
		e.code, e.cpu = state.ExitCode(), state.UserTime()+state.SystemTime()
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Exited() {
		return e, nil
	}
	if err != nil {
		return e, fmt.Errorf("%s: %w", r.name, err)
	}
	return e, nil
}

// do runs a command to its end. An exit code beside those allowed is an error with the last thing that it said.
func do(ctx context.Context, c command, allowed ...int) (ended, error) {
	r, err := start(ctx, c)
	if err != nil {
		return ended{}, err
	}
	e, err := r.wait()
	if err != nil {
		return e, err
	}
	return e, r.refuse(e, allowed)
}

func (r *running) refuse(e ended, allowed []int) error {
	for _, code := range append(allowed, 0) {
		if e.code == code {
			return nil
		}
	}
	return fmt.Errorf("%s ended with %d: %s", r.name, e.code, lastLine(r.err.String()))
}

// pipe runs from | to, each counted by itself.
func pipe(ctx context.Context, from, to command) (first, second ended, err error) {
	read, write, err := os.Pipe()
	if err != nil {
		return first, second, err
	}
	from.stdout, to.stdin = write, read
	source, err := start(ctx, from)
	if err != nil {
		return first, second, errors.Join(err, read.Close(), write.Close())
	}
	sink, sinkErr := start(ctx, to)
	err = errors.Join(sinkErr, read.Close(), write.Close()) // theirs now: a reader sees the end when the writer has ended
	first, waitErr := source.wait()
	err = errors.Join(err, waitErr, source.refuse(first, nil))
	if sinkErr == nil {
		second, waitErr = sink.wait()
		err = errors.Join(err, waitErr, sink.refuse(second, nil))
	}
	return first, second, err
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	if i := strings.LastIndexByte(s, '\n'); i >= 0 {
		s = s[i+1:]
	}
	if s == "" {
		return "it said nothing"
	}
	return s
}

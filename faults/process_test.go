//go:build linux

package faults

import (
	"bytes"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is something that a test started: it ends with its test, and at the latest with this process.
type process struct {
	name   string
	cmd    *exec.Cmd
	stdout buffer
	stderr buffer
	ended  chan struct{} // closed when it has, and all that it wrote was read
}

// buffer is what a process wrote so far.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// forks runs every start on one thread that lives as long as this process: Pdeathsig is sent when the thread that started
// the child ends (golang/go#27505).
var forks = sync.OnceValue(func() chan<- func() {
	c := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range c {
			f()
		}
	}()
	return c
})

// start starts a program, with more in its environment than we have; env may be nil.
func start(t *testing.T, name string, env []string, argv ...string) *process {
	t.Helper()
	p := &process{name: name, cmd: exec.Command(argv[0], argv[1:]...), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	forks() <- func() { started <- p.cmd.Start() }
	if err := <-started; err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is asked by who wants to know
		close(p.ended)
	}()
	t.Cleanup(p.kill)
	return p
}

func (p *process) signal(sig syscall.Signal) { _ = p.cmd.Process.Signal(sig) } // it may have ended by itself

// kill ends the process at once, and returns when it has ended.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.ended
}

func (p *process) running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// exit is the process's exit code, once it has ended by itself.
func (p *process) exit(t *testing.T, within time.Duration) int {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(within):
		t.Fatalf("%s still runs after %s:\n%s", p.name, within, tail(p.stderr.String()))
	}
	return p.cmd.ProcessState.ExitCode()
}

// run runs a program to its end.
func run(t *testing.T, name string, argv ...string) (stdout, stderr string, code int) {
	t.Helper()
	p := start(t, name, nil, argv...)
	code = p.exit(t, time.Minute)
	return p.stdout.String(), p.stderr.String(), code
}

// tail keeps the end of a log.
func tail(s string) string {
	const most = 4000
	if len(s) > most {
		return "…" + s[len(s)-most:]
	}
	return s
}

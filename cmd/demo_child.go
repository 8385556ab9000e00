package cmd

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/turnomatico/tmctl/server"
)

// child is `tmctl serve` as a process of its own, so that what the generator uses is not counted as the server's.
type child struct {
	cmd         *exec.Cmd
	addr, admin string
	log         chan struct{} // closed when its log has ended
}

// childStart is how long the server may take to listen.
const childStart = 10 * time.Second

// startServe starts the server on free ports and waits until it listens. The caller must stop it.
func startServe(ctx context.Context, env *Env) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find tmctl's own binary: %w", err)
	}
	c := &child{cmd: exec.Command(self, "serve", "--addr", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--log-format", "json"),
		log: make(chan struct{})}
	c.cmd.SysProcAttr = childAttributes()
	stderr, err := c.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := startChild(c.cmd); err != nil {
		return nil, fmt.Errorf("start tmctl serve: %w", err)
	}
	ready := make(chan error, 1)
	go c.follow(stderr, env.Err, ready)
	select {
	case err = <-ready:
	case <-ctx.Done():
		err = ctx.Err()
	case <-time.After(childStart):
		err = fmt.Errorf("it did not listen within %s", childStart)
	}
	if err != nil {
		c.stop()
		return nil, fmt.Errorf("start tmctl serve: %w", err)
	}
	return c, nil
}

// follow reads the server's log: its addresses go to ready, warnings and errors to w.
func (c *child) follow(log io.Reader, w io.Writer, ready chan<- error) {
	defer close(c.log)
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		var line struct{ Level, Msg, Addr, Admin string }
		if json.Unmarshal(lines.Bytes(), &line) != nil {
			fmt.Fprintf(w, "serve: %s\n", lines.Text())
			continue
		}
		switch {
		case line.Msg == server.ListeningMessage && c.addr == "":
			c.addr, c.admin = line.Addr, line.Admin
			ready <- nil
		case line.Level != "INFO" && line.Level != "DEBUG" && line.Msg != "":
			fmt.Fprintf(w, "serve: %s\n", line.Msg)
		}
	}
	if c.addr == "" {
		ready <- fmt.Errorf("it ended without listening")
	}
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// stop ends the server and waits for it: politely, and after a while by force.
func (c *child) stop() {
	_ = c.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	timer := time.AfterFunc(childStart, func() { _ = c.cmd.Process.Kill() })
	defer timer.Stop()
	<-c.log
	_ = c.cmd.Wait() // how a server that we stopped exits says nothing
}

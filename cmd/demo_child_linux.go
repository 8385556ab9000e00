package cmd

import (
	"os/exec"
	"runtime"
	"syscall"
)

// childAttributes puts the child in a process group of its own, so that ^C reaches only us and we stop it in order; and
// the kernel ends it when we die without doing so (kill -9).
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}

// startChild starts c from a thread that lives as long as this process: Pdeathsig is sent when the thread that started
// the child ends (golang/go#27505).
func startChild(c *exec.Cmd) error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		started <- c.Start()
		select {}
	}()
	return <-started
}

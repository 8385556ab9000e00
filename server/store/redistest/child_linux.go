package redistest

import (
	"os/exec"
	"runtime"
	"syscall"
)

// startChild has the kernel end the child when the test's process dies, however it does. That signal is sent when the
// thread that started the child ends (golang/go#27505), so the child gets one that lives as long as the process.
func startChild(c *exec.Cmd) error {
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		started <- c.Start()
		select {}
	}()
	return <-started
}

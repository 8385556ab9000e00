//go:build !linux

package redistest

import (
	"os/exec"
	"syscall"
)

func startChild(c *exec.Cmd) error {
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return c.Start()
}

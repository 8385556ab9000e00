//go:build !linux

package cmd

import (
	"os/exec"
	"syscall"
)

// childAttributes puts the child in a process group of its own, so that ^C reaches only us and we stop it in order.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func startChild(c *exec.Cmd) error { return c.Start() }

//go:build unix && !linux

package server

import (
	"errors"
	"syscall"
)

// gone reports whether the client has closed the connection, or its sending half: a look at what it sent next finds the end.
// Over TLS it finds the goodbye that comes before the end, so who leaves in peace is taken to be there still.
func (c *conn) gone() bool {
	if c == nil {
		return false
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return true
	}
	ended := false
	err = raw.Control(func(fd uintptr) {
		var b [1]byte
		n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		ended = n == 0 && err == nil || err != nil && !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EINTR)
	})
	return ended || err != nil
}

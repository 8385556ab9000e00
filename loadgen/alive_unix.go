//go:build unix

package loadgen

import (
	"crypto/tls"
	"net"
	"syscall"
)

// alive looks at an idle connection without reading from it. A server that closed it in the meantime would otherwise turn
// the next request, which it never sees, into an unknown one.
func alive(nc net.Conn) bool {
	tc, secure := nc.(*tls.Conn)
	if secure {
		nc = tc.NetConn()
	}
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return true
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	open := true
	err = raw.Control(func(fd uintptr) {
		var b [1]byte
		n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		// Bytes that nobody asked for mean a desynchronised server; under TLS they may be session tickets.
		open = err == syscall.EAGAIN || err == syscall.EINTR || n > 0 && secure
	})
	return err == nil && open
}

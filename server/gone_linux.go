package server

import (
	"encoding/binary"
	"syscall"
)

// established is TCP's state while neither side has ended its sending half (linux/tcp_states.h).
const established = 1

// gone reports whether the client has closed the connection, or its sending half; TCP does not tell these apart before
// something is written. It asks TCP for its state: a look at what comes next would find the goodbye of TLS, or a further
// request, that was sent before the end.
func (c *conn) gone() bool {
	if c == nil {
		return false
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return true
	}
	state := [4]byte{established}
	err = raw.Control(func(fd uintptr) {
		// TCP_INFO begins with the state in one byte; Linux cuts it at the four that are asked for.
		info, err := syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_INFO)
		if err == nil {
			binary.NativeEndian.PutUint32(state[:], uint32(info))
		}
	})
	return state[0] != established || err != nil
}

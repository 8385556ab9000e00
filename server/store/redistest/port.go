package redistest

import (
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// freePort finds a port below those that the system gives to outgoing connections: one of these could take it while a
// server restarts, and the tests make many.
func freePort(t testing.TB) string {
	t.Helper()
	for range 100 {
		port := strconv.Itoa(20_000 + rand.IntN(10_000))
		l, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		return port
	}
	t.Fatal("there is no free port")
	return ""
}

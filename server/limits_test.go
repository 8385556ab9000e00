package server_test

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"testing"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/api"
)

// full is a server on which n connections are open, kept by clients that have asked once.
func full(t *testing.T, n int, change func(*server.Config)) (*running, []*client) {
	t.Helper()
	r := run(t, fewIDs(), change)
	var all []*client
	for range n {
		c := r.dial()
		c.send(getA)
		if a := c.receive("GET"); a.StatusCode != 200 {
			t.Fatalf("answer = %d %s; want 200", a.StatusCode, a.body)
		}
		all = append(all, c)
	}
	return r, all
}

// Whoever comes when as many connections are open as may be is told so; those that are open go on, and room is used again.
func TestMaxConns(t *testing.T) {
	const most = 20
	trust := func(cidr string) func(*server.Config) {
		return func(c *server.Config) {
			c.MaxConnsPerIP, c.TrustedProxies = most, []netip.Prefix{netip.MustParsePrefix(cidr)}
		}
	}
	tests := []struct {
		name    string
		change  func(*server.Config)
		refused bool
	}{
		{"in all", func(c *server.Config) { c.MaxConns = most }, true},
		{"of an address", func(c *server.Config) { c.MaxConnsPerIP = most }, true},
		{"of an address, others being trusted", trust("10.0.0.0/8"), true},
		{"of a trusted address", trust("127.0.0.0/8"), false},
		{"no bound of an address", nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			said := make(lines, 100)
			r, all := full(t, most, func(c *server.Config) {
				c.Log = slog.New(slog.NewTextHandler(said, nil))
				if tt.change != nil {
					tt.change(c)
				}
			})
			for _, sent := range []string{getA, "", getA[:10]} { // it is told whatever it has sent
				c := r.dial()
				c.send(sent)
				if !tt.refused {
					c.send(getA[len(sent)%len(getA):])
					if a := c.receive("GET"); a.StatusCode != 200 {
						t.Errorf("answer = %d %s; want 200", a.StatusCode, a.body)
					}
					continue
				}
				a := c.receive("GET")
				checkProblem(t, a, "GET", 503, api.Overloaded, api.ConsumedNo)
				if _, err := c.r.ReadByte(); err != io.EOF || !a.Close {
					t.Errorf("after the refusal the connection gave %v, and says that it closes = %t; want EOF, true", err, a.Close)
				}
			}
			if !tt.refused {
				return
			}
			said.await(t, "connections are refused")
			all[0].send(getA)
			checkTurno(t, all[0].receive("GET"), fmt.Sprintf(`{"id":"a","turno":%d}`, most+1))
			all[1].Close()
			r.awaitConnections(most - 1)
			again := r.dial()
			again.send(getA)
			checkTurno(t, again.receive("GET"), fmt.Sprintf(`{"id":"a","turno":%d}`, most+2))
		})
	}
}

// Over TLS a refused client is not told why, but it is not held either, and asks in vain.
func TestMaxConnsOverTLS(t *testing.T) {
	overTLS = newAuthority(t)
	defer func() { overTLS = nil }()
	r, _ := full(t, 3, func(c *server.Config) { c.MaxConns = 3 })
	c, err := net.Dial("tcp", r.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if n, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("a refused connection gave %d bytes, %v; want EOF", n, err)
	}
}

// Clients that never read why they are refused hold nothing for long, and stop nobody from stopping.
func TestRefusedClientsAreNotWaitedFor(t *testing.T) {
	r, _ := full(t, 1, func(c *server.Config) { c.MaxConns = 1 })
	const crowd = 3 * server.Lingerers
	var clients []net.Conn
	for range crowd {
		c, err := net.Dial("tcp", r.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		clients = append(clients, c)
	}
	told := 0
	for _, c := range clients {
		b, _ := io.ReadAll(c) // until it is closed, or its reading half is
		if len(b) > 0 {
			told++
		}
	}
	if told < server.Lingerers || r.Refused() != crowd {
		t.Errorf("%d of %d were refused, and %d were told; want all, and %d at least", r.Refused(), crowd, told, server.Lingerers)
	}
	r.end()
}

// What connections are counted by: an address, or the network of one customer where addresses cost nothing.
func TestCountedBy(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	tests := []struct{ from, want string }{
		{"192.0.2.7", "192.0.2.7"},
		{"::ffff:192.0.2.7", "192.0.2.7"},
		{"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"},
		{"fe80::1%eth0", "fe80::"},
		{"10.1.2.3", "invalid IP"},
		{"::ffff:10.1.2.3", "invalid IP"},
		{"fd00::1", "invalid IP"},
	}
	for _, tt := range tests {
		remote := net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(tt.from), 1))
		if got := server.CountedBy(remote, 1, trusted).String(); got != tt.want {
			t.Errorf("a connection from %s is counted by %s; want %s", tt.from, got, tt.want)
		}
		if got := server.CountedBy(remote, 0, trusted); got.IsValid() {
			t.Errorf("without a bound, a connection from %s is counted by %s; want nothing", tt.from, got)
		}
	}
}

// When nearly all connections that may be are open, those that only wait make room sooner; those at work don't.
func TestIdleConnectionsMakeRoom(t *testing.T) {
	const most = 16
	for _, open := range []int{most - 3, most} {
		r, all := full(t, open, func(c *server.Config) { c.MaxConns = most })
		all[0].send(getA[:10])
		for r.Reading() == 0 || r.Idle() < open-1 {
			runtime.Gosched()
		}
		r.Sweep(server.CrowdedIdle)
		if open == most {
			r.awaitConnections(1)
		}
		expect(t, fmt.Sprintf("connections, of %d", open), r.Connections(), map[bool]string{true: "1", false: fmt.Sprint(open)}[open == most])
		all[0].send(getA[10:])
		if a := all[0].receive("GET"); a.StatusCode != 200 {
			t.Errorf("one amid its request got %d; want 200", a.StatusCode)
		}
	}
}

// However long the store takes, a request that was read is answered, and its connection is kept.
func TestWaitingForTheStoreIsNotSlow(t *testing.T) {
	g := newGate()
	r := run(t, g, nil)
	c := r.dial()
	for i := range 2 {
		c.send(getA)
		<-g.came
		r.Sweep(10 * server.IdleTimeout)
		g.word <- nil
		checkTurno(t, c.receive("GET"), fmt.Sprintf(`{"id":"a","turno":%d}`, i+1))
	}
}

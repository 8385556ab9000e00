package server

import (
	"math"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Bounds of connections that no flag sets.
const (
	// spareFiles are open files that connections leave for the store, the admin plane and the listeners.
	spareFiles = 128
	// crowdedIdle is how long a kept connection may say nothing while nearly all that may be open are: whoever asks for a
	// number comes before whoever asked for one. A client whose request crosses the end was given nothing (RFC 9112 §9.5).
	crowdedIdle = 5 * time.Second
	// lingering and lingerers bound the time and number of refused connections that are kept open until their clients
	// have read why: closed at once, a request that is still on its way would reset them and take the answer with it.
	lingering = time.Second
	lingerers = 64
	// ipv6Site is how many leading bits of an IPv6 address one customer has: addresses below it cost nothing.
	ipv6Site = 64
)

// admission is how many connections are let in.
type admission struct {
	total      int            // from anywhere
	perAddress int            // 0: no bound
	trusted    []netip.Prefix // proxies, which the bound of an address does not concern
}

// admission is what c asks for, as far as the process may open files: without one, not even the store can be reached.
func (c *Config) admission() admission {
	a := admission{c.MaxConns, c.MaxConnsPerIP, c.TrustedProxies}
	files := openFiles()
	if most := int(min(files, math.MaxInt32)) - spareFiles; files > 0 && most < a.total {
		a.total = max(most, 1)
		c.Log.Warn("fewer connections than --max-conns: this process may not open more files (ulimit -n, LimitNOFILE=)",
			"max_conns", a.total, "open_files", files)
	}
	return a
}

// nearlyFull reports whether idle connections must make room.
func (a *admission) nearlyFull(open int) bool { return open > a.total-a.total/8 }

// counted is what the connections of an address are counted by; the zero Addr if they are not.
func (a *admission) counted(remote net.Addr) (none netip.Addr) {
	tcp, ok := remote.(*net.TCPAddr)
	if a.perAddress == 0 || !ok {
		return none
	}
	addr := tcp.AddrPort().Addr().Unmap().WithZone("")
	for _, p := range a.trusted {
		if p.Contains(addr) {
			return none
		}
	}
	if addr.Is6() {
		site, _ := addr.Prefix(ipv6Site) // errs on more bits than it has
		return site.Addr()
	}
	return addr
}

// admit counts c in, or says why not. Under mu.
func (s *conns) admit(c *conn) outcome {
	switch {
	case len(s.all) >= s.admission.total:
		return crowded
	case c.from.IsValid() && s.from[c.from] >= s.admission.perAddress:
		return crowdedAddress
	}
	s.all[c] = struct{}{}
	if c.from.IsValid() {
		s.from[c.from]++
	}
	return answered
}

// dismiss counts c out. Under mu.
func (s *conns) dismiss(c *conn) {
	delete(s.all, c)
	switch n := s.from[c.from]; {
	case n > 1:
		s.from[c.from] = n - 1
	case n == 1:
		delete(s.from, c.from)
	}
}

// porch is where refused connections are told why. Its zero value is ready.
type porch struct {
	once    sync.Once
	places  chan struct{}
	waiting sync.WaitGroup
}

var refusals = map[outcome][]byte{
	crowded:        rawProblem(problems[crowded], "Retry-After: 1\r\n"),
	crowdedAddress: rawProblem(problems[crowdedAddress], "Retry-After: 1\r\n"),
}

// refuse tells a client why it is not let in, and closes the connection. It does not wait. Over TLS, telling would cost a
// handshake, which is what there is no room for.
func (p *porch) refuse(c *conn, o outcome) {
	p.once.Do(func() { p.places = make(chan struct{}, lingerers) })
	tcp := c.TCPConn
	if c.secure != nil {
		_ = tcp.Close()
		return
	}
	select {
	case p.places <- struct{}{}:
	default:
		_ = tcp.Close()
		return
	}
	p.waiting.Go(func() {
		defer func() { <-p.places }()
		defer tcp.Close()
		_ = tcp.SetDeadline(time.Now().Add(lingering))
		if _, err := tcp.Write(refusals[o]); err != nil {
			return
		}
		_ = tcp.CloseWrite()
		var b [1 << 10]byte
		for n := 0; n < maxHeader+maxBody; {
			m, err := tcp.Read(b[:])
			if n += m; err != nil {
				return
			}
		}
	})
}

package server

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// sweepEvery is the grain of all time-outs of connections.
const sweepEvery = 250 * time.Millisecond

// conns are the open connections of the public listener. fasthttp's own time-outs set deadlines three times a request, at
// about 1 µs; here a connection notes what it waits for, and a sweeper looks at all of them a few times a second. And
// fasthttp's own shutdown may close a connection whose request it has just read, and lose the number given to it; a
// connection ended by this sweeper, or by stopReading, still answers whatever it has read.
type conns struct {
	clock     atomic.Int64 // sweeps so far: the time that a connection notes
	admission admission

	mu      sync.Mutex
	all     map[*conn]struct{}
	from    map[netip.Addr]int // how many of an address are open, where that is bound
	emptied chan struct{}      // gets a value when the last connection closes
	closed  delivery           // of connections that are closed
}

func newConns(a admission) *conns {
	return &conns{admission: a, all: map[*conn]struct{}{}, from: map[netip.Addr]int{}, emptied: make(chan struct{}, 1)}
}

// phase is what a connection waits for.
type phase int64

const (
	idle    phase = iota // the first byte of a request
	reading              // the rest of it
	asking               // the store
	writing              // the client, to take the answer
	phases
)

// conn is one connection. Its worker reads and writes it; the sweeper only looks at mark, and sets deadlines. It fills a
// pair of cache lines: marks of neighbours on one line cost 0.5 µs a request on two cores. What is read and written here is
// HTTP, whether TLS lies below it or not: so phases and delivery mean the same, and a write that returns has given the
// kernel all that it was given.
type conn struct {
	*net.TCPConn
	secure *tls.Conn // over TCPConn; nil: plain HTTP

	of   *conns
	from netip.Addr   // whom it is counted with
	mark atomic.Int64 // phase, and since when: clock·phases + phase
	gave delivery     // what became of the numbers given to it (delivery.go)

	shaken bool // TLS is agreed on; the worker's alone
	next   bool // the next byte read begins a request; the worker's alone
	number bool // the answer made last hands out a number that counts; the worker's alone

	_ [128 - 8 - 8 - 8 - 8 - 16 - 8 - 24]byte
}

func (c *conn) note(p phase) { c.mark.Store(c.of.clock.Load()*int64(phases) + int64(p)) }

// asks notes that the request has been read and waits for the store.
func (c *conn) asks() {
	if c != nil {
		c.note(asking)
	}
}

// Read implements net.Conn.
func (c *conn) Read(b []byte) (int, error) {
	if !c.next {
		return c.plaintext().Read(b)
	}
	if c.secure != nil && !c.shaken {
		if err := c.shake(); err != nil {
			return 0, err
		}
	}
	c.note(idle)
	n, err := c.plaintext().Read(b)
	c.next = false
	c.note(reading)
	return n, err
}

// Write implements net.Conn.
func (c *conn) Write(b []byte) (int, error) {
	c.note(writing)
	c.next = true
	n, err := c.plaintext().Write(b)
	if err == nil {
		c.gave.written(b, c.number)
	}
	return n, err
}

// Close implements net.Conn.
func (c *conn) Close() error {
	if c.secure != nil {
		c.note(writing)
		_ = c.secure.CloseWrite() // tells the end from a cut; a client that has left does not hear it
	}
	c.of.remove(c)
	return c.TCPConn.Close()
}

// add takes a connection in, or says why not. With a config it speaks TLS.
func (s *conns) add(tcp *net.TCPConn, config *tls.Config) (*conn, outcome) {
	c := &conn{TCPConn: tcp, of: s, next: true, from: s.admission.counted(tcp.RemoteAddr())}
	c.note(idle)
	if config != nil {
		c.secure = tls.Server(tcp, config)
		c.note(reading)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return c, s.admit(c)
}

func (s *conns) remove(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, open := s.all[c]; !open {
		return
	}
	s.dismiss(c)
	s.closed.add(&c.gave)
	if len(s.all) == 0 {
		select {
		case s.emptied <- struct{}{}:
		default:
		}
	}
}

func (s *conns) open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all)
}

// sweep ends connections that have waited for longer than limits allow, until ctx ends. It does so by deadline: a read
// that has its bytes already is not undone by it.
func (s *conns) sweep(ctx context.Context, limits [phases]time.Duration) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.clock.Add(1)
			s.endOverdue(limits)
		}
	}
}

func (s *conns) endOverdue(limits [phases]time.Duration) {
	now, past := s.clock.Load(), time.Unix(1, 0)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.admission.nearlyFull(len(s.all)) {
		limits[idle] = min(limits[idle], crowdedIdle)
	}
	for c := range s.all {
		mark := c.mark.Load()
		p, since := phase(mark%int64(phases)), mark/int64(phases)
		// A mark can be up to one sweep younger than the clock says, so a limit is reached only after one more.
		if time.Duration(now-since-1)*sweepEvery < limits[p] {
			continue
		}
		switch p {
		case asking: // has a time-out of its own, and is answered whatever comes
		case writing:
			_ = c.SetWriteDeadline(past)
		default:
			_ = c.SetReadDeadline(past)
		}
	}
}

// stopReading ends the connections that wait for a request. It shuts the reading half, since on Linux a request that the
// kernel has taken is still read after that, and answered.
func (s *conns) stopReading() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.all {
		if phase(c.mark.Load()%int64(phases)) == idle {
			_ = c.CloseRead()
		}
	}
}

// waitEmpty waits until no connection is open, at most for d, and reports whether none is.
func (s *conns) waitEmpty(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for s.open() > 0 {
		select {
		case <-s.emptied:
		case <-timer.C:
			return s.open() == 0
		}
	}
	return true
}

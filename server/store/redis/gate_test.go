package redis

import (
	"net"
	"sync"
	"testing"
)

// gate is a way to Redis on which a test can hold what was sent, and let it through when its sender is long gone: what a
// socket of a paused host does.
type gate struct {
	t        testing.TB
	listener net.Listener
	to       string
	all      sync.WaitGroup

	mu    sync.Mutex
	links []*link
}

// link is one connection through a gate.
type link struct {
	up     net.Conn
	mu     sync.Mutex
	holds  bool
	kept   bool // it stays open to Redis when its client has gone, for what was held
	held   []byte
	arrive chan struct{} // something is held
	answer chan struct{} // one for each answer of Redis
}

func newGate(t testing.TB, to string) *gate {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{t: t, listener: l, to: to}
	g.all.Go(g.accept)
	t.Cleanup(func() {
		l.Close()
		for _, link := range g.taken() {
			link.up.Close()
		}
		g.all.Wait()
	})
	return g
}

func (g *gate) url() string { return "redis://" + g.listener.Addr().String() }

func (g *gate) accept() {
	for {
		down, err := g.listener.Accept()
		if err != nil {
			return
		}
		up, err := net.Dial("tcp", g.to)
		if err != nil {
			down.Close()
			continue
		}
		l := &link{up: up, arrive: make(chan struct{}, 1000), answer: make(chan struct{}, 1000)}
		g.mu.Lock()
		g.links = append(g.links, l)
		g.mu.Unlock()
		g.all.Go(func() { l.forward(down) })
		g.all.Go(func() { l.back(down) })
	}
}

func (g *gate) taken() []*link {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]*link{}, g.links...)
}

// hold has all connections that are open now keep what is sent on them; new ones are free.
func (g *gate) hold() []*link {
	links := g.taken()
	for _, l := range links {
		l.mu.Lock()
		l.holds, l.kept = true, true
		l.mu.Unlock()
	}
	return links
}

// release sends on what was held, and returns when Redis has answered it.
func (l *link) release() (held int) {
	l.mu.Lock()
	l.holds = false
	held = len(l.held)
	_, err := l.up.Write(l.held)
	l.mu.Unlock()
	if held > 0 && err == nil {
		<-l.answer
	}
	return held
}

func (l *link) forward(down net.Conn) {
	buf := make([]byte, 64<<10)
	for {
		n, err := down.Read(buf)
		l.mu.Lock()
		if l.holds {
			l.held = append(l.held, buf[:n]...)
			if n > 0 {
				signal(l.arrive)
			}
		} else if n > 0 {
			_, _ = l.up.Write(buf[:n])
		}
		end := err != nil && !l.kept
		l.mu.Unlock()
		if end {
			l.up.Close()
		}
		if err != nil {
			return
		}
	}
}

func (l *link) back(down net.Conn) {
	defer down.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := l.up.Read(buf)
		l.mu.Lock()
		holds := l.holds
		l.mu.Unlock()
		if n > 0 {
			if !holds {
				_, _ = down.Write(buf[:n]) // it may be gone
			}
			signal(l.answer)
		}
		if err != nil {
			return
		}
	}
}

// signal tells whoever waits; nobody may.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// drain forgets the answers that were seen.
func (l *link) drain() {
	for {
		select {
		case <-l.answer:
		default:
			return
		}
	}
}

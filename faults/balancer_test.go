//go:build linux

package faults

import (
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/turnomatico/tmctl/server/api"
)

// balancer forwards connections to nodes that are ready, in turn, as balancers do: it asks /readyz again and again, a
// connection stays with its node for as long as it lasts, one for which there is no node waits, and nothing is sent twice.
type balancer struct {
	s     *scene
	mu    sync.Mutex
	ready []*node
	next  int
	stop  chan struct{}
}

// balance has the load go through a balancer.
func balance(s *scene) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.Fatal(err)
	}
	b := &balancer{s: s, stop: make(chan struct{})}
	b.look()
	s.balancer = b
	stopped := make(chan struct{})
	go b.watch(stopped)
	go b.accept(l)
	s.Cleanup(func() {
		close(b.stop)
		<-stopped
		l.Close()
	})
	s.addrs = []string{l.Addr().String()}
}

const lookEvery = 20 * time.Millisecond

func (b *balancer) watch(stopped chan<- struct{}) {
	defer close(stopped)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-b.stop:
			return
		case <-tick.C:
			b.look()
		}
	}
}

// look asks every node whether it wants traffic.
func (b *balancer) look() {
	var ready []*node
	for _, n := range b.s.nodes {
		if resp, err := client.Get("http://" + n.admin + api.ReadyPath); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				ready = append(ready, n)
			}
		}
	}
	b.mu.Lock()
	b.ready = ready
	b.mu.Unlock()
}

// sees is how many nodes it would send traffic to.
func (b *balancer) sees() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.ready)
}

func (b *balancer) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go b.forward(c.(*net.TCPConn))
	}
}

// forward joins a client with a node. Either side's end is passed on, so that who writes still gets what was answered.
func (b *balancer) forward(c *net.TCPConn) {
	defer c.Close()
	up := b.dial()
	if up == nil {
		return
	}
	defer up.Close()
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		_, _ = io.Copy(c, up) // ends with the connection, which is all there is to know
		c.CloseWrite()
	}()
	_, _ = io.Copy(up, c)
	up.CloseWrite()
	<-answered
}

// dial connects to the next node that is ready and there, once one is; nil when there will be none any more.
func (b *balancer) dial() *net.TCPConn {
	for {
		if c := b.tryAll(); c != nil {
			return c
		}
		select {
		case <-b.stop:
			return nil
		case <-time.After(lookEvery):
		}
	}
}

func (b *balancer) tryAll() *net.TCPConn {
	b.mu.Lock()
	defer b.mu.Unlock()
	for range b.ready {
		b.next++
		if c, err := net.Dial("tcp", b.ready[b.next%len(b.ready)].addr); err == nil {
			return c.(*net.TCPConn)
		}
	}
	return nil
}

package targettest

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/turnomatico/tmctl/server/api"
)

// Server is one running [Behaviour].
type Server struct {
	Behaviour
	nodes     []net.Listener
	addrs     []string
	arrivals  atomic.Uint64
	elsewhere atomic.Uint64
	ids       sync.Map      // string → *queue
	all       atomic.Uint64 // numbers of all ids, for who counts them together
	counter   schedule
	keys      claims        // of all ids, for who keeps them together
	replays   atomic.Uint64 // answers with a number that a key had before
	thinking  sync.Map      // key → chan struct{}, closed by who asks with it meanwhile
	admin     net.Listener  // nil without an admin plane
	tls       *tls.Config
	ca        string // path of the certificate's PEM

	done  chan struct{} // closed when the server ends
	wait  sync.WaitGroup
	mu    sync.Mutex // guards what follows
	conns map[net.Conn]bool
	over  bool
}

// Start runs a server until the test ends. A machine without IPv6 skips the test that needs it.
func Start(t testing.TB, b Behaviour) *Server {
	t.Helper()
	s, err := Listen(b)
	if err != nil && b.ipv6 {
		t.Skipf("no IPv6 on this machine: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// Listen runs a server on free ports of the loopback interface. Close ends it.
func Listen(b Behaviour) (*Server, error) {
	s := &Server{Behaviour: b, conns: map[net.Conn]bool{}, done: make(chan struct{})}
	if b.tls {
		var err error
		if s.tls, s.ca, err = selfSigned(); err != nil {
			return nil, fmt.Errorf("make certificate: %w", err)
		}
	}
	addr := "127.0.0.1:0"
	if b.ipv6 {
		addr = "[::1]:0"
	}
	for range max(b.Nodes, 1) {
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			s.Close()
			return nil, err
		}
		s.nodes = append(s.nodes, ln)
		s.addrs = append(s.addrs, ln.Addr().String())
	}
	if b.declares != nil {
		if err := s.listenAdmin(); err != nil {
			s.Close()
			return nil, err
		}
	}
	if b.refused {
		s.end()
	}
	for i, ln := range s.nodes {
		s.wait.Go(func() { s.accept(i, ln) })
	}
	return s, nil
}

// URL is the target, with {id} in it.
func (s *Server) URL() string {
	scheme := "http"
	if s.tls != nil {
		scheme = "https"
	}
	return scheme + "://" + s.addrs[0] + api.TurnoPath + "{id}"
}

// Targets are the addresses of the nodes, for --connect-to.
func (s *Server) Targets() []string { return s.addrs }

// CACert is the path of the PEM file that --cacert needs; "" without TLS.
func (s *Server) CACert() string { return s.ca }

// Admin is the URL of the admin plane, of a server that has one.
func (s *Server) Admin() string { return "http://" + s.admin.Addr().String() }

// Args are the flags of tmctl load for this server: its address and what the behaviour asks for.
func (s *Server) Args() []string {
	args := []string{"--target", s.URL()}
	if len(s.addrs) > 1 {
		args = append(args, "--connect-to", strings.Join(s.addrs, ","))
	}
	if s.ca != "" {
		args = append(args, "--cacert", s.ca)
	}
	if s.admin != nil {
		args = append(args, "--admin", s.Admin())
	}
	return append(args, s.Behaviour.Args...)
}

// Arrivals is how many requests were read whole. A loader that never repeats one has sent at least as many.
func (s *Server) Arrivals() uint64 { return s.arrivals.Load() }

// Elsewhere is how many of them were for another path than the target's: more than 0 if a redirect was followed.
func (s *Server) Elsewhere() uint64 { return s.elsewhere.Load() }

// Issued is how many requests of id consumed a number, whether or not their answers arrived.
func (s *Server) Issued(id string) uint64 { return s.queue(id).taken.Load() }

// Close ends the server and waits for it.
func (s *Server) Close() {
	s.end()
	s.wait.Wait()
	if s.ca != "" {
		_ = os.Remove(s.ca) // a file in the temporary directory
	}
}

// end closes every listener and connection. It may be called from a connection, so it waits for nothing.
func (s *Server) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return
	}
	s.over = true
	close(s.done)
	for _, ln := range s.nodes {
		_ = ln.Close() // nothing to say: it is over
	}
	for nc := range s.conns {
		_ = nc.Close()
	}
}

func (s *Server) accept(node int, ln net.Listener) {
	for {
		nc, err := ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // too many open files: those that wait will close
			s.pause(time.Millisecond)
			continue
		}
		if s.slams || !s.keep(nc) {
			_ = nc.Close()
			continue
		}
		s.wait.Go(func() {
			newConn(s, node, nc.(*net.TCPConn)).serve()
			s.forget(nc)
		})
	}
}

// keep remembers nc for the end. It reports false when that has come.
func (s *Server) keep(nc net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.over {
		s.conns[nc] = true
	}
	return !s.over
}

func (s *Server) forget(nc net.Conn) {
	_ = nc.Close()
	s.mu.Lock()
	delete(s.conns, nc)
	s.mu.Unlock()
}

// pause is a server that thinks. It returns early when the server ends.
func (s *Server) pause(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.done:
	}
}

func (s *Server) queue(id string) *queue {
	if q, ok := s.ids.Load(id); ok {
		return q.(*queue)
	}
	q, _ := s.ids.LoadOrStore(id, &queue{id: id, blocks: make([]block, max(s.Nodes, 1))})
	return q.(*queue)
}

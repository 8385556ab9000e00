package server_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/store/memory"
)

// running is a server with real listeners on free ports.
type running struct {
	*server.Server
	t     testing.TB
	stop  func() // asks for the end
	ended chan error

	draining chan time.Duration // the wait for balancers has begun
	noticed  func()             // ends it
}

// run starts a server; change may be nil. It is stopped at the end of the test, and must stop without an error.
func run(t testing.TB, store server.Store, change func(*server.Config)) *running {
	t.Helper()
	config := server.DefaultConfig()
	config.Addr, config.Admin, config.Drain = "127.0.0.1:0", "127.0.0.1:0", 0
	if overTLS != nil {
		config.TLSCert, config.TLSKey = overTLS.files(t)
	}
	if change != nil {
		change(&config)
	}
	s, err := server.Listen(t.Context(), config, store)
	if err != nil {
		t.Fatal(err)
	}
	s.Hurry(10 * time.Millisecond)
	ctx, stop := context.WithCancel(context.Background())
	r := &running{Server: s, t: t, ended: make(chan error, 1), stop: stop, draining: make(chan time.Duration, 1)}
	drained := make(chan struct{})
	r.noticed = sync.OnceFunc(func() { close(drained) })
	s.Drain(func(d time.Duration) {
		r.draining <- d
		<-drained
	})
	go func() { r.ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		r.noticed()
		r.end()
	})
	for s.State() == server.Starting {
		runtime.Gosched()
	}
	return r
}

// end stops the server and waits for its end. More than once is once.
func (r *running) end() {
	r.t.Helper()
	r.stop()
	err, first := <-r.ended
	if !first {
		return
	}
	close(r.ended)
	if err != nil {
		r.t.Errorf("Run() = %v; want nil", err)
	}
}

// dial connects, with TLS if it is on.
func dial(addr string) (net.Conn, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil || overTLS == nil {
		return c, err
	}
	secure := tls.Client(c, overTLS.trust())
	return secure, secure.Handshake()
}

// tcp is what a connection is made of.
func tcp(c net.Conn) *net.TCPConn {
	if secure, ok := c.(*tls.Conn); ok {
		c = secure.NetConn()
	}
	return c.(*net.TCPConn)
}

// dial opens a connection to the public listener.
func (r *running) dial() *client {
	r.t.Helper()
	c, err := dial(r.Addr())
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	return &client{t: r.t, Conn: c, r: bufio.NewReader(c)}
}

// client speaks HTTP byte by byte.
type client struct {
	t testing.TB
	net.Conn
	r *bufio.Reader
}

func (c *client) send(raw string) {
	c.t.Helper()
	if _, err := io.WriteString(c, raw); err != nil {
		c.t.Fatal(err)
	}
}

// receive reads one answer to a request of method.
func (c *client) receive(method string) answer {
	c.t.Helper()
	a, err := read(c.r, method)
	if err != nil {
		c.t.Fatalf("read the answer: %v", err)
	}
	return a
}

type answer struct {
	*http.Response
	body string
}

func read(r *bufio.Reader, method string) (answer, error) {
	resp, err := http.ReadResponse(r, &http.Request{Method: method})
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return answer{resp, string(body)}, err
}

// ask sends one request on a connection of its own.
func (r *running) ask(raw string) answer {
	r.t.Helper()
	c := r.dial()
	c.send(raw)
	method, _, _ := strings.Cut(raw, " ")
	return c.receive(method)
}

// get asks the admin plane.
func (r *running) get(path string) (int, string, http.Header) {
	r.t.Helper()
	resp, err := http.Get("http://" + r.AdminAddr() + path)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, string(body), resp.Header
}

// taken is how many numbers of id are gone.
func taken(t *testing.T, s server.Store, id string) uint64 {
	t.Helper()
	n, err := s.Peek(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// scripted is a memory store whose Reserve does something else first.
type scripted struct {
	server.Store // hides that memory is direct: requests go through the batcher
	mu           sync.Mutex
	reserve      func(ctx context.Context) error
}

func (s *scripted) Reserve(ctx context.Context, call *server.Call) error {
	s.mu.Lock()
	f := s.reserve
	s.mu.Unlock()
	if err := f(ctx); err != nil {
		return err
	}
	return s.Store.Reserve(ctx, call)
}

// awaitConnections waits until the server has n connections open: the kernel says that it is connected before.
func (r *running) awaitConnections(n int) {
	for r.Connections() != n {
		runtime.Gosched()
	}
}

// awaitReading waits until a connection is in the middle of a request.
func (r *running) awaitReading() {
	for r.Reading() == 0 {
		runtime.Gosched()
	}
}

// awaitIdle waits until a connection waits for a request: its last answer may have been read before the server was done
// with it.
func (r *running) awaitIdle() {
	for r.Idle() == 0 {
		runtime.Gosched()
	}
}

// takeOf takes n numbers of id past the server.
func takeOf(t *testing.T, s *memory.Store, id string, n uint64) {
	t.Helper()
	call := &server.Call{Seq: 1, Claims: []server.Claim{{ID: id, N: n}}}
	if err := s.Another().Reserve(t.Context(), call); err != nil || call.Claims[0].Err != nil {
		t.Fatal(err, call.Claims[0].Err)
	}
}

// settled waits until the server is done with every request: a client may have read its answer before the server knows that
// it wrote it.
func (r *running) settled() {
	for r.Idle() != r.Connections() {
		runtime.Gosched()
	}
}

// fewIDs is a memory store for a handful of ids.
func fewIDs() *memory.Store { return memory.New(server.Bounds{IDs: 10}) }

// mustRead reads one answer to a GET.
func mustRead(t *testing.T, c net.Conn) answer {
	t.Helper()
	a, err := read(bufio.NewReader(c), "GET")
	if err != nil {
		t.Fatalf("read the answer: %v", err)
	}
	return a
}

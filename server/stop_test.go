package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/api"
	"github.com/turnomatico/tmctl/server/store/memory"
)

// hammer is a client that asks on one connection for as long as it lasts, then on the next, until nobody listens.
type hammer struct {
	addr   string
	got    []uint64
	closed int   // connections that the server said it would close
	lost   error // a request that failed on a connection that had been answered on
	unread int   // connections on which the first request failed
}

func (h *hammer) run(asked *atomic.Int64) {
	for {
		c, err := dial(h.addr)
		if err != nil {
			return // nobody listens any more
		}
		h.ask(c, asked)
		c.Close()
	}
}

func (h *hammer) ask(c net.Conn, asked *atomic.Int64) {
	r := bufio.NewReader(c)
	for first := true; ; first = false {
		_, err := io.WriteString(c, getA)
		var a answer
		if err == nil {
			a, err = read(r, "GET")
		}
		if err != nil && first {
			h.unread++
			return
		}
		var t api.Turno
		if err == nil {
			err = json.Unmarshal([]byte(a.body), &t)
		}
		if err != nil {
			h.lost = err
			return
		}
		h.got = append(h.got, t.Turno)
		asked.Add(1)
		if a.Close {
			h.closed++
			return
		}
	}
}

// While clients hammer, the server stops: every number that it gave is in a client's hands, and no request on a connection
// that the server had taken fails.
func TestStopLosesNothing(t *testing.T) {
	store := memory.New(server.Bounds{IDs: 1})
	r := run(t, store, nil)
	hammers := make([]*hammer, 32)
	var asked atomic.Int64
	var all sync.WaitGroup
	for i := range hammers {
		hammers[i] = &hammer{addr: r.Addr()}
		all.Go(func() { hammers[i].run(&asked) })
	}
	for asked.Load() < 2000 {
		time.Sleep(time.Millisecond)
	}
	r.end()
	all.Wait()

	given := taken(t, store, "a")
	seen := make([]bool, given+1)
	closed, unread := 0, 0
	for _, h := range hammers {
		closed, unread = closed+h.closed, unread+h.unread
		if h.lost != nil {
			t.Errorf("a request failed while the server stopped: %v", h.lost)
		}
		for _, n := range h.got {
			if n > given || seen[n] {
				t.Fatalf("turno %d was given twice, or never (the store gave %d)", n, given)
			}
			seen[n] = true
		}
	}
	for n := uint64(1); n <= given; n++ {
		if !seen[n] {
			t.Errorf("turno %d was given and not delivered", n)
		}
	}
	if l := r.Ledger(); l.Issued != given || l.Delivered != given || l.InFlight != 0 {
		t.Errorf("the ledger says %+v; want %d issued and delivered, what the store gave", l, given)
	}
	if closed < len(hammers) {
		t.Errorf("%d of %d connections were closed by word; want all", closed, len(hammers))
	}
	t.Logf("%d numbers; %d connections closed by word, %d refused while the listener closed", given, closed, unread)
}

// A request that waits for the store when the server stops is answered.
func TestStopFinishesWhatIsInFlight(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	store := &scripted{Store: memory.New(server.Bounds{IDs: 1})}
	store.reserve = blockOnce(entered, release)
	r := run(t, store, nil)
	c := r.dial()
	c.send(getA)
	<-entered
	r.stop()
	for { // until the listener is closed, the last step but one
		probe, err := net.Dial("tcp", r.Addr())
		if err != nil {
			break
		}
		probe.Close()
	}
	close(release)
	a := c.receive("GET")
	checkTurno(t, a, `{"id":"a","turno":1}`)
	if !a.Close {
		t.Error("the last answer does not say that it closes the connection")
	}
	r.end()
}

// While balancers notice, the server says that it is not ready and goes on serving.
func TestStopWaitsForBalancers(t *testing.T) {
	r := run(t, memory.New(server.Bounds{IDs: 1}), func(c *server.Config) { c.Drain = time.Hour })
	kept := r.dial()
	kept.send(getA)
	checkTurno(t, kept.receive("GET"), `{"id":"a","turno":1}`)
	if status, body, _ := r.get(api.ReadyPath); status != 200 {
		t.Fatalf("GET /readyz = %d %s; want 200", status, body)
	}
	r.stop()
	if d := <-r.draining; d != time.Hour {
		t.Errorf("the server waits for %s; want --drain, 1h", d)
	}
	if status, body, _ := r.get(api.ReadyPath); status != 503 || body != "draining\n" {
		t.Errorf("GET /readyz = %d %s; want 503 draining", status, body)
	}
	if status, _, _ := r.get(api.HealthPath); status != 200 {
		t.Errorf("GET /healthz = %d; want 200", status)
	}
	for i, c := range []*client{kept, r.dial()} {
		c.send(getA)
		a := c.receive("GET")
		checkTurno(t, a, fmt.Sprintf(`{"id":"a","turno":%d}`, i+2))
		if a.Close {
			t.Error("a connection is closed before balancers had time to notice")
		}
	}
	r.noticed()
	r.end()
}

func TestStopDoesNotWaitForNobody(t *testing.T) {
	said := make(lines, 100)
	r := run(t, memory.New(server.Bounds{IDs: 1}), func(c *server.Config) {
		c.Drain, c.Log = time.Hour, slog.New(slog.NewTextHandler(said, nil))
	})
	r.end()
	said.await(t, "none asks /readyz")
	said.await(t, "stopped")
}

// An idle connection neither holds up the end nor loses a request sent before it.
func TestStopEndsIdleConnections(t *testing.T) {
	r := run(t, memory.New(server.Bounds{IDs: 1}), nil)
	fresh, kept := r.dial(), r.dial()
	kept.send(getA)
	kept.receive("GET")
	r.end()
	for _, c := range []*client{fresh, kept} {
		if n, err := c.r.ReadByte(); !errors.Is(err, io.EOF) {
			t.Errorf("the connection gave %q, %v; want EOF", n, err)
		}
	}
	if n := r.Connections(); n != 0 {
		t.Errorf("Connections() = %d after the end; want 0", n)
	}
}

func TestListenErrors(t *testing.T) {
	taken := run(t, memory.New(server.Bounds{IDs: 1}), nil)
	tests := []struct {
		name  string
		addr  string
		admin string
		want  string
	}{
		{"the public port", taken.Addr(), "", "listen on " + taken.Addr() + ": address already in use"},
		{"the admin port", "127.0.0.1:0", taken.AdminAddr(), "listen on " + taken.AdminAddr() + ": address already in use"},
	}
	for _, tt := range tests {
		config := server.DefaultConfig()
		config.Addr, config.Admin = tt.addr, tt.admin
		_, err := server.Listen(t.Context(), config, memory.New(server.Bounds{IDs: 1}))
		var e *server.ListenError
		if !errors.As(err, &e) || err.Error() != tt.want || e.Admin != (tt.admin != "") || !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("Listen(%s taken) = %v; want %s", tt.name, err, tt.want)
		}
	}
}

func TestPassingAcceptErrors(t *testing.T) {
	tests := []struct {
		err  error
		want bool
	}{
		{&net.OpError{Op: "accept", Err: syscall.EMFILE}, true},
		{&net.OpError{Op: "accept", Err: syscall.ECONNABORTED}, true},
		{net.ErrClosed, false},
		{&net.OpError{Op: "accept", Err: syscall.EBADF}, false},
	}
	for _, tt := range tests {
		if got := server.Passing(tt.err); got != tt.want {
			t.Errorf("Passing(%v) = %t; want %t", tt.err, got, tt.want)
		}
	}
}

// blockOnce is a store's Reserve that waits for release the first time.
func blockOnce(entered, release chan struct{}) func(context.Context) error {
	var once sync.Once
	return func(context.Context) error {
		once.Do(func() {
			close(entered)
			<-release
		})
		return nil
	}
}

// lines is a log that a test can wait on.
type lines chan string

func (l lines) Write(b []byte) (int, error) {
	l <- string(b)
	return len(b), nil
}

func (l lines) await(t *testing.T, part string) {
	t.Helper()
	for {
		select {
		case line := <-l:
			if strings.Contains(line, part) {
				return
			}
		case <-t.Context().Done():
			t.Fatalf("the log never said %q", part)
		}
	}
}

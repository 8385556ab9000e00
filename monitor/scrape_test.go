package monitor_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/turnomatico/tmctl/monitor"
	"github.com/turnomatico/tmctl/server/api"
)

const ready = `{"state":"ready","name":"n1","ids":3}`

func TestScrape(t *testing.T) {
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != api.SnapshotPath {
				t.Errorf("asked for %s; want %s", r.URL.Path, api.SnapshotPath)
			}
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	tests := []struct {
		name   string
		node   http.HandlerFunc
		reach  monitor.Reach
		says   string
		answer time.Duration // how long it is waited for; 0: as long as it takes
	}{
		{"a node", answer(200, ready), monitor.Up, "", 0},
		{"an error", answer(500, ready), monitor.Odd, "it answers 500 Internal Server Error", 0},
		{"another server", answer(404, ""), monitor.Odd, "it answers 404", 0},
		{"one that sends elsewhere", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login", http.StatusFound) }, monitor.Odd, "302", 0},
		{"a page", answer(200, "<html>"), monitor.Odd, "no snapshot: invalid character", 0},
		{"other JSON", answer(200, `{"status":"UP"}`), monitor.Odd, "in no state that there is", 0},
		{"half an answer", answer(200, ready[:10]), monitor.Odd, "no snapshot", 0},
		{"an endless one", answer(200, `{"name":"`+strings.Repeat("x", 9<<20)+`"}`), monitor.Odd, "too large", 0},
		{"one that hangs", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, monitor.Silent, "no answer in 50ms", 50 * time.Millisecond},
		{"one that hangs in the middle", func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(ready[:10]))
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, monitor.Silent, "no answer in 50ms", 50 * time.Millisecond},
		{"one that dies", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, monitor.Down, "EOF", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv := httptest.NewServer(tt.node)
			t.Cleanup(srv.Close)
			got := observe(t, []string{srv.URL}, tt.answer).Nodes[0]
			if got.Reach != tt.reach || !strings.Contains(got.Says, tt.says) || got.Instance != srv.Listener.Addr().String() {
				t.Errorf("Observe() = %s is %s, %q; want %s, %q", got.Instance, got.Reach, got.Says, tt.reach, tt.says)
			}
			if up := got.Reach == monitor.Up; up != (got.IDs == 3) {
				t.Errorf("it says that it has %d ids", got.IDs)
			}
		})
	}
}

func observe(t *testing.T, admins []string, timeout time.Duration) monitor.Observation {
	t.Helper()
	if timeout == 0 {
		timeout = 30 * time.Second
	}
	s, err := monitor.NewScraper(admins, timeout)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s.Observe(t.Context(), time.Unix(0, 0))
}

func TestScrapeNobody(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if n := observe(t, []string{l.Addr().String()}, 0).Nodes[0]; n.Reach != monitor.Down || n.Says != "connection refused" {
		t.Errorf("Observe() of nobody = %s, %q; want down, connection refused", n.Reach, n.Says)
	}
}

// Each of three nodes answers only when all three are being asked.
func TestScrapeAtOnce(t *testing.T) {
	var asked sync.WaitGroup
	asked.Add(3)
	var admins []string
	for range 3 {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			asked.Done()
			asked.Wait()
			_, _ = w.Write([]byte(ready))
		}))
		t.Cleanup(srv.Close)
		admins = append(admins, srv.URL)
	}
	for _, n := range observe(t, admins, 0).Nodes {
		if n.Reach != monitor.Up {
			t.Errorf("%s is %s: %s", n.Instance, n.Reach, n.Says)
		}
	}
}

func TestScrapeEndsWithItsContext(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(srv.Close)
	s, err := monitor.NewScraper([]string{srv.URL}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.Observe(ctx, time.Unix(0, 0)) // returns
}

func TestNewScraperRefuses(t *testing.T) {
	tests := []struct {
		name   string
		admins []string
		want   string
	}{
		{"nobody", nil, "no node"},
		{"nothing", []string{""}, "want URLs"},
		{"another scheme", []string{"redis://localhost"}, "want URLs"},
		{"a password", []string{"http://ana:hush@localhost:7018"}, "without a user"},
		{"one twice", []string{"localhost:7018", "http://localhost:7018/"}, "localhost:7018 is given twice"},
	}
	for _, tt := range tests {
		_, err := monitor.NewScraper(tt.admins, time.Second)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hush") {
			t.Errorf("NewScraper(%s) = %v; want %q", tt.name, err, tt.want)
		}
	}
}

package loadgen

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/turnomatico/tmctl/history"
)

// rawServer answers numbers; delay is asked per request number (1..) and may be <0 = never answer.
func rawServer(t testing.TB, delay func(n uint64) time.Duration) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	var n, req atomic.Uint64
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				br := bufio.NewReader(c)
				for {
					r, err := http.ReadRequest(br)
					if err != nil {
						return
					}
					_ = r
					d := delay(req.Add(1))
					if d < 0 {
						_, _ = br.ReadByte()
						return
					}
					time.Sleep(d)
					b := fmt.Sprintf(`{"id":"a","turno":%d}`, n.Add(1))
					if _, err := fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(b), b); err != nil {
						return
					}
				}
			}()
		}
	}()
	return ln.Addr().String()
}

// One slow request at the end of a search step (99.9 % are fast) must not doom it.
func TestDrainDoesNotDoom(t *testing.T) {
	addr := rawServer(t, func(n uint64) time.Duration {
		if n == 995 {
			return 2 * time.Second
		}
		return 0
	})
	_, s := prep(t, addr, func(h *history.Plan) { h.SLO = "p99<1s" })
	var sink nullSink
	r, err := newRunner(s.plan, s.addrs, &sink, logWatcher{t})
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	if err := r.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	st, err := r.step(t.Context(), Trial{Phase: history.Bracket, Rate: 1000, Duration: time.Second}, 64)
	if err != nil || !st.Pass {
		t.Errorf("p99 %s, errors %d, limit %q: %s; want a pass", st.Latency.P99, st.Errors, st.Limit, st.Why)
	}
}

func prep(t testing.TB, addr string, f func(*history.Plan)) (*Plan, *Session) {
	spec := DefaultPlan()
	spec.Target, spec.IDs = addr, []string{"a"}
	f(&spec)
	p, err := Prepare(spec, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Connect(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return p, s
}

// One request in 3000 is swallowed; the target is alive. Not target_lost.
func TestOneHungRequestIsNoLostTarget(t *testing.T) {
	addr := rawServer(t, func(n uint64) time.Duration {
		if n == 2500 {
			return -1
		}
		return 0
	})
	_, s := prep(t, addr, func(h *history.Plan) {
		h.Rate, h.Duration, h.Warmup, h.Timeout = 1000, 3*time.Second, 0, 2*time.Second
		h.SLO = "p99<4s,errors<0.1%"
	})
	var sink nullSink
	o, err := s.Run(context.Background(), time.Now(), &sink, logWatcher{t})
	st := o.Steps[len(o.Steps)-1]
	if err != nil || !st.Pass {
		t.Errorf("errors %d of %d, p99 %s: limit %q: %s; want a pass", st.Errors, st.Sent, st.Latency.P99, st.Limit, st.Why)
	}
}

// At a low rate one lost answer is not a lost target.
func TestLowRateLost(t *testing.T) {
	addr := rawServer(t, func(n uint64) time.Duration {
		if n == 3 {
			return -1
		}
		return 0
	})
	_, s := prep(t, addr, func(h *history.Plan) {
		h.Rate, h.Duration, h.Warmup, h.Timeout = 0.8, 8*time.Second, 0, 200*time.Millisecond
	})
	var sink nullSink
	o, _ := s.Run(context.Background(), time.Now(), &sink, logWatcher{t})
	st := o.Steps[len(o.Steps)-1]
	if st.Limit == history.TargetLost {
		t.Errorf("%s after %s: %s", st.Limit, st.Elapsed, st.Why)
	}
}

// Either engine against a target that is too slow.
func TestVegetaBlamesTheTarget(t *testing.T) {
	for _, engine := range Engines {
		t.Run(engine, func(t *testing.T) {
			addr := rawServer(t, func(uint64) time.Duration { return 20 * time.Millisecond })
			_, s := prep(t, addr, func(h *history.Plan) {
				h.Engine, h.Rate, h.Duration, h.Warmup, h.Connections = engine, 400, 2*time.Second, 0, 4 // capacity 200/s
				h.SLO = "p99<4s"
			})
			var sink nullSink
			o, _ := s.Run(context.Background(), time.Now(), &sink, logWatcher{t})
			st := o.Steps[len(o.Steps)-1]
			if st.Latency.P99 < 300*time.Millisecond { // half of what was due in 2 s had to wait: about a second at the end
				t.Errorf("corrected p99 %s, service p99 %s, lag p99 %s: the wait was not the target's", st.Latency.P99, st.Service.P99, st.LagP99)
			}
		})
	}
}

// A slow target, and a step that is ended early while connections are idle.
func TestPoissonEarlyEnd(t *testing.T) {
	for _, arrivals := range Arrivals {
		t.Run(arrivals, func(t *testing.T) {
			addr := rawServer(t, func(uint64) time.Duration { return 2 * time.Second })
			_, s := prep(t, addr, func(h *history.Plan) { h.Arrivals, h.Start, h.Warmup, h.SLO = arrivals, 100, 0, "p99<1s" })
			var sink nullSink
			r, err := newRunner(s.plan, s.addrs, &sink, logWatcher{t})
			if err != nil {
				t.Fatal(err)
			}
			defer r.close()
			r.outcome.Colocated = true
			if err := r.open(t.Context()); err != nil {
				t.Fatal(err)
			}
			st, _ := r.step(t.Context(), Trial{Phase: history.Bracket, Rate: 100, Duration: 5 * time.Second}, 64)
			t.Logf("limit %q: %s; planned %d sent %d elapsed %s", st.Limit, st.Why, st.Planned, st.Sent, st.Elapsed)
			if st.Limit != history.LimitSLO {
				t.Errorf("limit %q: %s; want slo", st.Limit, st.Why)
			}
		})
	}
}

type failingSink struct{ after int }

func (s *failingSink) Add(history.Batch) error {
	if s.after--; s.after < 0 {
		return errors.New("disk full")
	}
	return nil
}
func (s *failingSink) Violations() uint64 { return 0 }

// The sink fails while the target hangs.
func TestSinkFailsTargetHangs(t *testing.T) {
	addr := rawServer(t, func(n uint64) time.Duration {
		if n > 100 {
			return -1
		}
		return 0
	})
	_, s := prep(t, addr, func(h *history.Plan) {
		h.Rate, h.Duration, h.Warmup, h.Timeout = 1000, 2*time.Second, 0, 300*time.Millisecond
	})
	done := make(chan error, 1)
	go func() {
		_, err := s.Run(context.Background(), time.Now(), &failingSink{after: 10}, logWatcher{t})
		done <- err
	}()
	select {
	case err := <-done:
		t.Log(err)
	case <-time.After(6 * time.Second):
		t.Error("Run still waits 6 s after a 2 s step with a 300 ms timeout: nobody ends the requests in flight")
	}
}

// TLS write errors.

func TestTLSWriteError(t *testing.T) {
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
	defer srv.Close()
	nc, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	sw := &switchable{Conn: nc}
	tc := tls.Client(sw, &tls.Config{InsecureSkipVerify: true})
	if err := tc.Handshake(); err != nil {
		t.Fatal(err)
	}
	sw.fail.Store(true) // the record goes out whole, and the write says it failed
	c := &conn{run: &runner{epoch: time.Now()}, nc: tc}
	op := history.Op{}
	c.exchange(new(queue), []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), &op)
	if op.Outcome != history.Unknown {
		t.Errorf("a TLS write that failed is %s (%s); want unknown", op.Outcome, op.Reason)
	}
}

type switchable struct {
	net.Conn
	fail atomic.Bool
}

func (s *switchable) Write(p []byte) (int, error) {
	n, err := s.Conn.Write(p)
	if s.fail.Load() {
		return n, errors.New("late error")
	}
	return n, err
}

// expired while the old connection is being replaced.
func TestExpiredBeforeRedial(t *testing.T) {
	addr := rawServer(t, func(uint64) time.Duration { return -1 })
	_, s := prep(t, addr, func(h *history.Plan) { h.Timeout = 100 * time.Millisecond })
	r, _ := newRunner(s.plan, s.addrs, &nullSink{}, logWatcher{t})
	c := r.conns[0]
	if err := c.connect(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	_ = c.nc.(*net.TCPConn).CloseRead() // stale
	call := c.begin()
	c.mu.Lock()
	c.expire(r.now(), history.TimedOut) // we were not scheduled for a whole timeout
	c.mu.Unlock()
	c.close() // connect saw that it was stale
	if err := c.connect(t.Context(), call); err != nil {
		t.Fatal(err)
	}
	done := make(chan history.Op, 1)
	go func() { op := history.Op{Call: call}; c.exchange(r.queues[0], r.queues[0].request, &op); done <- op }()
	time.Sleep(300 * time.Millisecond)
	c.mu.Lock()
	c.expire(r.now()-100*time.Millisecond, history.TimedOut)
	c.mu.Unlock()
	select {
	case <-done:
	case <-time.After(time.Second):
		t.Error("the request never times out")
	}
	c.close()
}

// Requests that hang together time out together, however many they are.
func TestManyExpireAtOnce(t *testing.T) {
	_, s := prep(t, rawServer(t, func(uint64) time.Duration { return -1 }), func(h *history.Plan) { h.Connections, h.Timeout = 50, time.Second })
	r, err := newRunner(s.plan, s.addrs, &nullSink{}, logWatcher{t})
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	if err := r.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, c := range r.conns {
		c.begin()
	}
	r.epoch = r.epoch.Add(-2 * time.Second) // two seconds later
	if err := r.sweep(new(step)); err != nil {
		t.Fatal(err)
	}
	for i, c := range r.conns {
		if c.expired != history.TimedOut {
			t.Fatalf("connection %d is not timed out in the first sweep after its time", i)
		}
	}
}

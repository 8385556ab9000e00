package server_test

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/store/memory"
)

// A number is delivered by the write that ends its answer. What is written may end within one.
func TestDeliveredByTheWriteThatEndsTheAnswer(t *testing.T) {
	const head, body = "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n", `{"id":"a","turno":1}`
	type step struct {
		hand int // numbers put into answers before the write
		b    string
		want uint64 // delivered after it
	}
	tests := []struct {
		name  string
		steps []step
	}{
		{"one", []step{{1, head + body, 1}}},
		{"two in one", []step{{2, head + body + head + body, 2}}},
		{"the second split in its head", []step{{2, head + body + head[:9], 1}, {0, head[9:] + body, 2}}},
		{"the second split in its body", []step{{2, head + body + head + body[:9], 1}, {0, body[9:], 2}}},
		{"split before the last brace", []step{{1, head + body[:19], 0}, {0, "}", 1}}},
		{"split, and more by the time of the next", []step{{2, head + body + head, 1}, {3, body + head + body + head + body + head[:1], 4},
			{0, head[1:] + body, 5}}},
		{"one over three writes", []step{{1, head[:5], 0}, {0, head[5:], 0}, {0, body, 1}}},
	}
	for _, tt := range tests {
		var d server.Delivery
		for i, s := range tt.steps {
			for range s.hand {
				d.Hand()
			}
			if got := d.Write(s.b, true); got != s.want {
				t.Errorf("%s: %d delivered after write %d; want %d", tt.name, got, i+1, s.want)
			}
		}
	}
}

// Many answers are written in few pieces, which end anywhere; all are delivered, and no more than was handed.
func TestPipelinedNumbersAreDelivered(t *testing.T) {
	const n = 500
	store := memory.New(server.Bounds{IDs: 10})
	for name, s := range map[string]server.Store{"direct": store, "batched": struct{ server.Store }{store}} {
		t.Run(name, func(t *testing.T) {
			r := run(t, s, nil)
			before := taken(t, store, "a")
			c := r.dial()
			sent := make(chan error, 1)
			go func() {
				_, err := io.WriteString(c, strings.Repeat(getA, n))
				sent <- err
			}()
			defer func() {
				if err := <-sent; err != nil {
					t.Error(err)
				}
			}()
			for i := range n {
				checkTurno(t, c.receive("GET"), fmt.Sprintf(`{"id":"a","turno":%d}`, before+uint64(i)+1))
			}
			r.settled()
			expect(t, "the ledger", r.Ledger(), fmt.Sprintf("{%d %d map[client_gone:0 late:0 rollback:0 write_failed:0] 0 0}", n, n))
		})
	}
}

// What else is asked on a connection, and how it ends, does not make a delivered number an undelivered one.
func TestDeliveredBesideOtherAnswers(t *testing.T) {
	const bad, headA = "GET /turno/%20 HTTP/1.1\r\n" + host + "\r\n", "HEAD /turno/a HTTP/1.1\r\n" + host + "\r\n"
	tests := []struct{ name, sent, methods string }{
		{"a refusal", getA + bad, "GET GET"},
		{"a HEAD", getA + headA, "GET HEAD"},
		{"a HEAD first", headA + getA, "HEAD GET"},
		{"what is not HTTP", getA + "hello\r\n\r\n", "GET GET"},
		{"another path, whose answer has a brace within", getA + "GET / HTTP/1.1\r\n" + host + "\r\n", "GET GET"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := run(t, memory.New(server.Bounds{IDs: 10}), nil)
			c := r.dial()
			c.send(tt.sent)
			for _, m := range strings.Fields(tt.methods) {
				c.receive(m)
			}
			c.Close()
			r.awaitConnections(0)
			expect(t, "the ledger", r.Ledger(), "{1 1 map[client_gone:0 late:0 rollback:0 write_failed:0] 0 0}")
		})
	}
}

// A client that closes in the middle of its answers: what it read was delivered, the rest was delivered to the kernel or
// could not be written; none is lost to the books.
func TestClientClosesAmidItsAnswers(t *testing.T) {
	const n = 2000
	for _, way := range ways[:2] {
		for _, read := range []int{0, 1, 37} {
			t.Run(fmt.Sprintf("%s after %d", way.name, read), func(t *testing.T) {
				store := memory.New(server.Bounds{IDs: 10})
				r := run(t, struct{ server.Store }{store}, nil)
				c := r.dial()
				sent := make(chan struct{})
				go func() {
					defer close(sent)
					_, _ = c.Write([]byte(strings.Repeat(getA, n))) // may be cut short
				}()
				for range read {
					c.receive("GET")
				}
				for taken(t, store, "a") == 0 {
					runtime.Gosched()
				}
				way.leave(c)
				<-sent
				r.awaitConnections(0)
				l := r.Ledger()
				burned := l.Burned["client_gone"] + l.Burned["write_failed"]
				if l.Issued != taken(t, store, "a") || l.Delivered+burned != l.Issued || l.InFlight != 0 || l.Delivered < uint64(read) {
					t.Errorf("the ledger is %+v; want the %d that the store gave, all accounted for, and at least %d delivered",
						l, taken(t, store, "a"), read)
				}
			})
		}
	}
}

// A client that does not take its answers: what could not be written is written off when its connection ends.
func TestWriteFailed(t *testing.T) {
	store := memory.New(server.Bounds{IDs: 10})
	r := run(t, struct{ server.Store }{store}, nil)
	c := r.dial()
	var asking sync.WaitGroup
	asking.Go(func() {
		for err := error(nil); err == nil; {
			_, err = c.Write([]byte(strings.Repeat(getA, 100)))
		}
	})
	r.awaitConnections(1)
	for r.Connections() > 0 {
		if r.Writing() > 0 {
			r.Sweep(server.WriteTimeout)
		}
		runtime.Gosched()
	}
	asking.Wait()
	l := r.Ledger()
	if l.Issued != taken(t, store, "a") || l.Burned["write_failed"] == 0 || l.Delivered+l.Burned["write_failed"] != l.Issued || l.InFlight != 0 {
		t.Errorf("the ledger is %+v; want the %d that the store gave, some of them not written", l, taken(t, store, "a"))
	}
}

// An answer to a client that has reset its connection is not delivered, whether that is found before it is written or by
// writing it.
func TestNothingIsDeliveredToNobody(t *testing.T) {
	g := newGate()
	r := run(t, g, nil)
	for i := range uint64(20) {
		c := r.dial()
		c.send(getA)
		<-g.came
		if err := tcp(c.Conn).SetLinger(0); err != nil {
			t.Fatal(err)
		}
		c.Close()
		r.awaitGone(1)
		g.word <- nil
		r.awaitConnections(0)
		if l := r.Ledger(); l.Delivered != 0 || l.Issued != i+1 || l.Burned["write_failed"]+l.Burned["client_gone"] != i+1 {
			t.Fatalf("the ledger is %+v; want %d numbers, none delivered", l, i+1)
		}
	}
	t.Log(r.Ledger())
}

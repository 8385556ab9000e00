package server_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/api"
	"github.com/turnomatico/tmctl/server/store/memory"
)

// Each hostile client meets a server of its own, over TCP, and takes no more than its row says.
func TestHostileClients(t *testing.T) {
	for _, topic := range hostileTopics {
		for _, h := range topic.rows {
			t.Run(h.does, func(t *testing.T) {
				store := fewIDs()
				r := run(t, store, nil)
				h.play(r)
				h.check(t, r, store)
			})
		}
	}
}

func (h *hostile) play(r *running) {
	c := r.dial()
	r.awaitConnections(1)
	r.awaitIdle()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for _, s := range h.send {
			if _, err := io.WriteString(c, s); err != nil {
				return // it was refused before it had said all
			}
		}
	}()
	switch h.then {
	case stops:
		h.stop(r)
	case halfEnds:
		<-sent
		c.send(strings.Join(nil, ""))
		if err := tcp(c.Conn).CloseWrite(); err != nil {
			r.t.Fatal(err)
		}
	case resets:
		r.awaitReading()
		_ = tcp(c.Conn).SetLinger(0)
		c.Close()
		return
	}
	method, _, _ := strings.Cut(strings.Join(h.send, ""), " ")
	for i, want := range strings.Fields(h.gets) {
		a, err := read(c.r, method)
		if err != nil {
			r.t.Fatalf("answer %d: %v; want %s", i+1, err, want)
		}
		if got := a.word(r.t); got != want {
			r.t.Fatalf("answer %d is %s; want %s", i+1, got, want)
		}
	}
	if h.ends {
		if b, err := c.r.ReadByte(); err != io.EOF && !errors.Is(err, syscall.ECONNRESET) {
			r.t.Errorf("the connection goes on (%q, %v); want its end", b, err)
		}
		return
	}
	c.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
	if a, err := read(c.r, "HEAD"); err != nil || a.StatusCode != 404 {
		r.t.Errorf("a request after it got %v, %v; want 404: the connection to be kept", a.Response, err)
	}
}

// stop lets time pass, once the server waits for more.
func (h *hostile) stop(r *running) {
	switch {
	case h.take > 0:
		for r.Answered() < h.take {
			runtime.Gosched()
		}
		r.awaitIdle()
		r.Sweep(server.IdleTimeout)
	case h.send != nil:
		r.awaitReading()
		r.Sweep(2 * server.ReadTimeout)
	default:
		r.Sweep(server.IdleTimeout)
	}
}

// word is an answer in short: "200", "400:bad_id". What is wrong with it is an error.
func (a answer) word(t testing.TB) string {
	t.Helper()
	switch a.StatusCode {
	case 100:
		return "100"
	case 200:
		var n api.Turno
		if err := json.Unmarshal([]byte(a.body), &n); err != nil || n.Turno == 0 || !api.ValidID(n.ID) {
			t.Errorf("200 with %q: %v", a.body, err)
		}
		return "200"
	}
	var p api.Problem
	if err := json.Unmarshal([]byte(a.body), &p); err != nil || p.Status != a.StatusCode || a.Header.Get(api.ConsumedHeader) != api.ConsumedNo {
		t.Errorf("%d with %q and %q: %v; want a problem that says its status, and that no number is gone",
			a.StatusCode, a.body, a.Header.Get(api.ConsumedHeader), err)
	}
	return fmt.Sprintf("%d:%s", a.StatusCode, p.Code)
}

// check wants nothing taken or left behind but what the row says.
func (h *hostile) check(t *testing.T, r *running, store *memory.Store) {
	t.Helper()
	if h.ends {
		r.awaitConnections(0)
	} else {
		r.settled()
	}
	l, ids := r.Ledger(), uint64(store.Info().IDs)
	if l.Issued != h.take || l.Delivered != h.take || l.InFlight != 0 {
		t.Errorf("the ledger is %+v; want %d issued and delivered", l, h.take)
	}
	if ids > h.take || ids == 0 && h.take > 0 {
		t.Errorf("%d ids live after %d numbers", ids, h.take)
	}
	if s := store.Info().Sessions; s != 0 {
		t.Errorf("%d keys live; want none", s)
	}
}

package server_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/api"
	"github.com/turnomatico/tmctl/server/store/memory"
)

// Clients of every kind over real connections, and a store behind a storm: when all is over, every number that the store
// gave is in the books once.
func TestLedgerAddsUp(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			store := memory.New(server.Bounds{IDs: 100})
			const timeout = 100 * time.Millisecond
			w := weather{refused: 10, missed: 20, lost: 40, hung: 5, twice: 20, slow: 30, timeout: timeout}
			s := newStorm(store, w, seed)
			r := run(t, s, func(c *server.Config) { c.RequestTimeout = timeout })
			crowd := make([]*rude, 16)
			var all sync.WaitGroup
			for i := range crowd {
				crowd[i] = &rude{addr: r.Addr(), rng: rand.New(rand.NewPCG(seed, uint64(i)))}
				all.Go(crowd[i].run)
			}
			gone := make(chan struct{})
			go func() {
				all.Wait()
				close(gone)
			}()
			r.watchLedger(gone)
			r.awaitConnections(0)
			r.awaitInFlight(0)
			r.end()
			s.flying.Wait()

			l, ok := r.Ledger(), r.Answered()
			var moved uint64
			for _, id := range rudeIDs {
				moved += taken(t, store, id)
			}
			if l.Issued != ended(l) || l.InFlight != 0 {
				t.Errorf("issued %d, and %d are accounted for", l.Issued, ended(l))
			}
			if known := s.sum(s.answered); l.Issued-l.Unknown != known {
				t.Errorf("issued %d beside what is unknown; the store told of %d", l.Issued-l.Unknown, known)
			}
			if executed := s.sum(s.executed); moved != executed || executed < l.Issued-l.Unknown || executed > l.Issued {
				t.Errorf("the store gave %d, of which the storm saw %d; issued %d, %d of them unknown", moved, executed, l.Issued, l.Unknown)
			}
			if handed := l.Delivered + l.Burned[api.BurnedClientGone] + l.Burned[api.BurnedWriteFailed]; handed != ok {
				t.Errorf("%d numbers were put into answers, and %d are in the books", ok, handed)
			}
			got := readByAll(t, crowd)
			if got > l.Delivered+l.Burned[api.BurnedClientGone] {
				t.Errorf("clients read %d numbers, more than were delivered", got)
			}
			t.Logf("%+v; clients read %d", l, got)
		})
	}
}

// ended is how many numbers are accounted for.
func ended(l api.Ledger) uint64 {
	n := l.Delivered + l.Unknown
	for _, burned := range l.Burned {
		n += burned
	}
	return n
}

// watchLedger looks until all are gone: at no moment has more come to an end than was issued, and nothing is taken back.
func (r *running) watchLedger(gone chan struct{}) {
	var before api.Ledger
	for {
		select {
		case <-gone:
			return
		case <-time.After(time.Millisecond):
		}
		l := r.Ledger()
		if ended(l) > l.Issued || l.Issued < before.Issued || l.Delivered < before.Delivered || ended(l) < ended(before) {
			r.t.Errorf("the ledger is %+v after %+v", l, before)
		}
		before = l
	}
}

var rudeIDs = []string{"a", "b", "c"}

// rude is a client that asks in every way, and mostly leaves before it has all its answers.
type rude struct {
	addr string
	rng  *rand.Rand
	got  []api.Turno
}

func (u *rude) run() {
	for range 12 {
		c, err := dial(u.addr)
		if err != nil {
			return // out of ports
		}
		u.visit(c)
		c.Close()
	}
}

// visit asks some things at once, reads some answers, and goes.
func (u *rude) visit(c net.Conn) {
	var asked []string
	var sent strings.Builder
	for range 1 + u.rng.IntN(40) {
		method, path := "GET", "/turno/"+rudeIDs[u.rng.IntN(len(rudeIDs))]
		switch u.rng.IntN(10) {
		case 0:
			method = "HEAD"
		case 1:
			path = "/elsewhere"
		}
		asked = append(asked, method)
		fmt.Fprintf(&sent, "%s %s HTTP/1.1\r\n%s\r\n", method, path, host)
	}
	if _, err := c.Write([]byte(sent.String())); err != nil {
		return
	}
	switch u.rng.IntN(4) {
	case 0:
		_ = tcp(c).CloseWrite()
	case 1:
		_ = tcp(c).SetLinger(0)
	}
	r := bufio.NewReader(c)
	for _, method := range asked[:u.rng.IntN(len(asked)+1)] {
		a, err := read(r, method)
		if err != nil {
			return
		}
		var n api.Turno
		if a.StatusCode == 200 && json.Unmarshal([]byte(a.body), &n) == nil {
			u.got = append(u.got, n)
		}
	}
}

// readByAll is how many numbers clients read; none twice.
func readByAll(t *testing.T, crowd []*rude) (n uint64) {
	t.Helper()
	seen := map[api.Turno]bool{}
	for _, u := range crowd {
		for _, got := range u.got {
			if seen[got] {
				t.Errorf("%s %d was read twice", got.ID, got.Turno)
			}
			seen[got] = true
			n++
		}
	}
	return n
}

package server_test

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/api"
	"github.com/turnomatico/tmctl/server/store/memory"
)

// FuzzEdge sends a server anything, over a connection of its own, and then its end. Whatever comes back is HTTP; each 200 of
// a GET or POST has a number of an id, and is one that the store gave; each number that the store gave is in an answer or
// written off. The server outlives it.
func FuzzEdge(f *testing.F) {
	for _, topic := range hostileTopics {
		for _, h := range topic.rows {
			if all := strings.Join(h.send, ""); len(all) < 1<<12 {
				f.Add([]byte(all))
			}
		}
	}
	f.Add([]byte("HEAD /turno/a HTTP/1.1\r\nHost: x\r\n\r\n" + get + "\r\n"))
	f.Add([]byte(post + "Idempotency-Key: a\r\n\r\n" + post + "Idempotency-Key: \"a\"\r\n\r\n"))
	stores := map[bool]server.Store{}
	nodes := map[bool]*running{}
	for _, direct := range []bool{true, false} {
		counters := memory.New(server.Bounds{IDs: 1 << 20, Sessions: 1 << 20, SessionTTL: server.DefaultSessionTTL})
		stores[direct] = counters
		if !direct {
			stores[direct] = struct{ server.Store }{counters}
		}
		nodes[direct] = run(f, stores[direct], nil)
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		for direct, r := range nodes {
			before := r.Ledger()
			got, cut := exchange(t, r.Addr(), sent)
			r.awaitConnections(0)
			after := r.Ledger()
			fresh := checkAnswers(t, got, cut)
			if after.InFlight != 0 || after.Unknown != 0 || after.Issued != ended(after) {
				t.Errorf("direct = %t: the ledger is %+v; want all accounted for", direct, after)
			}
			// The client has read to the end, so all was written; it may be taken to have left when it ended its sending.
			issued, burned := after.Issued-before.Issued, after.Burned[api.BurnedClientGone]-before.Burned[api.BurnedClientGone]
			if fresh > issued || fresh+burned < issued && !cut || !cut && after.Burned[api.BurnedWriteFailed] > before.Burned[api.BurnedWriteFailed] {
				t.Errorf("direct = %t: %d numbers were given, %d of them written off, and %d are in answers to %q", direct, issued, burned, fresh, sent)
			}
		}
	})
}

// exchange sends all and reads to the end. The server may refuse before it has read all: then the end may be cut.
func exchange(t *testing.T, addr string, sent []byte) (got []byte, cut bool) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	go func() {
		_, _ = c.Write(sent)
		_ = tcp(c).CloseWrite()
	}()
	got, err = io.ReadAll(c)
	return got, err != nil
}

// checkAnswers wants nothing but answers of this server, and returns how many hold a new number.
func checkAnswers(t *testing.T, got []byte, cut bool) (fresh uint64) {
	r := bufio.NewReader(bytes.NewReader(got))
	for {
		if _, err := r.Peek(1); err == io.EOF {
			return fresh
		}
		// An answer to HEAD has a length and no body: what follows it is the next one.
		method := http.MethodGet
		if headOnly(r) {
			method = http.MethodHead
		}
		a, err := read(r, method)
		if err != nil && cut {
			return fresh
		}
		if err != nil {
			t.Fatalf("the server sent what is not HTTP: %v, in %q", err, got)
		}
		if method == http.MethodHead {
			if a.StatusCode == http.StatusOK {
				t.Errorf("an answer to HEAD is 200")
			}
			continue
		}
		if a.word(t) == "200" && a.Header.Get(api.ReplayedHeader) == "" {
			fresh++
		}
	}
}

// headOnly reports whether the next answer is without its body: then what follows its head is another answer, or nothing.
func headOnly(r *bufio.Reader) bool {
	next, _ := r.Peek(r.Size())
	head, rest, ok := bytes.Cut(next, []byte("\r\n\r\n"))
	_, length, has := bytes.Cut(head, []byte("Content-Length: "))
	length, _, _ = bytes.Cut(length, []byte("\r"))
	n, err := strconv.Atoi(string(length))
	return ok && has && err == nil && n > 0 && (len(rest) == 0 || bytes.HasPrefix(rest, []byte("HTTP/1.1 ")))
}

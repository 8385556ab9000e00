package targettest

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// client is one connection that sends what it is told and reads what there is.
type client struct {
	t    testing.TB
	s    *Server
	node int
	nc   net.Conn
	br   *bufio.Reader
}

// patience bounds what a test waits for a server; no test passes by waiting for it.
const patience = 30 * time.Second

func dialNode(t testing.TB, s *Server, node int) *client {
	t.Helper()
	c := &client{t: t, s: s, node: node}
	if err := c.dial(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.leave)
	return c
}

func dial(t testing.TB, s *Server) *client { t.Helper(); return dialNode(t, s, 0) }

func (c *client) dial() error {
	nc, err := net.Dial("tcp", c.s.Targets()[c.node])
	if err != nil {
		return err
	}
	if c.s.CACert() != "" {
		text, err := os.ReadFile(c.s.CACert())
		if err != nil {
			return err
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(text)
		nc = tls.Client(nc, &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"})
	}
	c.nc, c.br = nc, bufio.NewReader(nc)
	return nc.SetDeadline(time.Now().Add(patience))
}

// leave ends the connection; the next request opens another.
func (c *client) leave() {
	if c.nc != nil {
		_ = c.nc.Close()
		c.nc = nil
	}
}

// ask sends one request for a; headers end in CRLF.
func (c *client) ask(headers string) {
	c.t.Helper()
	if _, err := fmt.Fprintf(c.nc, "GET /turno/a HTTP/1.1\r\nHost: x\r\n%s\r\n", headers); err != nil {
		c.t.Fatalf("write: %v", err)
	}
}

// raw is every byte of the answer to a request that wants no other on this connection.
func (c *client) raw() string {
	c.t.Helper()
	c.ask("Connection: close\r\n")
	b, err := io.ReadAll(io.LimitReader(c.br, 11<<20))
	if err != nil {
		c.t.Errorf("after %q: %v", b, err)
	}
	return string(b)
}

// read says in a word what came: the number, the status if that is not 200, "reset", "eof", "junk".
func (c *client) read() string {
	resp, err := http.ReadResponse(c.br, nil)
	for err == nil && resp.StatusCode < 200 {
		resp, err = http.ReadResponse(c.br, nil)
	}
	var text []byte
	if err == nil {
		text, err = io.ReadAll(resp.Body)
	}
	switch {
	case errors.Is(err, syscall.ECONNRESET):
		return "reset"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "eof"
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "timeout"
	case err != nil:
		return "junk"
	case resp.StatusCode != 200:
		return strconv.Itoa(resp.StatusCode)
	}
	n := numberIn(c.s, text)
	if resp.Close || c.br.Buffered() > 0 {
		c.leave()
	}
	return n
}

// numberIn follows the --field and --id-field of the behaviour.
func numberIn(s *Server, text []byte) string {
	field, idField := "turno", "id"
	for i := 0; i+1 < len(s.Behaviour.Args); i++ {
		switch s.Behaviour.Args[i] {
		case "--field":
			field = s.Behaviour.Args[i+1]
		case "--id-field":
			idField = s.Behaviour.Args[i+1]
		}
	}
	var id string
	if idField != "" && (json.Unmarshal(fieldOf(text, idField), &id) != nil || id != "a") {
		return "bad id"
	}
	f, err := strconv.ParseFloat(string(fieldOf(text, field)), 64)
	if err != nil {
		return "bad number"
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}

func fieldOf(text []byte, path string) []byte {
	for key := range strings.SplitSeq(path, ".") {
		var m map[string]json.RawMessage
		if json.Unmarshal(text, &m) != nil {
			return nil
		}
		text = m[key]
	}
	return text
}

// next is the answer to one more request, on a new connection where the last one is over.
func (c *client) next() string {
	c.t.Helper()
	if c.nc == nil {
		if err := c.dial(); err != nil {
			return "refused"
		}
	}
	c.ask("")
	got := c.read()
	switch got {
	case "reset", "eof", "timeout", "junk":
		c.leave()
	}
	return got
}

// nexts are n answers, one after the other.
func (c *client) nexts(n int) string {
	c.t.Helper()
	var all []string
	for range n {
		all = append(all, c.next())
	}
	return strings.Join(all, " ")
}

// until waits until what the server counts has come to n.
func until(t testing.TB, n uint64, count func() uint64) {
	t.Helper()
	for end := time.Now().Add(patience); count() < n; {
		if time.Now().After(end) {
			t.Fatalf("counted %d; want %d", count(), n)
		}
		time.Sleep(100 * time.Microsecond)
	}
}

package targettest

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"

	"github.com/turnomatico/tmctl/server/api"
)

// conn answers the requests of one connection, in turn.
type conn struct {
	srv  *Server
	node int
	tcp  *net.TCPConn
	nc   net.Conn // tcp, or TLS over it
	br   *bufio.Reader
	out  []byte // of one answer
	text []byte // of one body

	path  []byte // of the request
	key   string // its Idempotency-Key; "" = none
	q     *queue // its id's
	seq   uint64 // it is the server's seq-th
	close bool   // its sender wants no other

	last  uint64 // the last number that was answered here for q
	spare uint64 // a number taken for the next request
}

// errClose ends a connection in good order.
var errClose = errors.New("close")

func newConn(s *Server, node int, tcp *net.TCPConn) *conn {
	c := &conn{srv: s, node: node, tcp: tcp, nc: tcp}
	if s.tls != nil {
		c.nc = tls.Server(tcp, s.tls)
	}
	c.br = bufio.NewReader(c.nc)
	return c
}

// serve returns when the connection is over, for whatever reason: nobody is there to be told.
func (c *conn) serve() {
	answer := c.srv.act
	if answer == nil {
		answer = usual
	}
	for c.read() == nil {
		c.seq = c.srv.arrivals.Add(1)
		if c.q == nil {
			c.srv.elsewhere.Add(1)
			if notFound(c, nil) != nil {
				return
			}
		} else if answer(c, c.q) != nil {
			break
		}
		if c.close {
			break
		}
	}
	if t, ok := c.nc.(*tls.Conn); ok {
		_ = t.CloseWrite() // close_notify; the socket is closed by who accepted it
	}
}

// read takes one request, to its last byte.
func (c *conn) read() error {
	line, err := c.line()
	if err != nil {
		return err
	}
	_, rest, _ := bytes.Cut(line, []byte(" "))
	path, version, ok := bytes.Cut(rest, []byte(" "))
	if !ok {
		return fmt.Errorf("request line %q", line)
	}
	c.path = append(c.path[:0], path...)
	c.close, c.key = string(version) == "HTTP/1.0", ""
	length := 0
	for {
		if line, err = c.line(); err != nil {
			return err
		}
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case is(name, "Content-Length"):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return err
			}
		case is(name, "Connection"):
			c.close = is(value, "close")
		case is(name, api.KeyHeader):
			c.key = string(value)
		}
	}
	if _, err = io.CopyN(io.Discard, c.br, int64(length)); err == nil {
		c.route()
	}
	return err
}

func (c *conn) line() ([]byte, error) {
	line, err := c.br.ReadSlice('\n')
	return bytes.TrimRight(line, "\r\n"), err
}

// is compares without regard to case, and without allocating.
func is(got []byte, want string) bool {
	return len(got) == len(want) && bytes.EqualFold(got, []byte(want))
}

// route finds the queue of the path; nil when it is not a turno's.
func (c *conn) route() {
	path, _, _ := bytes.Cut(c.path, []byte("?"))
	id, ok := bytes.CutPrefix(path, []byte(api.TurnoPath))
	if !ok || !api.ValidID(id) {
		c.q = nil
		return
	}
	if c.q == nil || c.q.id != string(id) {
		c.q, c.last = c.srv.queue(string(id)), 0
	}
}

// send answers the request with number n.
func (c *conn) send(q *queue, n uint64) error {
	c.text = c.srv.appendBody(c.text[:0], q.id, n)
	err := c.sendBody(c.text)
	c.last = n
	return err
}

func (c *conn) sendBody(text []byte) error {
	if c.srv.wire != nil {
		return c.srv.wire(c, text)
	}
	return plain(c, text)
}

// flush writes what was put together in out, in one write.
func (c *conn) flush() error {
	_, err := c.nc.Write(c.out)
	return err
}

// reset ends the connection without a word: the client reads ECONNRESET.
func (c *conn) reset() error {
	_ = c.tcp.SetLinger(0)
	_ = c.tcp.Close()
	return errClose
}

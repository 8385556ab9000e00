package targettest

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// wire sends body as a 200, or what goes for one.
type wire func(c *conn, body []byte) error

const (
	statusOK = "HTTP/1.1 200 OK\r\n"
	isJSON   = "Content-Type: application/json\r\nCache-Control: no-store\r\n"
	length   = "Content-Length: "
	blank    = "\r\n\r\n"
)

var plain = framed(statusOK+isJSON+length, blank)

// framed writes head, the body's length, tail and the body, in one write.
func framed(head, tail string) wire {
	return func(c *conn, body []byte) error {
		c.out = append(c.out[:0], head...)
		c.out = strconv.AppendInt(c.out, int64(len(body)), 10)
		c.out = append(append(c.out, tail...), body...)
		return c.flush()
	}
}

// bare writes head and the body, which ends where the connection does.
func bare(head string) wire {
	return ending(func(c *conn, body []byte) error {
		c.out = append(append(c.out[:0], head...), body...)
		return c.flush()
	})
}

// ending closes the connection after the answer.
func ending(w wire) wire {
	return func(c *conn, body []byte) error {
		if err := w(c, body); err != nil {
			return err
		}
		return errClose
	}
}

const chunkedHead = statusOK + isJSON + "Transfer-Encoding: chunked" + blank

// chunked writes the body in chunks of size bytes, all in one write. RFC 9112 §7.1 lets a chunk's size have an extension
// and the last chunk be followed by trailer fields, which nobody asked for and every reader must skip.
func chunked(size int, extension, trailer string) wire {
	return func(c *conn, body []byte) error {
		c.out = append(c.out[:0], chunkedHead...)
		for len(body) > 0 {
			n := min(size, len(body))
			c.out = fmt.Appendf(c.out, "%X%s\r\n%s\r\n", n, extension, body[:n])
			body = body[n:]
		}
		c.out = append(c.out, "0\r\n"+trailer+"\r\n"...)
		return c.flush()
	}
}

// inPieces writes what w would, size bytes at a time, and dawdles once in the header and once in the body.
func inPieces(size int, w wire) wire {
	return func(c *conn, body []byte) error {
		nc := c.nc
		c.nc = mute{nc}
		err := w(c, body)
		c.nc = nc
		if err != nil {
			return err
		}
		for rest := c.out; len(rest) > 0; {
			n := min(size, len(rest))
			if _, err := nc.Write(rest[:n]); err != nil {
				return err
			}
			rest = rest[n:]
			if left := len(rest); left > 0 && (left/size == 5 || left/size == 1) {
				c.srv.pause(time.Millisecond)
			}
		}
		return nil
	}
}

// mute is a connection on which nothing is written.
type mute struct{ net.Conn }

func (mute) Write(b []byte) (int, error) { return len(b), nil }

// miscounted writes one Content-Length that is off by delta, and closes if the body is shorter than it says.
func miscounted(delta int) wire {
	return func(c *conn, body []byte) error {
		c.out = fmt.Appendf(c.out[:0], "%s%d%s%s", statusOK+isJSON+length, len(body)+delta, blank, body)
		if err := c.flush(); err != nil || delta < 0 {
			return err
		}
		return errClose
	}
}

// surplus writes after the answer bytes that belong to no answer.
func surplus(c *conn, body []byte) error {
	c.out = fmt.Appendf(c.out[:0], "%s%d%s%s\r\nwritten by accident\r\n", statusOK+isJSON+length, len(body), blank, body)
	return c.flush()
}

// twice writes the whole answer two times. Read as the answer to the next request, the second is a stale one.
func twice(c *conn, body []byte) error {
	c.out = fmt.Appendf(c.out[:0], "%s%d%s%s", statusOK+isJSON+length, len(body), blank, body)
	c.out = append(c.out, c.out...)
	return c.flush()
}

// twoLengths contradicts itself. RFC 9112 §6.3: unrecoverable, close.
func twoLengths(c *conn, body []byte) error {
	c.out = fmt.Appendf(c.out[:0], "%s%d\r\n%s%d%s%s", statusOK+isJSON+length, len(body)-1, length, len(body), blank, body)
	return c.flush()
}

// zipped compresses the body though no request accepts that.
func zipped(c *conn, body []byte) error {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(body) // to memory
	_ = w.Close()
	return framed(statusOK+"Content-Encoding: gzip\r\n"+isJSON+length, blank)(c, b.Bytes())
}

// filler is what long bodies are made of.
var filler = strings.Repeat("x", 0x10000)

// padded makes the body longer by n bytes, and still valid.
func padded(n int) wire {
	const field, end = `,"padding":"`, `"}`
	return func(c *conn, body []byte) error {
		left := n
		size := len(body) - 1 + len(field) + n + len(end)
		c.out = fmt.Appendf(c.out[:0], "%s%d%s%s%s", statusOK+isJSON+length, size, blank, body[:len(body)-1], field)
		for left > 0 {
			if err := c.flush(); err != nil {
				return err
			}
			part := min(left, len(filler))
			c.out = append(c.out[:0], filler[:part]...)
			left -= part
		}
		c.out = append(c.out, end...)
		return c.flush()
	}
}

// endless goes on in chunks until the client has enough.
func endless(c *conn, body []byte) error {
	c.out = fmt.Appendf(c.out[:0], "%s%X\r\n%s\r\n", chunkedHead, len(body), body)
	for {
		if err := c.flush(); err != nil {
			return err
		}
		c.out = fmt.Appendf(c.out[:0], "%X\r\n%s\r\n", len(filler), filler)
	}
}

// cookies are n bytes of header, or a few more.
func cookies(n int) string {
	const size = 128
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "Set-Cookie: c%03d=%s\r\n", i, filler[:size])
	}
	return b.String()
}

package targettest

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/turnomatico/tmctl/server/api"
)

// act is what a server does with a request. An error ends the connection.
type act func(c *conn, q *queue) error

// usual takes the next number and answers it.
func usual(c *conn, q *queue) error { return c.send(q, c.take(q)) }

// sometimes does a for one request in a period.
func sometimes(a act) act {
	return func(c *conn, q *queue) error {
		if c.seq%c.srv.Period == 0 {
			return a(c, q)
		}
		return usual(c, q)
	}
}

// often does a for three requests in ten.
func often(a act) act {
	return func(c *conn, q *queue) error {
		if c.seq%10 < 3 {
			return a(c, q)
		}
		return usual(c, q)
	}
}

// consuming takes a number, which nobody gets, and then does a.
func consuming(a act) act {
	return func(c *conn, q *queue) error {
		c.take(q)
		return a(c, q)
	}
}

// as answers in another form than usual.
func as(w wire) act {
	return func(c *conn, q *queue) error {
		c.text = c.srv.appendBody(c.text[:0], q.id, c.take(q))
		return w(c, c.text)
	}
}

// together counts all ids with one counter.
func together(c *conn, q *queue) error {
	q.taken.Add(1)
	return c.send(q, c.srv.all.Add(1))
}

// reset ends the connection without a word.
func reset(c *conn, _ *queue) error { return c.reset() }

// silent never answers. It goes on reading, as a server whose workers hang does.
func silent(c *conn, _ *queue) error {
	c.close = false // it does not even do that
	return nil
}

// thinking answers after Latency.
func thinking(c *conn, q *queue) error {
	c.srv.pause(c.srv.Latency)
	return usual(c, q)
}

// dying answers After requests, and then it is gone: listeners, connections, all.
func dying(c *conn, q *queue) error {
	if c.seq > c.srv.After {
		c.srv.end()
		return errClose
	}
	return usual(c, q)
}

// hanging answers After requests, and no more.
func hanging(c *conn, q *queue) error {
	if c.seq > c.srv.After {
		return silent(c, q)
	}
	return usual(c, q)
}

// lines writes text in place of an answer.
func lines(text string) act {
	return func(c *conn, _ *queue) error {
		c.out = append(c.out[:0], text...)
		return c.flush()
	}
}

// says writes text in place of an answer, and closes.
func says(text string) act {
	write := lines(text)
	return func(c *conn, q *queue) error {
		if err := write(c, q); err != nil {
			return err
		}
		return errClose
	}
}

// refuse answers with a problem (RFC 9457) and consumes nothing.
func refuse(status, headers string, code api.Code) act {
	number, title, _ := strings.Cut(status, " ")
	n, err := strconv.Atoi(number)
	if err != nil {
		panic(err)
	}
	text, err := json.Marshal(api.Problem{Type: "about:blank", Title: title, Status: n, Code: code})
	if err != nil {
		panic(err)
	}
	answer := framed("HTTP/1.1 "+status+"\r\nContent-Type: application/problem+json\r\n"+headers+length, blank)
	return func(c *conn, _ *queue) error { return answer(c, text) }
}

var notFound = refuse("404 Not Found", "", api.NotFound)

// elsewhere sends the client to a path that a right loader never asks for.
func elsewhere(status string) act {
	return func(c *conn, q *queue) error {
		c.out = fmt.Appendf(c.out[:0], "HTTP/1.1 %s\r\nLocation: /elsewhere/%s\r\nContent-Length: 0%s", status, q.id, blank)
		return c.flush()
	}
}

// limited answers Rate requests a second, first come first served, by one counter that never idles while someone waits.
func limited(c *conn, q *queue) error {
	now := time.Now()
	each := time.Duration(float64(time.Second) / c.srv.Rate)
	// Go's timers are about 1 ms late, which the schedule forgives but a latency would show: what is due within that is
	// answered now. It lets a burst of 1 ms through and changes nothing of the rate.
	if d := c.srv.counter.book(now, each).Sub(now); d > time.Millisecond {
		c.srv.pause(d)
	}
	return usual(c, q)
}

// schedule is when one server of a queue is free again.
type schedule struct {
	mu   sync.Mutex
	free time.Time
}

// book gives who arrives at now a place in the queue and returns when it is served, which takes each.
func (s *schedule) book(now time.Time, each time.Duration) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.free.Before(now) {
		s.free = now
	}
	s.free = s.free.Add(each)
	return s.free
}

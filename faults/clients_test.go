//go:build linux

package faults

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/turnomatico/tmctl/server/api"
)

// requestFor is the bytes of a request.
func requestFor(id string) string {
	return "POST " + api.TurnoPath + id + " HTTP/1.1\r\nHost: turnos.test\r\nContent-Length: 0\r\n\r\n"
}

// The ids of clients that behave badly: not the load's, which nobody else may use.
const (
	slowID    = "of-slow-clients"
	silentID  = "of-silent-clients"
	leavingID = "of-leaving-clients"
)

// badClients has clients of all bad kinds at work on every node, pauses what can be paused, and lets them go.
func badClients(s *scene) {
	var all sync.WaitGroup
	stop := make(chan struct{})
	s.others = []string{slowID, silentID, leavingID}
	for _, n := range s.nodes {
		for range 5 {
			all.Go(func() { s.dribble(n, stop) })
			all.Go(func() { s.neverRead(n, stop) })
		}
		for i := range 10 {
			all.Go(func() { s.comeAndGo(n, i, stop) })
		}
	}
	s.goesOn()
	if s.redis != nil {
		s.pauseRedis(time.Second)
	}
	time.Sleep(time.Second) // they go on for so long, or longer:
	for _, id := range s.others {
		s.until("there are numbers "+id, func() bool { return s.nodes[0].peek(id) > 0 })
	}
	close(stop)
	all.Wait()
	s.goesOn()
}

// dribble asks for numbers a byte at a time.
func (s *scene) dribble(n *node, stop <-chan struct{}) {
	c, err := net.Dial("tcp", n.addr)
	if err != nil {
		s.Error(err)
		return
	}
	defer c.Close()
	for {
		for _, b := range []byte(requestFor(slowID)) {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
			if _, err := c.Write([]byte{b}); err != nil {
				s.Errorf("%s ended a slow client's connection: %v", n.name, err)
				return
			}
		}
		if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || resp.StatusCode != http.StatusOK {
			s.Errorf("%s answers a slow client %+v, %v; want 200", n.name, resp, err)
			return
		}
	}
}

// neverRead asks for as many numbers as its connection takes requests, and reads no answer.
func (s *scene) neverRead(n *node, stop <-chan struct{}) {
	c, err := net.Dial("tcp", n.addr)
	if err != nil {
		s.Error(err)
		return
	}
	defer c.Close()
	for {
		select {
		case <-stop:
			return
		default:
		}
		if err := c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
			s.Error(err)
			return
		}
		if _, err := c.Write([]byte(requestFor(silentID))); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return // the server has had enough of it
		}
	}
}

// comeAndGo asks again and again, each time on a new connection; every tenth time it leaves right after asking.
func (s *scene) comeAndGo(n *node, i int, stop <-chan struct{}) {
	for ; ; i++ {
		select {
		case <-stop:
			return
		case <-time.After(10 * time.Millisecond):
		}
		c, err := net.Dial("tcp", n.addr)
		if err != nil {
			s.Error(err)
			return
		}
		_, err = c.Write([]byte(requestFor(leavingID)))
		if err == nil && i%10 > 0 {
			var resp *http.Response
			if resp, err = http.ReadResponse(bufio.NewReader(c), nil); err == nil && resp.StatusCode != http.StatusOK {
				s.Errorf("%s answers %s; want 200", n.name, resp.Status)
			}
		}
		if err != nil {
			s.Errorf("%s: %v", n.name, err)
		}
		c.Close()
	}
}

//go:build linux

package faults

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"

	"github.com/turnomatico/tmctl/history"
	"github.com/turnomatico/tmctl/server/store/redistest"
)

// scene is one row being played: its processes.
type scene struct {
	*testing.T
	fault   *fault
	store   *store
	size    int     // how many nodes
	mutant  *mutant // whom the nodes run; nil: tmctl as it is
	nodes   []*node
	redis   *redistest.Server  // where the store is one
	cluster *redistest.Cluster // or this
	links   []*link            // of each node to redis, where the row cuts them
	dir     string             // of a file store
	addrs   []string           // where the load goes; empty: to each node
	load    *load

	balancer *balancer // that the load goes through; nil: none
	others   []string  // ids that numbers were taken of beside the load's
	given    uint64    // where the counter of the load's id was set before it

	set  *redistest.Sentinels // around redis, where the store is one
	ways []*toxiproxy.Proxy   // of the first node to the Sentinels, where the row cuts them
}

// play plays a row and returns what the load says, without judging it.
func play(t *testing.T, f *fault, st *store, nodes int, m *mutant) (*scene, *history.Result) {
	s := &scene{T: t, fault: f, store: st, size: nodes, mutant: m}
	if f.place != nil {
		f.place(s)
	}
	st.open(s)
	if f.before != nil {
		f.before(s)
	}
	for i := range nodes {
		s.nodes = append(s.nodes, s.node(i))
	}
	for _, n := range s.nodes {
		n.start()
	}
	if f.ready != nil {
		f.ready(s)
	}
	var admins []string
	for _, n := range s.nodes {
		admins = append(admins, n.admin)
	}
	if len(s.addrs) == 0 {
		for _, n := range s.nodes {
			s.addrs = append(s.addrs, n.addr)
		}
	}
	s.load = startLoad(t, f.plan, s.addrs, admins)
	if f.play != nil {
		s.act(func() {
			s.goesOn()
			f.play(s)
		})
		if f.plan.duration == 0 && s.load.running() {
			s.act(func() {
				from := s.answered()
				s.until("there is enough to prove something", func() bool { return s.answered() >= from+leastProof })
			})
			s.load.stop()
		}
	}
	return s, s.load.result()
}

// act plays the fault. Where the load is meant to convict, it may end at any moment, and with it what is played.
func (s *scene) act(play func()) {
	defer func() {
		if r := recover(); r != nil && r != errEnded {
			panic(r)
		}
	}()
	play()
}

// errEnded leaves a row whose load has ended as it should.
var errEnded = errors.New("the load has ended")

// node is the row's i-th.
func (s *scene) node(i int) *node {
	return &node{
		t: s.T, name: fmt.Sprintf("node %d", i+1), binary: binary(s.T, s.mutant), store: s.store.url(s, i),
		args: append([]string{"--drain", "0s"}, s.fault.args...), openFiles: s.fault.openFiles,
	}
}

// waits is how long anything may take that must happen.
const waits = 20 * time.Second

// until waits for something that must come while the load is under way; it looks again and again.
func (s *scene) until(what string, is func() bool) {
	s.Helper()
	for deadline := time.Now().Add(waits); ; time.Sleep(10 * time.Millisecond) {
		switch {
		case is():
			return
		case s.load != nil && !s.load.running() && (s.fault.want.violated || s.mutant != nil):
			panic(errEnded)
		case s.load != nil && !s.load.running():
			s.Fatalf("the load ended before %s: %s%s%s", what, s.load.result().Sentence, s.load.stderr.String(), s.logs())
		case time.Now().After(deadline):
			s.Fatalf("%s: not within %s%s", what, waits, s.logs())
		}
	}
}

// enough is how many numbers of a node make progress.
const enough = 100

// goesOn waits until each of the nodes, or all, answers request after request.
func (s *scene) goesOn(nodes ...*node) {
	s.Helper()
	if len(nodes) == 0 {
		nodes = s.nodes
	}
	for _, n := range nodes {
		var from uint64
		s.until(n.name+" says what it has handed out", func() bool {
			now := n.snapshot()
			from = now.Requests["ok"]
			return now.State != ""
		})
		s.until(n.name+" hands out numbers", func() bool { return n.answered() >= from+enough })
	}
}

// answered is how many numbers the nodes handed out in their present lives.
func (s *scene) answered() (sum uint64) {
	for _, n := range s.nodes {
		sum += n.answered()
	}
	return sum
}

// refuses waits until each of the nodes, or all, has refused requests with a code.
func (s *scene) refuses(code string, nodes ...*node) {
	s.Helper()
	if len(nodes) == 0 {
		nodes = s.nodes
	}
	for _, n := range nodes {
		from := n.snapshot().Requests[code]
		s.until(n.name+" answers "+code, func() bool { return n.snapshot().Requests[code] > from })
	}
}

// logs is the end of what every node wrote, for a failure.
func (s *scene) logs() string {
	var b strings.Builder
	for _, n := range s.nodes {
		fmt.Fprintf(&b, "\n%s:\n%s", n.name, tail(n.log()))
	}
	return b.String()
}

//go:build linux

package faults

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/turnomatico/tmctl/history"
	"github.com/turnomatico/tmctl/server/api"
)

// key is where the Redis store keeps a counter.
func (s *scene) key(id string) string { return "turno:" + id }

// idInRedis is the load's id while it is under way.
func (s *scene) idInRedis() string {
	s.Helper()
	if s.cluster != nil {
		return idOfKey(s.clusterKey())
	}
	key := s.redis.Do("KEYS", s.key("load-*"))
	if key == "" || strings.Contains(key, "\n") {
		s.Fatalf("Redis has the counters %q; want the load's", key)
	}
	return strings.TrimPrefix(key, s.key(""))
}

func killRedis(s *scene) {
	for range 3 {
		noticed := s.everyoneFails()
		s.redis.Kill()
		s.until("every node has noticed", noticed)
		s.redis.Restart()
		s.goesOn()
	}
}

// everyoneFails tells, from now on, whether calls of the store have failed on every node.
func (s *scene) everyoneFails() func() bool {
	failed := make([]int, len(s.nodes))
	for i, n := range s.nodes {
		failed[i] = n.storeErrors()
	}
	return func() bool {
		for i, n := range s.nodes {
			if n.storeErrors() <= failed[i] {
				return false
			}
		}
		return true
	}
}

func (s *scene) pauseRedis(d time.Duration) {
	s.redis.Pause()
	time.Sleep(d) // the fault, and no wait for anything
	s.redis.Continue()
	s.goesOn()
}

func outOfMemory(s *scene) {
	s.redis.Run("CONFIG SET maxmemory 1")
	s.refuses(string(api.StoreUnavailable))
	s.redis.Run("CONFIG SET maxmemory 0")
	s.goesOn()
}

// What nodes log about a store that went back (server/fence.go).
const (
	saysBack    = "the store went back"
	saysStopped = "the id is stopped until its counter is moved forward"
	saysJumped  = "the store went back: jumped forward"
)

// noRollback wants that no node took the store for one that went back, and the books in order.
func noRollback(s *scene, r *history.Result) {
	s.Helper()
	for _, n := range s.nodes {
		if n.says(saysBack) {
			s.Errorf("%s says that the store went back, which it did not:\n%s", n.name, tail(n.log()))
		}
	}
	s.reconcile(r)
}

// inBooks wants the books in order.
func inBooks(s *scene, r *history.Result) {
	s.Helper()
	s.reconcile(r)
}

// burnedSome wants numbers in the books that clients did not wait for, and the books in order.
func burnedSome(s *scene, r *history.Result) {
	s.Helper()
	var burned uint64
	for _, n := range s.nodes {
		burned += n.snapshot().Ledger.Burned[api.BurnedClientGone]
	}
	if burned == 0 {
		s.Error("no number is burned for a client that was gone; want some")
	}
	s.reconcile(r)
}

func emptyRedis(s *scene) {
	s.redis.Kill()
	s.redis.Empty()
	s.redis.Restart()
}

func cutMuch(s *scene) {
	s.redis.Kill()
	info, err := os.Stat(s.redis.AOF())
	if err != nil {
		s.Fatal(err)
	}
	s.redis.CutAOF(info.Size() / 2)
	s.redis.Restart()
}

// aCall is about how many bytes a call of the store takes in an AOF.
const aCall = 200

// cutLittle cuts more calls than may be unanswered when Redis is killed, so that some node did receive numbers of them.
func cutLittle(s *scene) {
	s.redis.Kill()
	s.redis.CutAOF(8 * aCall)
	s.redis.Restart()
}

// favourOne sends nearly all requests to the first node, so that it alone has the last numbers.
func favourOne(s *scene) {
	for range 9 {
		s.addrs = append(s.addrs, s.nodes[0].addr)
	}
	for _, n := range s.nodes[1:] {
		s.addrs = append(s.addrs, n.addr)
	}
}

// setBack is an operator's slip.
func setBack(s *scene) {
	key := s.key(s.idInRedis())
	last, err := strconv.ParseUint(s.redis.Do("GET", key), 10, 64)
	if err != nil {
		s.Fatal(err)
	}
	s.redis.Run("SET " + key + " " + strconv.FormatUint(last/2, 10))
}

// loseAll leaves nobody who knows what was given.
func loseAll(s *scene) {
	for _, n := range s.nodes {
		n.stop()
	}
	emptyRedis(s)
	for _, n := range s.nodes {
		n.start()
	}
	s.goesOn()
}

// loseAt has the first node alone take numbers, and loses its last calls; it goes on when, for the others, back returns.
func loseAt(back func(s *scene, others []*node)) func(*scene) {
	return func(s *scene) {
		first, others := s.nodes[0], s.nodes[1:]
		for _, n := range others {
			n.life.signal(syscall.SIGSTOP)
		}
		s.goesOn(first)
		first.life.signal(syscall.SIGSTOP)
		s.redis.Kill()
		s.redis.CutAOF(20 * aCall)
		s.redis.Restart()
		for _, n := range others {
			n.life.signal(syscall.SIGCONT)
		}
		back(s, others)
		first.life.signal(syscall.SIGCONT)
		s.goesOn()
	}
}

// late is within the grace, away is after it.
func late(*scene, []*node)          { time.Sleep(300 * time.Millisecond) } // of the grace's second
func away(s *scene, others []*node) { s.goesOn(others...) }

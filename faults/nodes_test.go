//go:build linux

package faults

import (
	"regexp"
	"time"
)

// killNode kills the first node, once.
func killNode(s *scene) {
	s.nodes[0].kill()
	s.nodes[0].start()
}

var justStarted = regexp.MustCompile(`uptime_in_seconds:[01]\b`)

// killNodes kills one node after the other, and each of them again.
func killNodes(s *scene) {
	if s.redis != nil { // a node that meets a Redis which has just started waits for others, and load gives a single one up
		s.until("redis has run for 2 s", func() bool { return !justStarted.MatchString(s.redis.Do("INFO", "server")) })
	}
	for i := range max(3, len(s.nodes)) {
		n := s.nodes[i%len(s.nodes)]
		n.kill()
		n.start()
		s.goesOn(n)
	}
}

// pauseNode pauses the only node for as long as load does not give the target up, or one of several for longer.
func pauseNode(s *scene) {
	n, d := s.nodes[0], shortPause
	if s.size > 1 {
		d = 2500 * time.Millisecond
	}
	for range 2 {
		n.pause(d)
		s.goesOn()
	}
}

// rollNodes stops one node after the other in order and starts it again.
func rollNodes(s *scene) {
	for _, n := range s.nodes {
		n.stop()
		n.start()
		s.until("the balancer has seen "+n.name, func() bool { return s.balancer.sees() == len(s.nodes) })
	}
}

//go:build linux

package faults

import (
	"time"
)

// cutting spoils one link after the other for a moment, and wants that each time something was lost by it.
func cutting(toxic, direction, attributes string) func(*scene) {
	return func(s *scene) {
		for i := range 5 {
			n, l := s.nodes[i%s.size], s.links[i%s.size]
			failed := n.storeErrors()
			s.spoil(l, toxic, direction, attributes)
			s.until("a call of the store fails", func() bool { return n.storeErrors() > failed })
			l.heal()
			s.goesOn()
		}
	}
}

// swallowing keeps what Redis says from one node after the other, and what it says from Redis.
func swallowing(s *scene) {
	for i := range max(2, s.size) {
		n, l := s.nodes[i%s.size], s.links[i%s.size]
		failed := n.storeErrors()
		s.spoil(l, "timeout", []string{"downstream", "upstream"}[i%2], `"timeout":0`)
		time.Sleep(1500 * time.Millisecond) // the fault, and no wait for anything
		l.heal()
		s.goesOn()
		if n.storeErrors() == failed {
			s.Errorf("no call of %s failed; want some", n.name)
		}
	}
}

// slowing lets two nodes overtake the first again and again.
func slowing(s *scene) {
	s.spoil(s.links[0], "latency", "downstream", `"latency":20,"jitter":10`)
	s.goesOn()
}

package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/store/redistest"
)

// Nothing is lost by a Redis that fsyncs and is killed. Its nodes notice all the same, compare, and go on where they were.
func TestKilled(t *testing.T) {
	r := redistest.Start(t, redistest.Options{Fsync: "always"})
	a, b, idle := open(t, r.URL()), open(t, r.URL()), open(t, r.URL())
	a.want("x", 5, 1)
	b.want("x", 5, 6)
	b.want("y", 1, 1)
	r.Restart()
	a.changed()
	a.rejoin(0)
	a.want("x", 1, 11)
	if _, _, err := b.take("x", 1); err == nil { // its connection has died
		t.Error("Reserve() works over a connection that has died")
	}
	b.refused("x", server.ErrChanged) // it has not compared its marks, whatever others did
	b.rejoin(0)
	b.want("x", 1, 12)
	idle.changed()
	idle.rejoin(0)
	idle.want("x", 1, 13)
}

// A Redis that comes back empty stops what its nodes know of, until an operator has moved it; new ids are free.
func TestEmptied(t *testing.T) {
	empties := map[string]func(r *redistest.Server){
		"restarted empty": func(r *redistest.Server) { r.Kill(); r.Empty(); r.Restart() },
		"FLUSHALL":        func(r *redistest.Server) { r.Run("FLUSHALL") },
		"FLUSHDB":         func(r *redistest.Server) { r.Run("FLUSHDB") },
		"another dataset": func(r *redistest.Server) { r.Run("SWAPDB 0 1") },
	}
	for name, empty := range empties {
		t.Run(name, func(t *testing.T) {
			r := redistest.Start(t, redistest.Options{Fsync: "always"})
			a, b := open(t, r.URL()), open(t, r.URL())
			a.want("x", 5, 1)
			b.want("x", 5, 6)
			b.want("y", 3, 1)
			empty(r)
			a.changed()
			b.changed()
			a.rejoin(0, "x 0<5→0")
			a.refused("x", server.ErrStopped)
			b.rejoin(0, "x 0<10→0", "y 0<3→0")
			for _, n := range []*node{a, b, open(t, r.URL())} {
				n.refused("x", server.ErrStopped)
				n.refused("y", server.ErrStopped)
			}
			a.want("new", 1, 1)
			below := &server.BelowMarkError{}
			if was, err := a.Set(t.Context(), "x", 9, false); was != 0 || !errors.As(err, &below) || below.Mark != 10 {
				t.Errorf("Set(x, 9) = %d, %v; want that 10 was given", was, err)
			}
			a.refused("x", server.ErrStopped)
			if was, err := a.Set(t.Context(), "x", 10, false); was != 0 || err != nil {
				t.Errorf("Set(x, 10) = %d, %v; want 0", was, err)
			}
			a.want("x", 1, 11)
			b.refused("y", server.ErrStopped)
		})
	}
}

// With a jump the ids go on, beyond all that any node knows.
func TestJump(t *testing.T) {
	r := redistest.Start(t, redistest.Options{})
	a, b := open(t, r.URL()), open(t, r.URL())
	a.want("x", 5, 1)
	b.want("x", 2000, 6)
	b.want("y", 3, 1)
	r.Restart()
	a.changed()
	b.changed()
	a.rejoin(1000, "x 0<5→1005")
	b.rejoin(1000, "x 1005<2005→3005", "y 0<3→1003")
	a.want("x", 1, 3006)
	a.want("y", 1, 1004)
	r.Run("SET turno:z 9007199254740000")
	a.want("z", 1, 9007199254740001)
	r.Restart()
	a.changed()
	a.rejoin(1<<64-1, "x 0<3006→9007199254740991", "y 0<1004→9007199254740991", "z 0<9007199254740001→9007199254740991")
	a.refused("x", server.ErrExhausted)
}

// What the last second lost is known to the node that had it; others wait until it has said so.
func TestTailLost(t *testing.T) {
	for _, jump := range []uint64{0, 100} {
		t.Run(fmt.Sprint("jump ", jump), func(t *testing.T) {
			r := redistest.Start(t, redistest.Options{Fsync: "always"}) // everysec may not have written what the cut is to lose
			var waits, goOn chan struct{}
			a := open(t, r.URL(), func(o *Options) {
				o.pause = func(context.Context, time.Duration) error {
					close(waits)
					<-goOn
					return nil
				}
			})
			b, c := open(t, r.URL()), open(t, r.URL())
			a.want("x", 5, 1)
			c.want("x", 5, 6)
			b.want("x", 5, 11) // this is lost
			r.Kill()
			r.CutAOF(1)
			r.Restart()
			if got := r.Do("GET", "turno:x"); got != "10" {
				t.Fatalf("the counter is %s after its file was cut; want 10", got)
			}
			a.changed()
			b.changed()
			waits, goOn = make(chan struct{}), make(chan struct{})
			joined := make(chan struct{})
			go func() {
				defer close(joined)
				a.rejoin(jump)
			}()
			select {
			case <-waits:
			case <-joined:
				t.Error("a node went on without giving the others time to say what they know")
			}
			c.rejoin(jump)
			a.refused("x", server.ErrChanged)
			if jump == 0 {
				b.rejoin(jump, "x 10<15→0")
			} else {
				b.rejoin(jump, "x 10<15→115")
			}
			close(goOn)
			<-joined
			for i, n := range []*node{a, b, c} {
				if jump == 0 {
					n.refused("x", server.ErrStopped)
				} else {
					n.want("x", 1, uint64(116+i))
				}
			}
		})
	}
}

// A flush of the scripts alone costs nothing but a look; no other node has to be waited for.
func TestScriptsFlushed(t *testing.T) {
	r := redistest.Start(t, redistest.Options{})
	waited := 0
	a, b := open(t, r.URL(), func(o *Options) {
		o.pause = func(context.Context, time.Duration) error { waited++; return nil }
	}), open(t, r.URL())
	a.want("x", 5, 1)
	r.Run("SCRIPT FLUSH")
	a.changed()
	b.changed()
	a.rejoin(0)
	a.want("x", 1, 6)
	if waited != 0 {
		t.Errorf("waited %d times for others; want none: it is the same Redis", waited)
	}
	b.rejoin(0)
	b.want("x", 1, 7)
}

// A master that was made a replica and then a master again is the same process, and yet it may have lost something.
func TestDemotedAndPromoted(t *testing.T) {
	r := redistest.Start(t, redistest.Options{})
	other := redistest.Start(t, redistest.Options{Config: []string{"repl-diskless-sync-delay 0"}})
	a := open(t, r.URL())
	a.want("x", 5, 1)
	r.Run("REPLICAOF 127.0.0.1 " + other.Port)
	eventually(t, "it is a replica in touch", func() bool { return strings.Contains(r.Do("INFO", "replication"), "master_link_status:up") })
	if _, err := a.Rejoin(t.Context(), a.known(), 0); err == nil || !strings.Contains(err.Error(), "is a replica") {
		t.Errorf("Rejoin() = %v; want that it is a replica", err)
	}
	r.Run("REPLICAOF NO ONE")
	a.changed()
	a.rejoin(0, "x 0<5→0")
}

// The process that was joined is made a replica and a master again while the node looks elsewhere: it knows the script still,
// and the dataset is the old one, or part of it. Whoever joins it first calls all others.
func TestThereAndBack(t *testing.T) {
	fast := redistest.Options{Config: []string{"repl-diskless-sync-delay 0"}}
	r, other := redistest.Start(t, fast), redistest.Start(t, fast)
	follow := func(replica, master *redistest.Server) {
		t.Helper()
		replica.Run("REPLICAOF 127.0.0.1 " + master.Port)
		eventually(t, "a replica has all", func() bool {
			return replica.Field("master_link_status") == "up" && replica.Field("slave_repl_offset") == master.Field("master_repl_offset")
		})
	}
	away := open(t, r.URL())
	away.want("x", 5, 1)
	follow(other, r)
	other.Run("REPLICAOF NO ONE")
	follow(r, other)
	r.Run("REPLICAOF NO ONE")
	first := open(t, r.URL())
	away.refused("x", server.ErrChanged)
	away.rejoin(0)
	away.want("x", 1, 6)
	first.want("x", 1, 7)
}

// A node that comes up just after a restart, or an alarm, gives the others their time.
func TestFreshNodeWaits(t *testing.T) {
	const grace = time.Hour
	r := redistest.Start(t, redistest.Options{Fsync: "always"})
	var waited []time.Duration
	recording := func(o *Options) {
		o.Grace = grace
		o.pause = func(_ context.Context, d time.Duration) error { waited = append(waited, d); return nil }
	}
	wantWaited := func(when string, want bool) {
		t.Helper()
		if got := len(waited) == 1 && waited[0] > grace/2; got != want || len(waited) > 1 {
			t.Errorf("%s: waited %v; want a wait: %v", when, waited, want)
		}
		waited = nil
	}
	a := open(t, r.URL(), recording)
	wantWaited("the first node of an empty Redis", false)
	open(t, r.URL(), recording)
	wantWaited("a second node of a Redis that has just started", true)
	a.want("x", 5, 1)
	r.Run("DEL turno:x")
	a.refused("x", server.ErrChanged)
	s := a.Store
	m, err := s.meet(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	if m.wait < grace/2 {
		t.Errorf("after an alarm a fresh node waits %s; want nearly %s", m.wait, grace)
	}
}

func TestWaitOfFreshNode(t *testing.T) {
	tests := []struct{ uptime, epoch, now, want string }{
		{"0", "e", "5000", "1s"},
		{"1", "e", "5000", "1s"}, // it may be nothing yet: Redis counts whole seconds
		{"2", "e", "5000", "0s"},
		{"3", "e", "5000", "-1s"},
		{"", "e", "5000", "1s"}, // it does not tell
		{"1000", "e@4900", "5000", "900ms"},
		{"1000", "e@4000", "5000", "0s"},
		{"1000", "e@4900#abc", "5000", "900ms"},
		{"1000", "e#4999", "5000", "-16m38s"},
		{"1000", "e@6000", "5000", "1s"}, // its clock went back
		{"0", "e@4000", "5000", "1s"},
	}
	for _, tt := range tests {
		f := factsOf(map[string]string{"uptime_in_seconds": tt.uptime}, nil)
		if got := f.wait(time.Second, tt.epoch, tt.now); got.String() != tt.want {
			t.Errorf("wait(1s, %s, %s) with uptime %q = %s; want %s", tt.epoch, tt.now, tt.uptime, got, tt.want)
		}
	}
}

// A Redis that changes once more while its nodes wait for each other is compared with again.
func TestChangedDuringGrace(t *testing.T) {
	r := redistest.Start(t, redistest.Options{Fsync: "always"})
	again := func() {}
	n := open(t, r.URL(), func(o *Options) {
		o.pause = func(context.Context, time.Duration) error { again(); return nil }
	})
	n.want("x", 5, 1)
	for name, change := range map[string]func(){
		"restarted":       func() { r.Restart() },
		"emptied":         func() { r.Run("FLUSHALL") },
		"scripts flushed": func() { r.Run("SCRIPT FLUSH") },
	} {
		r.Restart()
		n.changed()
		again = change
		if _, err := n.Rejoin(t.Context(), n.known(), 100); !errors.Is(err, server.ErrChanged) {
			t.Errorf("Rejoin() = %v of a Redis that was %s meanwhile; want ErrChanged", err, name)
		}
		n.refused("x", server.ErrChanged)
		again = func() {}
		if _, err := n.Rejoin(t.Context(), n.known(), 100); err != nil {
			t.Errorf("Rejoin() = %v after it was %s", err, name)
		}
		before := n.marks["x"]
		if first, _, err := n.take("x", 1); err != nil || first <= before {
			t.Errorf("Reserve(x) = %d, %v after it was %s; want above %d", first, err, name, before)
		}
	}
}

// Redis keeps every script that it was ever given, so a Rejoin that fails again and again gives it no new ones.
func TestRejoinLeavesNoScripts(t *testing.T) {
	r := redistest.Start(t, redistest.Options{})
	n := open(t, r.URL())
	n.want("x", 5, 1)
	r.Run("FLUSHALL")
	n.changed()
	r.Run("CONFIG SET maxmemory 1")
	scripts := func() string {
		_, rest, _ := strings.Cut(r.Do("INFO", "memory"), "number_of_cached_scripts:")
		count, _, _ := strings.Cut(rest, "\r")
		return count
	}
	var before string
	for i := range 10 {
		if back, err := n.Rejoin(t.Context(), n.known(), 0); !errors.Is(err, server.ErrUnavailable) {
			t.Fatalf("Rejoin() = %v, %v of a Redis without memory; want it unavailable", back, err)
		}
		if i == 0 {
			before = scripts()
		}
	}
	if after := scripts(); after != before {
		t.Errorf("Redis had %s scripts after the first attempt, and has %s", before, after)
	}
	r.Run("CONFIG SET maxmemory 0")
	n.rejoin(0, "x 0<5→0")
}

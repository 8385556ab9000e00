package redis

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/store/redistest"
)

// moves wants the node to leave its master for another.
func (n *node) moves() {
	n.t.Helper()
	eventually(n.t, "a node leaves its master", func() bool { return errors.Is(n.Check(n.t.Context()), server.ErrChanged) })
	n.refused("any", server.ErrChanged)
}

// A replica that has all is promoted: nothing is lost, and all go on where they were.
func TestFailover(t *testing.T) {
	t.Parallel()
	failovers := map[string]func(set *redistest.Sentinels){
		"SENTINEL FAILOVER": func(set *redistest.Sentinels) { set.Failover() },
		"kill -9":           func(set *redistest.Sentinels) { set.Redis[0].Kill(); set.NewMaster(set.Redis[0]) },
	}
	for name, failover := range failovers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set := redistest.StartSentinels(t, redistest.SentinelOptions{})
			a, b, idle := open(t, set.URL()), open(t, set.URL()), open(t, set.URL())
			a.want("x", 5, 1)
			b.want("x", 5, 6)
			set.InSync(set.Redis[0])
			failover(set)
			for i, n := range []*node{a, b, idle} {
				n.moves()
				n.rejoin(0)
				n.want("x", 1, uint64(11+i))
			}
		})
	}
}

// A replica that lacks numbers is promoted. Who had them stops the id, or jumps; the others wait for that.
func TestFailoverLosesNumbers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		jump   uint64
		found  string
		killed bool
	}{
		"stop":               {0, "x 5<10→0", false},
		"stop after kill":    {0, "x 5<10→0", true},
		"jump":               {100, "x 5<10→110", false},
		"jump, after a kill": {100, "x 5<10→110", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set := redistest.StartSentinels(t, redistest.SentinelOptions{})
			a, b := open(t, set.URL()), open(t, set.URL())
			a.want("x", 5, 1)
			set.InSync(set.Redis[0])
			set.CutOff(set.Redis[1])
			b.want("x", 5, 6)
			if tt.killed {
				set.Redis[0].Kill()
				set.NewMaster(set.Redis[0])
			} else {
				set.Failover()
			}
			if master := set.Master(); master != set.Redis[1] || master.Do("GET", "turno:x") != "5" {
				t.Fatalf("the master is at %s and has %s; want the one that was cut off, 5", master.Addr(), master.Do("GET", "turno:x"))
			}
			a.moves()
			b.moves()
			b.rejoin(tt.jump, tt.found)
			a.rejoin(tt.jump)
			for i, n := range []*node{a, b} {
				if tt.jump == 0 {
					n.refused("x", server.ErrStopped)
				} else {
					n.want("x", 1, uint64(111+i))
				}
			}
		})
	}
}

// The old master was paused through the failover. It takes itself for the master for seconds after it wakes, and does what
// it was sent before: nobody shall use it, and what it gave then is not handed out.
func TestOldMasterWakes(t *testing.T) {
	t.Parallel()
	set := redistest.StartSentinels(t, redistest.SentinelOptions{})
	old := set.Redis[0]
	n := open(t, set.URL(), func(o *Options) { o.patience = answerWithin })
	n.want("x", 5, 1)
	set.InSync(old)
	old.Pause()
	call := n.call(server.Claim{ID: "x", N: 3})
	if err := n.reserveWithin(soon, call); !errors.Is(err, errLate) {
		t.Errorf("Reserve() = %v of a paused master; want it to be late", err)
	}
	set.NewMaster(old)
	n.moves()
	old.Continue()
	eventually(t, "the old master has done what it was sent", func() bool { return old.Do("GET", "turno:x") != "5" || old.Field("role") == "slave" })
	n.rejoin(0)
	n.want("x", 1, 6)
	if addr := n.life.Load().addr; addr != set.Redis[1].Addr() {
		t.Errorf("the node is at %s; want the new master, %s", addr, set.Redis[1].Addr())
	}
}

// Split brain: the old master answers all the time, and a node has connections to it. It leaves as soon as a Sentinel knows
// better.
func TestOldMasterAnswers(t *testing.T) {
	t.Parallel()
	set := redistest.StartSentinels(t, redistest.SentinelOptions{})
	old := set.Redis[0]
	n := open(t, set.URL())
	n.want("x", 5, 1)
	set.InSync(old)
	old.Pause()
	set.NewMaster(old)
	old.Continue() // it is a master for some seconds more, and the node's connections to it stand
	n.moves()
	n.rejoin(0)
	n.want("x", 1, 6)
}

// Without a majority of the Sentinels nodes go on with the master that they know, over new connections, too; when it is gone
// they say that nothing was taken, and they believe nobody else.
func TestSentinelsLost(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]int{"a majority": 2, "all": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set := redistest.StartSentinels(t, redistest.SentinelOptions{})
			master := set.Redis[0]
			n := open(t, set.URL())
			n.want("x", 1, 1)
			for _, one := range set.All[:lost] {
				one.Kill()
			}
			n.same()
			n.want("x", 1, 2)
			master.Run("CLIENT KILL TYPE normal")
			n.same()
			eventually(t, "it has new connections", func() bool { _, _, err := n.take("y", 1); return err == nil })
			n.want("x", 1, 3)
			master.Kill()
			eventually(t, "nothing is taken", func() bool {
				_, _, err := n.take("x", 1)
				return errors.Is(err, server.ErrUnavailable)
			})
			if err := n.Check(t.Context()); err == nil || errors.Is(err, server.ErrChanged) {
				t.Errorf("Check() = %v; want that the store is not there", err)
			}
			master.Restart()
			n.changed()
			_, err := n.Rejoin(t.Context(), n.known(), 0)
			if lost == 3 && (!errors.Is(err, server.ErrUnavailable) || !strings.Contains(err.Error(), "no Sentinel")) {
				t.Errorf("Rejoin() = %v without a word of the Sentinels; want it to wait for that", err)
			}
			if lost == 2 && err != nil {
				t.Errorf("Rejoin() = %v; want what the last Sentinel says", err)
			}
		})
	}
}

// A node that comes up just after a promotion gives the others the time to say what they know.
func TestFreshNodeAfterPromotion(t *testing.T) {
	t.Parallel()
	set := redistest.StartSentinels(t, redistest.SentinelOptions{})
	waits := 0
	counting := func(o *Options) { o.pause = func(context.Context, time.Duration) error { waits++; return nil } }
	a := open(t, set.URL())
	a.want("x", 5, 1)
	set.InSync(set.Redis[0])
	set.CutOff(set.Redis[1])
	a.want("x", 5, 6)
	set.Failover()
	fresh := open(t, set.URL(), counting)
	if waits != 1 {
		t.Errorf("a node that joins a promoted replica waited %d times for others; want once", waits)
	}
	a.moves()
	a.rejoin(0, "x 5<10→0")
	fresh.refused("x", server.ErrStopped)
}

package redis

import (
	"errors"
	"strings"
	"testing"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/store/redistest"
)

// impatient has a node wait for replicas for half a second.
func impatient(o *Options) { o.patience = answerWithin }

// unacknowledged makes a call that the replicas don't acknowledge, and wants it left open.
func (n *node) unacknowledged(when string, call *server.Call) {
	n.t.Helper()
	err := n.Reserve(n.t.Context(), call)
	if err == nil || errors.Is(err, server.ErrUnavailable) || errors.Is(err, server.ErrChanged) || !strings.Contains(err.Error(), "have not got it") {
		n.t.Errorf("%s: Reserve() = %v; want that it is open: too few replicas have it", when, err)
	}
}

// A number that too few replicas have is not handed out, however often and over whatever connection it is asked for again;
// once they have it, it is.
func TestWait(t *testing.T) {
	t.Parallel()
	set := redistest.StartSentinels(t, redistest.SentinelOptions{DownAfter: redistest.Steady})
	n := open(t, set.URL()+"?wait=2", impatient)
	n.want("x", 5, 1)
	set.CutOff(set.Redis[1])
	call := n.call(server.Claim{ID: "x", N: 3})
	n.unacknowledged("a replica is cut off", call)
	n.unacknowledged("asked again", call)
	set.Redis[0].Run("CLIENT KILL TYPE normal")
	err := n.Reserve(t.Context(), call)
	if err == nil {
		t.Errorf("Reserve() works over a connection that was killed")
	}
	n.unacknowledged("over a new connection", call)
	if last := set.Redis[0].Do("GET", "turno:x"); last != "8" {
		t.Errorf("the counter is %s; want 8: the block is the same", last)
	}
	set.Reattach(set.Redis[1])
	wantBlocks(t, "all are in touch", call, n.Reserve(t.Context(), call), 6)
	n.received(call)
	n.want("x", 1, 9)
}

// One replica is enough where one is asked for.
func TestWaitForSome(t *testing.T) {
	t.Parallel()
	set := redistest.StartSentinels(t, redistest.SentinelOptions{DownAfter: redistest.Steady})
	n := open(t, set.URL()+"?wait=1", impatient)
	set.CutOff(set.Redis[1])
	n.want("x", 5, 1)
	set.CutOff(set.Redis[2])
	n.unacknowledged("both are cut off", n.call(server.Claim{ID: "x", N: 1}))
}

// What was not acknowledged was not handed out: a replica that lacks it takes nothing from anyone.
func TestWaitThenFailover(t *testing.T) {
	t.Parallel()
	set := redistest.StartSentinels(t, redistest.SentinelOptions{})
	n := open(t, set.URL()+"?wait=2", impatient)
	n.want("x", 5, 1)
	set.CutOff(set.Redis[1])
	n.unacknowledged("the first to be promoted is cut off", n.call(server.Claim{ID: "x", N: 3}))
	set.Redis[0].Kill()
	if next := set.NewMaster(set.Redis[0]); next.Do("GET", "turno:x") != "5" {
		t.Fatalf("the new master, at %s, has x = %s; want 5", next.Addr(), next.Do("GET", "turno:x"))
	}
	n.moves()
	n.rejoin(0)
	n.unacknowledged("two replicas are no longer there", n.call(server.Claim{ID: "x", N: 1}))
	m := open(t, set.URL()+"?wait=0")
	m.want("x", 1, 7)
}

// Claims that give nobody a number need no replica.
func TestWaitForNothing(t *testing.T) {
	r := redistest.Start(t, redistest.Options{})
	r.Run("SET turno:broken abc", "SET turno:full 9007199254740991")
	n := open(t, r.URL()+"?wait=1", impatient)
	broken := &server.BrokenError{}
	if _, _, err := n.take("broken", 1); !errors.As(err, &broken) {
		t.Errorf("Reserve(broken) = %v; want what is wrong with it", err)
	}
	n.refused("full", server.ErrExhausted)
	n.unacknowledged("there is no replica", n.call(server.Claim{ID: "x", N: 1}))
}

// Who may not WAIT is told so at the start.
func TestWaitForbidden(t *testing.T) {
	r := redistest.Start(t, redistest.Options{Config: []string{"user app on >pw ~turno:* +@all -wait"}})
	_, err := tryOpen(t, strings.Replace(r.URL(), "//", "//app:pw@", 1)+"?wait=1")
	if err == nil || !strings.Contains(err.Error(), "?wait=1") || !strings.Contains(err.Error(), "may not") {
		t.Errorf("Open() = %v; want that the user may not do it", err)
	}
}

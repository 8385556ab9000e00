package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/store/redistest"
	"github.com/turnomatico/tmctl/server/store/storetest"
)

// clusterNode is a handle on a cluster as a server has it: a batcher's for each part.
type clusterNode struct {
	*Cluster
	t     testing.TB
	nodes []*node
}

func openCluster(t testing.TB, url string, change ...func(*Options)) *clusterNode {
	t.Helper()
	n, err := tryOpenCluster(t, url, change...)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func clusterOptions(t testing.TB, url string) Options {
	t.Helper()
	o, err := Parse(url)
	if err != nil {
		t.Fatal(err)
	}
	o.patience = patienceOfTests
	o.pause = func(context.Context, time.Duration) error { return nil }
	o.chartLasts = 0
	return o
}

func tryOpenCluster(t testing.TB, url string, change ...func(*Options)) (*clusterNode, error) {
	t.Helper()
	o := clusterOptions(t, url)
	for _, f := range change {
		f(&o)
	}
	c, err := o.OpenCluster(t.Context(), server.Bounds{IDs: maxIDsOfTests}, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { c.Close() })
	n := &clusterNode{Cluster: c, t: t}
	for _, s := range c.parts {
		n.nodes = append(n.nodes, &node{Store: s, t: t, marks: map[string]uint64{}})
	}
	return n, nil
}

// at is the part that has an id.
func (n *clusterNode) at(id string) *node { return n.nodes[n.Part([]byte(id))] }

// ids are one of each partition.
func (n *clusterNode) ids(prefix string) []string {
	ids := make([]string, len(n.nodes))
	for i, missing := 0, len(ids); missing > 0; i++ {
		id := fmt.Sprint(prefix, i)
		if p := n.Part([]byte(id)); ids[p] == "" {
			ids[p] = id
			missing--
		}
	}
	return ids
}

// slot is where the counter of an id is.
func (n *clusterNode) slot(c *redistest.Cluster, id string) int { return c.Slot(n.at(id).prefix + id) }

// A partition is a store like any other.
func TestClusterStore(t *testing.T) {
	c := redistest.StartCluster(t, redistest.ClusterOptions{NoReplicas: true})
	storetest.Run(t, func(t *testing.T) storetest.Place {
		for _, m := range c.Masters {
			m.Run("FLUSHALL")
		}
		spoil := func(_ *testing.T, id string) {
			key := "turno:{0}:" + id
			c.Owner(c.Slot(key)).Run("SET " + key + " abc")
		}
		return storetest.Place{Lasts: true, Break: spoil, Open: func(t *testing.T) server.Store {
			o := clusterOptions(t, c.URL()+"?partitions=1")
			o.Grace = time.Millisecond
			s, err := o.OpenCluster(t.Context(), storetest.Bounds, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			return s.Parts()[0] // it closes all there is
		}}
	})
}

// Every master has partitions, every id one, the same for every node, and where its keys are Redis can tell.
func TestClusterSpread(t *testing.T) {
	c := redistest.StartCluster(t, redistest.ClusterOptions{NoReplicas: true})
	a, b := openCluster(t, c.URL()), openCluster(t, c.URL())
	for i, id := range a.ids("id-") {
		a.at(id).want(id, 3, 1)
		b.at(id).want(id, 2, 4)
		if own := c.Slot(id); i != own*DefaultPartitions/16384 {
			t.Errorf("%s, whose slot is %d, is in partition %d", id, own, i)
		}
		key := a.at(id).prefix + id
		if got := c.Owner(c.Slot(key)).Do("GET", key); got != "5" {
			t.Errorf("%s is %q; want 5", key, got)
		}
		if last, err := b.Peek(t.Context(), id); last != 5 || err != nil {
			t.Errorf("Peek(%s) = %d, %v; want 5", id, last, err)
		}
		a.at(id).same()
	}
	for _, m := range c.Masters {
		if epochs := strings.Count(m.Do("KEYS", "turno:*#epoch"), "#epoch"); epochs < 5 || epochs > 6 {
			t.Errorf("the master at %s has %d of 16 partitions; want a third", m.Addr(), epochs)
		}
	}
	info := a.Info()
	if info.IDs != DefaultPartitions || info.Bounds.IDs != maxIDsOfTests || info.Name != c.URL() {
		t.Errorf("Info() = %+v; want %d ids of at most %d in %s", info, DefaultPartitions, maxIDsOfTests, c.URL())
	}
	if err := a.Reserve(t.Context(), &server.Call{}); !errors.Is(err, server.ErrUnavailable) {
		t.Errorf("Reserve() of the whole = %v; want that nothing was taken", err)
	}
}

// A slot that was moved takes its partition along, and no other.
func TestClusterMoved(t *testing.T) {
	c := redistest.StartCluster(t, redistest.ClusterOptions{NoReplicas: true})
	a, b := openCluster(t, c.URL()), openCluster(t, c.URL())
	ids := a.ids("id-")
	moves, stays := ids[0], ids[1]
	for _, id := range ids[:2] {
		a.at(id).want(id, 5, 1)
		b.at(id).want(id, 5, 6)
	}
	slot := a.slot(c, moves)
	to := c.Masters[0]
	if c.Owner(slot) == to {
		to = c.Masters[1]
	}
	c.Move(slot, to)
	for _, n := range []*clusterNode{a, b} {
		n.at(moves).changed()
		n.at(stays).same()
		n.at(moves).rejoin(0)
	}
	a.at(moves).want(moves, 1, 11)
	b.at(moves).want(moves, 1, 12)
	a.at(stays).want(stays, 1, 11)
	c.Move(slot, c.Masters[2]) // and once more, an idle node notices
	if err := a.at(moves).Check(t.Context()); !errors.Is(err, server.ErrChanged) {
		t.Errorf("Check() = %v after the slot has moved; want ErrChanged", err)
	}
	a.at(moves).rejoin(0)
	a.at(moves).want(moves, 1, 13)
}

// While a slot moves nothing of it is taken, however far it is. When it has arrived, or stays after all, it goes on.
func TestClusterMoving(t *testing.T) {
	c := redistest.StartCluster(t, redistest.ClusterOptions{NoReplicas: true})
	url := c.URL() + "?partitions=1"
	ids := []string{"a", "b", "c"}
	n := openCluster(t, url)
	p := n.nodes[0]
	p.want("a", 1, 1)
	p.want("b", 1, 1)
	p.want("c", 1, 1)
	fresh := []*node{} // that have not noticed anything; each has a record of a call, which moves, too
	for range 4 {
		f := openCluster(t, url).nodes[0]
		for _, id := range ids {
			f.take(id, 1)
		}
		fresh = append(fresh, f)
	}
	slot := n.slot(c, "a")
	to := c.Masters[0]
	if c.Owner(slot) == to {
		to = c.Masters[1]
	}
	from := c.BeginMove(slot, to)
	stages := 0
	for ; len(fresh) > 0; stages++ {
		f := fresh[0]
		fresh = fresh[1:]
		id := []string{"new", "a", "b", "c"}[stages]
		if err := f.Reserve(t.Context(), f.call(server.Claim{ID: id, N: 1})); !errors.Is(err, server.ErrChanged) || stages > 0 && !strings.Contains(err.Error(), "on its way") {
			t.Errorf("Reserve(%s) = %v after %d of the slot's keys moved; want that it is on its way", id, err, 2*stages)
		}
		if _, err := p.Rejoin(t.Context(), p.known(), 0); err == nil {
			t.Errorf("Rejoin() works after %d of the slot's keys moved", 2*stages)
		}
		if c.MoveKeys(slot, from, to, 2) == 0 {
			t.Fatalf("all keys have moved in %d steps; want more", stages)
		}
	}
	for c.MoveKeys(slot, from, to, 10) > 0 {
	}
	c.EndMove(slot, from, to)
	p.rejoin(0)
	for _, id := range ids {
		p.want(id, 1, 6)
	}
	p.want("new", 1, 1)

	c.BeginMove(slot, from)
	p.refused("newer", server.ErrChanged)
	to.Run(fmt.Sprintf("CLUSTER SETSLOT %d STABLE", slot)) // nothing has moved
	p.rejoin(0)
	p.want("newer", 1, 1)
	p.want("a", 1, 7)
}

// A replica that is promoted is another process. What had reached it goes on; what had not is stopped or jumped over.
func TestClusterFailover(t *testing.T) {
	tests := []struct {
		name string
		lags bool
		jump uint64
		want string // what went back, of a node that knows of 15
		next uint64
	}{
		{name: "caught up", next: 16},
		{name: "lagging, stop", lags: true, want: "10<15→0"},
		{name: "lagging, jump", lags: true, jump: 1000, want: "10<15→1015", next: 1016},
	}
	c := redistest.StartCluster(t, redistest.ClusterOptions{Options: redistest.Options{Fsync: "always"}})
	for i, tt := range tests { // each with a shard of its own
		t.Run(tt.name, func(t *testing.T) {
			master := c.Masters[i]
			a, b := openCluster(t, c.URL()), openCluster(t, c.URL())
			id, other := "", ""
			for _, one := range a.ids(fmt.Sprint(i, "-")) {
				switch owner := c.Owner(a.slot(c, one)); {
				case owner == master:
					id = one
				default:
					other = one
				}
			}
			a.at(id).want(id, 5, 1)
			b.at(id).want(id, 5, 6)
			a.at(other).take(other, 1)
			c.CaughtUp(i)
			if tt.lags {
				c.Detach(i)
			}
			a.at(id).want(id, 5, 11)
			if !tt.lags {
				c.CaughtUp(i)
			}
			master.Kill()
			c.Replicas[i].Continue()
			c.Promote(i)
			a.at(id).changed()
			b.at(id).changed()
			if _, _, err := a.at(other).take(other, 1); err != nil {
				t.Errorf("Reserve() of an id of another shard = %v", err)
			}
			if tt.want != "" {
				a.at(id).rejoin(tt.jump, id+" "+tt.want)
			} else {
				a.at(id).rejoin(tt.jump)
			}
			b.at(id).rejoin(tt.jump)
			if tt.next == 0 {
				b.at(id).refused(id, server.ErrStopped)
				return
			}
			b.at(id).want(id, 1, tt.next)
			a.at(id).want(id, 1, tt.next+1)
		})
	}
}

// A shard that is gone takes its ids along, and no others. Nodes start without it, and go on with it when it is back.
func TestClusterShardLost(t *testing.T) {
	c := redistest.StartCluster(t, redistest.ClusterOptions{NoReplicas: true, Options: redistest.Options{Fsync: "always"}})
	a := openCluster(t, c.URL())
	lost := c.Owner(c.Slot("turno:{0}:")) // the one that decides how many partitions there are
	var gone, there []string
	for _, id := range a.ids("id-") {
		a.at(id).want(id, 5, 1)
		if c.Owner(a.slot(c, id)) == lost {
			gone = append(gone, id)
		} else {
			there = append(there, id)
		}
	}
	lost.Kill()
	for _, id := range gone {
		a.at(id).take(id, 1) // over a connection that has died
		a.at(id).refused(id, server.ErrUnavailable)
	}
	for _, id := range there {
		a.at(id).want(id, 1, 6)
	}
	b := openCluster(t, c.URL())
	for _, id := range gone {
		b.at(id).refused(id, server.ErrChanged)
	}
	for _, id := range there {
		b.at(id).want(id, 1, 7)
	}
	if _, err := tryOpenCluster(t, c.URL()+"?partitions=32"); err == nil || !strings.Contains(err.Error(), "in 16 partitions, not in 32") {
		t.Errorf("Open(32 partitions) = %v while a shard is gone; want that there are 16", err)
	}
	lost.Restart()
	c.Settled()
	for _, id := range gone {
		a.at(id).changed()
		a.at(id).rejoin(0)
		b.at(id).rejoin(0)
		if first, _, err := b.at(id).take(id, 1); err != nil || first < 6 {
			t.Errorf("Reserve(%s) = %d, %v when its shard is back; want 6 or more", id, first, err)
		}
	}
}

func TestClusterPartitions(t *testing.T) {
	c := redistest.StartCluster(t, redistest.ClusterOptions{NoReplicas: true})
	if n := len(openCluster(t, c.URL()+"?partitions=4").parts); n != 4 {
		t.Errorf("the first node has %d partitions; want the 4 that it asked for", n)
	}
	for _, other := range []int{1, 2, 16, 64} {
		_, err := tryOpenCluster(t, fmt.Sprintf("%s?partitions=%d", c.URL(), other))
		if want := fmt.Sprintf("in 4 partitions, not in %d", other); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Open(%d partitions) = %v; want that the counters are %s", other, err, want)
		}
	}
	for _, url := range []string{c.URL(), c.URL() + "?partitions=4"} {
		if n := len(openCluster(t, url).parts); n != 4 {
			t.Errorf("a node that asked for %s has %d partitions; want 4", url, n)
		}
	}
	for _, m := range c.Masters { // a shard that was emptied has no say
		m.Run("FLUSHALL")
		if n := len(openCluster(t, c.URL()).parts); n != 4 {
			t.Errorf("with one shard emptied a node has %d partitions; want 4", n)
		}
	}
	c.Owner(c.Slot("turno:{0}:")).Run("SET turno:{0}:#partitions 8")
	if _, err := tryOpenCluster(t, c.URL()); err == nil || !strings.Contains(err.Error(), "disagree") {
		t.Errorf("Open() = %v with records that disagree; want that they do", err)
	}
	if n := len(openCluster(t, c.URL()+"?prefix=other:").parts); n != DefaultPartitions {
		t.Errorf("with another prefix there are %d partitions; want %d", n, DefaultPartitions)
	}
}

func TestClusterWrongPlace(t *testing.T) {
	alone := redistest.Start(t, redistest.Options{})
	c := redistest.StartCluster(t, redistest.ClusterOptions{NoReplicas: true, Options: redistest.Options{Password: "canary"}})
	tests := []struct{ name, url, want string }{
		{"a Redis alone", "redis+cluster://" + alone.Addr(), "no part of a cluster"},
		{"nobody there", "redis+cluster://127.0.0.1:1,127.0.0.1:2", "connection refused"},
		{"no password", c.URL(), "NOAUTH"},
		{"a wrong password", strings.Replace(c.URL(), "//", "//:wrong-canary@", 1), "WRONGPASS"},
	}
	for _, tt := range tests {
		_, err := tryOpenCluster(t, tt.url)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: Open() = %v; want %s", tt.name, err, tt.want)
		}
	}
	_, err := tryOpen(t, "redis://:canary@"+c.Masters[0].Addr())
	if err == nil || !strings.Contains(err.Error(), "part of a cluster") || strings.Contains(err.Error(), "canary") {
		t.Errorf("Open(redis:// of a cluster's node) = %v; want that it is one", err)
	}
}

func TestClusterWaysIn(t *testing.T) {
	with := func(userinfo string) func(*redistest.Cluster) string {
		return func(c *redistest.Cluster) string { return strings.Replace(c.URL(), "//", "//"+userinfo+"@", 1) }
	}
	tests := []struct {
		name    string
		options redistest.Options
		url     func(*redistest.Cluster) string
	}{
		{"a password", redistest.Options{Password: "canary"}, with(":canary")},
		{"TLS with a client's certificate", redistest.Options{TLS: true, ClientCerts: true}, func(c *redistest.Cluster) string {
			certs := c.Masters[0].Certs
			return c.URL() + "&cert=" + url.QueryEscape(certs.Client) + "&key=" + url.QueryEscape(certs.ClientKey)
		}},
		{"a user with no more rights than needed", redistest.Options{Config: []string{"user app on >canary ~turno:* " + rightsOfNodes + " +cluster|slots"}}, with("app:canary")},
		{"one host of three, and a prefix", redistest.Options{}, func(c *redistest.Cluster) string {
			first, _, _ := strings.Cut(c.URL(), ",")
			return first + "?prefix=a%25*[x]':"
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := redistest.StartCluster(t, redistest.ClusterOptions{NoReplicas: true, Options: tt.options})
			at := tt.url(c)
			a, b := openCluster(t, at), openCluster(t, at)
			for _, id := range a.ids("id-") {
				a.at(id).want(id, 3, 1)
				b.at(id).want(id, 2, 4)
				b.at(id).same()
			}
			if strings.Contains(fmt.Sprintf("%+v", b.Info()), "canary") {
				t.Errorf("Info() = %+v holds the password", b.Info())
			}
		})
	}
}

// What an operator asks of a cluster is of all partitions; what masters say alike is said once.
func TestClusterOperate(t *testing.T) {
	c := redistest.StartCluster(t, redistest.ClusterOptions{NoReplicas: true, Options: redistest.Options{Fsync: "always"}})
	n := openCluster(t, c.URL())
	v, err := clusterOptions(t, c.URL()).VisitCluster(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	want := map[string]uint64{}
	for _, id := range n.ids("id-") {
		n.at(id).want(id, 3, 1)
		if was, err := v.Set(t.Context(), id, 10, false); was != 3 || err != nil {
			t.Errorf("Set(%s, 10) = %d, %v; want 3", id, was, err)
		}
		n.at(id).want(id, 1, 11)
		want[id] = 11
	}
	list := func() (map[string]uint64, error) {
		got := map[string]uint64{}
		return got, v.List(t.Context(), func(id string, last uint64) error { got[id] = last; return nil })
	}
	if got, err := list(); !maps.Equal(got, want) || err != nil {
		t.Errorf("List() = %v, %v; want %v", got, err, want)
	}
	broken := v.of("id-0").prefix + "id-0"
	c.Owner(c.Slot(broken)).Run("SET " + broken + " abc")
	delete(want, "id-0")
	if got, err := list(); !maps.Equal(got, want) || err == nil || !strings.Contains(err.Error(), broken) {
		t.Errorf("List() = %v, %v; want %v, and that %s is broken", got, err, want, broken)
	}
	c.Masters[1].Run("CONFIG SET maxmemory-policy allkeys-lru", "CONFIG SET cluster-require-full-coverage yes")
	wantFindings(t, v, c.Masters[1].Addr(), map[string]string{
		"cluster": "ok: 3 masters of redis+cluster://", "partitions": "ok: 16: 127.0.0.1:", "permissions": "ok: all that is needed",
		"persistence": "ok: nothing lost", "replicas": "warn: no replica: if this master", "counters": "ok: 16 ids in 16 partitions",
		"eviction": "fail: ADDR: allkeys-lru", "coverage": "warn: ADDR: cluster-require-full-coverage yes",
	})
	if w := strings.Join(n.Info().Warnings, "\n"); !strings.Contains(w, "no replica: if this master is lost") || strings.Count(w, "\n") > 0 {
		t.Errorf("the node warns %q; want of missing replicas, once", w)
	}
	c.Masters[1].Kill()
	wantFindings(t, v, "", map[string]string{"reachable": "fail: the store could not be reached: dial tcp " + c.Masters[1].Addr()})
}

// wantFindings wants each named finding once, with a level and a beginning, but for those that are OK of the other masters.
func wantFindings(t *testing.T, c *Cluster, addr string, want map[string]string) {
	t.Helper()
	found := c.Examine(t.Context())
	for name, text := range want {
		text = strings.ReplaceAll(text, "ADDR", addr)
		if !slices.ContainsFunc(found, func(f server.Finding) bool {
			return f.Name == name && strings.HasPrefix(string(f.Level)+": "+f.Says, text)
		}) {
			t.Errorf("Examine() does not say %s: %s", name, text)
		}
	}
	if t.Failed() {
		for _, f := range found {
			t.Logf("%s %s: %s → %s", f.Level, f.Name, f.Says, f.Hint)
		}
	}
}

// A master that finds itself cut off may never serve again: each attempt is over a new connection, to whoever does by then.
func TestClusterDown(t *testing.T) {
	c := redistest.StartCluster(t, redistest.ClusterOptions{NoReplicas: true})
	n := openCluster(t, c.URL())
	id := ""
	for _, one := range n.ids("id-") {
		if c.Owner(n.slot(c, one)) == c.Masters[0] {
			id = one
		}
	}
	n.at(id).want(id, 1, 1)
	c.Masters[1].Kill()
	c.Masters[2].Kill()
	c.Masters[0].Run("CONFIG SET cluster-node-timeout 500")
	eventually(t, "the master finds itself cut off", func() bool {
		return strings.Contains(c.Masters[0].Do("CLUSTER", "INFO"), "cluster_state:fail")
	})
	desk := n.at(id).client.desk
	n.at(id).refused(id, server.ErrUnavailable)
	for range 3 {
		if _, err := n.Peek(t.Context(), id); !errors.Is(err, server.ErrUnavailable) || !strings.Contains(err.Error(), "cluster is down") {
			t.Errorf("Peek(%s) = %v; want that the cluster is down", id, err)
		}
		if !desk.old.Load() {
			t.Error("the next attempt goes over the connection of this one")
		}
	}
}

// With ?wait=1 a shard whose replica does not acknowledge hands out nothing, and the others go on.
func TestClusterWait(t *testing.T) {
	c := redistest.StartCluster(t, redistest.ClusterOptions{})
	n, hasty := openCluster(t, c.URL()+"?wait=1"), openCluster(t, c.URL()+"?wait=1", impatient)
	ids := n.ids("id-")
	for _, id := range ids {
		n.at(id).want(id, 3, 1)
	}
	c.Detach(0)
	for _, id := range ids {
		if c.Owner(n.slot(c, id)) == c.Masters[0] {
			hasty.at(id).unacknowledged("its replica is cut off", hasty.at(id).call(server.Claim{ID: id, N: 1}))
		} else {
			n.at(id).want(id, 1, 4)
		}
	}
	c.Replicas[0].Continue()
	if p := n.Info().Promise; !strings.Contains(p, "?wait=1") {
		t.Errorf("the promise is %q; want what ?wait=1 adds", p)
	}
}

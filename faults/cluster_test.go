//go:build linux

package faults

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/turnomatico/tmctl/server/api"
	"github.com/turnomatico/tmctl/server/store/redistest"
)

// cluster is a Redis Cluster of the row's own: three masters, and a replica of each.
var cluster = &store{
	name: "redis cluster", nodes: []int{1, 3},
	open: func(s *scene) {
		s.place()
		s.cluster = redistest.StartCluster(s.T, redistest.ClusterOptions{Options: redistest.Options{Dir: s.dir, Password: secret, Fsync: "everysec"}})
	},
	url: func(s *scene, _ int) string {
		return strings.Replace(s.cluster.URL(), "//", "//"+url.UserPassword("", secret).String()+"@", 1)
	},
}

var clusterFaults = []*fault{
	{
		name: "cluster failover", does: "kill -9 of the master that has the id; the cluster promotes its replica; `--on-rollback jump`", stores: []*store{cluster},
		args: []string{"--on-rollback", "jump"}, want: want{lossy: true}, play: failOver,
	},
	{
		name: "cluster master paused", does: "SIGSTOP of the master that has the id until the cluster has promoted its replica, then SIGCONT; `--on-rollback jump`",
		stores: []*store{cluster}, args: []string{"--on-rollback", "jump"}, want: want{lossy: true}, play: pauseShard,
	},
	{
		name: "slot moved", does: "the id's slot moves to another master (SETSLOT, MIGRATE of one key at a time), and back", stores: []*store{cluster},
		want: want{known: true, also: "the requests of that slot wait, and the fence rests"}, play: moveSlot, after: noRollback,
	},
	{
		name: "shard lost", does: "kill -9 of one master of three and of its replica, for good", stores: []*store{cluster}, args: hasty, plan: plan{ids: 32},
		want: want{also: "its ids are refused, 503 `store_unavailable`, and those of the other masters go on"}, play: loseShard,
	},
}

// counterKeys are the keys of the counters whose ids match a glob, on every master that runs.
func (s *scene) counterKeys(ids string) (keys []string) {
	s.Helper()
	for slot := range 3 { // each of the masters has a third
		owner := s.cluster.Owner(slot * 16384 / 3)
		if owner == nil {
			continue
		}
		if found := owner.Do("KEYS", "turno:{*}:"+ids); found != "" {
			keys = append(keys, strings.Split(found, "\n")...)
		}
	}
	return keys
}

// clusterKey is where the load's id has its counter.
func (s *scene) clusterKey() string {
	s.Helper()
	keys := s.counterKeys("load-*")
	if len(keys) != 1 {
		s.Fatalf("the cluster has the counters %q; want the load's", keys)
	}
	return keys[0]
}

// idOfKey is the id of a counter's key.
func idOfKey(key string) string { return key[strings.LastIndex(key, ":")+1:] }

// masterOf is which of the masters that the cluster began with has a key.
func (s *scene) masterOf(key string) int {
	s.Helper()
	i := slices.Index(s.cluster.Masters, s.cluster.Owner(s.cluster.Slot(key)))
	if i < 0 {
		s.Fatalf("%s is of none of the first masters", key)
	}
	return i
}

// failOver kills the master.
func failOver(s *scene) {
	master, promoted := s.watched()
	master.Kill()
	s.until("the replica is promoted", promoted)
	s.goesOn()
}

// pauseShard lets the old master go on when it was replaced: until it is told so it takes itself for the master.
func pauseShard(s *scene) {
	master, promoted := s.watched()
	master.Pause()
	s.until("the replica is promoted", promoted)
	master.Continue()
	s.goesOn()
}

// watched is the master that has the load's id, in a cluster that notices by itself when it is silent.
func (s *scene) watched() (master *redistest.Server, promoted func() bool) {
	s.Helper()
	i := s.masterOf(s.clusterKey())
	for _, r := range slices.Concat(s.cluster.Masters, s.cluster.Replicas) {
		r.Run("CONFIG SET cluster-node-timeout 2000")
	}
	return s.cluster.Masters[i], func() bool { return strings.Contains(s.cluster.Replicas[i].Do("INFO", "replication"), "role:master") }
}

// failBehind promotes a replica that lacks what each node was given last.
func failBehind(s *scene) {
	key := s.clusterKey()
	i := s.masterOf(key)
	s.cluster.Detach(i)
	s.goesOn()
	s.cluster.Masters[i].Kill()
	s.cluster.Replicas[i].Continue()
	s.cluster.Promote(i)
	s.until("every node has compared what it knows of the id", func() bool {
		return !slices.ContainsFunc(s.nodes, func(n *node) bool { return !s.mutated() && !n.comparedAgain(key) })
	})
}

// mutated reports whether the nodes are none that compare.
func (s *scene) mutated() bool { return s.mutant != nil }

// comparedAgain reports whether the node says that it compared its marks with the partition of a key.
func (n *node) comparedAgain(key string) bool {
	_, tag, _ := strings.Cut(key, "{")
	tag, _, _ = strings.Cut(tag, "}")
	for line := range strings.Lines(n.log()) {
		if strings.Contains(line, "redis is not what it was") && strings.Contains(line, "partition {"+tag+"}") {
			return true
		}
	}
	return false
}

// moveSlot moves the slot of the load's id there and back.
func moveSlot(s *scene) {
	key := s.clusterKey()
	slot, i := s.cluster.Slot(key), s.masterOf(key)
	home, away := s.cluster.Masters[i], s.cluster.Masters[(i+1)%3]
	for _, to := range []*redistest.Server{away, home} {
		from := s.cluster.BeginMove(slot, to)
		for s.cluster.MoveKeys(slot, from, to, 1) > 0 {
		}
		s.cluster.EndMove(slot, from, to)
		s.goesOn()
	}
}

// loseShard takes a shard, but for the one that has the id which is asked afterwards. The load's ids are its own to ask.
func loseShard(s *scene) {
	for _, id := range []string{"afterwards", "a", "b", "c", "d", "e", "f", "g", "h"} {
		if a, err := s.nodes[0].ask(id); err != nil || a.status != http.StatusOK {
			s.Fatalf("a request = %+v, %v; want a number", a, err)
		}
	}
	lost := (s.masterOf(s.counterKeys("afterwards")[0]) + 1) % 3
	gone, there := "", ""
	for _, key := range s.counterKeys("?") {
		if s.masterOf(key) == lost {
			gone = idOfKey(key)
		} else {
			there = idOfKey(key)
		}
	}
	if gone == "" || there == "" {
		s.Fatalf("one master has all ids of %q, or none", s.counterKeys("?"))
	}
	s.cluster.Masters[lost].Kill()
	s.cluster.Replicas[lost].Kill()
	for _, n := range s.nodes {
		if a, err := n.ask(there); err != nil || a.status != http.StatusOK {
			s.Errorf("%s: a request for an id of another shard = %+v, %v; want a number", n.name, a, err)
		}
		s.until(n.name+" refuses what is gone, with nothing consumed", func() bool {
			a, err := n.ask(gone)
			return err == nil && a.status == http.StatusServiceUnavailable && a.consumed == api.ConsumedNo && strings.Contains(a.body, string(api.StoreUnavailable))
		})
	}
	s.goesOn()
}

package redistest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// slots is how many a cluster has.
const slots = 16384

// Cluster is a Redis Cluster, whose processes end with their test. It loses a shard without refusing for the others.
type Cluster struct {
	Masters  []*Server // as they were at first, each with as many slots in a row
	Replicas []*Server // of the master with the same index; nil without

	t testing.TB
}

// ClusterOptions say how a cluster is set up.
type ClusterOptions struct {
	Options         // of each node; it has a directory of its own in Dir
	Masters     int // 0: 3
	NoReplicas  bool
	NodeTimeout time.Duration // after which a node that is silent is failed over; 0: so long that a busy machine is not taken for that
}

// StartCluster starts a cluster and returns when all of it agrees that it is in order.
func StartCluster(t testing.TB, o ClusterOptions) *Cluster {
	t.Helper()
	need(t)
	if o.Masters == 0 {
		o.Masters = 3
	}
	if o.NodeTimeout == 0 {
		o.NodeTimeout = time.Minute
	}
	if o.TLS {
		certs := makeCerts(t, shortDir(t))
		o.certs = &certs
	}
	o.cluster = true
	o.Config = append([]string{"cluster-node-timeout " + strconv.FormatInt(o.NodeTimeout.Milliseconds(), 10)}, o.Config...)
	c := &Cluster{t: t}
	for range o.Masters {
		c.Masters = append(c.Masters, c.node(o.Options))
		if !o.NoReplicas {
			c.Replicas = append(c.Replicas, c.node(o.Options))
		}
	}
	c.create(o.NodeTimeout.Milliseconds())
	return c
}

func (c *Cluster) node(o Options) *Server {
	c.t.Helper()
	if o.Dir != "" {
		dir, err := os.MkdirTemp(o.Dir, "node")
		if err != nil {
			c.t.Fatal(err)
		}
		o.Dir = dir
	}
	return Start(c.t, o)
}

// clusterConfig is what a node's redis.conf has besides.
func (s *Server) clusterConfig() []string {
	lines := []string{
		"cluster-enabled yes", "cluster-config-file " + filepath.Join(s.dir, "nodes.conf"), "cluster-port " + s.bus,
		"cluster-require-full-coverage no", "repl-diskless-sync-delay 0",
	}
	if s.options.TLS {
		lines = append(lines, "tls-cluster yes", "tls-replication yes")
	}
	if s.options.Password != "" {
		lines = append(lines, fmt.Sprintf("masterauth %q", s.options.Password))
	}
	return lines
}

// create makes the nodes one cluster, as redis-cli --cluster create does. With the node timeout grows how seldom they talk,
// and how long they wait before they serve: until all is in place it is short, and nothing is failed over.
func (c *Cluster) create(nodeTimeout int64) {
	c.t.Helper()
	n := len(c.Masters)
	for _, s := range c.nodes() {
		s.Run("CONFIG SET cluster-node-timeout 500", "CONFIG SET cluster-replica-no-failover yes")
	}
	for i, m := range c.Masters {
		m.Run(fmt.Sprintf("CLUSTER ADDSLOTSRANGE %d %d", i*slots/n, (i+1)*slots/n-1))
	}
	for i, s := range c.nodes() {
		s.Run("CLUSTER SET-CONFIG-EPOCH " + strconv.Itoa(i+1))
		for _, other := range c.nodes()[:i] { // each with each: word of mouth takes seconds
			s.Run("CLUSTER MEET " + other.Host + " " + other.Port + " " + other.bus)
		}
	}
	all := strconv.Itoa(len(c.nodes()))
	c.everyone("knows all nodes", func(s *Server) bool {
		return strings.Contains(s.Do("CLUSTER", "INFO"), "cluster_known_nodes:"+all+"\r") && !strings.Contains(s.Do("CLUSTER", "NODES"), "handshake")
	})
	c.everyone("finds the cluster in order", inOrder)
	for i, r := range c.Replicas {
		r.Run("CLUSTER REPLICATE " + c.Masters[i].ID())
	}
	c.Settled()
	for _, s := range c.nodes() {
		s.Run(fmt.Sprintf("CONFIG SET cluster-node-timeout %d", nodeTimeout), "CONFIG SET cluster-replica-no-failover no")
	}
	c.Settled()
}

// Settled waits until every node that runs finds the cluster in order, knows of every replica, and these are in touch.
func (c *Cluster) Settled() {
	c.t.Helper()
	c.everyone("finds the cluster in order", func(s *Server) bool {
		role := s.Do("INFO", "replication")
		return inOrder(s) && (strings.Contains(role, "role:master") || strings.Contains(role, "master_link_status:up"))
	})
	c.everyone("knows the replicas", func(s *Server) bool {
		replicas := 0
		for _, node := range parseNodes(s.Do("CLUSTER", "NODES")) {
			if node.replica {
				replicas++
			}
		}
		want := 0
		for _, s := range c.nodes() {
			if s.runs() && strings.Contains(s.Do("INFO", "replication"), "role:slave") {
				want++
			}
		}
		return replicas >= want
	})
}

func inOrder(s *Server) bool { return strings.Contains(s.Do("CLUSTER", "INFO"), "cluster_state:ok") }

// everyone waits until something holds of all nodes that run.
func (c *Cluster) everyone(what string, holds func(*Server) bool) {
	c.t.Helper()
	for _, s := range c.nodes() {
		for deadline := time.Now().Add(readyWithin); s.runs() && !holds(s); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				c.t.Fatalf("the node at %s %s: not within %s:\n%s", s.Addr(), what, readyWithin, s.Do("CLUSTER", "NODES"))
			}
		}
	}
}

func (c *Cluster) nodes() []*Server { return slices.Concat(c.Masters, c.Replicas) }

// runs reports whether the process is there.
func (s *Server) runs() bool {
	s.mu.Lock()
	p := s.run
	s.mu.Unlock()
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// ID is a node's name in its cluster.
func (s *Server) ID() string {
	s.t.Helper()
	return s.Do("CLUSTER", "MYID")
}

// URL is how a store is told of the cluster: by the first of its nodes that run, without a password.
func (c *Cluster) URL() string {
	var hosts []string
	for _, s := range c.nodes() {
		if s.runs() && len(hosts) < 3 {
			hosts = append(hosts, s.Addr())
		}
	}
	scheme, query := "redis+cluster://", ""
	if first := c.Masters[0]; first.options.TLS {
		_, query, _ = strings.Cut(first.URL(), "?")
		scheme, query = "rediss+cluster://", "?"+query
	}
	return scheme + strings.Join(hosts, ",") + query
}

// Slot is the slot of a key.
func (c *Cluster) Slot(key string) int {
	c.t.Helper()
	slot, err := strconv.Atoi(c.anyone().Do("CLUSTER", "KEYSLOT", key))
	if err != nil {
		c.t.Fatal(err)
	}
	return slot
}

func (c *Cluster) anyone() *Server {
	c.t.Helper()
	for _, s := range c.nodes() {
		if s.runs() {
			return s
		}
	}
	c.t.Fatal("no node of the cluster runs")
	return nil
}

// Owner is who serves a slot, as he says himself; nil: nobody.
func (c *Cluster) Owner(slot int) *Server {
	c.t.Helper()
	for _, s := range c.nodes() {
		if !s.runs() {
			continue
		}
		for _, node := range parseNodes(s.Do("CLUSTER", "NODES")) {
			if node.myself && node.has(slot) {
				return s
			}
		}
	}
	return nil
}

// BeginMove has a slot on its way from its owner to another master: what its owner does not have is the other's.
func (c *Cluster) BeginMove(slot int, to *Server) (from *Server) {
	c.t.Helper()
	if from = c.Owner(slot); from == nil || from == to {
		c.t.Fatalf("slot %d can't move to %s: it is %v's", slot, to.Addr(), from)
	}
	to.Run(fmt.Sprintf("CLUSTER SETSLOT %d IMPORTING %s", slot, from.ID()))
	from.Run(fmt.Sprintf("CLUSTER SETSLOT %d MIGRATING %s", slot, to.ID()))
	return from
}

// MoveKeys moves up to n keys of a slot that is on its way, and says how many it moved.
func (c *Cluster) MoveKeys(slot int, from, to *Server, n int) int {
	c.t.Helper()
	keys := from.Do("CLUSTER", "GETKEYSINSLOT", strconv.Itoa(slot), strconv.Itoa(n))
	if keys == "" {
		return 0
	}
	args := []string{"MIGRATE", to.Host, to.Port, "", "0", "5000"}
	if password := from.options.Password; password != "" {
		args = append(args, "AUTH", password)
	}
	list := strings.Split(keys, "\n")
	if answer := from.Do(append(append(args, "KEYS"), list...)...); answer != "OK" && answer != "NOKEY" {
		c.t.Fatalf("MIGRATE of slot %d: %s", slot, answer)
	}
	return len(list)
}

// EndMove makes a slot, all of whose keys have moved, the other's.
func (c *Cluster) EndMove(slot int, from, to *Server) {
	c.t.Helper()
	id := to.ID()
	for _, s := range append([]*Server{to, from}, c.Masters...) {
		if s.runs() && strings.Contains(s.Do("INFO", "replication"), "role:master") {
			s.Run(fmt.Sprintf("CLUSTER SETSLOT %d NODE %s", slot, id))
		}
	}
}

// Move moves a slot with all its keys, as redis-cli --cluster reshard does.
func (c *Cluster) Move(slot int, to *Server) {
	c.t.Helper()
	from := c.BeginMove(slot, to)
	for c.MoveKeys(slot, from, to, 10) > 0 {
	}
	c.EndMove(slot, from, to)
}

// Detach has a replica get nothing any more of what its master is told, until it is continued (Server.Continue).
func (c *Cluster) Detach(i int) {
	c.t.Helper()
	c.Replicas[i].Pause()
	c.Masters[i].Run("CLIENT KILL TYPE replica")
}

// CaughtUp waits until a replica has all that its master has been told until now. WAIT would not do: it tells of what came
// over its own connection.
func (c *Cluster) CaughtUp(i int) {
	c.t.Helper()
	offset := func(s *Server, field string) int {
		n, err := strconv.Atoi(s.Field(field))
		if err != nil {
			c.t.Fatalf("the node at %s says no %s: %v", s.Addr(), field, err)
		}
		return n
	}
	told := offset(c.Masters[i], "master_repl_offset")
	for deadline := time.Now().Add(readyWithin); offset(c.Replicas[i], "slave_repl_offset") < told; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			c.t.Fatalf("the replica at %s has not caught up within %s", c.Replicas[i].Addr(), readyWithin)
		}
	}
}

// Promote makes a replica, whose master has died, the master.
func (c *Cluster) Promote(i int) {
	c.t.Helper()
	c.Replicas[i].Run("CLUSTER FAILOVER TAKEOVER")
	slot := i * slots / len(c.Masters)
	id := c.Replicas[i].ID()
	c.everyone("knows the new master", func(s *Server) bool {
		for _, node := range parseNodes(s.Do("CLUSTER", "NODES")) {
			if node.id == id && node.has(slot) {
				return true
			}
		}
		return false
	})
}

// node is a line of CLUSTER NODES.
type node struct {
	id              string
	myself, replica bool
	ranges          [][2]int
}

func parseNodes(text string) (nodes []node) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 8 {
			continue
		}
		n := node{id: fields[0], myself: strings.Contains(fields[2], "myself"), replica: strings.Contains(fields[2], "slave")}
		for _, r := range fields[8:] {
			from, to, ok := strings.Cut(r, "-")
			if !ok {
				to = from
			}
			a, err1 := strconv.Atoi(from)
			b, err2 := strconv.Atoi(to)
			if err1 == nil && err2 == nil { // else it is on its way: [1-<-ID]
				n.ranges = append(n.ranges, [2]int{a, b})
			}
		}
		nodes = append(nodes, n)
	}
	return nodes
}

func (n *node) has(slot int) bool {
	return slices.ContainsFunc(n.ranges, func(r [2]int) bool { return r[0] <= slot && slot <= r[1] })
}

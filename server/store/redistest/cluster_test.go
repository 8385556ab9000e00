package redistest

import (
	"strings"
	"testing"
)

func TestCluster(t *testing.T) {
	for name, o := range map[string]Options{"plain": {}, "a password": {Password: "canary"}, "TLS": {TLS: true, ClientCerts: true}} {
		t.Run(name, func(t *testing.T) {
			c := StartCluster(t, ClusterOptions{Options: o})
			slot := c.Slot("a")
			owner := c.Owner(slot)
			owner.Run("SET a 1")
			other := c.Masters[0]
			if owner == other {
				other = c.Masters[1]
			}
			if got := other.Do("GET", "a"); !strings.HasPrefix(got, "MOVED ") {
				t.Errorf("GET a of another master = %q; want MOVED", got)
			}
			if o.TLS {
				return // MIGRATE would need it as well
			}
			c.Move(slot, other)
			if got := other.Do("GET", "a"); got != "1" || c.Owner(slot) != other {
				t.Errorf("GET a of the master that it moved to = %q; want 1", got)
			}
		})
	}
}

// A replica that is promoted has what had reached it.
func TestClusterFailover(t *testing.T) {
	c := StartCluster(t, ClusterOptions{})
	keys := []string{}
	for i, m := range c.Masters {
		for _, key := range strings.Split("abcdefghijklmnopqrstuvwxyz", "") {
			if c.Owner(c.Slot(key)) == m {
				keys = append(keys, key)
				break
			}
		}
		m.Run("SET " + keys[i] + " 1")
		c.CaughtUp(i)
	}
	c.Detach(0)
	c.Masters[0].Run("SET " + keys[0] + " 2")
	c.Masters[0].Kill()
	c.Replicas[0].Continue()
	c.Promote(0)
	c.Masters[1].Kill()
	c.Promote(1)
	for i, want := range []string{"1", "1"} {
		if got := c.Replicas[i].Do("GET", keys[i]); got != want || c.Owner(c.Slot(keys[i])) != c.Replicas[i] {
			t.Errorf("GET %s of the promoted replica = %q; want %s", keys[i], got, want)
		}
	}
}

package redistest

import (
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// Sentinels watch over a master and its replicas, and promote one when the master is gone.
type Sentinels struct {
	All   []*Server // the Sentinels, in the order of the URL
	Redis []*Server // the first is the master to begin with, the second the first to be promoted, whatever it lacks

	t       testing.TB
	options SentinelOptions
}

// SentinelOptions say how a set is made. The zero value is a master, two replicas and three Sentinels.
type SentinelOptions struct {
	Redis        Options  // of each; in Dir each has a directory of its own; Unix is not for sets
	Replicas     int      // 0: 2
	Sentinels    int      // 0: 3
	SentinelPass string   // that the Sentinels want
	DownAfter    int      // milliseconds without an answer until a Sentinel takes a server for dead; 0: 2000
	Config       []string // more lines of every sentinel.conf
}

// MasterName is what the Sentinels call the master.
const MasterName = "turnos"

// Steady is for sets of which nothing dies: however busy the machine is, no server is taken for dead.
const Steady = 60_000

// settled bounds how long a set may take to find itself together.
const settled = 60 * time.Second

// StartSentinels starts a set and returns when the replicas are in touch and every Sentinel knows all others.
func StartSentinels(t testing.TB, o SentinelOptions) *Sentinels {
	t.Helper()
	if o.Replicas == 0 {
		o.Replicas = 2
	}
	if o.Sentinels == 0 {
		o.Sentinels = 3
	}
	if o.DownAfter == 0 {
		o.DownAfter = 2000 // a busy machine may keep a server from answering for half a second
	}
	s := &Sentinels{t: t, options: o}
	s.Redis = append(s.Redis, Start(t, s.member(nil)))
	for i := range o.Replicas {
		priority := "replica-priority 100"
		if i == 0 {
			priority = "replica-priority 10"
		}
		s.Redis = append(s.Redis, Start(t, s.member(s.Redis[0], "replicaof 127.0.0.1 "+s.Redis[0].Port, priority)))
	}
	for _, r := range s.Redis[1:] {
		s.until("a replica is in touch", func() bool { return r.Field("master_link_status") == "up" })
	}
	for range o.Sentinels {
		s.All = append(s.All, s.startSentinel())
	}
	for _, one := range s.All {
		s.until("a Sentinel knows all", func() bool {
			m := one.Sentinel()
			return m["num-slaves"] == fmt.Sprint(o.Replicas) && m["num-other-sentinels"] == fmt.Sprint(o.Sentinels-1) && m["flags"] == "master"
		})
	}
	return s
}

// member is the options of one of the Redises. Each writes its configuration back when it is made a master or a replica, as
// operators have it, so that one that is restarted is what it was.
func (s *Sentinels) member(master *Server, config ...string) Options {
	o := s.options.Redis
	o.keepsConfig = true
	if o.Dir != "" {
		dir, err := os.MkdirTemp(o.Dir, "redis")
		if err != nil {
			s.t.Fatal(err)
		}
		o.Dir = dir
	}
	if o.TLS && master != nil {
		o.certs = &master.Certs
	}
	if o.Password != "" {
		config = append(config, fmt.Sprintf("masterauth %q", o.Password))
	}
	if o.TLS {
		config = append(config, "tls-replication yes")
	}
	// A replica shall be in touch at once, not after the seconds in which others may come.
	o.Config = slices.Concat(o.Config, config, []string{"repl-diskless-sync-delay 0", "repl-ping-replica-period 1", "repl-timeout 60"})
	return o
}

func (s *Sentinels) startSentinel() *Server {
	master, name := s.Redis[0], MasterName
	quorum := s.options.Sentinels/2 + 1
	config := []string{
		fmt.Sprintf("sentinel monitor %s 127.0.0.1 %s %d", name, master.Port, quorum),
		fmt.Sprintf("sentinel down-after-milliseconds %s %d", name, s.options.DownAfter),
		fmt.Sprintf("sentinel failover-timeout %s %d", name, 4*s.options.DownAfter),
	}
	if s.options.Redis.TLS {
		config = append(config, "tls-replication yes")
	}
	if p := s.options.Redis.Password; p != "" {
		config = append(config, fmt.Sprintf("sentinel auth-pass %s %s", name, p))
	}
	return Start(s.t, Options{
		sentinel: true, keepsConfig: true, TLS: s.options.Redis.TLS, certs: &master.Certs, Password: s.options.SentinelPass,
		Config: slices.Concat(config, s.options.Config),
	})
}

// URL is how a store is told of the set, without passwords.
func (s *Sentinels) URL() string {
	scheme, query := "redis+sentinel", ""
	if s.options.Redis.TLS {
		scheme, query = "rediss+sentinel", "?cacert="+url.QueryEscape(s.Redis[0].Certs.CA)
	}
	var addrs []string
	for _, one := range s.All {
		addrs = append(addrs, one.Addr())
	}
	return scheme + "://" + strings.Join(addrs, ",") + "/" + MasterName + query
}

// Sentinel is what a Sentinel says of the master.
func (s *Server) Sentinel() map[string]string {
	s.t.Helper()
	lines := strings.Split(s.Do("SENTINEL", "MASTER", MasterName), "\n")
	says := map[string]string{}
	for i := 0; i+1 < len(lines); i += 2 {
		says[lines[i]] = lines[i+1]
	}
	return says
}

// Field is one of INFO.
func (s *Server) Field(name string) string {
	s.t.Helper()
	for line := range strings.Lines(s.Do("INFO")) {
		if key, value, _ := strings.Cut(strings.TrimSpace(line), ":"); key == name {
			return value
		}
	}
	return ""
}

// Master is the Redis that those Sentinels name which run, once they agree, and that says so itself.
func (s *Sentinels) Master() *Server {
	s.t.Helper()
	return s.NewMaster(nil)
}

// named is whom all Sentinels name that answer.
func (s *Sentinels) named() (master *Server) {
	for _, one := range s.All {
		at, err := one.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MasterName)
		if err != nil {
			continue
		}
		_, port, _ := strings.Cut(at, "\n")
		m := s.at(port)
		if m == nil || master != nil && m != master {
			return nil
		}
		master = m
	}
	return master
}

func (s *Sentinels) at(port string) *Server {
	for _, r := range s.Redis {
		if r.Port == port {
			return r
		}
	}
	return nil
}

// NewMaster waits until another Redis than old is the master.
func (s *Sentinels) NewMaster(old *Server) (master *Server) {
	s.t.Helper()
	s.until("there is another master", func() bool {
		if master = s.named(); master == nil || master == old {
			return false
		}
		role, err := master.ask("ROLE")
		return err == nil && strings.HasPrefix(role, "master")
	})
	return master
}

// Failover has the Sentinels promote a replica, and returns it when it is the master. They refuse for a while after another.
func (s *Sentinels) Failover() *Server {
	s.t.Helper()
	old := s.Master()
	s.until("a Sentinel begins a failover", func() bool { return s.All[0].Do("SENTINEL", "FAILOVER", MasterName) == "OK" })
	return s.NewMaster(old)
}

// CutOff keeps a replica from its master: it lacks what is written from now on.
func (s *Sentinels) CutOff(replica *Server) {
	s.t.Helper()
	replica.Run("CONFIG SET masteruser nobody", "CONFIG SET masterauth nothing", "CLIENT KILL TYPE master")
	s.until("a replica has lost its master", func() bool { return replica.Field("master_link_status") == "down" })
}

// Reattach lets a replica that was cut off back in.
func (s *Sentinels) Reattach(replica *Server) {
	s.t.Helper()
	for _, setting := range [][2]string{{"masteruser", ""}, {"masterauth", s.options.Redis.Password}} {
		if says := replica.Do("CONFIG", "SET", setting[0], setting[1]); says != "OK" {
			s.t.Fatalf("CONFIG SET %s: %s", setting[0], says)
		}
	}
	s.until("a replica is in touch again", func() bool { return replica.Field("master_link_status") == "up" })
}

// InSync waits until the replicas have all that the master has.
func (s *Sentinels) InSync(master *Server) {
	s.t.Helper()
	for _, r := range s.Redis {
		if r == master {
			continue
		}
		s.until("a replica has all", func() bool {
			return r.Field("master_link_status") == "up" && r.Field("slave_repl_offset") == master.Field("master_repl_offset")
		})
	}
}

func (s *Sentinels) until(what string, is func() bool) {
	s.t.Helper()
	for begin := time.Now(); !is(); time.Sleep(10 * time.Millisecond) { // between two questions
		if time.Since(begin) > settled {
			s.t.Fatalf("it never came to be that %s", what)
		}
	}
}

//go:build linux

package faults

import (
	"net/url"
	"strings"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"github.com/turnomatico/tmctl/server/api"
	"github.com/turnomatico/tmctl/server/store/redistest"
)

// The stores behind Sentinels: a master and two replicas, which three Sentinels watch over. In one each number is on both
// replicas before it is answered.
var (
	sentinel     = sentinelStore("redis sentinel", "")
	sentinelWait = sentinelStore("redis sentinel, wait=2", "&wait=2")
)

func sentinelStore(name, query string) *store {
	return &store{
		name: name, nodes: []int{1, 3},
		open: func(s *scene) {
			s.place()
			s.set = redistest.StartSentinels(s.T, redistest.SentinelOptions{
				Redis: redistest.Options{Dir: s.dir, Password: secret, Fsync: "always"}, SentinelPass: secret, DownAfter: 1500,
			})
			s.redis = s.set.Redis[0]
		},
		url: func(s *scene, i int) string {
			var hosts []string
			for _, one := range s.set.All {
				hosts = append(hosts, one.Addr())
			}
			if i == 0 && s.ways != nil {
				hosts = nil
				for _, way := range s.ways {
					hosts = append(hosts, way.Listen)
				}
			}
			u := url.URL{Scheme: "redis+sentinel", User: url.UserPassword("", secret), Host: strings.Join(hosts, ","), Path: redistest.MasterName}
			return u.String() + "?sentinel_password=" + url.QueryEscape(secret) + query
		},
	}
}

var jump = []string{"--on-rollback", "jump"}

var sentinelFaults = []*fault{
	{
		name: "master killed", does: "kill -9 of the master behind Sentinels; a replica is promoted, the old master started again; `--on-rollback jump`",
		stores: []*store{sentinel}, args: jump, want: want{lossy: true}, play: killMaster,
	},
	{
		name: "master killed, wait", does: "the same, when each number is on both replicas before it is answered (`?wait=2`)",
		stores: []*store{sentinelWait}, want: want{also: "nothing is lost, so the fence rests"}, play: killMaster, after: noRollback,
	},
	{
		name: "sentinel failover", does: "SENTINEL FAILOVER: a replica is promoted while the master works, and answers for a while; `--on-rollback jump`",
		stores: []*store{sentinel}, args: jump, want: want{lossy: true}, play: failover,
	},
	{
		name: "sentinel failover, wait", does: "the same with `?wait=2`: the old master has no replicas left that could have a number",
		stores: []*store{sentinelWait}, want: want{also: "nothing is lost, so the fence rests"}, play: failover, after: noRollback,
	},
	{
		name: "master paused", does: "SIGSTOP of the master for 10 s, then SIGCONT: by then another one is the master, and it does not know; `--on-rollback jump`",
		stores: []*store{sentinel}, args: jump, want: want{lossy: true}, play: pauseMaster,
	},
	{
		name: "sentinels lost", does: "two of three Sentinels killed; the connections to the master are closed; the master killed, and started again",
		stores: []*store{sentinel}, want: want{also: "goes on with the master as long as that lives, then 503 `store_unavailable`"}, play: loseSentinels, after: noRollback,
	},
	{
		name: "split, wait", does: "as split, below, with `?wait=2`", stores: []*store{sentinelWait}, nodes: []int{3}, want: want{also: "the node on the old master hands out nothing"},
		before: throughWays, play: split, after: inBooks,
	},
}

// sentinelWindows is what is not covered.
var sentinelWindows = []*fault{
	{
		name: "split", does: "the master is paused until another one is promoted; one node reaches no Sentinel meanwhile, and goes on with the old master when that wakes",
		stores: []*store{sentinel}, nodes: []int{3}, want: want{violated: true, also: "not covered"}, before: throughWays, play: split,
	},
}

// promoted waits for the next master.
func (s *scene) promoted() {
	s.redis = s.set.NewMaster(s.redis)
}

func killMaster(s *scene) {
	old, noticed := s.redis, s.everyoneFails()
	old.Kill()
	s.until("every node has noticed", noticed)
	s.promoted()
	old.Restart() // until Sentinels have told it otherwise, it takes itself for the master
	s.goesOn()
}

func failover(s *scene) {
	s.redis = s.set.Failover()
	s.goesOn()
}

func pauseMaster(s *scene) {
	old := s.redis
	old.Pause()
	time.Sleep(10 * time.Second) // the fault, and no wait for anything
	s.promoted()
	old.Continue()
	s.goesOn()
}

// promoteBehind promotes a replica that lacks the last numbers.
func promoteBehind(s *scene) {
	s.set.CutOff(s.set.Redis[1])
	s.goesOn()
	s.redis.Kill()
	s.promoted()
	if s.redis != s.set.Redis[1] {
		s.Fatalf("the master is at %s; want the replica that was cut off", s.redis.Addr())
	}
}

func loseSentinels(s *scene) {
	for _, one := range s.set.All[:2] {
		one.Kill()
	}
	s.goesOn()
	s.redis.Run("CLIENT KILL TYPE normal")
	s.goesOn()
	s.redis.Kill()
	s.refuses(string(api.StoreUnavailable))
	s.redis.Restart()
	s.goesOn()
}

// throughWays gives the first node ways of its own to the Sentinels.
func throughWays(s *scene) {
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	for _, one := range s.set.All {
		p := toxiproxy.NewProxy(server, "way to "+one.Port, "127.0.0.1:0", one.Addr())
		if err := p.Start(); err != nil {
			s.Fatal(err)
		}
		s.Cleanup(p.Stop)
		s.ways = append(s.ways, p)
	}
}

// split leaves the first node with the old master, and all others with the new one.
func split(s *scene) {
	old := s.redis
	for _, way := range s.ways {
		way.Stop()
	}
	old.Pause()
	s.promoted()
	for _, n := range s.nodes[1:] {
		s.until(n.name+" has moved", func() bool { return n.says("rejoined the store") })
	}
	first := s.nodes[0].snapshot().Requests
	old.Continue()
	s.until("the first node has an answer of the old master", func() bool {
		now := s.nodes[0].snapshot().Requests
		return now["ok"] > first["ok"]+enough || now[string(api.StoreUnavailable)] > first[string(api.StoreUnavailable)]
	})
	for _, way := range s.ways {
		if err := way.Start(); err != nil {
			s.Fatal(err)
		}
	}
	for _, r := range s.set.Redis { // with both replicas in touch again numbers go on with ?wait=2, too
		s.until(r.Addr()+" has its role", func() bool { return r == s.redis || r.Field("master_link_status") == "up" })
	}
	s.goesOn()
}

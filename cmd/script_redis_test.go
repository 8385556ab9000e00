package cmd

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/turnomatico/tmctl/server/store/redistest"
)

// redisServers are the servers that a script has started: the last one is what `redis` commands are for.
type redisServers struct {
	t    testing.TB
	last *redistest.Server
	set  *redistest.Sentinels
}

// redisKey is where a script keeps its redisServers.
type redisKey struct{}

// useRedis lets a script start servers, which end with it.
func useRedis(e *testscript.Env) {
	t, ok := e.T().(testing.TB) // it wraps a *testing.T
	if !ok {
		panic("testscript runs a script without a testing.TB")
	}
	e.Values[redisKey{}] = &redisServers{t: t}
}

// redisCommand is the script command `redis start [OPTION…]`, `redis cluster [OPTION…]`, `redis stop` or `redis do COMMAND…`. start takes the options
// tls, clientcerts, unix, password=P, fsync=F and config=LINE, and sets $REDIS to the URL and $REDIS_ADDR to the address; cluster does so too, and
// $REDIS_HOSTS to the addresses, and `redis do` is for its first master. do prints the answer. Without
// redis-server the script is skipped, but in CI it fails. `redis sentinels [OPTION…]` starts a set, and sets $SENTINELS
// besides, their hosts and the master's name; `redis failover` promotes a replica of it when it has all.
func redisCommand(ts *testscript.TestScript, neg bool, args []string) {
	r := ts.Value(redisKey{}).(*redisServers)
	switch {
	case neg || len(args) == 0:
		ts.Fatalf("usage: redis start|cluster|sentinels|failover|stop|do …")
	case args[0] == "cluster":
		c := redistest.StartCluster(r.t, redistest.ClusterOptions{Options: redisOptions(ts, args[1:])})
		r.last = c.Masters[0]
		ts.Setenv("REDIS", c.URL())
		ts.Setenv("REDIS_ADDR", r.last.Addr())
		ts.Setenv("REDIS_HOSTS", strings.TrimPrefix(c.URL(), "redis+cluster://"))
	case args[0] == "start":
		r.last = redistest.Start(r.t, redisOptions(ts, args[1:]))
		ts.Setenv("REDIS", r.last.URL())
		ts.Setenv("REDIS_ADDR", r.last.Addr())
	case args[0] == "sentinels":
		o := redisOptions(ts, args[1:])
		r.set = redistest.StartSentinels(r.t, redistest.SentinelOptions{Redis: o, Replicas: 1, SentinelPass: o.Password})
		r.last = r.set.Redis[0]
		ts.Setenv("REDIS_ADDR", r.last.Addr())
		ts.Setenv("REDIS", r.set.URL())
		_, at, _ := strings.Cut(r.set.URL(), "://")
		ts.Setenv("SENTINELS", at)
	case args[0] == "failover" && r.set != nil:
		r.set.InSync(r.last)
		r.last = r.set.Failover()
		ts.Setenv("REDIS_ADDR", r.last.Addr())
	case r.last == nil:
		ts.Fatalf("redis %s before redis start", args[0])
	case args[0] == "stop":
		r.last.Stop()
	case args[0] == "emptied": // it comes back without what it kept
		r.last.Empty()
		r.last.Restart()
	case args[0] == "do" && len(args) > 1:
		fmt.Fprintln(ts.Stdout(), r.last.Do(args[1:]...))
	default:
		ts.Fatalf("usage: redis start|cluster|sentinels|failover|stop|do …")
	}
}

func redisOptions(ts *testscript.TestScript, args []string) (o redistest.Options) {
	for _, arg := range args {
		switch name, value, _ := strings.Cut(arg, "="); name {
		case "tls":
			o.TLS = true
		case "clientcerts":
			o.ClientCerts = true
		case "unix":
			o.Unix = true
		case "password":
			o.Password = value
		case "fsync":
			o.Fsync = value
		case "config":
			o.Config = append(o.Config, value)
		default:
			ts.Fatalf("redis start %s: no such option", arg)
		}
	}
	return o
}

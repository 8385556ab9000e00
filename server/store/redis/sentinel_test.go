package redis

import (
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/store/redistest"
	"github.com/turnomatico/tmctl/server/store/storetest"
)

func TestChoose(t *testing.T) {
	say := func(places ...seat) (said []testimony) {
		for _, p := range places {
			t := testimony{seat: p}
			if p.addr == "" {
				t.err = errors.New("silent")
			}
			said = append(said, t)
		}
		return said
	}
	a1, b1, b2, c3, silent := seat{"a", 1}, seat{"b", 1}, seat{"b", 2}, seat{"c", 3}, seat{}
	tests := []struct {
		name  string
		said  []testimony
		known seat
		want  seat
		err   error
	}{
		{"all agree", say(a1, a1, a1), silent, a1, nil},
		{"one answers", say(silent, a1, silent), silent, a1, nil},
		{"nobody answers", say(silent, silent, silent), a1, silent, errSilent},
		{"nobody is asked", nil, a1, silent, errSilent},
		{"one knows of a failover", say(a1, b2, a1), a1, b2, nil},
		{"one knows of two", say(b2, c3, a1), b2, c3, nil},
		{"a stale one alone", say(silent, a1, silent), b2, silent, errStale},
		{"a stale one and one that is not", say(silent, a1, b2), b2, b2, nil},
		{"one that is set up wrongly", say(a1, b1, a1), a1, a1, nil},
		{"one that is set up wrongly, alone", say(silent, b1, silent), a1, silent, errStale},
		{"one of two that is set up wrongly", say(b1, silent, a1), a1, a1, nil},
		{"more say so", say(a1, b1, b1), silent, b1, nil},
		{"set up anew", say(a1, a1, silent), c3, a1, nil},
		{"set up anew, half of it", say(a1, b2, silent), c3, silent, errStale},
		{"another address for the same", say(b1, b1, a1), a1, b1, nil},
	}
	for _, tt := range tests {
		if got, err := choose(tt.said, tt.known, 3); got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%s: choose(%v, known %v, of 3) = %v, %v; want %v, %v", tt.name, tt.said, tt.known, got, err, tt.want, tt.err)
		}
	}
}

// A store behind Sentinels is one like any other.
func TestSentinelStore(t *testing.T) {
	t.Parallel()
	set := redistest.StartSentinels(t, redistest.SentinelOptions{DownAfter: redistest.Steady, Redis: redistest.Options{Password: "a&b"}, SentinelPass: "c&d"})
	at := withPasswords(set, "a&b", "c&d")
	for _, wait := range []string{"", "&wait=2"} {
		t.Run("query "+wait, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) storetest.Place {
				set.Redis[0].Run("FLUSHALL")
				spoil := func(_ *testing.T, id string) { set.Redis[0].Run("SET turno:" + id + " abc") }
				return storetest.Place{Lasts: true, Break: spoil, Open: func(t *testing.T) server.Store {
					o, err := Parse(at + wait)
					if err != nil {
						t.Fatal(err)
					}
					o.Grace, o.patience = 0, patienceOfTests
					s, err := o.Open(t.Context(), storetest.Bounds, slog.New(slog.DiscardHandler))
					if err != nil {
						t.Fatal(err)
					}
					return s
				}}
			})
		})
	}
}

// withPasswords is the set's URL with them; it has a query already.
func withPasswords(set *redistest.Sentinels, redis, sentinels string) string {
	at := strings.Replace(set.URL(), "//", "//:"+url.QueryEscape(redis)+"@", 1)
	if !strings.Contains(at, "?") {
		at += "?"
	}
	return at + "&sentinel_password=" + url.QueryEscape(sentinels)
}

func TestSentinelTLS(t *testing.T) {
	t.Parallel()
	set := redistest.StartSentinels(t, redistest.SentinelOptions{DownAfter: redistest.Steady, Redis: redistest.Options{TLS: true}, Replicas: 1})
	n := open(t, set.URL())
	n.want("x", 3, 1)
	set.InSync(set.Redis[0])
	set.Failover()
	n.moves()
	n.rejoin(0)
	n.want("x", 1, 4)
}

// All lines of a node may dial at the same time.
func TestSentinelsAskedAtOnce(t *testing.T) {
	t.Parallel()
	set := redistest.StartSentinels(t, redistest.SentinelOptions{DownAfter: redistest.Steady, Replicas: 1})
	o, err := Parse(set.URL())
	if err != nil {
		t.Fatal(err)
	}
	o.patience = patienceOfTests
	guide, err := o.follow(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer guide.close()
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			for range 20 {
				if addr, err := o.where(t.Context()); addr != set.Redis[0].Addr() || err != nil {
					t.Errorf("where() = %s, %v; want the master, %s", addr, err, set.Redis[0].Addr())
				}
			}
		})
	}
	all.Wait()
	if guide.few {
		t.Error("few Sentinels answer; want all")
	}
}

// What can go wrong on the way to a master is said without a password.
func TestSentinelErrors(t *testing.T) {
	t.Parallel()
	set := redistest.StartSentinels(t, redistest.SentinelOptions{DownAfter: redistest.Steady, Redis: redistest.Options{Password: "canary-1"}, SentinelPass: "canary-2", Replicas: 1, Sentinels: 1})
	sentinel, master := set.All[0].Addr(), set.Redis[0].Addr()
	tests := []struct{ name, url, want string }{
		{"nobody there", "redis+sentinel://:canary-1@127.0.0.1:1/turnos?sentinel_password=canary-2", "connection refused"},
		{"no such master", "redis+sentinel://:canary-1@" + sentinel + "/other?sentinel_password=canary-2", "No such master"},
		{"no password for the Sentinels", "redis+sentinel://:canary-1@" + sentinel + "/turnos", "sentinel_password"},
		{"a wrong one", "redis+sentinel://:canary-1@" + sentinel + "/turnos?sentinel_password=canary-3", "its own password"},
		{"a wrong one for Redis", "redis+sentinel://:canary-3@" + sentinel + "/turnos?sentinel_password=canary-2", "does not accept"},
		{"a Redis, no Sentinel", "redis+sentinel://:canary-1@" + master + "/turnos?sentinel_password=canary-1", "it is a Redis"},
		{"TLS where there is none", "rediss+sentinel://:canary-1@" + sentinel + "/turnos?sentinel_password=canary-2", "does it speak TLS"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var log strings.Builder
			s, err := Open(t.Context(), tt.url, server.Bounds{IDs: 10}, slog.New(slog.NewTextHandler(&log, nil)))
			if err == nil {
				s.Close()
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Open(%s) = %v; want an error with %q", tt.url, err, tt.want)
			}
			if said := log.String(); strings.Contains(said+errText(err), "canary") {
				t.Errorf("Open(%s) says %v and logs %s, with a password", tt.url, err, said)
			}
		})
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// A master that an operator makes a replica keeps its connections and its scripts, and refuses to write: it is left at once.
func TestDeposed(t *testing.T) {
	t.Parallel()
	set := redistest.StartSentinels(t, redistest.SentinelOptions{DownAfter: redistest.Steady, Replicas: 1})
	n := open(t, set.URL())
	n.want("x", 5, 1)
	set.InSync(set.Redis[0])
	set.Redis[0].Run("REPLICAOF 127.0.0.1 " + set.Redis[1].Port)
	n.refused("x", server.ErrChanged)
	if _, err := n.Rejoin(t.Context(), n.known(), 0); err == nil || !strings.Contains(err.Error(), "is a replica") {
		t.Errorf("Rejoin() = %v; want that what the Sentinels name is a replica", err)
	}
}

package redistest

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestServers(t *testing.T) {
	tests := []struct {
		name    string
		options Options
		scheme  string
	}{
		{"a port", Options{}, "redis://127.0.0.1:"},
		{"a socket", Options{Unix: true}, "redis+unix:///"},
		{"TLS", Options{TLS: true}, "rediss://127.0.0.1:"},
		{"TLS with client certificates", Options{TLS: true, ClientCerts: true}, "rediss://127.0.0.1:"},
		{"a password", Options{Password: `a "b" \c`}, "redis://127.0.0.1:"},
		{"a user", Options{Config: []string{"user a on >secret ~a:* +get"}}, "redis://127.0.0.1:"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := Start(t, tt.options)
			if !strings.HasPrefix(s.URL(), tt.scheme) {
				t.Errorf("URL() = %s; want %s…", s.URL(), tt.scheme)
			}
			s.Run("SET a 1", "LPUSH l x y")
			for _, ask := range [][2]string{{"GET a", "1"}, {"GET b", ""}, {"LRANGE l 0 -1", "y\nx"}, {"INCR a", "2"}} {
				if got := s.Do(strings.Fields(ask[0])...); got != ask[1] {
					t.Errorf("Do(%s) = %q; want %q", ask[0], got, ask[1])
				}
			}
			if got := s.Do("INCR", "l"); !strings.HasPrefix(got, "WRONGTYPE ") {
				t.Errorf("Do(INCR l) = %q; want an error as it is", got)
			}
		})
	}
}

func TestBreaking(t *testing.T) {
	s := Start(t, Options{Fsync: "always"})
	want := func(when, a, b string) {
		t.Helper()
		if gotA, gotB := s.Do("GET", "a"), s.Do("GET", "b"); gotA != a || gotB != b {
			t.Errorf("%s: a is %q and b is %q; want %q and %q", when, gotA, gotB, a, b)
		}
	}
	pid := s.PID()
	s.Run("SET a 1", "SET b 1")
	s.Restart()
	want("killed and restarted", "1", "1")
	if s.PID() == pid {
		t.Error("the process is the old one")
	}
	s.Kill()
	s.CutAOF(1)
	s.Restart()
	want("the file's tail cut", "1", "")
	s.Pause()
	s.Stop()
	s.Empty()
	s.Restart()
	want("emptied", "", "")
	s.Pause()
	s.Continue()
	want("paused and continued", "", "")
	s.Stop()
	s.Stop()
}

func TestSentinels(t *testing.T) {
	for name, o := range map[string]SentinelOptions{
		"plain":     {Redis: Options{Fsync: "everysec"}},
		"passwords": {Redis: Options{Password: "a-password"}, SentinelPass: "another"},
		"TLS":       {Redis: Options{TLS: true}, Replicas: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := StartSentinels(t, o)
			master := s.Master()
			if master != s.Redis[0] || s.Redis[1].Field("role") != "slave" {
				t.Fatalf("the master is at %s; want the first", master.Addr())
			}
			master.Run("SET a 1")
			s.InSync(master)
			if next := s.Failover(); next != s.Redis[1] || next.Do("GET", "a") != "1" {
				t.Errorf("after a failover the master is at %s and has a = %q; want the second, 1", next.Addr(), next.Do("GET", "a"))
			}
			if name != "plain" {
				return
			}
			master.Restart()
			if role := master.Field("role"); role != "slave" && s.Master() != s.Redis[1] {
				t.Errorf("restarted, the old master is a %s", role)
			}
			s.InSync(s.Redis[1])
			s.CutOff(s.Redis[0])
			s.Redis[1].Run("SET a 2")
			if a := s.Redis[0].Do("GET", "a"); a != "1" {
				t.Errorf("a replica that is cut off has a = %s; want 1", a)
			}
			s.Redis[1].Kill()
			if third := s.NewMaster(s.Redis[1]); third != s.Redis[2] {
				t.Errorf("with the second killed and the first cut off, the master is at %s", third.Addr())
			}
		})
	}
}

// A server's clock is set without its process noticing anything else; keys expire by it.
func TestClock(t *testing.T) {
	s := Start(t, Options{Clock: true})
	now := func() int64 {
		seconds, err := strconv.ParseInt(s.Do("EVAL", "return redis.call('TIME')[1]", "0"), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return seconds
	}
	s.Run("SET a 1 EX 3600")
	for _, ahead := range []time.Duration{0, 30 * time.Minute, -48 * time.Hour, 0} {
		s.SetClock(ahead)
		if off := now() - time.Now().Add(ahead).Unix(); off < -60 || off > 60 {
			t.Errorf("set %s ahead, its clock is %d s off", ahead, off)
		}
		if s.Do("EXISTS", "a") != "1" {
			t.Errorf("set %s ahead, a key of an hour is gone", ahead)
		}
	}
	s.SetClock(2 * time.Hour)
	if s.Do("EXISTS", "a") != "0" {
		t.Error("set two hours ahead, a key of an hour is there")
	}
}

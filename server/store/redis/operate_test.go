package redis

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/store/redistest"
)

// visit opens the store as an operator does.
func visit(t *testing.T, url string) *Store {
	t.Helper()
	o, err := Parse(url)
	if err != nil {
		t.Fatal(err)
	}
	o.patience = patienceOfTests
	s, err := o.Visit(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestList(t *testing.T) {
	r := redistest.Start(t, redistest.Options{})
	for _, prefix := range []string{"turno:", "", "odd*[?]\\:"} {
		t.Run(prefix, func(t *testing.T) {
			r.Run("FLUSHALL")
			n := open(t, r.URL()+"?prefix="+strings.NewReplacer("?", "%3F", "[", "%5B", "]", "%5D", "\\", "%5C").Replace(prefix))
			n.want("given", 7, 1)
			n.want("gone", 7, 1)
			for i := range 2500 {
				r.Do("SET", prefix+"preset"+strconv.Itoa(i), strconv.Itoa(i))
			}
			r.Do("SET", prefix+"no id!", "1")
			r.Do("SET", "odd*x?\\:other", "1")
			r.Do("SET", prefix+"text", "abc")
			r.Do("RPUSH", prefix+"list", "1")
			r.Do("DEL", prefix+"gone")
			before := r.Do("DBSIZE")
			var ids []string
			sum := uint64(0)
			err := visit(t, n.name).List(t.Context(), func(id string, last uint64) error {
				ids = append(ids, id)
				sum += last
				return nil
			})
			if len(ids) != 2501 || !slices.IsSorted(ids) || sum != 7+2499*2500/2 {
				t.Errorf("List() lists %d counters with a sum of %d; want 2501 in order, with %d", len(ids), sum, 7+2499*2500/2)
			}
			for _, want := range []string{"text holds \"abc\"", "list is a list", "gone is gone"} {
				if err == nil || !strings.Contains(err.Error(), prefix+want) {
					t.Errorf("List() = %v; want it to say %q", err, want)
				}
			}
			if after := r.Do("DBSIZE"); after != before {
				t.Errorf("there were %s keys, and are %s", before, after)
			}
			stop := errors.New("stop")
			if err := n.List(t.Context(), func(string, uint64) error { return stop }); !errors.Is(err, stop) {
				t.Errorf("List() = %v; want the caller's error", err)
			}
		})
	}
}

func TestSet(t *testing.T) {
	r := redistest.Start(t, redistest.Options{})
	tests := []struct {
		held string // a command, or nothing
		last uint64
		back bool
		was  uint64
		err  string
		then string
	}{
		{"", 5, false, 0, "", "5"},
		{"", 0, false, 0, "", "0"},
		{"SET turno:a 5", 5, false, 5, "", "5"},
		{"SET turno:a 5", 6, false, 5, "", "6"},
		{"SET turno:a 5", 4, false, 5, server.ErrBackwards.Error(), "5"},
		{"SET turno:a 5", 4, true, 5, "", "4"},
		{"SET turno:a 5", 9007199254740991, false, 5, "", "9007199254740991"},
		{"SET turno:a 5", 9007199254740992, true, 0, "can't be", "5"},
		{"SET turno:a 9007199254740991", 9007199254740990, false, 9007199254740991, server.ErrBackwards.Error(), "9007199254740991"},
		{"SET turno:a abc", 6, false, 0, `turno:a holds "abc"`, "abc"},
		{"SET turno:a 9007199254740992", 9007199254740991, false, 0, `turno:a holds "9007199254740992"`, "9007199254740992"},
		{"SET turno:a abc", 6, true, 0, "", "6"},
		{"RPUSH turno:a 1", 6, false, 0, "turno:a is a list", "WRONGTYPE"},
		{"RPUSH turno:a 1", 6, true, 0, "", "6"},
	}
	for _, tt := range tests {
		r.Run("FLUSHALL")
		if tt.held != "" {
			r.Run(tt.held)
		}
		s := visit(t, r.URL())
		was, err := s.Set(t.Context(), "a", tt.last, tt.back)
		if was != tt.was || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%q: Set(a, %d, %v) = %d, %v; want %d, %q", tt.held, tt.last, tt.back, was, err, tt.was, tt.err)
		}
		if got := r.Do("GET", "turno:a"); !strings.HasPrefix(got, tt.then) {
			t.Errorf("%q: Set(a, %d, %v) leaves %q; want %q", tt.held, tt.last, tt.back, got, tt.then)
		}
		if tt.err == "" && tt.last < 9007199254740991 {
			open(t, r.URL()).want("a", 1, tt.last+1)
		}
	}
	if _, err := visit(t, r.URL()).Set(t.Context(), "no id", 1, true); err == nil {
		t.Error("Set(no id) sets it")
	}
}

// A visitor leaves nothing, and takes no number.
func TestVisit(t *testing.T) {
	r := redistest.Start(t, redistest.Options{})
	s := visit(t, r.URL())
	s.Examine(t.Context())
	if last, err := s.Peek(t.Context(), "a"); last != 0 || err != nil {
		t.Errorf("Peek(a) = %d, %v; want 0", last, err)
	}
	call := &server.Call{Seq: 1, Claims: []server.Claim{{ID: "a", N: 1}}}
	if err := s.Reserve(t.Context(), call); !errors.Is(err, server.ErrChanged) {
		t.Errorf("Reserve() = %v; want ErrChanged: a visitor is no node", err)
	}
	if err := s.List(t.Context(), nil); err != nil {
		t.Errorf("List() = %v of nothing", err)
	}
	if got := r.Do("DBSIZE"); got != "0" {
		t.Errorf("there are %s keys now; want none: %q", got, r.Do("KEYS", "*"))
	}
	r.Run("REPLICAOF 127.0.0.1 1", "CONFIG SET replica-serve-stale-data yes")
	if role := findings(visit(t, r.URL()).Examine(t.Context()))["role"]; role.Level != server.Fail {
		t.Errorf("Examine(a replica) = %+v; want it told", role)
	}
}

func findings(found []server.Finding) map[string]server.Finding {
	by := map[string]server.Finding{}
	for _, f := range found {
		by[f.Name] = f
	}
	return by
}

func TestExamine(t *testing.T) {
	strong := redistest.Options{Fsync: "always", Password: "pw"}
	tests := []struct {
		name    string
		options redistest.Options
		user    string
		finding string
		level   server.Level
		says    string
		hint    string
	}{
		{"all well", strong, ":pw@", "persistence", server.OK, "nothing lost: appendfsync always", ""},
		{"all well", strong, ":pw@", "permissions", server.OK, "all that is needed", ""},
		{"all well", strong, ":pw@", "scripts", server.OK, "says so", ""},
		{"all well", strong, ":pw@", "eviction", server.OK, "noeviction", ""},
		{"all well", strong, ":pw@", "private", server.OK, "a password", ""},
		{"all well", strong, ":pw@", "version", server.OK, "Redis ", ""},
		{"all well", strong, ":pw@", "role", server.OK, "a master", ""},
		{"all well", strong, ":pw@", "replicas", server.OK, "none", ""},
		{"all well", strong, ":pw@", "clock", server.OK, "within 5s", ""},
		{"all well", strong, ":pw@", "disk", server.OK, "went well", ""},
		{"all well", strong, ":pw@", "memory", server.OK, "no maxmemory", ""},
		{"all well", strong, ":pw@", "counters", server.OK, "0 ids", ""},
		{"no password", redistest.Options{}, "", "private", server.OK, "no password", "requirepass"},
		{"every second", redistest.Options{Fsync: "everysec"}, "", "persistence", server.Warn, "up to 1 s", "appendfsync always"},
		{"the kernel's time", redistest.Options{Fsync: "no"}, "", "persistence", server.Warn, "some 30 s", "appendfsync always"},
		{"snapshots", redistest.Options{Config: []string{"save 3600 1"}}, "", "persistence", server.Warn, "save 3600 1", "appendonly yes"},
		{"nothing", redistest.Options{}, "", "persistence", server.Warn, "begins at 1", "appendonly yes"},
		{"counters may be evicted", redistest.Options{Config: []string{"maxmemory-policy allkeys-lru"}}, "", "eviction", server.Fail, "DELETES counters", "maxmemory-policy noeviction"},
		{"records may be evicted", redistest.Options{Config: []string{"maxmemory-policy volatile-ttl"}}, "", "eviction", server.Warn, "asked again", "maxmemory-policy noeviction"},
		{"nearly full", redistest.Options{Config: []string{"maxmemory 1000000"}}, "", "memory", server.Warn, "% of 0 MiB used", "maxmemory"},
		{"no fsync on rewrite", redistest.Options{Fsync: "always", Config: []string{"no-appendfsync-on-rewrite yes"}}, "", "disk", server.Warn, "nothing is fsynced", "no-appendfsync-on-rewrite no"},
		{"a poor user", redistest.Options{Config: []string{"user u on >pw ~turno:* +@all -mset -evalsha"}}, "u:pw@", "permissions", server.Fail, "+mset +evalsha", "ACL SETUSER u +mset +evalsha"},
		{"another's keys", redistest.Options{Config: []string{"user u on >pw ~x:* +@all"}}, "u:pw@", "permissions", server.Fail, "~turno:*", "ACL SETUSER u ~turno:*"},
		{"a user of a node", redistest.Options{Config: []string{"user u on >pw ~turno:* " + rightsOfNodes}}, "u:pw@", "permissions", server.Warn, "+info +config|get +scan +sscan", "ACL SETUSER u +info +config|get +scan +sscan"},
		{"a user of a node", redistest.Options{Config: []string{"user u on >pw ~turno:* " + rightsOfNodes}}, "u:pw@", "persistence", server.Warn, "unknown: the server forbids INFO and CONFIG", "ask who runs it"},
		{"a user of a node", redistest.Options{Config: []string{"user u on >pw ~turno:* " + rightsOfNodes}}, "u:pw@", "reachable", server.Warn, "forbids INFO", "+info"},
		{"no CONFIG", redistest.Options{Fsync: "always", Config: []string{`rename-command CONFIG ""`}}, "", "persistence", server.Warn, "unknown how much", "ask who runs it"},
		{"no CONFIG", redistest.Options{Config: []string{`rename-command CONFIG ""`, "maxmemory-policy allkeys-lfu"}}, "", "eviction", server.Fail, "allkeys-lfu", "noeviction"},
	}
	for _, tt := range tests {
		t.Run(tt.name+", "+tt.finding, func(t *testing.T) {
			r := redistest.Start(t, tt.options)
			s := visit(t, strings.Replace(r.URL(), "//", "//"+tt.user, 1))
			f := findings(s.Examine(t.Context()))[tt.finding]
			if f.Level != tt.level || !strings.Contains(f.Says, tt.says) || !strings.Contains(f.Hint, tt.hint) || tt.hint == "" && f.Hint != "" {
				t.Errorf("Examine() finds %+v; want %s, %q, %q", f, tt.level, tt.says, tt.hint)
			}
			for key := range strings.Lines(r.Do("KEYS", "*")) { // who may not DEL
				if left := r.Do("PTTL", strings.TrimSpace(key)); left == "-1" {
					t.Errorf("Examine() leaves %s for ever", key)
				}
			}
		})
	}
}

func TestExamineStopped(t *testing.T) {
	r := redistest.Start(t, redistest.Options{})
	n := open(t, r.URL())
	n.want("a", 5, 1)
	r.Run("FLUSHALL")
	n.changed()
	n.rejoin(0, "a 0<5→0")
	if f := findings(n.Examine(t.Context()))["counters"]; f.Level != server.Warn || !strings.Contains(f.Hint, "HGETALL turno:#stopped") {
		t.Errorf("Examine() finds %+v; want the stopped id", f)
	}
	r.Kill()
	if found := n.Examine(t.Context()); len(found) != 1 || found[0].Name != "reachable" || found[0].Level != server.Fail {
		t.Errorf("Examine(nobody there) = %+v; want one finding", found)
	}
}

// What is dangerous is said at start.
func TestWarnings(t *testing.T) {
	tests := []struct {
		name    string
		options redistest.Options
		promise string
		want    []string
	}{
		{"all well", redistest.Options{Fsync: "always"}, "nothing lost: appendfsync always. ", nil},
		{"every second", redistest.Options{Fsync: "everysec"}, "up to 1 s of numbers can be lost at a power cut: appendfsync everysec. ", nil},
		{"nothing", redistest.Options{}, "volatile: no persistence", []string{"no persistence"}},
		{"eviction and snapshots", redistest.Options{Config: []string{"save 60 1", "maxmemory-policy allkeys-random"}}, "what came after the last snapshot is lost",
			[]string{"allkeys-random: when memory is full Redis DELETES counters", "save 60 1"}},
		{"no CONFIG", redistest.Options{Config: []string{`rename-command CONFIG ""`}}, "unknown: the server forbids CONFIG", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := redistest.Start(t, tt.options)
			info := open(t, r.URL()).Info()
			if !strings.HasPrefix(info.Promise, tt.promise) || !strings.Contains(info.Promise, "stop or jump") {
				t.Errorf("the promise is %q; want %q", info.Promise, tt.promise)
			}
			ok := len(info.Warnings) == len(tt.want)
			for i := range min(len(tt.want), len(info.Warnings)) {
				ok = ok && strings.Contains(info.Warnings[i], tt.want[i])
			}
			if !ok {
				t.Errorf("the warnings are %q; want %q", info.Warnings, tt.want)
			}
			if info.Details["run_id"] == "" || info.Details["role"] != "master" || info.Details["fsync"] == "" && tt.name != "no CONFIG" {
				t.Errorf("the details are %v", info.Details)
			}
		})
	}
}

// What an operator changes is seen without a restart.
func TestPromiseChanges(t *testing.T) {
	r := redistest.Start(t, redistest.Options{})
	n := open(t, r.URL())
	r.Run("CONFIG SET appendonly yes", "CONFIG SET appendfsync always")
	n.same()
	before := n.Info().Promise
	f := *n.facts.Load()
	f.at = f.at.Add(-2 * lookEvery)
	n.facts.Store(&f)
	n.same()
	if after := n.Info().Promise; !strings.HasPrefix(before, "volatile") || !strings.HasPrefix(after, "nothing lost") {
		t.Errorf("the promise was %q and is %q", before, after)
	}
}

// Info is read while all else goes on.
func TestInfoMeanwhile(t *testing.T) {
	r := redistest.Start(t, redistest.Options{})
	n := open(t, r.URL())
	var all sync.WaitGroup
	end := make(chan struct{})
	all.Go(func() {
		for {
			select {
			case <-end:
				return
			default:
				_ = fmt.Sprint(n.Info())
			}
		}
	})
	for i := range uint64(20) {
		n.want("a", 1, i+1)
		r.Run("SCRIPT FLUSH")
		n.changed()
		n.rejoin(0)
		n.same()
	}
	close(end)
	all.Wait()
}

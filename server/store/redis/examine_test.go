package redis

import (
	"strings"
	"testing"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/store/redistest"
)

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

// Behind Sentinels, doctor says what a failover needs.
func TestExamineSentinels(t *testing.T) {
	t.Parallel()
	set := redistest.StartSentinels(t, redistest.SentinelOptions{DownAfter: redistest.Steady, Redis: redistest.Options{Fsync: "always", Password: "pw"}})
	at := strings.Replace(set.URL(), "//", "//:pw@", 1)
	examine := func(query string) map[string]server.Finding {
		t.Helper()
		return findings(visit(t, at+query).Examine(t.Context()))
	}
	want := func(when string, f server.Finding, level server.Level, says, hint string) {
		t.Helper()
		if f.Level != level || !strings.Contains(f.Says, says) || !strings.Contains(f.Hint, hint) || hint == "" && f.Hint != "" {
			t.Errorf("%s: Examine() finds %+v; want %s, %q, %q", when, f, level, says, hint)
		}
	}
	f := examine("")
	want("all well", f["sentinels"], server.OK, "3 of 3 answer and name "+set.Redis[0].Addr()+"; quorum 2, a master is taken for dead after 1m0s", "")
	want("all well", f["replicas"], server.Warn, "given twice", "min-replicas-to-write 1")
	want("all well", f["replica lag"], server.OK, "online", "")
	set.Redis[0].Run("CONFIG SET min-replicas-to-write 1")
	want("min-replicas-to-write", examine("")["replicas"], server.Warn, "follow asynchronously", "?wait=1")
	want("?wait=1", examine("?wait=1")["replicas"], server.OK, "on 1 of them", "")
	want("?wait=2", examine("?wait=2")["replicas"], server.OK, "on all of them", "")
	want("?wait=3", examine("?wait=3")["replicas"], server.Fail, "no number is handed out", "smaller ?wait=")

	one := "redis+sentinel://:pw@" + set.All[0].Addr() + "/" + redistest.MasterName
	want("one is named", findings(visit(t, one).Examine(t.Context()))["sentinels"], server.Warn, "they know of 3", "name them all")
	set.Redis[1].Kill()
	set.Redis[2].Kill()
	eventually(t, "the replicas are gone", func() bool { return set.Redis[0].Field("connected_slaves") == "0" })
	want("no replica", examine("")["replicas"], server.Warn, "nothing to fail over to", "start a replica")
	set.All[2].Kill()
	want("one Sentinel is gone", examine("")["sentinels"], server.Warn, "2 of 3 answer", "start the others")
	s := visit(t, at)
	set.All[1].Kill()
	want("two Sentinels are gone", findings(s.Examine(t.Context()))["sentinels"], server.Fail, "1 of 3 answer", "no failover")
}

func TestPromiseOfFailovers(t *testing.T) {
	tests := []struct {
		name   string
		guided bool
		wait   int
		config map[string]string
		want   string
	}{
		{"a Redis alone", false, 0, nil, ""},
		{"waiting", false, 1, nil, "on 1 of 2 replicas before it is answered (?wait=1)"},
		{"Sentinels", true, 0, map[string]string{"min-replicas-to-write": "0", "min-replicas-max-lag": "10"}, "lasts: min-replicas-to-write is 0"},
		{"Sentinels, a limit", true, 0, map[string]string{"min-replicas-to-write": "1", "min-replicas-max-lag": "10"}, "for up to 10 s: min-replicas-max-lag"},
		{"Sentinels, no CONFIG", true, 0, nil, "for as long as that takes writes"},
		{"Sentinels, waiting", true, 2, nil, "only if 2 replicas are, too"},
	}
	for _, tt := range tests {
		f := &facts{info: map[string]string{"connected_slaves": "2"}, config: tt.config, guided: tt.guided, wanted: tt.wait}
		if got := f.failingOver(); !strings.Contains(got, tt.want) || (got == "") != (tt.want == "") {
			t.Errorf("%s: failingOver() = %q; want %q", tt.name, got, tt.want)
		}
	}
}

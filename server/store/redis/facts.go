package redis

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// facts are what a Redis says of itself. They do not change.
type facts struct {
	info, config map[string]string // config is nil when CONFIG is forbidden, info when INFO is

	run, replication string
	promise          string
	details          map[string]string
	warnings         []string
}

// settings are what we ask of CONFIG, one at a time: Redis before 7 takes no more.
var settings = []string{
	"appendonly", "appendfsync", "no-appendfsync-on-rewrite", "save", "maxmemory", "maxmemory-policy",
	"min-replicas-to-write", "min-replicas-max-lag",
}

// questions are the commands whose answers heard reads.
func (c *client) questions() []rueidis.Completed {
	commands := []rueidis.Completed{c.B().Info().Build()}
	for _, name := range settings {
		commands = append(commands, c.B().ConfigGet().Parameter(name).Build())
	}
	return commands
}

// heard reads the answers to questions; what a server forbids is missing.
func (c *client) heard(answers []rueidis.RedisResult) (info, config map[string]string) {
	if text, err := answers[0].ToString(); err == nil {
		info = infoOf(text)
	}
	for i, answer := range answers[1:] {
		if pair, err := answer.AsStrMap(); err == nil {
			if config == nil {
				config = map[string]string{}
			}
			config[settings[i]] = pair[settings[i]]
		}
	}
	return info, config
}

// infoOf reads INFO's lines.
func infoOf(text string) map[string]string {
	info := map[string]string{}
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[key] = value
		}
	}
	return info
}

// look asks for the facts alone.
func (s *Store) look(ctx context.Context) error {
	answers, err := s.client.do(ctx, s.client.questions()...)
	if err != nil {
		return err
	}
	s.facts.Store(factsOf(s.client.heard(answers)))
	return nil
}

// factsOf draws the conclusions.
func factsOf(info, config map[string]string) *facts {
	f := &facts{info: info, config: config, run: info["run_id"], replication: info["master_replid"]}
	f.details = f.detail()
	f.promise = f.lasting() + ". " + fencedPromise
	f.warnings = f.warn()
	return f
}

// fencedPromise is what holds if Redis goes back nevertheless.
const fencedPromise = "Should it go back (emptied, restored, failed over), its nodes notice and stop or jump before they go on; " +
	"what remains are numbers known only to nodes that are dead or cut off then"

// policy is what Redis does when its memory is full; empty when it does not tell.
func (f *facts) policy() string {
	if p := f.config["maxmemory-policy"]; p != "" {
		return p
	}
	return f.info["maxmemory_policy"]
}

// aof says whether there is an append-only file: "yes", "no", or "" when Redis does not tell.
func (f *facts) aof() string {
	if a := f.config["appendonly"]; a != "" {
		return a
	}
	switch f.info["aof_enabled"] {
	case "1":
		return "yes"
	case "0":
		return "no"
	default:
		return ""
	}
}

// lasting is what a crash leaves.
func (f *facts) lasting() string {
	switch fsync := f.config["appendfsync"]; {
	case f.aof() == "yes" && fsync == "always":
		return "nothing lost: appendfsync always"
	case f.aof() == "yes" && fsync == "everysec":
		return "up to 1 s of numbers can be lost at a power cut: appendfsync everysec"
	case f.aof() == "yes" && fsync == "no":
		return "what the kernel had not written yet, some 30 s, can be lost at a power cut: appendfsync no"
	case f.aof() == "yes":
		return "unknown how much of its append-only file can be lost: the server forbids CONFIG"
	case f.config == nil && f.info == nil:
		return "unknown: the server forbids INFO and CONFIG"
	case f.config == nil:
		return "unknown: the server forbids CONFIG; it has no append-only file"
	case f.config["save"] != "":
		return "what came after the last snapshot is lost at a crash: no append-only file, save " + f.config["save"]
	default:
		return "volatile: no persistence, a restart begins at 1"
	}
}

// detail is what the promise rests on.
func (f *facts) detail() map[string]string {
	d := map[string]string{}
	put := func(name, value string) {
		if value != "" {
			d[name] = value
		}
	}
	put("version", f.info["redis_version"])
	put("run_id", f.run)
	put("role", f.info["role"])
	put("replicas", f.info["connected_slaves"])
	put("append_only", f.aof())
	put("fsync", f.config["appendfsync"])
	put("snapshots", f.config["save"])
	put("eviction", f.policy())
	put("max_memory", f.config["maxmemory"])
	put("min_replicas", f.config["min-replicas-to-write"])
	return d
}

// replica reports whether this Redis takes no writes, and whose it is.
func (f *facts) replica() (master string, is bool) {
	return f.info["master_host"] + ":" + f.info["master_port"], f.info["role"] == "slave"
}

// unfit is why no node can work with this Redis.
func (f *facts) unfit(name string) error {
	if master, is := f.replica(); is {
		return fmt.Errorf("%s is a replica, which takes no writes: use its master, %s", name, master)
	}
	if f.info["redis_mode"] == "cluster" {
		return fmt.Errorf("%s is part of a cluster; a redis:// store is one Redis alone", name)
	}
	return nil
}

// atLeastUp is how long Redis has been up for certain. It counts in whole seconds by a clock that does, too.
func (f *facts) atLeastUp() time.Duration {
	up, err := strconv.Atoi(f.info["uptime_in_seconds"])
	if err != nil {
		return 0
	}
	return time.Duration(max(up-1, 0)) * time.Second
}

// warn says what is dangerous, the worst first.
func (f *facts) warn() (warnings []string) {
	add := func(when bool, format string, args ...any) {
		if when {
			warnings = append(warnings, fmt.Sprintf(format, args...))
		}
	}
	policy, master := f.policy(), ""
	add(policy != "" && policy != "noeviction",
		"maxmemory-policy %s: when memory is full Redis DELETES counters, and their numbers can be given again; CONFIG SET maxmemory-policy noeviction", policy)
	master, is := f.replica()
	add(is, "it is a replica of %s, which takes no writes", master)
	add(f.config != nil && f.aof() == "no" && f.config["save"] == "", "no persistence: a restart begins at 1; CONFIG SET appendonly yes")
	add(f.aof() == "no" && f.config["save"] != "", "snapshots only: a crash loses what came after the last; CONFIG SET appendonly yes")
	add(f.aof() == "yes" && f.config["no-appendfsync-on-rewrite"] == "yes",
		"no-appendfsync-on-rewrite yes: while the file is rewritten nothing is fsynced; CONFIG SET no-appendfsync-on-rewrite no")
	for _, status := range []string{"aof_last_write_status", "aof_last_bgrewrite_status", "rdb_last_bgsave_status"} {
		add(f.info[status] != "" && f.info[status] != "ok", "%s is %s: look at Redis' log and its disk", status, f.info[status])
	}
	add(f.info["connected_slaves"] != "" && f.info["connected_slaves"] != "0",
		"%s replicas follow asynchronously: one that is promoted can be behind", f.info["connected_slaves"])
	major, err := strconv.Atoi(strings.Split(f.info["redis_version"], ".")[0])
	add(err == nil && major < 7, "Redis %s passes scripts on to replicas, so that a failover is noticed later; use 7 or newer", f.info["redis_version"])
	return warnings
}

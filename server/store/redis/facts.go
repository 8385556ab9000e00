package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/turnomatico/tmctl/server"
)

// facts are what a Redis says of itself. They do not change.
type facts struct {
	at           time.Time
	info, config map[string]string // config is nil when CONFIG is forbidden, info when INFO is
	partition    bool              // it is one of a cluster's masters
	guided       bool              // Sentinels say which it is
	wanted       int               // replicas that must have a number before it is answered

	run, replication string
	promise          string
	details          map[string]string
	warnings         []string
}

// lookEvery is how often the facts are looked at again.
const lookEvery = time.Minute

// settings are what we ask of CONFIG, one at a time: Redis before 7 takes no more.
var settings = []string{
	"appendonly", "appendfsync", "no-appendfsync-on-rewrite", "save", "maxmemory", "maxmemory-policy",
	"min-replicas-to-write", "min-replicas-max-lag", "cluster-require-full-coverage", "cluster-node-timeout",
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
	answers, err := s.client.ask(ctx, s.client.questions()...)
	if err != nil {
		return err
	}
	f := &facts{at: time.Now(), partition: s.options.partition, guided: s.guide != nil, wanted: s.options.replicas}
	f.info, f.config = s.client.heard(answers)
	s.facts.Store(f.conclude())
	return nil
}

// factsOf is what a Redis alone says.
func factsOf(info, config map[string]string) *facts {
	return (&facts{info: info, config: config}).conclude()
}

// conclude draws the conclusions.
func (f *facts) conclude() *facts {
	f.run, f.replication = f.info["run_id"], f.info["master_replid"]
	f.details = f.detail()
	f.promise = f.lasting() + ". " + f.failingOver() + fencedPromise
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
	if f.wanted > 0 {
		put("wait", strconv.Itoa(f.wanted))
	}
	return d
}

// replica reports whether this Redis takes no writes, and whose it is.
func (f *facts) replica() (master string, is bool) {
	return f.info["master_host"] + ":" + f.info["master_port"], f.info["role"] == "slave"
}

// unfit is why no node can work with this Redis.
func (f *facts) unfit() error {
	if master, is := f.replica(); is {
		return fmt.Errorf("it is a replica, which takes no writes: use its master, %s", master)
	}
	switch cluster := f.info["redis_mode"] == "cluster"; {
	case cluster && !f.partition:
		return errors.New("it is part of a cluster; a redis:// store is one Redis alone")
	case !cluster && f.partition && f.info["redis_mode"] != "":
		return errors.New("it is not part of a cluster any more")
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
	found := []server.Finding{f.eviction(), f.role(), f.disk(), f.copies(), f.coverage(), f.version()}
	if f.aof() != "yes" && f.config != nil { // what an append-only file may lose is in the promise
		found = append(found, f.persistence())
	}
	for _, finding := range found {
		if finding.Name != "" && finding.Level != server.OK {
			warnings = append(warnings, strings.TrimSuffix(finding.Says+" → "+finding.Hint, " → "))
		}
	}
	return warnings
}

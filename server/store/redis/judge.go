package redis

import (
	"strconv"
	"strings"

	"github.com/turnomatico/tmctl/server"
)

// What an examination says of the facts.

func (f *facts) version() server.Finding {
	version := f.info["redis_version"]
	major, err := strconv.Atoi(strings.Split(version, ".")[0])
	switch {
	case err != nil:
		return server.Finding{}
	case major < 5:
		return finding("version", server.Fail, "use Redis 7 or newer", "Redis %s can't run our scripts", version)
	case major < 7:
		return finding("version", server.Warn, "use Redis 7 or newer", "Redis %s passes scripts on to its replicas: a failover is noticed later", version)
	default:
		return finding("version", server.OK, "", "Redis %s", version)
	}
}

func (f *facts) role() server.Finding {
	if err := f.unfit(); err != nil {
		return finding("role", server.Fail, "", "%v", err)
	}
	if f.info == nil {
		return server.Finding{}
	}
	if f.partition {
		return finding("role", server.OK, "", "a master of the cluster")
	}
	return finding("role", server.OK, "", "a master, not part of a cluster")
}

// persistence is what a crash leaves.
func (f *facts) persistence() server.Finding {
	level, hint := server.Warn, "CONFIG SET appendonly yes, CONFIG SET appendfsync always, CONFIG REWRITE; in redis.conf: appendonly yes, appendfsync always"
	switch {
	case f.aof() == "yes" && f.config["appendfsync"] == "always":
		level, hint = server.OK, ""
	case f.aof() == "yes" && f.config != nil:
		hint = "CONFIG SET appendfsync always, CONFIG REWRITE; in redis.conf: appendfsync always"
	case f.config == nil:
		hint = "ask who runs it for an append-only file with appendfsync always, or allow CONFIG GET"
	}
	return finding("persistence", level, hint, "%s", f.lasting())
}

// disk is whether what should be written is.
func (f *facts) disk() server.Finding {
	for _, status := range []string{"aof_last_write_status", "aof_last_bgrewrite_status", "rdb_last_bgsave_status"} {
		if f.info[status] != "" && f.info[status] != "ok" {
			return finding("disk", server.Fail, "look at Redis' log, and at df", "%s is %s", status, f.info[status])
		}
	}
	if f.aof() == "yes" && f.config["no-appendfsync-on-rewrite"] == "yes" {
		return finding("disk", server.Warn, "CONFIG SET no-appendfsync-on-rewrite no, CONFIG REWRITE",
			"no-appendfsync-on-rewrite yes: while the file is rewritten nothing is fsynced")
	}
	if f.info == nil {
		return server.Finding{}
	}
	return finding("disk", server.OK, "", "the last writes went well")
}

func (f *facts) eviction() server.Finding {
	const hint = "CONFIG SET maxmemory-policy noeviction, CONFIG REWRITE; in redis.conf: maxmemory-policy noeviction"
	switch policy := f.policy(); policy {
	case "noeviction":
		return finding("eviction", server.OK, "", "noeviction: when memory is full, requests are refused")
	case "":
		return finding("eviction", server.Warn, "ask who runs it for maxmemory-policy noeviction", "unknown: the server forbids INFO and CONFIG")
	case "volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl":
		return finding("eviction", server.Warn, hint, "%s: when memory is full Redis deletes the records by which a call is asked again", policy)
	default:
		return finding("eviction", server.Fail, hint, "%s: when memory is full Redis DELETES counters, and their numbers are given again", policy)
	}
}

// fullAt is the share of memory from which on an operator should know.
const fullAt = 80

func (f *facts) memory() server.Finding {
	used, err := strconv.ParseUint(f.info["used_memory"], 10, 64)
	if err != nil {
		return server.Finding{}
	}
	const mib = 1 << 20
	limit, _ := strconv.ParseUint(f.info["maxmemory"], 10, 64)
	if limit == 0 {
		return finding("memory", server.OK, "", "%d MiB used, no maxmemory", used/mib)
	}
	percent := used * 100 / limit
	if percent >= fullAt {
		return finding("memory", server.Warn, "CONFIG SET maxmemory to more, CONFIG REWRITE", "%d %% of %d MiB used; when it is full, requests are refused", percent, limit/mib)
	}
	return finding("memory", server.OK, "", "%d %% of %d MiB used", percent, limit/mib)
}

// coverage is what becomes of a cluster that has lost some slots.
func (f *facts) coverage() server.Finding {
	switch {
	case !f.partition || f.config["cluster-require-full-coverage"] == "":
		return server.Finding{}
	case f.config["cluster-require-full-coverage"] == "yes":
		return finding("coverage", server.Warn, "CONFIG SET cluster-require-full-coverage no, CONFIG REWRITE, on every node",
			"cluster-require-full-coverage yes: when one shard is lost, the whole cluster refuses, and every id with it")
	default:
		return finding("coverage", server.OK, "", "when one shard is lost, the others go on")
	}
}

// copies is about replicas.
func (f *facts) copies() server.Finding {
	replicas := f.info["connected_slaves"]
	switch {
	case f.guided || f.wanted > 0:
		return f.awaited()
	case replicas == "":
		return server.Finding{}
	case replicas == "0" && f.partition:
		return finding("replicas", server.Warn, "redis-cli --cluster add-node HOST:PORT HOST:PORT --cluster-slave", "no replica: if this master is lost, so are its ids")
	case replicas == "0":
		return finding("replicas", server.OK, "", "none: this Redis is all there is")
	case f.config["min-replicas-to-write"] == "0":
		return finding("replicas", server.Warn, "CONFIG SET min-replicas-to-write 1, CONFIG SET min-replicas-max-lag 1, CONFIG REWRITE",
			"%s, which follow asynchronously; a master that has lost them goes on, and what it gives then is lost in a failover", count(replicas, "replica"))
	default:
		return finding("replicas", server.Warn, "", "%s, which follow asynchronously: one that is promoted can be behind by what had not reached it", count(replicas, "replica"))
	}
}

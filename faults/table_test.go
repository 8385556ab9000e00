//go:build linux

package faults

import (
	"slices"
	"time"
)

// faults is the table, in the document's order.
var faults = slices.Concat(nodeFaults, redisFaults, lossFaults(), lateFaults, sentinelFaults, clusterFaults, windows, sentinelWindows, linkFaults, sessionFaults, shortages, clientFaults, edges)

// anyStore is one of each kind; the Redis ones share what they do about a node.
var anyStore = []*store{memory, file, everysec}

// Time-outs that a fault is meant to exceed: a shortPause does so, and is far from the second without an answer after
// which load gives a target up.
var (
	hasty       = []string{"--request-timeout", "300ms"}
	hastyClient = plan{timeout: 300 * time.Millisecond}
)

const shortPause = 500 * time.Millisecond

var nodeFaults = []*fault{
	{
		name: "node killed, memory", does: "kill -9 of the node, started again", stores: []*store{memory},
		want: want{violated: true, also: "as it says at its start"}, play: killNode,
	},
	{
		name: "node killed", does: "kill -9 of each node, started again, three times or more", stores: []*store{file, always, everysec}, play: killNodes,
	},
	{
		name: "node paused", does: "SIGSTOP of a node for longer than clients wait, and than requests may wait in the node, then SIGCONT; twice",
		stores: anyStore, args: hasty, plan: hastyClient, play: pauseNode,
	},
	{
		name: "nodes restarted in turn", does: "SIGTERM of one node after the other behind a balancer that asks /readyz, each started again",
		stores: []*store{everysec}, nodes: []int{3}, args: []string{"--drain", "500ms"}, want: want{pass: true}, ready: balance, play: rollNodes,
	},
}

var redisFaults = []*fault{
	{
		name: "redis killed", does: "kill -9 of redis-server, started again, three times", stores: []*store{always},
		want: want{also: "nothing is lost, so the fence rests"}, play: killRedis, after: noRollback,
	},
	{
		name: "redis killed, jump", does: "kill -9 of redis-server, started again, three times; `--on-rollback jump`", stores: []*store{everysec},
		args: []string{"--on-rollback", "jump"}, want: want{lossy: true}, play: killRedis,
	},
	{
		name: "redis paused", does: "SIGSTOP of redis-server for 3 s, then SIGCONT", stores: []*store{everysec},
		want: want{known: true}, play: func(s *scene) { s.pauseRedis(3 * time.Second) }, after: inBooks,
	},
	{
		name: "redis paused for long", does: "SIGSTOP of redis-server for longer than requests may wait in the node (`--request-timeout`), then SIGCONT; twice",
		stores: []*store{everysec}, args: hasty, after: inBooks,
		play: func(s *scene) { s.pauseRedis(2 * time.Second); s.pauseRedis(2 * time.Second) },
	},
	{
		name: "clients give up", does: "SIGSTOP of redis-server for longer than clients wait, but not the node; twice", stores: []*store{everysec},
		plan: hastyClient, want: want{also: "numbers that nobody waited for any more are burned, and counted"}, after: burnedSome,
		play: func(s *scene) { s.pauseRedis(shortPause); s.pauseRedis(shortPause) },
	},
	{
		name: "redis out of memory", does: "maxmemory reached with noeviction, then raised", stores: []*store{everysec},
		want: want{known: true}, play: outOfMemory, after: inBooks,
	},
}

// losses are the ways in which a Redis forgets numbers that were given.
var losses = []loss{
	{"redis emptied", "redis-server killed and started again empty", volatile, emptyRedis},
	{"redis lost much", "redis-server killed, the second half of its AOF cut off, started again", always, cutMuch},
	{"redis lost little", "redis-server killed, the last few calls cut off its AOF, started again; most or all of them were one node's", always, cutLittle},
	{"redis flushed", "FLUSHALL", everysec, func(s *scene) { s.redis.Run("FLUSHALL") }},
	{"counter set back", "SET of the counter to half of what it was", everysec, setBack},
	{"counter deleted", "DEL of the counter", everysec, func(s *scene) { s.redis.Run("DEL " + s.key(s.idInRedis())) }},
	{"replica behind promoted", "a replica is cut off, its master goes on and is killed; Sentinels promote the replica", sentinel, promoteBehind},
	{"cluster failover behind", "a replica is cut off from its master, which goes on and is killed; the replica is promoted", cluster, failBehind},
}

// lateFaults shows what the grace is for.
var lateFaults = []*fault{
	{
		name: "node late", does: "redis-server loses the last calls, all of one node, which is paused meanwhile, but goes on within the grace; `--on-rollback jump`",
		stores: []*store{always}, nodes: []int{3}, args: []string{"--on-rollback", "jump"}, want: want{declares: true}, play: loseAt(late),
	},
}

// windows are what the fence does not cover, tried.
var windows = []*fault{
	{
		name: "redis emptied between lives", does: "every node is stopped, redis-server killed and started again empty, the nodes started: nobody has marks",
		stores: []*store{volatile}, want: want{violated: true, also: "not covered"}, ready: balance, play: loseAll,
	},
	{
		name: "node away", does: "as node late, but the node is paused until the others have gone on",
		stores: []*store{always}, nodes: []int{3}, want: want{violated: true, also: "not covered"}, play: loseAt(away),
	},
}

var linkFaults = []*fault{
	{
		name: "link cut before the command", does: "the connection between a node and Redis breaks within the command, five times (toxiproxy limit_data upstream)",
		stores: []*store{everysec}, want: want{known: true}, before: throughLinks, play: cutting("limit_data", "upstream", `"bytes":30`), after: inBooks,
	},
	{
		name: "link cut after the command", does: "the connection between a node and Redis breaks before the answer comes, five times (limit_data downstream)",
		stores: []*store{everysec}, want: want{known: true}, before: throughLinks, play: cutting("limit_data", "downstream", `"bytes":0`), after: inBooks,
	},
	{
		name: "link reset", does: "the connection between a node and Redis is reset, five times (reset_peer)",
		stores: []*store{everysec}, want: want{known: true}, before: throughLinks, play: cutting("reset_peer", "downstream", `"timeout":0`), after: inBooks,
	},
	{
		name: "link black hole", does: "for 1.5 s nothing that Redis says reaches a node, then nothing that the node says Redis, though the connection stands (timeout)",
		stores: []*store{everysec}, want: want{known: true}, before: throughLinks, play: swallowing, after: inBooks,
	},
	{
		name: "link black hole for long", does: "the same, for longer than requests may wait in the node", args: hasty,
		stores: []*store{everysec}, before: throughLinks, play: swallowing, after: inBooks,
	},
	{
		name: "link slow", does: "one node's way to Redis takes 20 ms more (latency)", stores: []*store{everysec}, nodes: []int{3},
		want: want{pass: true}, before: throughLinks, play: slowing, after: inBooks,
	},
}

var shortages = []*fault{
	{
		name: "disk full", does: "the disk fills up, and has room again", stores: []*store{file}, place: smallDisk, plan: manyIDs,
		want: want{known: true, also: "503 `store_unavailable` meanwhile"}, play: fillDisk,
	},
	{
		name: "redis disk full", does: "the disk of the AOF fills up, and has room again (Redis refuses writes meanwhile)", stores: []*store{everysec},
		place: smallDisk, want: want{known: true, also: "503 `store_unavailable` meanwhile"}, play: fillDisk, after: noRollback,
	},
	{
		name: "redis disk full, fsync always", does: "the disk of the AOF fills up (Redis ends itself), has room again, Redis is started", stores: []*store{always},
		place: smallDisk, play: fillDiskRestart, after: noRollback,
	},
	{
		name: "files exhausted", does: "more connections than the node may have open files; with Redis, its connections are closed meanwhile",
		stores: anyStore, openFiles: fewFiles, play: crowd,
	},
}

var clientFaults = []*fault{
	{
		name: "clients slow and gone", does: "beside the load, clients that send a byte at a time, that never read, and that leave right after asking; Redis is paused meanwhile",
		stores: anyStore, play: badClients, after: inBooks,
	},
}

var edges = []*fault{
	{
		name: "last number", does: "the counter was set to 2^53−10 before", stores: []*store{file, everysec},
		plan: plan{id: edgeID, duration: 2 * time.Second}, want: want{ends: true}, before: toTheEdge, after: lastOnce,
	},
	{
		name: "poisoned counter", does: "a counter's key holds `abc`, a float, a list", stores: []*store{everysec},
		want: want{also: "5xx that names the key, which stays as it is"}, before: poison, play: askPoisoned,
	},
}

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// Who takes turns in the figure stores.
const (
	memoryStore = "memory"
	fileStore   = "file:"
	redisStore  = "redis, 1 id"
	redisIDs    = "redis, 10,000 ids"
	webdisName  = "webdis /INCR"
)

// totalCPU is the CPU of the server and of the Redis behind it, in µs a request.
const totalCPU = "total_cpu"

// measureStores drives a server on each store, and webdis on the same Redis, in turn.
func measureStores(ctx context.Context, b *bench) ([]row, error) {
	if !b.has("wrk", "redis-server") {
		return nil, nil
	}
	redis, addr, err := b.redis(ctx)
	if err != nil {
		return nil, err
	}
	defer redis.stop()
	all, stop, err := b.onStores(ctx, redis, addr)
	defer stop()
	if err != nil {
		return nil, err
	}
	if b.tools.webdis != "" {
		peer, err := b.webdis(ctx, addr)
		if err != nil {
			return nil, err
		}
		defer peer.stop()
		all = append(all, contender{webdisName, b.drivenWith(wrkRun{url: peer.url}, peer, redis)})
	}
	return storeRows(b.interleave(ctx, "stores", all)), nil
}

// onStores starts a server on each store. The file is beside what is built, so the figure is of that disk.
func (b *bench) onStores(ctx context.Context, redis *service, addr string) (all []contender, stop func(), err error) {
	var started []*service
	stop = func() {
		for _, s := range started {
			s.stop()
		}
	}
	on := func(store string) *service {
		var s *service
		if err != nil {
			return s
		}
		if s, err = b.serve(ctx, "--store", store); err == nil {
			started = append(started, s)
		}
		return s
	}
	memory, file, shared := on("memory"), on("file:"+filepath.Join(b.dir, "turnos")), on("redis://"+addr)
	if err != nil {
		return nil, stop, err
	}
	script, err := b.manyIDs()
	if err != nil {
		return nil, stop, err
	}
	return []contender{
		{memoryStore, b.drivenWith(wrkRun{url: memory.url}, memory)},
		{fileStore, b.drivenWith(wrkRun{url: file.url}, file)},
		{redisStore, b.drivenWith(wrkRun{url: shared.url}, shared, redis)},
		{redisIDs, b.drivenWith(wrkRun{url: shared.url, script: script}, shared, redis)},
	}, stop, nil
}

func storeRows(got map[string]series) []row {
	one := got[redisStore]
	return []row{
		against(webdisName, got[webdisName], row{Figure: "redis store, one id: requests a second", Unit: "/s", limit: atLeast(1.6, 2)}, rate, one),
		against(webdisName, got[webdisName], row{Figure: "redis store, one id: CPU a request, Redis' included", Unit: "µs"}, totalCPU, one),
		against(webdisName, got[webdisName], row{Figure: "redis store, one id: p99 of a closed loop", Unit: "ms"}, p99, one),
		against("memory store", got[memoryStore], row{Figure: "redis store, one id: requests a second", Unit: "/s", limit: atLeast(0.7, 0)}, rate, one),
		against("one id", one, row{Figure: "redis store, 10,000 ids: requests a second", Unit: "/s", limit: atLeast(0.6, 0)}, rate, got[redisIDs]),
		against("memory store", got[memoryStore], row{Figure: "file store: requests a second", Unit: "/s", limit: atLeast(0.5, 0.8)}, rate, got[fileStore]),
		against("memory store", got[memoryStore], row{Figure: "file store: CPU a request", Unit: "µs"}, totalCPU, got[fileStore]),
	}
}

// manyIDs is a script for wrk in which each request is for the next of 10,000 ids, each thread beginning elsewhere.
func (b *bench) manyIDs() (path string, err error) {
	path = filepath.Join(b.dir, "ids.lua")
	const text = `local threads, next = 0, 0
function setup(thread) thread:set("start", threads * 5000); threads = threads + 1 end
function init(args) next = start end
function request() next = (next + 1) % 10000; return wrk.format("GET", "/turno/id-" .. next) end
`
	return path, os.WriteFile(path, []byte(text), 0o644)
}

// drivenWith is a run of wrk, with the CPU time of all services that take part around it.
func (b *bench) drivenWith(w wrkRun, services ...*service) func(context.Context) (sample, error) {
	return func(ctx context.Context) (sample, error) {
		before, err := cpuOfAll(services)
		if err != nil {
			return nil, err
		}
		got, err := b.wrkAs(ctx, w)
		if err != nil {
			return nil, err
		}
		after, err := cpuOfAll(services)
		if err != nil {
			return nil, err
		}
		got[totalCPU] = perRequest(after-before, uint64(got[requests]))
		return got, nil
	}
}

// Who takes turns in the figure alone: one connection, so that every request is a round trip of its own.
const (
	aloneRedis  = "redis store"
	aloneMemory = "memory store"
	aloneINCR   = "redis-benchmark INCR"
)

// measureAlone compares the latency of one connection with what it is made of: a round trip of HTTP, which the memory store
// shows, and one of Redis.
func measureAlone(ctx context.Context, b *bench) ([]row, error) {
	if !b.has("wrk", "redis-server", "redis-benchmark") {
		return nil, nil
	}
	redis, addr, err := b.redis(ctx)
	if err != nil {
		return nil, err
	}
	defer redis.stop()
	shared, err := b.serve(ctx, "--store", "redis://"+addr)
	if err != nil {
		return nil, err
	}
	defer shared.stop()
	memory, err := b.serve(ctx)
	if err != nil {
		return nil, err
	}
	defer memory.stop()
	got := b.interleave(ctx, "alone", []contender{
		{aloneRedis, b.drivenWith(wrkRun{url: shared.url, connections: 1}, shared, redis)},
		{aloneMemory, b.drivenWith(wrkRun{url: memory.url, connections: 1}, memory)},
		{aloneINCR, func(ctx context.Context) (sample, error) { return b.incr(ctx, addr) }},
	})
	parts := sum(roundTrip, got[aloneMemory], got[aloneINCR])
	return []row{against("HTTP + INCR", parts,
		row{Figure: "redis store, 1 connection: a request", Unit: "µs", limit: atMost(1.3, 0)}, roundTrip, got[aloneRedis])}, nil
}

// roundTrip is the mean time of a request in a closed loop of one connection, in µs: the time by the count, which every tool
// has, and without the grain of its histogram.
const roundTrip = "round_trip"

// sum adds a metric of two contenders, round by round.
func sum(metric string, a, b series) (both series) {
	for i := range min(len(a), len(b)) {
		x, ok := a[i][metric]
		y, has := b[i][metric]
		if ok && has {
			both = append(both, sample{metric: x + y})
		} else {
			both = append(both, nil)
		}
	}
	return both
}

// connectionCounts are the rows of the figure blocks.
var connectionCounts = []int{1, 8, 64, 512}

// measureBlocks shows how blocks grow with the connections: what makes one id scale beyond the store's own rate.
func measureBlocks(ctx context.Context, b *bench) ([]row, error) {
	if !b.has("wrk", "redis-server") {
		return nil, nil
	}
	redis, addr, err := b.redis(ctx)
	if err != nil {
		return nil, err
	}
	defer redis.stop()
	s, err := b.serve(ctx, "--store", "redis://"+addr)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	var all []contender
	for _, n := range connectionCounts {
		all = append(all, contender{connectionsName(n), b.counted(s, wrkRun{url: s.url, connections: n})})
	}
	got := b.interleave(ctx, "blocks", all)
	var rows []row
	for _, n := range connectionCounts {
		name, runs := "redis store, "+connectionsName(n)+": ", got[connectionsName(n)]
		rows = append(rows,
			alone(name+"requests a second", "/s", rate, runs, limit{}),
			alone(name+"blocks a second", "/s", blockRate, runs, limit{}),
			alone(name+"numbers a block", "", blockSize, runs, limit{}),
			alone(name+"p50 of a closed loop", "ms", p50, runs, limit{}))
	}
	return rows, nil
}

// What the server's own books say of a run.
const (
	blockRate = "block_rate" // blocks a second
	blockSize = "block_size" // numbers a block
)

func connectionsName(n int) string {
	if n == 1 {
		return "1 connection"
	}
	return fmt.Sprintf("%d connections", n)
}

// counted is a run of wrk with the server's snapshot around it.
func (b *bench) counted(s *service, w wrkRun) func(context.Context) (sample, error) {
	return func(ctx context.Context) (sample, error) {
		before, err := s.snapshot(ctx)
		if err != nil {
			return nil, err
		}
		got, err := b.wrkAs(ctx, w)
		if err != nil {
			return nil, err
		}
		after, err := s.snapshot(ctx)
		if err != nil {
			return nil, err
		}
		blocks := float64(after.Blocks.Blocks - before.Blocks.Blocks)
		got[blockRate] = blocks / (got[requests] / got[rate])
		got[blockSize] = float64(after.Ledger.Issued-before.Ledger.Issued) / max(1, blocks)
		return got, nil
	}
}

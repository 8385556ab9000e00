package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/turnomatico/tmctl/history"
)

// The recorded run is as long as it takes, but no longer than this: a machine that can't make the requests in it says so.
const longest = 8 * time.Minute

func memoryLasts(o *options) time.Duration {
	const slowest = 25_000 // requests/s that a machine worth measuring makes
	return min(longest, longEnough(o.ops, slowest)) + time.Duration(o.rounds)*10*time.Second + time.Minute
}

// measureMemory records one long run, and proves it again as often as there are rounds. The long run is made once: what
// it takes of memory is its largest value, not a median.
func measureMemory(ctx context.Context, b *bench) ([]row, error) {
	s, err := b.serve(ctx)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	pilot, _, err := b.load(ctx, s, loadRun{rate: "max", record: "full", engine: "http1", duration: b.length()})
	if err != nil {
		return nil, err
	}
	l := loadRun{rate: "max", record: "full", engine: "http1", duration: min(longest, longEnough(b.ops, pilot[rate])), keep: filepath.Join(b.dir, "recorded")}
	b.say("memory: recording for %s", l.duration)
	got, e, err := b.load(ctx, s, l)
	if err != nil {
		return nil, err
	}
	s.stop() // check shares the machine with nobody
	ops := got[requests]
	if ops < float64(b.ops) {
		b.note("memory: the recorded run made %s of %s requests in %s", thousands(int64(ops)), thousands(int64(b.ops)), l.duration)
	}
	got[resident] = float64(e.peak) / 1e6
	got[diskBytes] = float64(size(filepath.Join(l.keep, history.HistoryFile))) / ops
	run := series{got}
	proofs := b.interleave(ctx, "memory", []contender{{"check", func(ctx context.Context) (sample, error) { return b.check(ctx, l.keep, ops) }}})["check"]
	b.runs["memory"]["load"] = run
	name := fmt.Sprintf("recorded run of %s requests: ", thousands(int64(ops)))
	return []row{
		alone(name+"resident memory of `load` at most", "MB", resident, run, atMost(150, 0)),
		alone(name+"bytes a request on disk", "bytes", diskBytes, run, atMost(12, 0)),
		alone(name+"requests a second while recorded", "/s", rate, run, limit{}),
		alone("`tmctl check` of it: requests a second", "/s", rate, proofs, atLeast(5e6, 0)),
		alone("`tmctl check` of it: resident memory at most", "MB", resident, proofs, limit{}),
	}, nil
}

const (
	resident  = "resident"   // MB
	diskBytes = "disk_bytes" // a request
)

// check proves a recorded run again; its time is that of the whole process.
func (b *bench) check(ctx context.Context, dir string, ops float64) (sample, error) {
	e, err := do(ctx, command{argv: []string{b.tools.tmctl, "check", dir}})
	if err != nil {
		return nil, err
	}
	return sample{rate: ops / e.wall.Seconds(), cpu: perRequest(e.cpu, uint64(ops)), resident: float64(e.peak) / 1e6}, nil
}

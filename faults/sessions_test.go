//go:build linux

package faults

import (
	"time"

	"github.com/turnomatico/tmctl/history"
)

// keyed is a load half of whose requests have a key, and are made again with it, also when they were answered.
var keyed = plan{keys: "50%"}

// sessionFaults are those in which clients ask again with a key: all of one key must have one number.
var sessionFaults = []*fault{
	{
		name: "node killed, with keys", does: "kill -9 of each node, started again, three times or more; clients ask again, another node if there is one, with their `Idempotency-Key`",
		stores: []*store{file, always, everysec}, plan: keyed, want: want{also: "each key has one number"}, play: killNodes, after: replayedSome,
	},
	{
		name: "redis killed, with keys", does: "kill -9 of redis-server, started again, three times, with keys", stores: []*store{always},
		plan: keyed, want: want{also: "each key has one number"}, play: killRedis, after: replayedSome,
	},
	{
		name: "redis paused for long, with keys", does: "SIGSTOP of redis-server for longer than requests may wait in the node, then SIGCONT; twice, with keys",
		stores: []*store{everysec}, args: hasty, plan: keyed, want: want{also: "each key has one number"}, after: replayedSome,
		play: func(s *scene) { s.pauseRedis(2 * time.Second); s.pauseRedis(2 * time.Second) },
	},
	{
		name: "link cut, with keys", does: "the connection between a node and Redis breaks before the answer comes, five times, with keys",
		stores: []*store{everysec}, plan: keyed, want: want{also: "each key has one number"}, before: throughLinks, play: cutting("limit_data", "downstream", `"bytes":0`),
		after: replayedSome,
	},
	{
		name: "redis clock jumps", does: "the wall clock of redis-server's machine is set 6 h ahead, then 6 h behind, then right, with keys that live for a day",
		stores: []*store{clocked}, plan: keyed, want: want{pass: true, also: "each key has one number"}, play: jumpClock, after: replayedSome,
	},
	{
		name: "no room for keys", does: "`--max-sessions 300`, and more keys than that", stores: []*store{file, everysec}, args: []string{"--max-sessions", "300"},
		plan: keyed, want: want{known: true, also: "new keys are refused, those that have a number keep it"}, play: manyKeys, after: refusedKeys,
	},
}

func jumpClock(s *scene) {
	for _, ahead := range []time.Duration{6 * time.Hour, -6 * time.Hour, 0} {
		s.redis.SetClock(ahead)
		s.goesOn()
	}
}

// manyKeys goes on until keys were refused for a while.
func manyKeys(s *scene) {
	s.until("keys were refused", func() bool { return s.requests("sessions_full") > 200 })
	s.goesOn()
}

func replayedSome(s *scene, _ *history.Result) {
	s.Helper()
	if s.requests("replayed") == 0 {
		s.Error("no node says that it replayed a number; want some")
	}
}

func refusedKeys(s *scene, r *history.Result) {
	s.Helper()
	replayedSome(s, r)
	for _, n := range s.nodes {
		if got := n.snapshot(); got.Sessions > 300 {
			s.Errorf("%s says that %d keys have a number; want no more than 300", n.name, got.Sessions)
		}
	}
}

// requests is how many the nodes that live answered with a code.
func (s *scene) requests(code string) (sum uint64) {
	for _, n := range s.nodes {
		sum += n.snapshot().Requests[code]
	}
	return sum
}

package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/rueidis"

	"github.com/turnomatico/tmctl/server"
)

// With ?wait=N a number is handed out only when N replicas have said that they have it: WAIT, in the same pipeline as the
// script. Where they don't in time, the block is in the master's memory all the same, and perhaps in some replicas'. So the
// call ends as one whose answer was lost. The batcher asks again with the token, gets the same block from the record, and
// waits again; what is not acknowledged when its requests give up is unknown to them, and nobody ever gets it.

// recordTTL is how long the record of a call lives; as reserve.lua has it.
const recordTTL = 600_000

// acknowledge are the commands that follow the script.
//
// WAIT is documented to count who has what this connection has written. A call that is asked again writes nothing: over a
// new connection, any replica that lives could be counted. So a write comes between (Redis 7.0 would do without: there a
// command that only reads moves the connection's offset, too). Rueidis would have its own builder's WAIT go over
// another connection, as one that blocks.
func (s *Store) acknowledge(record string) []rueidis.Completed {
	if s.options.replicas == 0 {
		return nil
	}
	return []rueidis.Completed{
		s.client.B().Pexpire().Key(record).Milliseconds(recordTTL).Build(),
		s.client.B().Arbitrary("WAIT", strconv.Itoa(s.options.replicas), strconv.FormatInt(s.options.waitWithin().Milliseconds(), 10)).Build(),
	}
}

// acknowledged is nil when enough replicas have what the call was given, or it was given nothing. Its error leaves open
// whether something was taken.
func (s *Store) acknowledged(call *server.Call, answers []rueidis.RedisResult) error {
	if len(answers) == 0 || !tells(call) {
		return nil
	}
	if wrote, err := answers[0].AsInt64(); err != nil || wrote != 1 {
		return fmt.Errorf("the record of the call could not be written again: %s", s.saysNot(err, wrote))
	}
	have, err := answers[1].AsInt64()
	if err != nil || have < int64(s.options.replicas) {
		return fmt.Errorf("the replicas have not got it within %s: %s of %d", s.options.waitWithin(), s.saysNot(err, have), s.options.replicas)
	}
	return nil
}

func (s *Store) saysNot(err error, n int64) string {
	if err != nil {
		return s.client.desk.words.plain(err)
	}
	return strconv.FormatInt(n, 10)
}

// tells reports whether a call that is settled gives numbers to anyone.
func tells(call *server.Call) bool {
	for i := range call.Claims {
		c := &call.Claims[i]
		if c.Err == nil {
			return true
		}
		for k := range c.Keys {
			if errors.Is(c.Err, server.ErrExhausted) && c.Keys[k].Err == nil {
				return true
			}
		}
	}
	return false
}

// mayWait errs where WAIT is forbidden: no number would ever be handed out.
func (s *Store) mayWait(ctx context.Context) error {
	if s.options.replicas == 0 {
		return nil
	}
	answers, err := s.client.ask(ctx, s.client.B().Arbitrary("WAIT", "0", "1").Build())
	if err == nil {
		err = answers[0].Error()
	}
	if err != nil {
		return fmt.Errorf("?wait=%d: %w", s.options.replicas, s.client.refusal(err))
	}
	return nil
}

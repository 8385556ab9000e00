package redis

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/api"
)

// What operators need, beside the nodes.

// scanCount is how many keys Redis looks at for one answer of a scan.
const scanCount = 1000

// List calls each with every counter, in the order of their ids. That a counter is broken is told at the end, as an error.
func (s *Store) List(ctx context.Context, each func(id string, last uint64) error) error {
	ids := map[string]bool{}
	err := s.scan(ctx, func(cursor uint64) rueidis.Completed {
		return s.client.B().Sscan().Key(s.idsKey()).Cursor(cursor).Count(scanCount).Build()
	}, func(id string) { ids[id] = true })
	if err != nil {
		return err
	}
	err = s.scan(ctx, func(cursor uint64) rueidis.Completed { // an operator may have set one that no node knows yet
		return s.client.B().Scan().Cursor(cursor).Match(globOf(s.prefix) + "*").Count(scanCount).Build()
	}, func(key string) {
		if id := strings.TrimPrefix(key, s.prefix); api.ValidID(id) {
			ids[id] = true
		}
	})
	if err != nil {
		return err
	}
	return s.read(ctx, slices.Sorted(maps.Keys(ids)), each)
}

// scan calls found with all that a scan finds, some of it perhaps twice.
func (s *Store) scan(ctx context.Context, next func(cursor uint64) rueidis.Completed, found func(string)) error {
	for cursor, begun := uint64(0), false; cursor != 0 || !begun; begun = true {
		answers, err := s.client.ask(ctx, next(cursor))
		if err != nil {
			return err
		}
		entry, err := answers[0].AsScanEntry()
		if err != nil {
			return s.client.refusal(err)
		}
		for _, e := range entry.Elements {
			found(e)
		}
		cursor = entry.Cursor
	}
	return nil
}

// maxBroken bounds how many broken counters are told of.
const maxBroken = 20

// read calls each with the counters of ids.
func (s *Store) read(ctx context.Context, ids []string, each func(id string, last uint64) error) error {
	var broken []error
	for some := range slices.Chunk(ids, scanCount) {
		mget := s.client.B().Mget().Key(s.prefix + some[0])
		for _, id := range some[1:] {
			mget = mget.Key(s.prefix + id)
		}
		answers, err := s.client.ask(ctx, mget.Build())
		if err != nil {
			return err
		}
		held, err := answers[0].ToArray()
		if err != nil {
			return s.client.refusal(err)
		}
		for i, id := range some {
			last, err := s.readOne(ctx, id, held[i])
			if bad := (&server.BrokenError{}); errors.As(err, &bad) {
				broken = append(broken, err)
				continue
			}
			if err == nil {
				err = each(id, last)
			}
			if err != nil {
				return err
			}
		}
	}
	if more := len(broken) - maxBroken; more > 0 {
		broken = append(broken[:maxBroken], fmt.Errorf("and %d more are broken", more))
	}
	return errors.Join(broken...)
}

// readOne reads what MGET says of a counter. It says the same of one that is gone and of one that is no string.
func (s *Store) readOne(ctx context.Context, id string, held rueidis.RedisMessage) (uint64, error) {
	if text, err := held.ToString(); err == nil {
		return s.counter(id, text)
	}
	last, err := s.Peek(ctx, id)
	if err == nil && last == 0 {
		err = s.broken(id, 'G', "")
	}
	return last, err
}

// globOf is a pattern of SCAN that matches s alone.
func globOf(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`).Replace(s)
}

// Set makes last the last number given of id, in one step, and returns what it was. If that goes back, or stays below the mark
// of an id that was stopped, or what the key holds is no counter, nothing is done unless back is set. An id that was stopped
// is served again.
func (s *Store) Set(ctx context.Context, id string, last uint64, back bool) (was uint64, err error) {
	if !api.ValidID(id) || last > api.MaxTurno {
		return 0, fmt.Errorf("counter %q can't be %d", id, last)
	}
	how := ""
	if back {
		how = "back"
	}
	answers, err := s.client.do(ctx, s.client.B().Eval().Script(bare(setText)).Numkeys(3).
		Key(s.prefix+id, s.stoppedKey(), s.idsKey()).Arg(id, strconv.FormatUint(last, 10), how).Build())
	if err != nil {
		return 0, err
	}
	answer, err := s.client.texts(answers[0], 2)
	if err != nil {
		return 0, fmt.Errorf("set %s: %w", s.prefix+id, err)
	}
	if was, err = strconv.ParseUint(answer[0], 10, 64); err != nil {
		return 0, fmt.Errorf("redis answered %q about %s", answer[0], id)
	}
	switch why := answer[1]; {
	case why == "":
		return was, nil
	case why == "back":
		return was, server.ErrBackwards
	case why[0] == 'S':
		mark, _ := strconv.ParseUint(why[1:], 10, 64)
		return was, &server.BelowMarkError{Mark: mark}
	default:
		return 0, s.broken(id, why[0], why[1:])
	}
}

package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/api"
)

// Reserve implements [server.Store]: one script, one round trip.
//
// Why asking again is safe. The script writes the counters and the record of the call (#node:NODE:SLOT: seq and result) in
// one MSET, which Redis does as a whole or refuses as a whole: for want of memory, as a replica, for its disk, for an ACL.
// So there is no block without a record. A call of the same seq is answered from the record; one of a smaller seq takes
// nothing, so that a call which was given up and arrives late (it was in a paused Redis' socket) does no harm.
//
// A call that was first made in an earlier life of Redis is not asked again by the batcher: if its record is lost, others may
// have had later numbers than its block, so that nobody could tell what became of it.
func (s *Store) Reserve(ctx context.Context, call *server.Call) error {
	l := s.life.Load()
	if l == nil {
		return server.ErrChanged
	}
	record := s.prefix + "#node:" + s.node + ":" + strconv.Itoa(call.Slot)
	keys := append(make([]string, 0, 2+2*len(call.Claims)), s.epochKey(), record)
	for i := range call.Claims {
		keys = append(keys, s.prefix+call.Claims[i].ID)
	}
	for i := range call.Claims {
		for k := range call.Claims[i].Keys {
			keys = append(keys, s.sessionKey(call.Claims[i].ID, call.Claims[i].Keys[k].Name))
		}
	}
	command := s.client.B().Evalsha().Sha1(l.sha).Numkeys(int64(len(keys))).Key(keys...)
	arg := command.Arg(l.epoch, strconv.FormatUint(call.Seq, 10))
	for i := range call.Claims {
		arg = arg.Arg(wanted(&call.Claims[i]))
	}
	answers, err := s.client.slots[call.Slot].do(ctx, append([]rueidis.Completed{arg.Build()}, s.acknowledge(record)...)...)
	if err != nil {
		return err
	}
	answer, err := answers[0].ToString()
	if err != nil {
		return s.left(l, s.deposed(err))
	}
	switch answer {
	case "changed":
		return s.left(l, server.ErrChanged)
	case "stale":
		return fmt.Errorf("%w: a later call of the slot was made", server.ErrUnavailable)
	}
	if err := s.settle(call, answer); err != nil {
		return err
	}
	return s.acknowledged(call, answers[1:])
}

// left notes that Redis is no longer what l knows, if err says so.
func (s *Store) left(l *life, err error) error {
	if errors.Is(err, server.ErrChanged) {
		s.life.CompareAndSwap(l, nil)
	}
	return err
}

// wanted is how a claim asks the script (reserve.lua).
func wanted(c *server.Claim) string {
	text := strconv.FormatUint(min(c.N, api.MaxTurno), 10)
	if c.Mark == 0 {
		text = "-" + text
	}
	if len(c.Keys) > 0 {
		text += "+" + strconv.Itoa(len(c.Keys))
	}
	return text
}

// settle reads the script's result: how many ids and sessions there are, if that was looked at, and a line for each claim.
func (s *Store) settle(call *server.Call, answer string) error {
	head, lines, _ := strings.Cut(answer, "\n")
	ids, sessions, _ := strings.Cut(head, " ")
	if n, err := strconv.ParseInt(ids, 10, 64); err == nil {
		s.atLeast(n)
	}
	if n, err := strconv.ParseInt(sessions, 10, 64); err == nil {
		s.sessions.Store(n)
	}
	for i := range call.Claims {
		line, rest, _ := strings.Cut(lines, "\n")
		if err := s.settleClaim(&call.Claims[i], line); err != nil {
			return err
		}
		lines = rest
	}
	return nil
}

// atLeast raises the number of ids: answers of two slots may be read in another order than Redis gave them. Check lowers it.
func (s *Store) atLeast(ids int64) {
	for known := s.ids.Load(); known < ids && !s.ids.CompareAndSwap(known, ids); known = s.ids.Load() {
	}
}

// settleClaim reads a line: the last number before the block and what each key has, or a letter for why there is none.
func (s *Store) settleClaim(c *server.Claim, line string) error {
	c.First, c.Granted, c.Err = 0, 0, nil
	if line == "" {
		return fmt.Errorf("redis answered nothing about %s", c.ID)
	}
	switch rest := line[1:]; line[0] {
	case 'I':
		c.Err = server.ErrTooManyIDs
	case 'S':
		c.Err = server.ErrStopped
	case 'B', 'T', 'G':
		c.Err = s.broken(c.ID, line[0], rest)
	default:
		return s.settleGrant(c, line)
	}
	return nil
}

// settleGrant reads the line of a claim that is a counter's.
func (s *Store) settleGrant(c *server.Claim, line string) error {
	fields := strings.Split(line, " ")
	last, err := strconv.ParseUint(fields[0], 10, 64)
	if err != nil || last > api.MaxTurno || len(fields) != 1+len(c.Keys) {
		return fmt.Errorf("redis answered %q about %s", line, c.ID)
	}
	next := last + c.N
	for i := range c.Keys {
		k := &c.Keys[i]
		k.Turno, k.Replayed, k.Err = 0, false, nil
		switch has := fields[1+i]; has {
		case "F":
			k.Err = server.ErrSessionsFull
		case "B":
			k.Err = &server.BrokenError{Key: s.sessionKey(c.ID, k.Name), Says: "holds no number"}
		case "+":
			if next++; next > api.MaxTurno {
				k.Err = server.ErrExhausted
			} else {
				k.Turno = next
			}
		default:
			k.Replayed = true
			if k.Turno, err = strconv.ParseUint(has, 10, 64); err != nil {
				return fmt.Errorf("redis answered %q about %s", line, c.ID)
			}
		}
	}
	switch want := next - last; {
	case want == 0:
	case last == api.MaxTurno:
		c.Err = server.ErrExhausted
	default:
		c.First, c.Granted = last+1, min(want, api.MaxTurno-last)
	}
	return nil
}

// sessionKey is where the number of a key is kept: no id holds a colon.
func (s *Store) sessionKey(id, key string) string { return s.prefix + "#s:" + id + ":" + key }

// broken says what is wrong with a counter, as the scripts found it.
func (s *Store) broken(id string, kind byte, what string) *server.BrokenError {
	e := &server.BrokenError{Key: s.prefix + id}
	switch kind {
	case 'B':
		e.Says = fmt.Sprintf("holds %.40q, which is no number from 0 to %d", what, uint64(api.MaxTurno))
	case 'T':
		e.Says = fmt.Sprintf("is a %s, not a counter", what)
	case 'G':
		e.Says = "is gone, though numbers of it were given: it was deleted or evicted (tmctl counters set puts it back)"
	}
	return e
}

// Peek implements [server.Store].
func (s *Store) Peek(ctx context.Context, id string) (uint64, error) {
	key := s.prefix + id
	answers, err := s.client.ask(ctx, s.client.B().Get().Key(key).Build(), s.client.B().Type().Key(key).Build())
	if err != nil {
		return 0, err
	}
	kind, err := answers[1].ToString()
	if err != nil {
		return 0, s.client.refusal(err)
	}
	switch kind {
	case "none":
		return 0, nil
	case "string":
	default:
		return 0, s.broken(id, 'T', kind)
	}
	text, err := answers[0].ToString()
	if err != nil {
		return 0, s.client.refusal(err)
	}
	return s.counter(id, text)
}

// counter reads what a counter's key holds.
func (s *Store) counter(id, text string) (uint64, error) {
	last, err := strconv.ParseUint(text, 10, 64)
	if err != nil || last > api.MaxTurno || strconv.FormatUint(last, 10) != text {
		return 0, s.broken(id, 'B', text)
	}
	return last, nil
}

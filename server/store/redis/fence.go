package redis

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/api"
)

// fencing is one call of the fence script. It is made again until it is answered: what it finds is found once only.
type fencing struct {
	seq   uint64
	marks []server.Mark
	jump  uint64
}

// fenceChunk bounds the marks of a fencing; Redis does a thousand in some milliseconds.
const fenceChunk = 1000

// fence fences marks: of l if it is not nil, else in the running life, with an alarm. What it returns was done, also when it
// errs. Under joining.
func (s *Store) fence(ctx context.Context, l *life, marks []server.Mark, jump uint64) (back []server.Rollback, err error) {
	if s.pending != nil { // an earlier one, whose answer was lost
		if back, err = s.fenceSome(ctx, l, s.pending); err != nil {
			return nil, err
		}
	}
	for some := range slices.Chunk(marks, fenceChunk) {
		s.fences++
		f := &fencing{seq: s.fences, marks: slices.Clone(some), jump: min(jump, api.MaxTurno)}
		more, err := s.fenceSome(ctx, l, f)
		if back = append(back, more...); err != nil {
			return back, err
		}
	}
	return back, nil
}

// fenceSome makes one call. The life is checked over the same connection: in a failover, another one may lead elsewhere.
func (s *Store) fenceSome(ctx context.Context, l *life, f *fencing) ([]server.Rollback, error) {
	s.pending = f
	epoch, alarm := "", ""
	if running := s.life.Load(); l == nil && running != nil {
		epoch, alarm = running.epoch, running.nonce
	}
	keys := []string{s.epochKey(), s.prefix + "#node:" + s.node + ":fence", s.stoppedKey(), s.idsKey()}
	args := []string{epoch, strconv.FormatUint(f.seq, 10), strconv.FormatUint(f.jump, 10), alarm, strconv.Itoa(len(s.prefix))}
	for _, m := range f.marks {
		keys = append(keys, s.prefix+m.ID)
		args = append(args, strconv.FormatUint(m.Last, 10))
	}
	commands := []rueidis.Completed{
		s.client.B().Eval().Script(bare(fenceText)).Numkeys(int64(len(keys))).Key(keys...).Arg(args...).Build(),
	}
	if l != nil {
		commands = append(commands, s.client.B().Evalsha().Sha1(l.sha).Numkeys(1).Key(s.epochKey()).Arg(l.epoch).Build())
	}
	answers, err := s.client.do(ctx, commands...)
	if err != nil {
		return nil, err
	}
	answer, err := answers[0].ToString()
	if err != nil {
		return nil, s.client.refusal(err)
	}
	back, err := f.found(answer)
	if err != nil {
		return nil, err
	}
	s.pending = nil
	if l != nil {
		if still, err := answers[1].ToString(); err != nil || still == "changed" {
			return back, server.ErrChanged
		}
	}
	return back, nil
}

// found reads the script's result: a line for each counter that was behind, with the number of its mark.
func (f *fencing) found(answer string) (back []server.Rollback, err error) {
	for line := range strings.Lines(answer) {
		var i int
		var r server.Rollback
		if _, err := fmt.Sscan(line, &i, &r.Store, &r.To); err != nil || i < 1 || i > len(f.marks) {
			return nil, fmt.Errorf("redis answered %q", line)
		}
		r.Mark = f.marks[i-1]
		back = append(back, r)
	}
	return back, nil
}

package redis

import (
	"context"
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/turnomatico/tmctl/server"
)

// A Redis can go back: restarted from an old file, emptied, another process in its place. Then its counters give numbers a
// second time. A node's marks show that for blocks which it gets itself (server's fence), but not to a node that has served
// less, and it must be noticed before any number is handed out by anyone. So:
//
//   - Every text of the reserve script is unlike all others: it names the node and a nonce of this life. It is loaded once,
//     by join or Rejoin. Only the process that it was loaded into knows it; Redis 7 neither saves scripts nor replicates
//     them. Any other process answers NOSCRIPT, and then nothing is loaded by itself: the store has changed.
//   - The script compares the epoch, a random key. That notices FLUSHALL and a dataset that was put in another's place. The
//     epoch names the replication id of the Redis that it was made in. A replica that is promoted has a new one: who joins it
//     first, also a node that starts just then, makes a new epoch, and all compare.
//   - Check compares the replication id, too: a master that was made a replica and then a master again is the same process.
//   - A node that finds evidence in the running life (a block below its mark, a counter that is gone although numbers of it
//     were given) sets a new epoch: an alarm, which calls all nodes to compare their marks.
//
// After any of these each node fences all its marks, waits for the grace so that the other living nodes can do the same,
// and goes on. They all notice within it, for they Check a few times a second. Behind Sentinels it is longer (SentinelGrace).
//
// What remains open, and is said in the promise: numbers that a node gave which is dead, paused or cut off during the grace
// (with a jump, as far as they are beyond it); a Redis that is replaced while no node lives; replicas that are promoted
// are behind by what had not reached them; Redis before 7 replicates scripts, so a promoted replica may know them, and only
// the epoch, the replication id and the marks are left; so may a proxy in front of Redis that loads scripts by itself.

// life is what a node knows of the Redis that it joined. It does not change.
type life struct {
	node, nonce string
	addr        string // where it was met
	run         string // Redis' run id; empty when it does not tell
	replication string // its replication id; empty when it does not tell
	epoch       string
	sha         string // of the reserve script
}

// same reports whether Redis is the process and the dataset that old knew; then only its scripts were flushed.
func (l *life) same(old *life) bool {
	return old != nil && l.run != "" && l.run == old.run && l.replication == old.replication && l.epoch == old.epoch
}

// differs names what is not as old knew it.
func (l *life) differs(old *life) string {
	switch {
	case old == nil:
		return "all"
	case l.run != old.run:
		return "process"
	case l.epoch != old.epoch:
		return "dataset"
	case l.replication != old.replication:
		return "replication"
	default:
		return "scripts"
	}
}

// meeting is what meet found.
type meeting struct {
	life *life
	wait time.Duration // until other nodes have had the grace, too; for a node that is new
}

// meet loads the script of a new life and asks what tells one life from another. loss is whether the caller knows of one.
func (s *Store) meet(ctx context.Context, loss bool) (*meeting, error) {
	if err := s.guide.must(ctx); err != nil {
		return nil, err
	}
	if err := s.look(ctx); err != nil {
		return nil, err
	}
	f := s.facts.Load()
	if err := s.unfit(f); err != nil {
		return nil, err
	}
	if err := s.mayWait(ctx); err != nil {
		return nil, err
	}
	l := &life{node: s.node, nonce: s.nonceFor(f.run), run: f.run, replication: f.replication}
	tells := ""
	if loss {
		tells = "@"
	}
	// In a failover, or behind a proxy, two connections may lead to different processes. These go over one.
	answers, err := s.client.do(ctx,
		s.client.B().ScriptLoad().Script(reserveScript(l, s.prefix, s.bounds)).Build(),
		s.client.B().Info().Section("server").Build(),
		s.client.B().Eval().Script(bare(joinText)).Numkeys(1).Key(s.epochKey()).Arg(rand.Text()[:16], tells, f.replication).Build())
	if err != nil {
		return nil, err
	}
	if text, err := answers[1].ToString(); err == nil && infoOf(text)["run_id"] != f.run {
		s.nonce = ""
		return nil, server.ErrChanged
	}
	if l.sha, err = answers[0].ToString(); err != nil {
		return nil, fmt.Errorf("load a script: %w", s.client.refusal(err))
	}
	epoch, err := s.client.texts(answers[2], 3)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", s.epochKey(), err)
	}
	l.epoch, l.addr = epoch[0], s.client.desk.conn.Load().addr
	m := &meeting{life: l}
	if epoch[1] != "new" {
		m.wait = f.wait(s.options.Grace, epoch[0], epoch[2])
	}
	return m, nil
}

// nonceFor is what makes this node's script unlike all others. One that was loaded into a process, and no other, is used
// again there: Redis keeps every text that it was ever given, and Rejoin may need many attempts.
func (s *Store) nonceFor(run string) string {
	if s.nonce == "" || run == "" || run != s.nonceRun {
		s.nonce, s.nonceRun = rand.Text()[:16], run
	}
	return s.nonce
}

// wait is how long a new node waits so that the others have had the grace: since Redis started, and since an epoch was made
// that tells of a loss.
func (f *facts) wait(grace time.Duration, epoch, now string) time.Duration {
	rest := grace - f.atLeastUp()
	epoch, _, _ = strings.Cut(epoch, "#")
	_, at, tells := strings.Cut(epoch, "@")
	made, err1 := strconv.ParseInt(at, 10, 64)
	ms, err2 := strconv.ParseInt(now, 10, 64)
	if tells && err1 == nil && err2 == nil {
		rest = max(rest, grace-time.Duration(max(ms-made, 0))*time.Millisecond)
	}
	return rest
}

// join makes a node that has no marks known. Where Redis has just been started again, or there was an alarm, other nodes
// may still have to fence theirs.
func (s *Store) join(ctx context.Context) error {
	m, err := s.meet(ctx, false)
	if err == nil {
		err = s.enter(ctx, m.life, m.wait)
	}
	if err != nil {
		return fmt.Errorf("join %s: %w", s.name, err)
	}
	return nil
}

// enter waits, and then lets Reserve work, unless Redis changed meanwhile.
func (s *Store) enter(ctx context.Context, l *life, wait time.Duration) error {
	if wait > 0 {
		if err := s.options.pause(ctx, wait); err != nil {
			return err
		}
	}
	if err := s.check(ctx, l); err != nil {
		return err
	}
	s.last = l
	s.life.Store(l)
	return nil
}

// Check implements [server.Fenced].
func (s *Store) Check(ctx context.Context) error {
	l := s.life.Load()
	if l == nil {
		return server.ErrChanged
	}
	err := s.check(ctx, l)
	if err == nil && time.Since(s.facts.Load().at) > lookEvery {
		err = s.look(ctx) // an operator may have changed what the promise rests on
	}
	return s.left(l, err)
}

// check asks whether Redis is what l knows, and how many ids it has. The replication id changes also when the first replica
// comes; comparing once more is the price.
func (s *Store) check(ctx context.Context, l *life) error {
	if err := s.guide.moved(ctx, l.addr); err != nil {
		return err
	}
	answers, err := s.client.ask(ctx,
		s.client.B().Evalsha().Sha1(l.sha).Numkeys(1).Key(s.epochKey()).Arg(l.epoch).Build(),
		s.client.B().Info().Section("replication").Build())
	if err != nil {
		return err
	}
	ids, err := answers[0].ToString()
	if err != nil {
		return s.client.refusal(err)
	}
	ids, sessions, _ := strings.Cut(ids, " ")
	n, err := strconv.ParseInt(ids, 10, 64)
	if err != nil {
		return server.ErrChanged
	}
	s.ids.Store(n)
	if n, err := strconv.ParseInt(sessions, 10, 64); err == nil {
		s.sessions.Store(n)
	}
	text, err := answers[1].ToString()
	if err != nil {
		return nil // not allowed to ask
	}
	info := infoOf(text)
	if l.replication != "" && info["master_replid"] != l.replication {
		return server.ErrChanged
	}
	return nil
}

// Rejoin implements [server.Fenced].
func (s *Store) Rejoin(ctx context.Context, marks []server.Mark, jump uint64) ([]server.Rollback, error) {
	s.joining.Lock()
	defer s.joining.Unlock()
	s.life.Store(nil)
	s.client.renew() // to whatever is at the address now
	m, err := s.meet(ctx, true)
	if err != nil {
		return nil, fmt.Errorf("rejoin %s: %w", s.name, err)
	}
	back, err := s.fence(ctx, m.life, marks, jump)
	if err != nil {
		return back, fmt.Errorf("compare the counters of %s: %w", s.name, err)
	}
	wait := s.options.Grace
	if m.life.same(s.last) {
		wait = 0
	}
	s.log.Info("redis is not what it was", "name", s.name, "changed", m.life.differs(s.last), "run_id", m.life.run, "behind", len(back), "waits", wait)
	if err := s.enter(ctx, m.life, wait); err != nil {
		return back, fmt.Errorf("rejoin %s: %w", s.name, err)
	}
	return back, nil
}

// Fence implements [server.Fenced]. It is asked for when a block showed that the store went back, which other nodes may not
// know: they are called, and this node compares all its marks, too, before it goes on.
func (s *Store) Fence(ctx context.Context, marks []server.Mark, jump uint64) ([]server.Rollback, error) {
	s.joining.Lock()
	defer s.joining.Unlock()
	back, err := s.fence(ctx, nil, marks, jump)
	if err != nil {
		return back, fmt.Errorf("fence %s: %w", s.name, err)
	}
	return back, nil
}

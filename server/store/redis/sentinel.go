package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/turnomatico/tmctl/server"
)

// sentinels tell which Redis is the master. They are asked at each dial, and at each Check, a few times a second, which
// finds another master as soon as a subscription to +switch-master would be worth having: an election alone takes longer. So
// a node leaves a master that was replaced even while that one answers.
//
// What they say decides where a node looks, and never which numbers it gives: a Redis that is not the one it knows is met
// like any other change (life.go).
type sentinels struct {
	name   string // the store's, for the log
	master string
	within time.Duration // a Sentinel's answer
	all    []*sentinel
	log    *slog.Logger
	asks   sync.WaitGroup

	mu    sync.Mutex // guards what follows
	known seat       // the last that was believed
	few   bool       // less than a majority answered
	round *round     // of questions, under way; nil: none
}

// round is what all learn who ask at the same time.
type round struct {
	done chan struct{}
	seat seat
	err  error
}

// sentinel is one of them.
type sentinel struct {
	addr string
	line *line
	busy atomic.Bool // with a question of an earlier round, which is not waited for
}

// follow makes the options ask their Sentinels, if they have some, for who is the master.
func (o *Options) follow(log *slog.Logger) (*sentinels, error) {
	if len(o.sentinels) == 0 {
		return nil, nil
	}
	s := &sentinels{name: o.name, master: o.master, within: o.patience / 2, log: log}
	for _, addr := range o.sentinels {
		at := Options{
			Password: o.SentinelPassword, user: o.sentinelUser, patience: o.patience,
			network: "tcp", addr: addr, tls: o.tls, ca: o.ca, cert: o.cert, key: o.key,
		}
		at.host, _, _ = net.SplitHostPort(addr)
		secure, err := at.secure()
		if err != nil {
			return nil, err
		}
		s.all = append(s.all, &sentinel{addr: addr, line: newLine(at, secure)})
	}
	o.where = s.where
	return s, nil
}

// close ends the lines. No question is asked any more.
func (s *sentinels) close() {
	if s == nil {
		return
	}
	s.asks.Wait()
	for _, one := range s.all {
		one.line.close()
	}
}

// where is who is to be dialled. Without a word of the Sentinels it is the master that they named last: whoever dials there
// knows whether it is still the process that he left (Reserve), or asks for their word first (meet).
func (s *sentinels) where(ctx context.Context) (string, error) {
	p, err := s.ask(ctx)
	if err == nil {
		return p.addr, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known.addr != "" {
		return s.known.addr, nil
	}
	return "", err
}

// moved says that the Sentinels name another master than addr. Nothing follows from their silence: while they can't be asked
// nodes go on with the master that they have.
func (s *sentinels) moved(ctx context.Context, addr string) error {
	if s == nil {
		return nil
	}
	p, err := s.ask(ctx)
	if err == nil && p.addr != addr {
		return fmt.Errorf("%w: the Sentinels name %s as the master, no longer %s", server.ErrChanged, p.addr, addr)
	}
	return nil
}

// must has the Sentinels say who is the master, now.
func (s *sentinels) must(ctx context.Context) error {
	if s == nil {
		return nil
	}
	if _, err := s.ask(ctx); err != nil {
		return fmt.Errorf("%w: %w", server.ErrUnavailable, err)
	}
	return nil
}

// ask asks all at once. Who asks meanwhile gets the same answer.
func (s *sentinels) ask(ctx context.Context) (seat, error) {
	s.mu.Lock()
	r := s.round
	if r == nil {
		r = &round{done: make(chan struct{})}
		s.round = r
		s.asks.Go(func() { s.turn(context.WithoutCancel(ctx), r) })
	}
	s.mu.Unlock()
	select {
	case <-r.done:
		return r.seat, r.err
	case <-ctx.Done():
		return seat{}, ctx.Err()
	}
}

// turn is a round, from its beginning to its end.
func (s *sentinels) turn(ctx context.Context, r *round) {
	said := s.hear(ctx, s.within/5)
	s.mu.Lock()
	defer s.mu.Unlock()
	r.seat, r.err = s.believe(said)
	s.round = nil
	close(r.done)
}

// hear asks all at once, and returns what they say. Once a majority agrees, the others have a moment more: right after a
// failover it is one alone who knows of it, and those that don't may be quicker. One whose machine is gone is not waited for,
// and not asked while it owes an answer to an earlier round.
func (s *sentinels) hear(ctx context.Context, moment time.Duration) (said []testimony) {
	answers := make(chan testimony, len(s.all))
	asked := 0
	for _, one := range s.all {
		if !one.busy.CompareAndSwap(false, true) {
			continue
		}
		asked++
		s.asks.Go(func() {
			defer one.busy.Store(false)
			answers <- one.ask(ctx, s.master, s.within)
		})
	}
	var over <-chan time.Time
	for len(said) < asked {
		select {
		case t := <-answers: // each comes within s.within
			said = append(said, t)
		case <-over:
			return said
		}
		if over == nil && agreed(said, len(s.all)) {
			over = time.After(moment)
		}
	}
	return said
}

// believe draws the conclusion, and remembers it. Under mu.
func (s *sentinels) believe(said []testimony) (seat, error) {
	p, err := choose(said, s.known, len(s.all))
	if err == nil {
		if s.known.addr != "" && p.addr != s.known.addr {
			s.log.Warn("the Sentinels name another master", "name", s.name, "was", s.known.addr, "is", p.addr, "config_epoch", p.epoch)
		}
		s.known = p
	}
	if few := 2*len(speaking(said)) <= len(s.all); few != s.few {
		s.few = few
		if few {
			s.log.Warn("less than half of the Sentinels answer: without them there is no failover, and none is noticed",
				"name", s.name, "answer", len(speaking(said)), "of", len(s.all), "why", complaints(said))
		} else {
			s.log.Info("a majority of the Sentinels answers", "name", s.name)
		}
	}
	if why := complaints(said); err != nil && why != "" {
		err = fmt.Errorf("%w (%s)", err, why)
	}
	return p, err
}

// ask asks one.
func (one *sentinel) ask(ctx context.Context, master string, within time.Duration) testimony {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	t := testimony{sentinel: one.addr}
	if t.err = one.line.open(ctx); t.err == nil {
		t.err = one.put(ctx, master, &t)
	}
	if t.err != nil {
		t.err = one.complaint(t.err)
	}
	return t
}

// put puts the question, twice if need be: the connection may have been dead.
func (one *sentinel) put(ctx context.Context, master string, t *testimony) error {
	var answers []rueidis.RedisResult
	err := errLate
	for range 2 {
		if ctx.Err() != nil || err == nil {
			break
		}
		b := one.line.client.B()
		// The epoch first: should the master change in between, its address is taken for one of the epoch before.
		answers, err = one.line.do(ctx, b.Arbitrary("SENTINEL", "MASTER", master).Build(),
			b.Arbitrary("SENTINEL", "GET-MASTER-ADDR-BY-NAME", master).Build())
	}
	if err != nil {
		return err
	}
	if t.says, err = answers[0].AsStrMap(); err != nil {
		return errors.New(one.line.words.plain(err))
	}
	at, err := answers[1].AsStrSlice()
	if err != nil || len(at) != 2 {
		return fmt.Errorf("it says %q of the master's address", at)
	}
	if t.seat.epoch, err = strconv.ParseUint(t.says["config-epoch"], 10, 64); err != nil {
		return fmt.Errorf("it says %q of its configuration's epoch", t.says["config-epoch"])
	}
	t.seat.addr = net.JoinHostPort(at[0], at[1])
	return nil
}

// complaint is what a Sentinel's error means.
func (one *sentinel) complaint(err error) error {
	text := strings.TrimPrefix(err.Error(), server.ErrUnavailable.Error()+": ")
	switch {
	case strings.Contains(text, "NOAUTH"), strings.Contains(text, "WRONGPASS"):
		return errors.New("it wants its own password: ?sentinel_password=, and perhaps ?sentinel_username=")
	case strings.Contains(text, "unknown command"):
		return errors.New("it is a Redis, not a Sentinel; these listen at 26379")
	case errors.Is(err, context.DeadlineExceeded) && one.line.words.tls:
		return errors.New("it says nothing: does it speak TLS (else it is redis+sentinel://)?")
	case errors.Is(err, context.DeadlineExceeded):
		return errors.New("it says nothing")
	}
	return errors.New(text)
}

// deposed is refusal, but that a master which became a replica is no longer the one that is known: another one is.
func (s *Store) deposed(err error) error {
	if s.guide != nil && codeOf(err.Error()) == "READONLY" {
		return fmt.Errorf("%w: the master is a replica now", server.ErrChanged)
	}
	return s.client.refusal(err)
}

// unfit is why no node can work with the Redis of these facts.
func (s *Store) unfit(f *facts) error {
	if _, is := f.replica(); is && s.guide != nil {
		return fmt.Errorf("%w: %s, which the Sentinels name as the master, is a replica: is a failover under way?",
			server.ErrUnavailable, s.client.desk.conn.Load().addr)
	}
	return f.unfit()
}

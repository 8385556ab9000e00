package redis

import (
	"context"
	"crypto/rand"
	"crypto/sha1"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/turnomatico/tmctl/server"
)

// Examine looks at all that decides whether this Redis is fit to hold counters. It takes no number, and what it writes, on
// keys of its own, is removed. It says what it found until ctx ends.
func (s *Store) Examine(ctx context.Context) []server.Finding {
	if err := s.look(ctx); err != nil {
		return []server.Finding{{Name: "reachable", Level: server.Fail, Says: err.Error()}}
	}
	return append(append([]server.Finding{s.reachable(s.facts.Load())}, s.examine(ctx)...), s.counters(ctx))
}

// examine looks at the server that was just looked at.
func (s *Store) examine(ctx context.Context) []server.Finding {
	f := s.facts.Load()
	found := []server.Finding{s.private(), f.version(), f.role()}
	found = append(found, s.watched(ctx), s.permitted(ctx), s.waited(ctx), s.scripts(ctx), s.roundTrip(ctx))
	found = append(found, f.persistence(), f.disk(), f.eviction(), f.memory(), f.copies(), f.lag(), f.coverage(), s.clock(ctx))
	return slices.DeleteFunc(found, func(f server.Finding) bool { return f.Name == "" })
}

// finding makes a finding; the hint says what to change.
func finding(name string, level server.Level, hint, format string, args ...any) server.Finding {
	return server.Finding{Name: name, Level: level, Says: fmt.Sprintf(format, args...), Hint: hint}
}

func (s *Store) reachable(f *facts) server.Finding {
	if f.info == nil {
		return finding("reachable", server.Warn, "allow INFO: ACL SETUSER … +info", "it answers, but forbids INFO: a restart is noticed, most of what follows is not known")
	}
	return finding("reachable", server.OK, "", "%s answers as Redis %s", s.name, f.info["redis_version"])
}

// private looks at who can read along, and who can come in.
func (s *Store) private() server.Finding {
	conn := s.client.desk.conn.Load().Conn
	near := s.options.network == "unix"
	if tcp, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		near = tcp.IP.IsLoopback()
	}
	switch {
	case !near && !s.options.tls:
		return finding("private", server.Warn, "rediss:// with ?cacert=FILE; in redis.conf tls-port, tls-cert-file, tls-key-file",
			"no TLS on the way to another machine: the password and the counters can be read and changed on it")
	case s.options.Password == "":
		level := server.OK
		if !near {
			level = server.Warn
		}
		return finding("private", level, "redis.conf: requirepass, or user … >password", "no password: whoever reaches this Redis can empty it")
	case s.options.tls:
		return finding("private", server.OK, "", "TLS and a password")
	default:
		return finding("private", server.OK, "", "a password; on this machine, without TLS")
	}
}

// scripts looks for a proxy that loads scripts by itself, behind which one Redis could take another's place unnoticed.
func (s *Store) scripts(ctx context.Context) server.Finding {
	unknown := fmt.Sprintf("%x", sha1.Sum([]byte(rand.Text())))
	answers, err := s.client.ask(ctx, s.client.B().Evalsha().Sha1(unknown).Numkeys(0).Build())
	switch {
	case err != nil:
		return finding("scripts", server.Fail, "", "%v", err)
	case errors.Is(s.client.refusal(answers[0].Error()), server.ErrChanged):
		return finding("scripts", server.OK, "", "a Redis that does not know a script says so: that is how a restart is noticed")
	default:
		return finding("scripts", server.Fail, "connect to Redis itself, without a proxy", "asked for a script that nobody has, it does not say NOSCRIPT: %s",
			s.client.desk.words.plain(answers[0].Error()))
	}
}

// trips are how many round trips are timed, and slowTrip is where queues of requests become long.
const (
	trips    = 100
	slowTrip = 5 * time.Millisecond
)

func (s *Store) roundTrip(ctx context.Context) server.Finding {
	var took []time.Duration
	for range trips {
		start := time.Now()
		if _, err := s.client.do(ctx, s.client.B().Get().Key(s.epochKey()).Build()); err != nil {
			return finding("round trip", server.Fail, "", "%v", err)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	median, p99 := took[trips/2].Round(time.Microsecond), took[trips*99/100].Round(time.Microsecond)
	if median > slowTrip {
		return finding("round trip", server.Warn, "put the nodes beside Redis", "median %s, p99 %s: a request waits for one to two of them", median, p99)
	}
	return finding("round trip", server.OK, "", "median %s, p99 %s of %d", median, p99, trips)
}

// slowClock is how far two clocks may be apart.
const slowClock = 5 * time.Second

// clock compares clocks: the records of calls end by that of Redis.
func (s *Store) clock(ctx context.Context) server.Finding {
	answers, err := s.client.ask(ctx, s.client.B().Time().Build())
	if err != nil {
		return finding("clock", server.Fail, "", "%v", err)
	}
	now, err := answers[0].AsIntSlice()
	if err != nil || len(now) != 2 {
		return server.Finding{} // forbidden, which is said
	}
	off := time.Until(time.Unix(now[0], now[1]*1000)).Round(100 * time.Millisecond)
	if off.Abs() > slowClock {
		return finding("clock", server.Warn, "run NTP on both", "Redis' clock is %s off this machine's: if it jumps by 10 minutes, a call that is asked again then can burn numbers", off)
	}
	return finding("clock", server.OK, "", "as this machine's, within %s", slowClock)
}

// counters looks at what is there already.
func (s *Store) counters(ctx context.Context) server.Finding {
	ids, stopped, err := s.count(ctx)
	switch {
	case errors.Is(err, server.ErrUnavailable):
		return finding("counters", server.Fail, "", "%v", err)
	case err != nil:
		return finding("counters", server.Warn, "", "can't count them: %v", err)
	case stopped:
		return finding("counters", server.Warn, "redis-cli HGETALL "+s.stoppedKey()+" shows each with its mark; tmctl counters set ID NUMBER, at or above it, puts it back",
			"%d ids; some are stopped since the store went back", ids)
	}
	return finding("counters", server.OK, "", "%d ids below %s", ids, s.prefix)
}

// count is how many ids there are, and whether some are stopped.
func (s *Store) count(ctx context.Context) (ids int64, stopped bool, err error) {
	answers, err := s.client.ask(ctx, s.client.B().Scard().Key(s.idsKey()).Build(), s.client.B().Exists().Key(s.stoppedKey()).Build())
	if err != nil {
		return 0, false, err
	}
	if ids, err = answers[0].AsInt64(); err != nil {
		return 0, false, s.client.refusal(err)
	}
	stops, err := answers[1].AsInt64()
	return ids, err == nil && stops > 0, nil
}

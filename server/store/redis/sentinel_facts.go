package redis

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/turnomatico/tmctl/server"
)

// What a failover leaves of the numbers, and what an examination says of Sentinels and replicas.

// failingOver is the part of the promise about failovers; empty where there are none and no replica is waited for.
func (f *facts) failingOver() string {
	var said []string
	if f.wanted > 0 {
		said = append(said, fmt.Sprintf("A number is on %d of %s before it is answered (?wait=%d): a failover to one that has it loses none",
			f.wanted, count(f.info["connected_slaves"], "replica"), f.wanted))
	} else if f.guided || f.partition {
		said = append(said, "A failover loses what had not reached the replica that is promoted")
	}
	if f.guided {
		said = append(said, "A node that is cut off together with the old master goes on with it "+f.cutOff())
	}
	if ms, err := strconv.Atoi(f.config["cluster-node-timeout"]); err == nil && f.partition {
		said = append(said, fmt.Sprintf("A node that is cut off together with the old master goes on with it for up to %s: cluster-node-timeout",
			time.Duration(ms)*time.Millisecond))
	}
	if said == nil {
		return ""
	}
	return strings.Join(said, ". ") + ". "
}

// cutOff is for how long a master that was replaced, and does not know it, is of use to a node that does not know it either.
func (f *facts) cutOff() string {
	least, lag := f.config["min-replicas-to-write"], f.config["min-replicas-max-lag"]
	switch {
	case f.wanted > 0:
		return fmt.Sprintf("only if %s are, too", count(strconv.Itoa(f.wanted), "replica"))
	case least == "":
		return "for as long as that takes writes"
	case least == "0" || lag == "0":
		return "for as long as that lasts: min-replicas-to-write is 0"
	default:
		return fmt.Sprintf("for up to %s s: min-replicas-max-lag", lag)
	}
}

// count is how many there are, of what is called so: "1 replica", "2 replicas", "an unknown number of replicas".
func count(n, what string) string {
	switch n {
	case "":
		return "an unknown number of " + what + "s"
	case "1":
		return "1 " + what
	default:
		return n + " " + what + "s"
	}
}

// awaited is about replicas where some must have each number, or one is to take the master's place.
func (f *facts) awaited() server.Finding {
	replicas := count(f.info["connected_slaves"], "replica")
	const least = "CONFIG SET min-replicas-to-write 1, CONFIG SET min-replicas-max-lag 1, CONFIG REWRITE, on every Redis"
	switch n, err := strconv.Atoi(f.info["connected_slaves"]); {
	case err != nil:
		return server.Finding{}
	case n < f.wanted:
		return finding("replicas", server.Fail, "have more replicas, or a smaller ?wait=", "%s in touch, and ?wait=%d: no number is handed out", replicas, f.wanted)
	case n == 0:
		return finding("replicas", server.Warn, "start a replica: replicaof HOST PORT in its redis.conf", "none in touch: there is nothing to fail over to")
	case f.wanted == n:
		return finding("replicas", server.OK, "", "%s, and each number is on all of them before it is answered; without one of them none is", replicas)
	case f.wanted > 0:
		return finding("replicas", server.OK, "", "%s, and each number is on %d of them before it is answered; one that lacks some can be promoted all the same", replicas, f.wanted)
	case f.config["min-replicas-to-write"] == "0":
		return finding("replicas", server.Warn, least+"; or ?wait=1 in the URL",
			"%s, which follow asynchronously; a master that has lost them goes on, and what it gives then is lost in a failover, or given twice", replicas)
	default:
		return finding("replicas", server.Warn, "?wait=1 in the URL has one acknowledge each number, for a round trip to it",
			"%s, which follow asynchronously: one that is promoted can be behind by what had not reached it", replicas)
	}
}

// slowReplica is how long a replica may be silent; healthy ones say where they are every second.
const slowReplica = 5

// lag is how far the replicas are behind.
func (f *facts) lag() server.Finding {
	var said []string
	level := server.OK
	for i := 0; f.info["slave"+strconv.Itoa(i)] != ""; i++ {
		r := map[string]string{}
		for pair := range strings.SplitSeq(f.info["slave"+strconv.Itoa(i)], ",") {
			key, value, _ := strings.Cut(pair, "=")
			r[key] = value
		}
		at, _ := strconv.ParseInt(r["offset"], 10, 64)
		all, _ := strconv.ParseInt(f.info["master_repl_offset"], 10, 64)
		seconds, err := strconv.Atoi(r["lag"])
		if r["state"] != "online" || err != nil || seconds > slowReplica {
			level = server.Warn
		}
		said = append(said, fmt.Sprintf("%s:%s %s, %d bytes behind, heard of %s s ago", r["ip"], r["port"], r["state"], max(all-at, 0), r["lag"]))
	}
	if said == nil {
		return server.Finding{}
	}
	hint := ""
	if level != server.OK {
		hint = "look at the replica's log, and at the network between"
	}
	return finding("replica lag", level, hint, "%s", strings.Join(said, "; "))
}

// watched is what the Sentinels say of themselves.
func (s *Store) watched(ctx context.Context) server.Finding {
	if s.guide == nil {
		return server.Finding{}
	}
	said := s.guide.hear(ctx, s.guide.within)
	all, some := len(s.guide.all), speaking(said)
	if 2*len(some) <= all {
		return finding("sentinels", server.Fail, "start them: without a majority there is no failover, and nodes notice none", "%d of %d answer; %s", len(some), all, complaints(said))
	}
	t := some[0].says
	others, _ := strconv.Atoi(t["num-other-sentinels"])
	down, _ := strconv.Atoi(t["down-after-milliseconds"])
	says := fmt.Sprintf("%d of %d answer and name %s; quorum %s, a master is taken for dead after %s",
		len(some), all, some[0].seat.addr, t["quorum"], time.Duration(down)*time.Millisecond)
	switch {
	case !agreed(said, all):
		return finding("sentinels", server.Warn, "if no failover is under way: SENTINEL RESET "+s.guide.master+" on those that are wrong", "they name different masters: %s", named(some))
	case len(some) < all:
		return finding("sentinels", server.Warn, "start the others", "%s; %s", says, complaints(said))
	case others+1 < 3:
		return finding("sentinels", server.Warn, "run three, on machines that fail apart", "%s; there are %s, of which none may fail", says, count(strconv.Itoa(others+1), "Sentinel"))
	case others+1 > all:
		return finding("sentinels", server.Warn, "name them all in the URL: the others may be the ones that are left", "%s; they know of %d", says, others+1)
	}
	if why := s.guide.quorum(ctx); why != "" {
		return finding("sentinels", server.Fail, "SENTINEL MASTER "+s.guide.master+" shows what is missing", "%s; %s", says, why)
	}
	return finding("sentinels", server.OK, "", "%s", says)
}

// named is who names whom.
func named(some []testimony) string {
	var said []string
	for _, t := range some {
		said = append(said, fmt.Sprintf("%s says %s (epoch %d)", t.sentinel, t.seat.addr, t.seat.epoch))
	}
	slices.Sort(said)
	return strings.Join(said, "; ")
}

// quorum is why the Sentinels could not fail over now; empty when they can.
func (s *sentinels) quorum(ctx context.Context) string {
	for _, one := range s.all {
		if !one.busy.CompareAndSwap(false, true) {
			continue
		}
		defer one.busy.Store(false)
		if err := one.line.open(ctx); err != nil {
			continue
		}
		answers, err := one.line.do(ctx, one.line.client.B().Arbitrary("SENTINEL", "CKQUORUM", s.master).Build())
		if err != nil {
			continue
		}
		if err := answers[0].Error(); err != nil {
			return one.line.words.plain(err)
		}
		return ""
	}
	return ""
}

// waited is whether the user may wait for replicas.
func (s *Store) waited(ctx context.Context) server.Finding {
	if err := s.mayWait(ctx); err != nil {
		return finding("wait", server.Fail, "ACL SETUSER … +wait", "%v", err)
	}
	return server.Finding{}
}

package redis

import (
	"errors"
	"fmt"
	"strings"
)

// seat is who is the master, as of a configuration of the Sentinels: each failover has a larger epoch.
type seat struct {
	addr  string
	epoch uint64
}

// testimony is what one Sentinel says.
type testimony struct {
	sentinel string
	seat     seat
	says     map[string]string // SENTINEL MASTER
	err      error             // then it says nothing
}

// speaking are those that said something.
func speaking(said []testimony) (some []testimony) {
	for _, t := range said {
		if t.err == nil {
			some = append(some, t)
		}
	}
	return some
}

// agreed reports whether more than half of all Sentinels say the same.
func agreed(said []testimony, all int) bool {
	for _, t := range said {
		if t.err == nil && 2*votes(said, t.seat) > all {
			return true
		}
	}
	return false
}

// votes is how many Sentinels say p.
func votes(said []testimony, p seat) (n int) {
	for _, t := range said {
		if t.err == nil && t.seat == p {
			n++
		}
	}
	return n
}

var (
	errSilent = errors.New("no Sentinel says who is the master")
	// errStale says that Sentinels answer, but not what can be believed.
	errStale = errors.New("the Sentinels that answer know an older master than was known before")
)

// choose says whom to believe. The largest epoch wins, however few say it: only a Sentinel that a majority elected has made
// it, and the others learn of it; of one epoch, what most say. An older one than is known comes from a Sentinel that was cut
// off, and so does another address in the same epoch from one that is set up wrongly: neither is believed, unless a majority
// of all says so, which then were set up anew.
func choose(said []testimony, known seat, all int) (seat, error) {
	said = speaking(said)
	if len(said) == 0 {
		return seat{}, errSilent
	}
	best := said[0].seat
	for _, t := range said[1:] {
		p := t.seat
		if p.epoch > best.epoch || p.epoch == best.epoch && votes(said, p) > votes(said, best) {
			best = p
		}
	}
	if known.addr == "" || best == known || best.epoch > known.epoch || 2*votes(said, best) > all {
		return best, nil
	}
	if votes(said, known) > 0 {
		return known, nil
	}
	return seat{}, errStale
}

// complaints is why Sentinels don't answer.
func complaints(said []testimony) string {
	var b strings.Builder
	for _, t := range said {
		if t.err != nil {
			fmt.Fprintf(&b, "; %s: %v", t.sentinel, t.err)
		}
	}
	return strings.TrimPrefix(b.String(), "; ")
}

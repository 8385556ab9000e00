package loadgen

import (
	"fmt"
	"time"

	"github.com/turnomatico/tmctl/history"
	"github.com/turnomatico/tmctl/server/api"
)

// Books holds the nodes' ledgers against what a client saw. A ledger counts the numbers of all ids, so others may add to it;
// nobody takes from it.
type Books struct {
	Nodes   []*history.Ledger // what each node's gained; nil where that can't be told
	Wrong   bool              // they contradict the client, or themselves: now, perhaps not in a moment
	Remarks []string
}

// CompareBooks looks at the nodes before and after a run, at rest, with what the client proved.
//
// A number is delivered once: replays to its Idempotency-Key are not counted again. One that came to the client by replays
// alone may stand as burned in the books, if the answer that gave it could not be written.
func CompareBooks(before, after []Look, p *history.Proof) Books {
	b := Books{Nodes: make([]*history.Ledger, len(after))}
	var delivered, replayed uint64
	all := len(after) > 0
	for i := range after {
		l, why := gained(&before[i], &after[i])
		if b.Nodes[i] = l; l == nil {
			b.Remarks = append(b.Remarks, why)
			all = false
			continue
		}
		delivered += l.Delivered
		replayed += counted(&before[i], &after[i], "replayed")
		if why != "" {
			b.Wrong, b.Remarks = true, append(b.Remarks, why)
		}
	}
	if all {
		b.contradict(p, delivered, replayed)
	}
	return b
}

// contradict holds what all nodes together counted against the client.
func (b *Books) contradict(p *history.Proof, delivered, replayed uint64) {
	var s history.Sessions
	if p.Sessions != nil {
		s = *p.Sessions
	}
	if p.Exclusive && delivered+s.Recovered < p.Ops {
		b.Wrong = true
		b.Remarks = append(b.Remarks, fmt.Sprintf("the nodes' books contradict the client: they delivered %d numbers during the run, but %d requests completed; "+
			"does --admin name every node?", delivered, p.Ops-s.Recovered))
	}
	if replayed < s.Replays {
		b.Wrong = true
		b.Remarks = append(b.Remarks, fmt.Sprintf("the nodes' books contradict the client: they count %d replays during the run, but %d answers were marked as such",
			replayed, s.Replays))
	}
}

// gained is what a node's books say of the time between two looks; nil, and why, where they can't. Books that do not add up
// are worth a remark, too.
func gained(before, after *Look) (l *history.Ledger, why string) {
	switch {
	case after.Err != nil:
		return nil, fmt.Sprintf("%s did not answer at the end of the run (%v): what it declared skipped since it was last asked is not known, and its books are not compared",
			before.Label(), after.Err)
	case restarted(before, after):
		return nil, fmt.Sprintf("%s was restarted during the run: what its process of before declared skipped since it was last asked is not known, and its books are not compared",
			before.Label())
	}
	a, z := &before.Ledger, &after.Ledger
	if z.Issued < a.Issued || z.Delivered < a.Delivered || z.Unknown < a.Unknown || burned(z) < burned(a) {
		return nil, fmt.Sprintf("the books of %s went back during the run: they are not compared", before.Label())
	}
	if sum := z.Delivered + burned(z) + z.Unknown + z.InFlight; sum != z.Issued {
		why = fmt.Sprintf("the books of %s do not add up: %d numbers issued, but %d delivered + %d burned + %d unknown + %d in flight = %d",
			before.Label(), z.Issued, z.Delivered, burned(z), z.Unknown, z.InFlight, sum)
	}
	if ok := counted(before, after, "ok"); why == "" && z.Delivered-a.Delivered > ok {
		why = fmt.Sprintf("the books of %s do not add up: %d numbers were delivered during the run, but only %d requests were answered with a new one; are replays among them?",
			before.Label(), z.Delivered-a.Delivered, ok)
	}
	return &history.Ledger{Issued: z.Issued - a.Issued, Delivered: z.Delivered - a.Delivered, Burned: burned(z) - burned(a),
		Unknown: z.Unknown - a.Unknown, InFlight: z.InFlight}, why
}

// restarted reports whether another process answers: it has another number, or it has not lived through the time between the
// looks. In a container the number alone tells nothing; clocks may differ by a second, and by one per cent.
func restarted(before, after *Look) bool {
	lived, passed := time.Duration(after.Uptime-before.Uptime), after.Began.Sub(before.Ended)
	return after.PID != before.PID || lived < max(0, passed*99/100-time.Second)
}

// counted is how many requests a node answered so between two looks; without end where it does not count them.
func counted(before, after *Look, how string) uint64 {
	z, ok := after.Requests[how]
	if !ok {
		return api.MaxTurno
	}
	return z - min(z, before.Requests[how])
}

func burned(l *api.Ledger) (n uint64) {
	for _, b := range l.Burned {
		n += b
	}
	return n
}

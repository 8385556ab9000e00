// Package linear proves that a history of turnos is linearizable as fetch-and-increment: every number unique, consecutive
// and in the order of real time. Start with [Checker]; counter.go holds the reasoning.
//
// For one id with starting value s, completed ops C and ops P of which nobody knows whether they consumed a number, let
// L(o) be the largest turno of any op that had completed before o was sent. The history is linearizable iff
//
//	(1) the values of C are distinct and > s;
//	(2) v(o) > L(o) for every o in C;
//	(3) the missing values below the largest one can be given to distinct p in P with m > L(p).
//
// A server that skipped numbers on purpose can declare them ([Checker.Declare]): each of those that is missing counts as an
// op of its own that consumed it. Requests with one Idempotency-Key are one op, too ([history.Fold]): whichever of them brings
// the number. The client records L(o) as Op.Seen. It is pure: no clock, no I/O, no goroutine; the same ops give the same counts
// however they are cut into batches.
package linear

import "github.com/turnomatico/tmctl/history"

// Config says what is known about the ids.
type Config struct {
	IDs       []string // Op.ID is an index into it
	Nodes     []string // Op.Node is an index into it; named in findings when there is more than one
	Fresh     bool     // the ids were made for this run: they start at 1. Otherwise the low edge is open
	Exclusive bool     // nobody else uses the ids. Otherwise (3) can't be judged
}

// Checker takes ops and proves them. It does O(1) work an op and keeps only what is in flight, and some of what went
// wrong. It is not safe for concurrent use.
type Checker struct {
	cfg      Config
	counters []*counter // by Op.ID; nil until its first op
	tally    tally
	pages    pagePool
	recent   recent
	overlap  overlap
	notes    notes
	sessions sessions
	touched  []*counter // those with ops in this batch
	since    int        // ops since all counters were settled
	strays   uint64     // ops whose id is not in Config.IDs
	declared map[uint32]*spans
	index    map[string]uint32 // of Config.IDs, made when it is first needed
	spans    int               // in declared
	refused  bool              // a declaration was one too many
}

// tally is what all counters count together.
type tally struct {
	ops, unknown, remarked         uint64
	duplicates, wentBack, badCount uint64
	missing                        [whys]uint64 // final numbers that nobody was given
	blurred                        uint64       // went back to where the checker had stopped to keep the missing numbers apart
	lenient                        bool         // some unknown ops were merged
	stale                          bool         // a declaration came when its numbers were forgotten
}

// move counts n missing numbers for another reason. It returns n.
func (t *tally) move(from, to why, n uint64) uint64 {
	t.missing[from] -= n
	t.missing[to] += n
	return n
}

// New returns a Checker for the ids of cfg.
func New(cfg Config) *Checker {
	c := &Checker{cfg: cfg, counters: make([]*counter, len(cfg.IDs))}
	c.pages.limit = max(maxPages, 4*len(cfg.IDs))
	return c
}

// Add takes a batch and keeps nothing of it.
func (c *Checker) Add(b history.Batch) {
	for i := 0; i < len(b.Ops); {
		if b.Ops[i].Attempt == 0 {
			c.add(&b.Ops[i], i, b.Answers)
			i++
			continue
		}
		n := history.Attempts(b.Ops[i:])
		c.session(b.Ops[i:i+n], i, b.Answers)
		i += n
	}
	c.overlap.add(b)
	for _, k := range c.touched {
		k.mark()
		k.settle(b.Watermark)
		k.touched = false
	}
	c.touched = c.touched[:0]
	// An id that gets no more ops is settled too, yet a batch does not pay for ids that it does not name.
	if c.since += len(b.Ops); c.since >= len(c.counters) {
		c.since = 0
		for _, k := range c.counters {
			if k != nil {
				k.settle(b.Watermark)
			}
		}
	}
	c.notes.complete(&c.recent)
}

func (c *Checker) add(o *history.Op, i int, answers []history.Answer) {
	if o.Outcome == history.Failed && !o.Reason.BadAnswer() {
		return // nothing was consumed
	}
	if int64(o.ID) >= int64(len(c.counters)) {
		c.strays++
		return
	}
	k := c.counters[o.ID]
	if k == nil {
		k = newCounter(c, o.ID)
		c.counters[o.ID] = k
	}
	if !k.touched {
		k.touched = true
		c.touched = append(c.touched, k)
	}
	switch {
	case o.Reason.BadAnswer():
		c.bad(k, o, answerTo(i, answers))
	case o.Outcome == history.Unknown:
		c.tally.unknown++
		k.unknown(o.Seen)
	case o.Turno < 1 || o.Turno > history.MaxTurno: // the client should have said so
		bad := *o
		bad.Reason = history.OutOfRange
		c.bad(k, &bad, nil)
	default:
		c.tally.ops++
		if o.Reason == history.Remarked {
			c.tally.remarked++
		}
		k.given(o)
		c.recent.add(o)
	}
}

// bad takes a 200 that breaks the contract. What it consumed is unknown.
func (c *Checker) bad(k *counter, o *history.Op, answer []byte) {
	c.tally.badCount++
	c.tally.unknown++
	c.notes.bad(o, answer)
	k.unknown(o.Seen)
}

func answerTo(i int, answers []history.Answer) []byte {
	for _, a := range answers {
		if a.Index == i {
			return a.Body
		}
	}
	return nil
}

// Violations is how many invariants broke so far. It costs nothing.
func (c *Checker) Violations() uint64 {
	t := &c.tally
	return t.duplicates + t.wentBack + t.missing[gap] + t.badCount + c.sessions.TwoNumbers + c.sessions.WrongMarks
}

// Gaps is how many of the Violations are missing numbers: a declaration may still explain them. It costs nothing.
func (c *Checker) Gaps() uint64 { return c.tally.missing[gap] }

// Live is the proof so far, for a progress line: everything up to what is still in flight.
func (c *Checker) Live() history.Proof {
	t := &c.tally
	p := history.Proof{
		Ops: t.ops, Unknown: t.unknown, Duplicates: t.duplicates, WentBack: t.wentBack, Gaps: t.missing[gap], Burned: t.missing[burned],
		Declared: t.missing[declared], BadAnswers: t.badCount, Exclusive: c.cfg.Exclusive,
		Sessions: c.sessions.proof(),
	}
	for _, k := range c.counters {
		if k != nil {
			p.IDs++
		}
	}
	return p
}

// Close says what all ops together prove: none is in flight any more, and none may be added after it. More may be declared;
// another Close then says what that changed.
func (c *Checker) Close() history.Proof {
	for _, k := range c.counters {
		if k != nil {
			k.finish()
		}
	}
	return c.conclude()
}

// Cut is Close for a history whose end is lost: what the lost ops may have been given is not held against the server, so
// that (3) is judged only up to what the last watermark made final.
func (c *Checker) Cut() history.Proof {
	p := c.conclude()
	p.Remarks = append(p.Remarks, "the end of the history is lost: numbers that were then in flight are not judged as missing")
	return p
}

func (c *Checker) conclude() history.Proof {
	p := c.Live()
	p.Findings = c.findings()
	p.Remarks = c.remarks()
	p.Linearizable = c.linearizable()
	return p
}

// linearizable is nil when the ops can't tell.
func (c *Checker) linearizable() *bool {
	t, yes := &c.tally, false
	switch {
	case t.duplicates+t.wentBack+t.missing[gap] > 0:
	case t.ops == 0 || !c.cfg.Exclusive || c.strays > 0 || t.lenient:
		return nil
	default:
		yes = true
	}
	return &yes
}

package linear

import "fmt"

// Enough is how many completed ops a proof needs at least to be worth the name.
const Enough = 100

// remarks says what a reader of the proof should know about its limits.
func (c *Checker) remarks() (said []string) {
	t := &c.tally
	say := func(when bool, format string, args ...any) {
		if when {
			said = append(said, fmt.Sprintf(format, args...))
		}
	}
	say(t.ops < Enough, "only %d requests completed: fewer than %d prove too little", t.ops, Enough)
	say(t.ops > 1 && c.overlap.none(), "no two requests were ever in flight together: that proves little about concurrency")
	say(!c.cfg.Fresh, "the ids were in use before the run: what is missing below the first number seen is not judged")
	say(!c.cfg.Exclusive, "others use the ids too: missing numbers can't be judged")
	c.declaredRemarks(say)
	c.sessions.remarks(say)
	say(t.remarked > 0, "%d answers wrote the number like 42.0 or 4.2e1: it is integral, but not every client reads it so", t.remarked)
	say(t.blurred > 0, "%d late numbers may be duplicates or may fill gaps: there were too many missing numbers to tell; counted as neither", t.blurred)
	say(t.lenient, "so many requests had an unknown outcome that they were merged: a gap may pass for burned")
	say(c.strays > 0, "%d ops name an id that the run does not have: not judged", c.strays)
	return said
}

// declaredRemarks says what declared numbers rest on: they excuse missing numbers only, and those on the server's word alone.
func (c *Checker) declaredRemarks(say func(when bool, format string, args ...any)) {
	var given uint64
	for _, k := range c.counters {
		if k != nil {
			given += k.givenAnyway()
		}
	}
	t := &c.tally
	n := t.missing[declared]
	say(n > 0, "%d numbers are missing that the server declares skipped: that nobody was given them is its word alone", n)
	say(given > 0 && !t.stale, "%d numbers were given although the server declares them skipped: perhaps by a node that another one did not know of", given)
	say(c.refused, "the server declares more than %d ranges of skipped numbers: the others count as missing", maxSpans)
	say(t.stale, "numbers were declared skipped so late that it is not known any more which of the missing ones they are")
}

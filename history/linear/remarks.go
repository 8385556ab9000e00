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
	say(t.remarked > 0, "%d answers wrote the number like 42.0 or 4.2e1: it is integral, but not every client reads it so", t.remarked)
	say(t.blurred > 0, "%d late numbers may be duplicates or may fill gaps: there were too many missing numbers to tell; counted as neither", t.blurred)
	say(t.lenient, "so many requests had an unknown outcome that they were merged: a gap may pass for burned")
	say(c.strays > 0, "%d ops name an id that the run does not have: not judged", c.strays)
	return said
}

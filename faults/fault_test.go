//go:build linux

package faults

import (
	"strings"

	"github.com/turnomatico/tmctl/history"
)

// fault is one row: what is done to a service under load, and what becomes of its numbers. The document says of it what
// want says, and the test holds it to that.
type fault struct {
	name   string // of the test, and in the document
	does   string // for people: what is done
	stores []*store
	nodes  []int    // the row is played with each of these; nil: as the store says
	args   []string // of the nodes
	mutant *mutant  // whom the nodes run; nil: tmctl as it is
	plan   plan
	want   want

	openFiles int // that a node may have; 0: as many as there are

	place  func(*scene)                  // before the store is opened: where
	before func(*scene)                  // before the nodes start
	ready  func(*scene)                  // before the load starts
	play   func(*scene)                  // the fault, once numbers are handed out; it returns when all goes on
	after  func(*scene, *history.Result) // what else must hold once the load has ended
}

// want is what becomes of a row. Its zero value: no number is given twice, out of order or lost without an account, each
// request that the fault made fail was told so, and afterwards all goes on by itself.
type want struct {
	violated bool   // numbers are wrong: a negative control, which shows that the judge sees it, or what is not promised
	pass     bool   // no request fails
	known    bool   // no request is left without knowing whether a number was consumed
	stops    bool   // the id is refused until its counter is set
	declares bool   // numbers are skipped, and declared
	lossy    bool   // that may be, or not
	ends     bool   // the last number is given, and then none
	also     string // what the row's own checks show besides
}

// String is the document's text.
func (w want) String() string {
	var b strings.Builder
	switch {
	case w.violated:
		b.WriteString("**violated**")
	case w.pass:
		b.WriteString("pass: no request fails")
	default:
		b.WriteString("no violation")
	}
	for _, part := range []struct {
		holds bool
		text  string
	}{
		{w.stops, "the id stops until `tmctl counters set`"},
		{w.declares, "numbers are skipped and `declared`; goes on"},
		{w.lossy, "if Redis had not written, or passed on, all that it answered, that is noticed, and numbers are skipped and `declared`"},
		{w.ends, "the last number is given once, then 409 `exhausted`"},
		{w.known, "nothing `unknown`"},
		{w.also != "", w.also},
	} {
		if part.holds {
			b.WriteString("; " + part.text)
		}
	}
	return b.String()
}

// Package targettest is other people's turn servers, for tests: odd but right ones, ones that die or hang, and broken
// ones, on real sockets, with every byte on the wire chosen here. Start with [Behaviours], the list of them; [Start] runs
// one. Only tests may import this package.
package targettest

import (
	"slices"
	"time"

	"github.com/turnomatico/tmctl/history"
	"github.com/turnomatico/tmctl/server/api"
)

// Behaviours are all of them: a table test walks it. Each is plain data: copy one and change its knobs to taste.
var Behaviours = slices.Concat(right, refusing, lossy, sessions, broken, unreadable)

// Named returns the behaviour of that name. It panics where there is none.
func Named(name string) Behaviour {
	i := slices.IndexFunc(Behaviours, func(b Behaviour) bool { return b.Name == name })
	if i < 0 {
		panic("targettest: no behaviour named " + name)
	}
	return Behaviours[i]
}

// Behaviour is what a server does with a request. The zero value, given a name, is a right and plain server; each entry of
// the list states its difference from that.
type Behaviour struct {
	Name string
	Doc  string   // what it does, in words
	Want Want     // what a right load tester says of it
	Args []string // flags of tmctl load that it needs; see [Server.Args] for those that hold its address

	Nodes   int           // listeners that share the numbers; 0 = 1
	Period  uint64        // it misbehaves once in so many requests, or numbers
	After   uint64        // it is well until it has read so many requests, or given so many numbers
	Rate    float64       // requests/s that it can serve
	Latency time.Duration // how long it thinks about each request
	Margin  uint64        // how many numbers it skips when it jumps

	ipv6    bool // listens on [::1]
	tls     bool
	refused bool // the port is closed
	slams   bool // accepts, and closes at once
	boasts  bool // its books count replays as numbers

	number func(b *Behaviour, t uint64) uint64 // what the t-th request of an id is given; nil = t
	body   body                                // nil = the contract's
	wire   wire                                // how a 200 is framed; nil = plain
	act    act                                 // what is done with a request; nil = answer

	declares func(b *Behaviour, id string, taken uint64) []api.Range // what its admin plane declares skipped; nil = it has none
}

// Want is what a right load tester says of a server, when it drives it at one fixed rate of about 1,000/s for 2 s over 8
// to 64 connections with a fresh id, the default objective, and the behaviour's Args after all of these.
type Want struct {
	Verdict history.Verdict     // "" = nothing could be run: exit 1, before any load was sent
	Finding history.FindingKind // is among the findings; "" = there is no finding at all
	Burned  bool                // of a pass: numbers are missing, and requests with an unknown end explain all of them
	Skipped uint64              // of a pass: how many numbers are missing that the server declared skipped
	Remark  string              // is in a remark; "" = a pass says nothing of the nodes' books
	Reason  history.Reason      // is among the errors (or remarks); NoReason = a pass has no error, of others it says nothing
	Limit   history.Limit       // what the last step failed by, where it is certain
	MaxRate float64             // what a search finds, within 5 %; 0 = no word about it
}

// String is Want in a word: "violated:duplicate", "pass with burned".
func (w Want) String() string {
	s := string(w.Verdict)
	switch {
	case w.Verdict == "":
		s = "can't run"
	case w.Finding != "":
		s += ":" + string(w.Finding)
	case w.Burned:
		s += " with burned"
	case w.Skipped > 0:
		s += " with declared"
	}
	return s
}

// What most entries want.
var (
	pass     = Want{Verdict: history.Pass}
	remarked = Want{Verdict: history.Pass, Reason: history.Remarked}
	lost     = Want{Verdict: history.SLOMissed, Limit: history.TargetLost}
	// Not one valid answer: fewer than 100 completed ops prove nothing, whatever else is wrong.
	noAnswers = Want{Verdict: history.Inconclusive, Reason: history.BadStatus}
)

func violated(f history.FindingKind) Want { return Want{Verdict: history.Violated, Finding: f} }

func badAnswer(r history.Reason) Want {
	return Want{Verdict: history.Violated, Finding: history.BadAnswer, Reason: r}
}

func burned(r history.Reason) Want {
	return Want{Verdict: history.Pass, Burned: true, Reason: r}
}

// laxly allows what a server loses on purpose: the proof is what is asked for then.
func laxly(more ...string) []string { return append([]string{"--slo", "p99<4s,errors<5%"}, more...) }

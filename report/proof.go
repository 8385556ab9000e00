package report

import "github.com/turnomatico/tmctl/history"

// Proved says what the numbers of the run prove.
func (v runView) Proved() string {
	p := v.Proof
	switch {
	case p.Ops == 0 && p.Violations() == 0:
		return "Nothing is proved: no request was completed."
	case p.Violations() > 0:
		return "**No.** The target broke its contract " + times(p.Violations()) + "."
	case p.Linearizable == nil && v.Verdict == history.Inconclusive:
		return "Nothing wrong was found, but the run does not prove that they were right."
	case p.Linearizable == nil && !p.Exclusive:
		return "As far as it can be judged, yes: every number was handed out once, and none was below one completed before. " +
			"Whether any is missing can't be known while others take numbers too."
	case p.Linearizable == nil:
		return "Nothing wrong was found, but it can't be judged whether they were all right."
	case !*p.Linearizable:
		return "**No.** The history is not linearizable: no order of the requests explains the numbers they got."
	case p.Declared > 0:
		return "**Yes, but for what the server declares.** Every number was unique, and consecutive except for " + Count(p.Declared) +
			" numbers that the server declares skipped, as one does whose store went back: that nobody was given them is its word alone. " +
			"The history is linearizable: there is an order of all requests, true to the times at which they were sent and answered, in which each " +
			"got the next number that was not skipped."
	default:
		return "**Yes.** Every number was unique and consecutive, and the history is linearizable: there is an order of all requests, " +
			"true to the times at which they were sent and answered, in which each got exactly the next number."
	}
}

func times(n uint64) string {
	if n == 1 {
		return "once"
	}
	return Count(n) + " times"
}

// maxSkipped is how many declared ranges a reader gets to see.
const maxSkipped = 10

// Skipped are the first ranges that the server declared.
func (v runView) Skipped() []history.Range { return v.Declared[:min(len(v.Declared), maxSkipped)] }

// MoreSkipped is how many there are beside them.
func (v runView) MoreSkipped() int { return len(v.Declared) - len(v.Skipped()) }

// finding is a broken invariant with its requests named for a reader.
type finding struct {
	history.Finding
	Index int
}

// request is one line of a finding: what the request has to do with it, and the request, if it is known.
type request struct {
	Role string
	*history.Request
}

// Findings are the broken invariants, numbered.
func (v runView) Findings() []finding {
	found := make([]finding, len(v.Proof.Findings))
	for i, f := range v.Proof.Findings {
		found[i] = finding{Finding: f, Index: i + 1}
	}
	return found
}

// roles says what Op and Other of a finding did. A bad answer has no other, nor has a first answer that is marked as a replay.
var roles = map[history.FindingKind][2]string{
	history.Duplicate: {"got it again", "had it first"},
	history.WentBack:  {"got a number not above", "had completed before, with a larger one"},
	history.Gap:       {"has the number after", "has the number before"},
	history.BadAnswer: {"got the answer", ""},

	history.TwoNumbers: {"got another number", "had one, with the same key"},
	history.WrongMark:  {"got the answer", "had one before, with the same key"},
}

// Requests are the two requests of a finding, in the order in which a reader needs them.
func (f finding) Requests() []request {
	role, ok := roles[f.Kind]
	if !ok {
		role = [2]string{"broke it", "the other"}
	}
	both := []request{{role[0], f.Op}}
	if role[1] != "" && (f.Kind != history.WrongMark || f.Other != nil) {
		both = append([]request{{role[1], f.Other}}, both...)
	}
	return both
}

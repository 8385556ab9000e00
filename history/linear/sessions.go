package linear

import "github.com/turnomatico/tmctl/history"

// sessions counts what requests with an Idempotency-Key came to.
type sessions struct {
	history.Sessions
	again uint64       // keys with two answers or more
	one   []history.Op // memory of session
}

// session takes the attempts of one key, which are one op where the target keeps its word. at is where they are in their
// batch.
func (c *Checker) session(attempts []history.Op, at int, answers []history.Answer) {
	if int64(attempts[0].ID) >= int64(len(c.counters)) {
		c.strays++
		return
	}
	for i := range attempts {
		if o := &attempts[i]; o.Reason.BadAnswer() {
			c.tally.badCount++
			c.notes.bad(o, answerTo(at+i, answers))
		}
	}
	s := &c.sessions
	s.count(attempts)
	s.one = history.Fold(s.one[:0], attempts)
	if len(s.one) > 1 {
		s.TwoNumbers++
		c.notes.twice(attempts)
	} else if op, other := wrongMark(attempts); op != nil {
		s.WrongMarks++
		c.notes.mark(op, other)
	} else if o := &s.one[0]; o.Outcome == history.OK && firstTime(attempts) == nil {
		s.Recovered++
	}
	for i := range s.one {
		if o := &s.one[i]; o.Reason.BadAnswer() {
			o.Reason = history.NoReason // it is noted; what it consumed is unknown
		}
		c.add(&s.one[i], 0, nil)
	}
}

func (s *sessions) count(attempts []history.Op) {
	s.Keys++
	if n := uint64(len(attempts) - 1); n > 0 {
		s.Retried++
		s.Retries += n
	}
	answered := 0
	for i := range attempts {
		if o := &attempts[i]; o.Outcome == history.OK {
			answered++
			if o.Replayed {
				s.Replays++
			}
		}
	}
	if answered > 1 {
		s.again++
	}
}

// proof is what a Proof says of the keys; nil when there were none.
func (s *sessions) proof() *history.Sessions {
	if s.Keys == 0 {
		return nil
	}
	p := s.Sessions
	return &p
}

// ignored reports whether the target seems not to know what a key is.
func (s *sessions) ignored() bool {
	return s.TwoNumbers > 0 && s.TwoNumbers == s.again && s.Replays == 0
}

// firstTime is the first answer that came as a new number; nil when all are replays.
func firstTime(attempts []history.Op) *history.Op {
	for i := range attempts {
		if o := &attempts[i]; o.Outcome == history.OK && !o.Replayed {
			return o
		}
	}
	return nil
}

// wrongMark finds an answer whose Idempotent-Replayed is wrong, and the other that shows it, among attempts with one number;
// nil when there is none. A number is new once, and a replay after that:
//
//   - an answer is marked if another of its key had come before it was sent;
//   - of two answers, one is marked, also where they were under way together;
//   - if all are marked, an answer was lost that was not: an attempt of unknown outcome, sent before the first answer came.
func wrongMark(attempts []history.Op) (op, other *history.Op) {
	first := firstTime(attempts)
	var earliest *history.Op
	lost := false
	for i := range attempts {
		o := &attempts[i]
		if o.Outcome != history.OK {
			continue
		}
		if !o.Replayed && o != first {
			return o, first
		}
		if earliest == nil || o.Return < earliest.Return {
			earliest = o
		}
	}
	switch {
	case earliest == nil:
		return nil, nil
	case first != nil && earliest.Return < first.Call:
		return first, earliest
	case first != nil:
		return nil, nil
	}
	for i := range attempts {
		o := &attempts[i]
		lost = lost || o.Outcome == history.Unknown && o.Call <= earliest.Return
	}
	if lost {
		return nil, nil
	}
	return earliest, nil
}

// remarks says what the keys prove, and what not.
func (s *sessions) remarks(say func(when bool, format string, args ...any)) {
	say(s.ignored(), "the target ignores Idempotency-Key: each retry took a new number")
	say(s.Keys > 0 && s.again == 0, "no Idempotency-Key was answered twice: nothing is proved about sessions")
	say(s.Recovered > 0, "%d numbers came by a retry alone: the answer that first gave them was lost", s.Recovered)
}

package linear

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/turnomatico/tmctl/history"
)

// findings lists what was noted, kind by kind.
func (c *Checker) findings() []history.Finding {
	found := []history.Finding{} // [] in JSON, not null
	for _, n := range inOrder(c.notes.duplicates) {
		found = append(found, c.finding(history.Duplicate, n))
	}
	for _, n := range inOrder(c.notes.wentBack) {
		found = append(found, c.finding(history.WentBack, n))
	}
	found = append(found, c.gapFindings()...)
	for _, n := range inOrder(c.notes.twoNumbers) {
		found = append(found, c.finding(history.TwoNumbers, n))
	}
	for _, n := range inOrder(c.notes.marks) {
		found = append(found, c.finding(history.WrongMark, n))
	}
	for _, n := range inOrder(c.notes.badAnswers) {
		f := c.finding(history.BadAnswer, n)
		f.Op.Answer = n.answer
		f.Text = describe(&f)
		found = append(found, f)
	}
	return found
}

// inOrder sorts notes by when their requests were sent: they were taken as connections handed them in.
func inOrder(notes []note) []note {
	slices.SortStableFunc(notes, func(a, b note) int { return cmp.Compare(a.op.Call, b.op.Call) })
	return notes
}

func (c *Checker) finding(kind history.FindingKind, n note) history.Finding {
	f := history.Finding{
		Kind: kind, ID: c.cfg.IDs[n.op.ID], First: n.op.Turno, Last: n.op.Turno,
		Op: c.cfg.request(&n.op), Other: c.cfg.request(n.other),
	}
	f.Text = describe(&f)
	return f
}

// gapFindings lists the first gaps that are left: one whose number was given after all is none any more.
func (c *Checker) gapFindings() (found []history.Finding) {
	for _, k := range c.counters {
		if k == nil {
			continue
		}
		for _, r := range k.miss.gaps(perKind - len(found)) {
			low, high := k.miss.stretch(r)
			f := history.Finding{
				Kind: history.Gap, ID: c.cfg.IDs[k.id], First: r.first, Last: r.last,
				Op:    c.cfg.request(c.notes.neighbour(k.id, high+1, &c.recent)),
				Other: c.cfg.request(c.notes.neighbour(k.id, low-1, &c.recent)),
			}
			f.Text = describe(&f)
			found = append(found, f)
		}
	}
	return found
}

// request shows an op as findings do; nil for nil.
func (cfg *Config) request(o *history.Op) *history.Request {
	if o == nil {
		return nil
	}
	r := &history.Request{
		Call: o.Call, Return: o.Return, Turno: o.Turno, Seen: o.Seen, Status: o.Status, Reason: o.Reason.String(),
		Attempt: o.Attempt, Replayed: o.Replayed,
	}
	if len(cfg.Nodes) > 1 && int(o.Node) < len(cfg.Nodes) {
		r.Node = cfg.Nodes[o.Node]
	}
	return r
}

// describe says a finding in one sentence, with as much of both requests as is known.
func describe(f *history.Finding) string {
	switch f.Kind {
	case history.Duplicate:
		before := "; before, to a request that is not known any more"
		if f.Other != nil {
			before = "; and before: " + times(f.Other)
		}
		return fmt.Sprintf("%s: turno %d was given twice: %s%s", f.ID, f.First, times(f.Op), before)
	case history.WentBack:
		after := fmt.Sprintf("a request had been answered with %d before that", f.Op.Seen)
		if f.Other != nil {
			after = fmt.Sprintf("%d had been given before that: %s", f.Op.Seen, times(f.Other))
		}
		return fmt.Sprintf("%s: turno %d went back: %s, but %s", f.ID, f.First, times(f.Op), after)
	case history.Gap:
		return describeGap(f)
	case history.TwoNumbers:
		return fmt.Sprintf("%s: two numbers for one Idempotency-Key: %d, %s; and %d, %s", f.ID, f.Other.Turno, times(f.Other), f.First, times(f.Op))
	case history.WrongMark:
		return describeMark(f)
	default:
		answer := ""
		if f.Op.Answer != "" {
			answer = fmt.Sprintf(": %q", f.Op.Answer)
		}
		return fmt.Sprintf("%s: the answer breaks the contract (%s), %s%s", f.ID, f.Op.Reason, times(f.Op), answer)
	}
}

func describeMark(f *history.Finding) string {
	if f.Op.Replayed {
		return fmt.Sprintf("%s: turno %d is marked Idempotent-Replayed: true, but its key had not been given a number before: %s", f.ID, f.First, times(f.Op))
	}
	return fmt.Sprintf("%s: turno %d is not marked Idempotent-Replayed: true, but its key had it already: %s; and before: %s",
		f.ID, f.First, times(f.Op), times(f.Other))
}

func describeGap(f *history.Finding) string {
	what, them := fmt.Sprintf("turno %d was", f.First), "it"
	if f.Last > f.First {
		what, them = fmt.Sprintf("turnos %d to %d (%d numbers) were", f.First, f.Last, f.Last-f.First+1), "them"
	}
	s := fmt.Sprintf("%s: %s given to nobody, and no request of unknown outcome explains %s", f.ID, what, them)
	if f.Other != nil {
		s += fmt.Sprintf("; the last below, %d: %s", f.Other.Turno, times(f.Other))
	}
	if f.Op != nil {
		s += fmt.Sprintf("; the next above, %d: %s", f.Op.Turno, times(f.Op))
	}
	return s
}

// times says when a request was sent and answered, in seconds of the run, to the microsecond.
func times(r *history.Request) string {
	s := fmt.Sprintf("sent %.6f s, answered %.6f s", r.Call.Seconds(), r.Return.Seconds())
	if r.Node != "" {
		s += ", by " + r.Node
	}
	return s
}

// gaps lists the first gaps, n at most.
func (m *missing) gaps(n int) (found []run) {
	old := m.forgot.gaps
	if m.forgot.n[gap] == 0 {
		old = nil
	}
	for _, r := range m.runs {
		if r.first > m.forgot.last {
			found, old = append(found, old...), nil
		}
		if r.why == gap && len(found) < n {
			found = append(found, r)
		}
	}
	found = append(found, old...)
	return found[:min(n, len(found))]
}

// stretch widens r by the missing numbers next to it.
func (m *missing) stretch(r run) (low, high uint64) {
	low, high = r.first, r.last
	at := m.find(r.first)
	for i := at - 1; i >= 0 && m.runs[i].last+1 == low; i-- {
		low = m.runs[i].first
	}
	for i := at; i < len(m.runs) && m.runs[i].first <= high+1; i++ {
		high = max(high, m.runs[i].last)
	}
	return low, high
}

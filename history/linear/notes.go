package linear

import (
	"github.com/turnomatico/tmctl/history"
)

// perKind bounds the findings of each of the six kinds.
const perKind = history.MaxFindings / 6

// notes keeps the first of what went wrong, with the ops that show it while they are at hand.
type notes struct {
	duplicates, wentBack, badAnswers []note
	twoNumbers, marks                []note
	open                             int                        // notes that still lack the other op
	gaps                             int                        // runs of missing numbers whose neighbours were kept
	kept                             map[history.Key]history.Op // those neighbours
}

type note struct {
	op     history.Op
	other  *history.Op // duplicate: who had it first; went back: who had completed with a larger one; a key: another attempt
	answer string
}

// broken notes an op whose number was given twice, or was not above what had been seen, or both.
func (n *notes) broken(o *history.Op, twice, back bool, r *recent) {
	if twice && len(n.duplicates) < perKind {
		n.duplicates = append(n.duplicates, note{op: *o, other: r.get(o.ID, o.Turno)})
	}
	if back && len(n.wentBack) < perKind {
		n.wentBack = append(n.wentBack, note{op: *o})
		n.open++
	}
}

func (n *notes) bad(o *history.Op, answer []byte) {
	if len(n.badAnswers) < perKind {
		n.badAnswers = append(n.badAnswers, note{op: *o, answer: string(answer)})
	}
}

// twice notes the first two of a key's attempts that were given two numbers.
func (n *notes) twice(attempts []history.Op) {
	if len(n.twoNumbers) >= perKind {
		return
	}
	var one *history.Op
	for i := range attempts {
		o := &attempts[i]
		switch {
		case o.Outcome != history.OK:
		case one == nil:
			copied := *o
			one = &copied
		case o.Turno != one.Turno:
			n.twoNumbers = append(n.twoNumbers, note{op: *o, other: one})
			return
		}
	}
}

// mark notes an answer that is wrongly marked, and the other answer of its key that shows it, if there is one.
func (n *notes) mark(op, other *history.Op) {
	if len(n.marks) >= perKind {
		return
	}
	if other != nil {
		copied := *other
		other = &copied
	}
	n.marks = append(n.marks, note{op: *op, other: other})
}

// gap keeps the ops on both sides of first…last: by the time of Close they would be forgotten.
func (n *notes) gap(id uint32, first, last uint64, r *recent) {
	if n.gaps >= perKind {
		return
	}
	n.gaps++
	if n.kept == nil {
		n.kept = map[history.Key]history.Op{}
	}
	for _, turno := range [2]uint64{first - 1, last + 1} {
		if op := r.get(id, turno); op != nil {
			n.kept[history.Key{ID: id, Turno: turno}] = *op
		}
	}
}

// complete looks for the other op of those that went back: the one with the number that they had seen. It may come in a
// later batch than they do.
func (n *notes) complete(r *recent) {
	if n.open == 0 {
		return
	}
	n.open = 0
	for i := range n.wentBack {
		w := &n.wentBack[i]
		if w.other == nil {
			w.other = r.get(w.op.ID, w.op.Seen)
		}
		if w.other == nil {
			n.open++
		}
	}
}

// neighbour is the op that was given turno, if it is still known.
func (n *notes) neighbour(id uint32, turno uint64, r *recent) *history.Op {
	if op, ok := n.kept[history.Key{ID: id, Turno: turno}]; ok {
		return &op
	}
	return r.get(id, turno)
}

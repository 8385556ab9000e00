package journal

import "slices"

// Kind says what happened. The list is closed: a new kind is added here with whoever writes it, and never renamed, because
// journals outlive the tmctl that wrote them.
type Kind string

const (
	RunStarted     Kind = "run.started"     // a run directory exists and load is about to be sent
	StepFinished   Kind = "step.finished"   // one load level is over
	ProofViolation Kind = "proof.violation" // a number was wrong
	RangeDeclared  Kind = "range.declared"  // a node was found to have declared numbers skipped
	TargetLost     Kind = "target.lost"     // the target stopped answering
	RunFinished    Kind = "run.finished"    // the verdict is known
	Note           Kind = "note"            // a remark of a person
)

var kinds = []Kind{RunStarted, StepFinished, ProofViolation, RangeDeclared, TargetLost, RunFinished, Note}

// Valid reports whether k is on the list.
func (k Kind) Valid() bool { return slices.Contains(kinds, k) }

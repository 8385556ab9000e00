package journal

import "slices"

// Kind says what happened. The list is closed: a new kind is added here with whoever writes it, and never renamed, because
// journals outlive the tmctl that wrote them.
type Kind string

const (
	RunStarted     Kind = "run.started"
	StepFinished   Kind = "step.finished"
	ProofViolation Kind = "proof.violation"
	RangeDeclared  Kind = "range.declared"
	TargetLost     Kind = "target.lost"
	RunFinished    Kind = "run.finished"

	NodeStarted  Kind = "node.started"
	NodeReady    Kind = "node.ready"
	NodeDraining Kind = "node.draining"
	NodeStopped  Kind = "node.stopped"

	StoreOpened      Kind = "store.opened"
	StoreUnavailable Kind = "store.unavailable"
	StoreAvailable   Kind = "store.available"
	StoreChanged     Kind = "store.changed"
	StoreRejoined    Kind = "store.rejoined"

	IDWentBack Kind = "id.went_back"
	IDStopped  Kind = "id.stopped"
	IDJumped   Kind = "id.jumped"

	SheddingBegan      Kind = "shedding.began"
	SheddingEnded      Kind = "shedding.ended"
	CertificateLoaded  Kind = "certificate.loaded"
	CertificateRefused Kind = "certificate.refused"

	AlertFiring   Kind = "alert.firing"
	AlertResolved Kind = "alert.resolved"

	Note     Kind = "note"
	Deploy   Kind = "deploy"
	Drill    Kind = "drill"
	Incident Kind = "incident"

	JournalDropped Kind = "journal.dropped"
	JournalPruned  Kind = "journal.pruned"
)

// Meaning is a kind, and when it is written.
type Meaning struct {
	Kind Kind
	Says string
}

// Meanings is the list.
var Meanings = []Meaning{
	{RunStarted, "a run directory exists and load is about to be sent"},
	{StepFinished, "one load level is over"},
	{ProofViolation, "a number was wrong"},
	{RangeDeclared, "a node declared numbers skipped"},
	{TargetLost, "the target stopped answering"},
	{RunFinished, "the verdict is known"},
	{NodeStarted, "a node has its listeners and its store"},
	{NodeReady, "it takes requests"},
	{NodeDraining, "it is stopping; what is in flight is finished"},
	{NodeStopped, "it has stopped; its ledger"},
	{StoreOpened, "the store, and what it promises"},
	{StoreUnavailable, "the store began to fail"},
	{StoreAvailable, "it answers again"},
	{StoreChanged, "it may not be the store that the node knew"},
	{StoreRejoined, "the node has compared it with what it knows, and goes on"},
	{IDWentBack, "the store gave numbers of an id that it had given before; nobody has them"},
	{IDStopped, "an id is refused until its counter is moved forward"},
	{IDJumped, "the counter of an id was moved beyond all that may have been given"},
	{SheddingBegan, "requests or connections are refused: too many"},
	{SheddingEnded, "none has been refused for a while"},
	{CertificateLoaded, "new connections are shown this certificate"},
	{CertificateRefused, "a new certificate can't be used; the old one stays"},
	{AlertFiring, "something about the nodes is to worry a person"},
	{AlertResolved, "it is so no more"},
	{Note, "a remark of a person"},
	{Deploy, "a person's: a version goes out"},
	{Drill, "a person's: something is broken on purpose"},
	{Incident, "a person's: something is broken"},
	{JournalDropped, "events that could not be written"},
	{JournalPruned, "the oldest segment of the journal was deleted to bound it"},
}

// ByPeople are the kinds of what people write.
var ByPeople = []Kind{Note, Deploy, Drill, Incident}

// Valid reports whether k is on the list.
func (k Kind) Valid() bool {
	return slices.ContainsFunc(Meanings, func(m Meaning) bool { return m.Kind == k })
}

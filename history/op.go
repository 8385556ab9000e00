// Package history records what each client did and saw. Start with [Op]; a [Batch] is how ops travel, [Run] is what a
// run directory says about them, [Writer] and [Open] are their form on disk.
package history

import "time"

// Op is one request as the client saw it. All times count from the start of the run, on one monotonic clock.
//
// The proof stands on the order in which a client takes its stamps, so whoever produces ops must keep it:
// stamp Call, load Seen, write the request … parse the answer, raise what Seen is loaded from, stamp Return.
// Then Seen is at least every turno of the id whose op had returned before Call.
type Op struct {
	Call    time.Duration // just before the first byte was written (or, with no connection, before dialling)
	Return  time.Duration // when the answer had been parsed, or the request was given up
	Wait    time.Duration // how long before Call the hit was due while every connection was waiting for the target
	Turno   uint64        // the number handed out: 1…2^53−1; 0 unless Outcome is OK
	Seen    uint64        // the largest turno of this id that this client had completed before it sent this request
	ID      uint32        // index into Run.IDs
	Status  uint16        // HTTP status; 0 when no answer was read
	Node    uint8         // index into Run.Nodes
	Outcome Outcome
	Reason  Reason // why Outcome is not OK; [Remarked] on an OK op whose number was written oddly

	Attempt  uint8 // which request with its Idempotency-Key it is: 1, 2 …, in the order of Call; 0 without a key
	Replayed bool  // the answer said Idempotent-Replayed: true
}

// Service is how long the target took once the request was sent.
func (o *Op) Service() time.Duration { return o.Return - o.Call }

// Latency is the response time corrected for coordinated omission: Service, and the time that the hit was due but
// could not be sent because every connection was waiting for the target.
func (o *Op) Latency() time.Duration { return o.Return - o.Call + o.Wait }

// Outcome says whether a request consumed a number.
type Outcome uint8

const (
	OK      Outcome = iota // a valid 200: Turno was handed out to this op
	Failed                 // nothing was consumed: no byte was written, or the server said X-Turno-Consumed: no
	Unknown                // a number may have been consumed
)

// Valid reports whether o is one of the three outcomes.
func (o Outcome) Valid() bool { return o <= Unknown }

func (o Outcome) String() string { return name(outcomeNames[:], uint8(o)) }

var outcomeNames = [...]string{"ok", "failed", "unknown"}

// Reason says why an op did not end in a valid 200. The list is closed; its numbers are on disk, so append only.
type Reason uint8

const (
	NoReason    Reason = iota
	NotSent            // failed: no connection, or it broke before a byte was written
	NotConsumed        // failed: the answer carried X-Turno-Consumed: no
	TimedOut           // unknown: no answer within the timeout
	Reset              // unknown: the connection ended before the whole answer was read
	BadStatus          // unknown: not a 200, and no word about what was consumed
	BadHTTP            // unknown: the answer is not HTTP
	Interrupted        // unknown: the run was stopped while it was in flight

	// The rest are answers that break the contract; the server said 200.
	NotJSON    // the body is not a JSON object
	WrongID    // it names another id, or none
	NoTurno    // it has no turno
	NotNumber  // turno is a string, null, a boolean, an array or an object
	Fraction   // turno is a number but not an integer
	OutOfRange // turno is outside 1…2^53−1

	Remarked // ok: the number is integral but written as 42.0 or 4.2e1
)

// Valid reports whether r is on the list.
func (r Reason) Valid() bool { return int(r) < len(reasonNames) }

// BadAnswer reports whether r is a 200 that breaks the contract.
func (r Reason) BadAnswer() bool { return r >= NotJSON && r <= OutOfRange }

func (r Reason) String() string { return name(reasonNames[:], uint8(r)) }

var reasonNames = [...]string{"", "not_sent", "not_consumed", "timeout", "reset", "status", "bad_http", "interrupted",
	"not_json", "wrong_id", "no_turno", "not_a_number", "fraction", "out_of_range", "remarked"}

func name(names []string, i uint8) string {
	if int(i) < len(names) {
		return names[i]
	}
	return "invalid"
}

// Batch is a group of ops on their way to whoever takes them ([Writer], the checker, the histograms): each has Add(Batch).
// A taker must not keep Ops or Answers after Add returns. The attempts of one Idempotency-Key follow each other in one batch:
// the watermark waits for all of them.
type Batch struct {
	Ops []Op
	// Watermark promises that every op whose Call is before it is in this batch or an earlier one. It never goes back.
	Watermark time.Duration
	// Answers holds the first bytes of bad answers in Ops, for people to read.
	Answers []Answer
}

// Answer is what the server sent for Ops[Index] of the same batch.
type Answer struct {
	Index int
	Body  []byte // at most [MaxAnswer] bytes
}

// MaxAnswer bounds the bytes kept of one bad answer.
const MaxAnswer = 256

// MaxTurno is 2^53−1, the last number that every JSON reader holds exactly (RFC 8259 §6).
const MaxTurno = 1<<53 - 1

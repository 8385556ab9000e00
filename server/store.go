package server

import (
	"context"
	"errors"
	"slices"
	"time"
)

// Store is where counters live. All methods are called concurrently; ids have passed api.ValidID.
//
// A store makes one attempt and says honestly what came of it. Coalescing, repeating, deadlines and the fence are the
// batcher's (batcher.go), once for all stores.
type Store interface {
	// Reserve takes blocks: for each claim of the call the next N numbers of its id, which is created if need be. All claims
	// share one round trip, one transaction, one fsync, where the store can do that; what is granted is as lasting as the
	// store's promise says before Reserve returns.
	//
	// When it returns nil, every claim is settled: First and Granted, or Err. Otherwise none is: after [ErrUnavailable] and
	// [ErrChanged] nothing was taken, and after any other error something may have been. Then the same call (Slot, Seq and
	// claims) may be made again, and is given the same blocks if it had been given them. Reserve returns soon after ctx ends.
	Reserve(ctx context.Context, call *Call) error

	// Peek returns the last number given of id without taking one; 0 for an id that does not exist, which it does not create.
	Peek(ctx context.Context, id string) (uint64, error)

	// Info says what the store is. It is cheap: every scrape calls it.
	Info() Info

	// Close writes out what must last. No call of Reserve is under way, and none follows.
	Close() error
}

// Call asks for blocks of several ids at once, and has at most [MaxClaims] claims and [MaxKeys] keys. Slot and Seq are its
// token.
type Call struct {
	Slot   int    // 0 … Info.Slots−1; a slot's calls come one after the other
	Seq    uint64 // grows from call to call of a slot, from 1; the last one again is the last call again, a smaller one takes nothing
	Claims []Claim
}

// Clone is a call that shares nothing with c but texts.
func (c *Call) Clone() Call {
	claims := slices.Clone(c.Claims)
	for i := range claims {
		claims[i].Keys = slices.Clone(claims[i].Keys)
	}
	return Call{Slot: c.Slot, Seq: c.Seq, Claims: claims}
}

// Claim asks for the next numbers of one id: N, and one for each key that has none yet. An id is in a call at most once.
type Claim struct {
	ID   string
	N    uint64 // numbers wanted without a key; 0 only if there are keys
	Keys []Key  // no two of one name
	Mark uint64 // the largest number of the id that this node had received when the call was first made; 0: none

	// What the store answers: First … First+Granted−1 are the caller's alone and follow the last number that anyone was
	// given. The first N of them are without a key, the others are of the keys that had none, in their order; at the upper
	// edge, what is left. Granted is 0 only if no key needed a number, and N is 0. Or Err: then nothing was taken for this
	// claim. It is [ErrExhausted], [ErrTooManyIDs], [ErrStopped], [ErrUnavailable], a [*BrokenError], or one that wraps
	// these. With ErrExhausted the keys are settled all the same, with any other they are not.
	First, Granted uint64
	Err            error
}

// Key is a client's name for one request of an id, however often it makes it (Idempotency-Key): the number that the first of
// them took is the number of all, on every node, for Bounds.SessionTTL.
type Key struct {
	Name string // as api.ParseKey returns it

	// What the store answers: the number and whether it was given before, or Err: then the key has no number. It is
	// [ErrExhausted], [ErrSessionsFull], a [*BrokenError], or one that wraps these.
	Turno    uint64
	Replayed bool
	Err      error
}

// Bounds are what a store may hold, over all nodes.
type Bounds struct {
	IDs        int           // live ids
	Sessions   int           // keys that have a number
	SessionTTL time.Duration // how long they keep it, at least; whole milliseconds
}

// Direct is a store whose counters are so near that there is no round trip to share: a request takes its number itself.
type Direct interface {
	Store
	// Take takes the next number of id. It never waits. id is valid only until Take returns. Errors are those of a claim.
	Take(id []byte) (uint64, error)
	// TakeOnce takes one for a key, or returns the one that it has. Errors are those of a claim and of a key.
	TakeOnce(id []byte, key string) (turno uint64, replayed bool, err error)
}

// Fenced is a store that can go back without its nodes' doing: restarted from an old copy, emptied, failed over.
type Fenced interface {
	Store

	// Check asks whether the store is still the one that this node knows. It returns [ErrChanged] if it may be another:
	// then Reserve does so too, until Rejoin. It is called a few times a second, so that an idle node learns of it as well.
	Check(ctx context.Context) error

	// Rejoin makes this node known to what the store is now. It fences all that this node has marks of, gives other nodes
	// time to do the same, and only then lets Reserve work again. After an error it is called again.
	Rejoin(ctx context.Context, marks []Mark, jump uint64) ([]Rollback, error)

	// Fence looks for ids of which the store knows a smaller number than the mark. With jump 0 it stops them: no node is
	// given a number of them until an operator moves the counter to the mark or above. Else it moves their counters to
	// mark+jump, or as far as numbers go. Either is atomic, and what another node did already is not done again.
	Fence(ctx context.Context, marks []Mark, jump uint64) ([]Rollback, error)
}

// Sharded is a store of several parts, each of which has some of the ids and can fail alone. Each part has batches, marks and
// tokens of its own; of the whole, only Peek, Info and Close are called.
type Sharded interface {
	Store

	// Parts are the stores that it consists of, always the same.
	Parts() []Store
	// Part is which of them has an id: always the same, on every node.
	Part(id []byte) int
}

// Mark is the largest number of an id that a node has received.
type Mark struct {
	ID   string
	Last uint64
}

// Rollback is what Fence found and did.
type Rollback struct {
	Mark
	Store uint64 // the last number as the store knew it, below the mark
	To    uint64 // where the counter was moved; 0: the id is stopped
}

// Info is what a store says of itself.
type Info struct {
	Name    string // as in --store, without secrets
	Promise string // what holds after a crash or a restart, in words for people
	IDs     int    // live ids
	Slots   int    // calls that may be under way at once, 1 or more

	Sessions int    // keys that have a number, or as good as known
	Bounds   Bounds // what it was opened with

	Details  map[string]string // what the promise rests on, as the store says it: "fsync": "always"; shared, not to be changed
	Warnings []string          // what is dangerous about it, for people; shared, not to be changed
}

var (
	// ErrExhausted is a claim's error when 2^53−1 of the id has been given.
	ErrExhausted = errors.New("the last number of this id was given")
	// ErrTooManyIDs is a claim's error when the id is new and as many as are allowed live already.
	ErrTooManyIDs = errors.New("too many live ids")
	// ErrSessionsFull is a key's error when it is new and as many as are allowed have a number already. None is forgotten early.
	ErrSessionsFull = errors.New("too many idempotency keys live")
	// ErrStopped is a claim's error when the id was stopped because the store had gone back ([Fenced]).
	ErrStopped = errors.New("the store went back: this id is stopped")
	// ErrUnavailable says that the store could not be asked, or refused, so that nothing was taken.
	ErrUnavailable = errors.New("the store could not be reached")
	// ErrChanged says that the store may not be the one that this node knows; nothing was taken.
	ErrChanged = errors.New("the store has changed")
)

// BrokenError is a claim's error when what the store holds of the id is no counter. Nothing was taken or overwritten.
type BrokenError struct {
	Key  string // where it is, as an operator would ask for it
	Says string // what is wrong with it: "holds "abc", which is no number"
}

func (e *BrokenError) Error() string { return "the store's " + e.Key + " " + e.Says }

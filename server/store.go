package server

import (
	"context"
	"errors"
)

// Store is where counters live. All methods are called concurrently; ids have passed api.ValidID.
type Store interface {
	// Reserve takes the next n numbers (n ≥ 1) of id, which it creates if need be: first, first+1 … first+granted−1 are the
	// caller's alone, and follow the last number that anyone was given. At the upper edge it grants what is left, so
	// 1 ≤ granted ≤ n unless err is set.
	//
	// The error decides what the client is told. [ErrExhausted], [ErrTooManyIDs] and [ErrUnavailable] promise that no number
	// is gone; with any other one may be, so it must not be returned lightly, and Reserve must not try again on its own
	// unless it can prove that the first attempt took nothing. Reserve returns soon after ctx ends.
	//
	// id is valid only until Reserve returns: a store that keeps it copies it.
	Reserve(ctx context.Context, id []byte, n uint64) (first, granted uint64, err error)

	// Peek returns the last number given of id without taking one; 0 for an id that does not exist, which it does not create.
	Peek(ctx context.Context, id []byte) (uint64, error)

	// Info says what the store is. It is cheap: every scrape calls it.
	Info() Info

	// Close writes out what must last. No call of Reserve is under way, and none follows.
	Close() error
}

// Info is what a store says of itself.
type Info struct {
	Name    string // as in --store, without secrets
	Promise string // what holds after a crash or a restart, in words for people
	IDs     int    // live ids
	MaxIDs  int
}

var (
	// ErrExhausted is returned by Reserve when 2^53−1 of the id has been given.
	ErrExhausted = errors.New("the last number of this id was given")
	// ErrTooManyIDs is returned by Reserve when the id is new and as many as are allowed live already.
	ErrTooManyIDs = errors.New("too many live ids")
	// ErrUnavailable is returned by Reserve when the store could not be asked, so that nothing was taken.
	ErrUnavailable = errors.New("the store could not be reached")
)

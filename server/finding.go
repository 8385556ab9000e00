package server

import (
	"errors"
	"fmt"
)

// Finding is one thing that an examination of a store looked at (tmctl doctor).
type Finding struct {
	Name  string // "persistence"
	Level Level
	Says  string // what was found: "appendfsync everysec: up to a second of numbers can be given again after a crash"
	Hint  string // what to change; empty when nothing
}

// Level is how bad a finding is.
type Level string

// The levels, from good to bad.
const (
	OK   Level = "ok"
	Warn Level = "warn" // it works, and an operator should know
	Fail Level = "fail" // the store can't be used so, or breaks the guarantees
)

// ErrBackwards is returned by a store's Set when the counter would go back: its numbers would be given again.
var ErrBackwards = errors.New("the counter would go back")

// BelowMarkError is returned by a store's Set when the id was stopped because the store had gone back, and the counter would
// stay below what was given of it: nodes would go on refusing it.
type BelowMarkError struct {
	Mark uint64 // the largest number that a node had received
}

func (e *BelowMarkError) Error() string { return fmt.Sprintf("numbers up to %d were given", e.Mark) }

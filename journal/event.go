// Package journal keeps the events of a run, one a line, written as they happen: a timeline is captured, never
// reconstructed. Start with [Event]; kinds.go is the list of all there are.
package journal

import "time"

// Event is something that happened.
type Event struct {
	At     time.Time      `json:"at"`  // UTC, nanoseconds; [Writer] sets it where it is zero
	Seq    uint64         `json:"seq"` // 1, 2, 3 … in the order of writing; set by [Writer]
	Kind   Kind           `json:"kind"`
	Source string         `json:"source"`         // who saw it: "load"
	Node   string         `json:"node,omitempty"` // what it happened to, where that is one node
	Text   string         `json:"text"`           // one line for people
	Data   map[string]any `json:"data,omitempty"` // the same for programs
}

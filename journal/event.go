// Package journal keeps the events of a run or of a service, one a line, written as they happen: a timeline is captured,
// never reconstructed. Start with [Event]; kinds.go is the list of all there are. [Writer] appends, also together with other
// processes; [Recorder] does so for those who can't wait; [Reader] and [Merge] read, and follow.
//
// A journal is a file of lines of JSON and, where it is bounded, its older segments beside it: FILE, FILE.1, FILE.2 …, the
// newest first. What a Write that returned nil has written survives the process, and what a Sync that returned nil came
// after survives the machine.
package journal

import "time"

// Version is the form of events that this package writes. A reader shows events of a later form as far as it knows them.
const Version = 1

// Event is something that happened.
type Event struct {
	Version int            `json:"v,omitempty"` // 0: 1
	At      time.Time      `json:"at"`          // UTC, nanoseconds; [Writer] sets it where it is zero
	Seq     uint64         `json:"seq"`         // 1, 2, 3 … in the order of writing; of each Writer its own, and set by it
	Kind    Kind           `json:"kind"`
	Source  string         `json:"source"`         // who saw it: "load"
	Node    string         `json:"node,omitempty"` // what it happened to, where that is one node
	Text    string         `json:"text"`           // one line for people
	Data    map[string]any `json:"data,omitempty"` // the same for programs
}

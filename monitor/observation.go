// Package monitor watches turn servers: it asks nodes what they say of themselves, and knows what in it should worry a
// person. Start with [Observation], then [Alerts], which is the list of worries; expr.go is the language they are written
// in, which is computed here and can be written as PromQL.
package monitor

import (
	"time"

	"github.com/turnomatico/tmctl/server/api"
)

// Observation is what nodes said at one time. A node that says nothing is in it too.
type Observation struct {
	At    time.Time
	Nodes []Node
}

// Node is what one node said. The snapshot counts only if the node is Up.
type Node struct {
	Instance string // host:port of its admin plane: what Prometheus calls it too
	Reach    Reach
	Says     string // why it is not Up, in words
	api.Snapshot
}

// Reach is how asking a node ended.
type Reach string

const (
	Up     Reach = "up"
	Down   Reach = "down"   // nobody is there
	Silent Reach = "silent" // somebody is there who does not answer in time
	Odd    Reach = "odd"    // what came is no snapshot
)

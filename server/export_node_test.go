package server

import (
	"context"
	"sync"
	"time"

	"github.com/turnomatico/tmctl/server/api"
)

// Node is the batchers of a server without listeners: requests come by Take, on no connection.
type Node struct {
	p parts
	b *batcher // the first

	config Config
}

// NewNode returns a node that works once it runs.
func NewNode(store Store, config Config) *Node {
	if config.MaxInFlight == 0 {
		config.MaxInFlight = DefaultMaxInFlight
	}
	p := newParts(store, &config)
	return &Node{p, p.all[0], config}
}

// Run lets it work until ctx ends; no request may wait then. wait returns when all that it started has ended.
func (n *Node) Run(ctx context.Context) (wait func()) { return n.p.run(ctx) }

// Take is one request.
func (n *Node) Take(id string) (uint64, Outcome) {
	return n.TakeOnce(id, "")
}

// TakeOnce is one with a key.
func (n *Node) TakeOnce(id, key string) (uint64, Outcome) {
	turno, o, _ := n.p.having([]byte(id)).take(time.Now(), nil, []byte(id), key)
	return turno, o
}

// Books are its ledger, of which it does not know what was delivered.
func (n *Node) Books() api.Ledger { return n.p.books.Ledger() }

// Ledger is what the batcher wrote down.
func (b *books) Ledger() api.Ledger {
	l := api.Ledger{Issued: b.issued.Load(), Unknown: b.unknown.Load(), Burned: map[string]uint64{}}
	for r := range b.burned {
		if n := b.burned[r].Load(); n > 0 {
			l.Burned[reasonNames[r]] = n
		}
	}
	return l
}

// Declared is what it skipped, and Rollbacks how often ids were found to have gone back.
func (n *Node) Declared() []api.Range { return n.p.declaredRanges() }
func (n *Node) Rollbacks() uint64     { rollbacks, _ := n.p.skipped(); return rollbacks }

// Marks are the largest numbers that it received.
func (n *Node) Marks() []Mark { return n.b.marks() }

// Counters is how many ids it keeps in memory.
func (n *Node) Counters() int {
	n.b.mu.Lock()
	defer n.b.mu.Unlock()
	return len(n.b.counters)
}

// Room is for how many requests its memory has room while none waits.
func (n *Node) Room() (room int) {
	n.b.mu.Lock()
	defer n.b.mu.Unlock()
	for _, k := range n.b.counters {
		room += cap(k.waiting)
	}
	for _, w := range n.b.spare {
		room += cap(w)
	}
	return room
}

// Waiting is how many requests wait.
func (n *Node) Waiting() int64 { return n.p.waiting() }

// Idle is how many slots rest.
func (n *Node) Idle() int {
	n.b.mu.Lock()
	defer n.b.mu.Unlock()
	return len(n.b.idle)
}

// ForgetWaiters empties the pool of requests: their channels must not get from one bubble of synctest into another.
func ForgetWaiters() { waiters = sync.Pool{New: waiters.New} }

// GoneClients is how many connections were left by their clients.
func (s *Server) GoneClients() (n int) {
	s.conns.mu.Lock()
	defer s.conns.mu.Unlock()
	for c := range s.conns.all {
		if c.gone() {
			n++
		}
	}
	return n
}

// Batcher is the one of s.
func (s *Server) Batcher() *Node { return &Node{s.parts, s.parts.all[0], s.config} }

// Outcome is how a request ended.
type Outcome = outcome

// Outcomes of requests that reach the batcher.
const (
	Answered    = answered
	Replayed    = replayed
	Exhausted   = exhausted
	TooManyIDs  = tooManyIDs
	Unavailable = unavailable
	Unknown     = unknown
	Silent      = silent
	Overloaded  = overloaded
	Stopped     = stopped
	Broken      = broken
)

// String names an outcome in tests.
func (o outcome) String() string {
	return [outcomes]string{answered: "answered", exhausted: "exhausted", tooManyIDs: "too many ids", unavailable: "unavailable",
		replayed: "replayed", sessionsFull: "sessions full",
		silent: "silent", overloaded: "overloaded", unknown: "unknown", stopped: "stopped", broken: "broken", clientGone: "client gone"}[o]
}

// Consumed says what a client is told of its number.
func (o outcome) Consumed() string { return problems[o].consumed }

// Bounds of the batcher.
const (
	MaxRecent  = maxRecent
	Patience   = patience
	SweepEach  = sweepEach
	CheckEvery = checkEvery
	FenceEvery = fenceEvery
)

// Delivery counts the numbers of a connection.
type Delivery struct{ d delivery }

// Hand is a number put into an answer.
func (d *Delivery) Hand() { d.d.handed.Add(1) }

// Write says how many are delivered after a write of b; number: the answer made last hands one out.
func (d *Delivery) Write(b string, number bool) uint64 {
	d.d.written([]byte(b), number)
	return d.d.delivered.Load()
}

// Answered is how many answers hand out a number.
func (s *Server) Answered() uint64 { return s.metrics.issued() }

// Watch has the lookout look, until ctx ends.
func (n *Node) Watch(ctx context.Context) {
	s := &Server{config: n.config, parts: n.p}
	go new(lookout).watch(ctx, s)
}

// MaxTold is of how many ids a loss tells.
const MaxTold = maxTold

// Trouble is what the store failed with last, as far as it is still of use.
func (n *Node) Trouble() string { return n.p.books.lastTrouble() }

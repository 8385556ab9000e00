package server

import "time"

// Event is something that happened to a node, for its journal.
type Event struct {
	At   time.Time // UTC
	Kind string    // one of EventKinds
	Node string    // the node's name: where its public listener is
	Text string    // one line for people
	Data map[string]any
}

// Recorder keeps a journal (Config.Journal).
type Recorder interface {
	// Record takes an event. It is called concurrently and must not wait, for requests may wait for it.
	Record(Event)
	// Dropped is how many events were lost so far.
	Dropped() uint64
}

// Kinds of events.
const (
	EventStarted            = "node.started"
	EventReady              = "node.ready"
	EventDraining           = "node.draining"
	EventStopped            = "node.stopped"
	EventStoreOpened        = "store.opened"
	EventStoreUnavailable   = "store.unavailable"
	EventStoreAvailable     = "store.available"
	EventStoreChanged       = "store.changed"
	EventStoreRejoined      = "store.rejoined"
	EventWentBack           = "id.went_back"
	EventIDStopped          = "id.stopped"
	EventJumped             = "id.jumped"
	EventRangeDeclared      = "range.declared"
	EventSheddingBegan      = "shedding.began"
	EventSheddingEnded      = "shedding.ended"
	EventCertificateLoaded  = "certificate.loaded"
	EventCertificateRefused = "certificate.refused"
)

// EventKinds lists them.
var EventKinds = []string{EventStarted, EventReady, EventDraining, EventStopped, EventStoreOpened, EventStoreUnavailable, EventStoreAvailable,
	EventStoreChanged, EventStoreRejoined, EventWentBack, EventIDStopped, EventJumped, EventRangeDeclared, EventSheddingBegan, EventSheddingEnded,
	EventCertificateLoaded, EventCertificateRefused}

// lostEvents is the kind of what is lost when an event can't be written.
const lostEvents = "journal"

// maxTold bounds the ids that one loss of the store is told of, one event each: 100,000 that went back are no news after these,
// and would leave no room for others.
const maxTold = 64

// fields are an event's data.
type fields map[string]any

// record writes an event into the journal, if there is one. c is the server's own: its node is known.
func (c *Config) record(kind, text string, data fields) {
	c.recordAt(time.Now(), kind, text, data)
}

func (c *Config) recordAt(at time.Time, kind, text string, data fields) {
	if c.Journal != nil {
		c.Journal.Record(Event{At: at.UTC(), Kind: kind, Node: c.node, Text: text, Data: data})
	}
}

// Package api holds what a turn server and its clients agree on: paths, header names, error codes, wire types. It is all
// that the load generator may know of the server.
package api

// TurnoPath is the public resource: GET or POST TurnoPath + id takes the next number of that id.
const TurnoPath = "/turno/"

// Paths of the admin plane.
const (
	HealthPath   = "/healthz"
	ReadyPath    = "/readyz"
	MetricsPath  = "/metrics"
	SnapshotPath = "/v1/snapshot"
	CountersPath = "/v1/counters/" // + id
)

// ConsumedHeader says on every error whether a number may be gone: [ConsumedNo] or [ConsumedMaybe].
const (
	ConsumedHeader = "X-Turno-Consumed"
	ConsumedNo     = "no"
	ConsumedMaybe  = "maybe"
)

// What makes a request one that can be repeated: all of an id with one [KeyHeader] get one number. [ReplayedHeader] is "true"
// on the answers after the first.
const (
	KeyHeader      = "Idempotency-Key"
	ReplayedHeader = "Idempotent-Replayed"
)

// MaxKeyLength bounds a key, in bytes.
const MaxKeyLength = 255

// MaxTurno is 2^53−1 (Number.MAX_SAFE_INTEGER): the last number that is handed out.
const MaxTurno = 1<<53 - 1

// MaxIDLength bounds an id, in bytes.
const MaxIDLength = 64

// Turno is the answer: {"id":"grupo1","turno":42}.
type Turno struct {
	ID    string `json:"id"`
	Turno uint64 `json:"turno"`
}

// Problem is an error as RFC 9457 problem+json, with a stable Code.
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Code   Code   `json:"code"`
	Detail string `json:"detail,omitempty"`
}

// Code is a stable error code. The list is closed.
type Code string

const (
	BadID            Code = "bad_id"            // 400
	BadRequest       Code = "bad_request"       // 400, 408, 413 or 431: not HTTP that this server reads
	Prefetch         Code = "prefetch"          // 403: a browser asks ahead of its user
	NotFound         Code = "not_found"         // 404
	Method           Code = "method"            // 405
	Exhausted        Code = "exhausted"         // 409: 2^53−1 was given
	TooManyIDs       Code = "too_many_ids"      // 429
	Overloaded       Code = "overloaded"        // 503
	StoreUnavailable Code = "store_unavailable" // 503
	BadKey           Code = "bad_key"           // 400: of Idempotency-Key
	SessionsFull     Code = "sessions_full"     // 503: as many keys live as may
	ClientGone       Code = "client_gone"       // 503, which only a client that closed its sending half can read
)

// ValidID reports whether id is a queue's name: [A-Za-z0-9._-]{1,64}, and neither "." nor ".." (which clients and
// proxies resolve away before the server sees them).
func ValidID[T ~string | ~[]byte](id T) bool {
	if len(id) == 0 || len(id) > MaxIDLength || string(id) == "." || string(id) == ".." {
		return false
	}
	for i := range len(id) {
		c := id[i]
		ok := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '_' || c == '-'
		if !ok {
			return false
		}
	}
	return true
}

// ParseKey reads the value of [KeyHeader]: 1 to 255 visible ASCII characters, or those and spaces as a string of RFC 9651
// ("…", with \" and \\), which is the same key as without its quotes.
func ParseKey(value []byte) (key string, ok bool) {
	if len(value) > 0 && value[0] == '"' {
		return parseQuoted(value[1:])
	}
	for _, c := range value {
		if c <= ' ' || c > '~' {
			return "", false
		}
	}
	return string(value), 0 < len(value) && len(value) <= MaxKeyLength
}

// parseQuoted reads a string after its first quote.
func parseQuoted(value []byte) (string, bool) {
	var key []byte
	for i := 0; i < len(value); i++ {
		c := value[i]
		switch {
		case c == '"':
			return string(key), i == len(value)-1 && 0 < len(key) && len(key) <= MaxKeyLength
		case c < ' ' || c > '~':
			return "", false
		case c == '\\':
			if i++; i == len(value) || value[i] != '"' && value[i] != '\\' {
				return "", false
			}
			c = value[i]
		}
		key = append(key, c)
	}
	return "", false
}

// Snapshot is /v1/snapshot: what a node says of itself. Durations are integer nanoseconds.
type Snapshot struct {
	At          string            `json:"at"` // RFC 3339, UTC
	Name        string            `json:"name"`
	Version     string            `json:"version"`
	Go          string            `json:"go"`
	PID         int               `json:"pid"`
	Uptime      int64             `json:"uptime_ns"`
	State       string            `json:"state"` // starting, ready, draining
	Store       string            `json:"store"`
	Promise     string            `json:"promise"`
	IDs         int               `json:"ids"`
	MaxIDs      int               `json:"max_ids"`
	Sessions    int               `json:"sessions"` // idempotency keys that have a number
	MaxSessions int               `json:"max_sessions"`
	InFlight    int64             `json:"in_flight"` // requests that wait for the store
	Requests    map[string]uint64 `json:"requests"`  // by code; "ok" for a 200 with a new number, "replayed" for one that its key had before
	Ledger      Ledger            `json:"ledger"`
	Declared    []Range           `json:"declared"` // numbers that this process skipped on purpose: nobody was or will be given them
	Blocks      Blocks            `json:"blocks"`

	Connections    int               `json:"connections"` // of the public listener
	MaxConnections int               `json:"max_connections"`
	Durations      Histogram         `json:"durations"`    // of requests that got a number
	StoreCalls     Histogram         `json:"store_calls"`  // those that were answered
	StoreErrors    map[string]uint64 `json:"store_errors"` // calls that were not, by kind
	Rollbacks      uint64            `json:"rollbacks"`    // ids found to have gone back in the store
	Skipped        uint64            `json:"skipped"`      // numbers declared, also those of ranges that Declared had no room for
	Lost           map[string]uint64 `json:"lost"`         // of what the node says of itself, by kind: "log" lines that could not be written
	Process        Process           `json:"process"`

	StoreDetails  map[string]string `json:"store_details,omitempty"`  // what the promise rests on, as the store says it
	StoreWarnings []string          `json:"store_warnings,omitempty"` // what is dangerous about it
}

// Ledger accounts for every number that the store gave this process, or may have given it:
// Issued = Delivered + ΣBurned + Unknown + InFlight.
type Ledger struct {
	Issued    uint64            `json:"issued"`
	Delivered uint64            `json:"delivered"` // the answer's bytes were written
	Burned    map[string]uint64 `json:"burned"`    // by reason; nobody has them, or nobody whose answer arrived
	Unknown   uint64            `json:"unknown"`   // the store's answer was lost for good: it may have given them
	InFlight  uint64            `json:"in_flight"` // given, and on their way to the client
}

// Reasons for which a number is burned.
const (
	BurnedClientGone  = "client_gone"  // the client left while the store was asked
	BurnedLate        = "late"         // the store answered after the request's time was over
	BurnedWriteFailed = "write_failed" // the answer could not be written
	BurnedRollback    = "rollback"     // the store had gone back: what it gave was not handed out
)

// Range is the numbers First … Last of an id.
type Range struct {
	ID    string `json:"id"`
	First uint64 `json:"first"`
	Last  uint64 `json:"last"`
}

// Blocks counts what was asked of the store: numbers come in blocks of one id, blocks share a call.
type Blocks struct {
	Calls  uint64 `json:"calls"`
	Blocks uint64 `json:"blocks"`
}

// Counter is /v1/counters/{id}: the last number handed out, without taking one.
type Counter struct {
	ID    string `json:"id"`
	Turno uint64 `json:"turno"`
}

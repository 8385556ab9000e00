package history

import (
	"fmt"
	"time"
)

// Schema is the version of run.json that this package writes. A reader refuses a larger one. It grows when a reader of
// before would misread a run:
//
//	2  numbers may be declared skipped, which are no gaps; environment.targets in place of environment.target
//	3  several ops may be attempts of one Idempotency-Key, which have one number
const Schema = 3

// Run is run.json: everything that a run directory says about its ops, and all that check, report and export need.
type Run struct {
	Schema      int         `json:"schema_version"`
	Tool        string      `json:"tool"`    // "tmctl 0.1.0"
	Started     time.Time   `json:"started"` // UTC; Op times count from it
	Finished    time.Time   `json:"finished"`
	Command     []string    `json:"command"` // argv that repeats the run
	Plan        Plan        `json:"plan"`
	IDs         []string    `json:"ids"`
	Nodes       []string    `json:"nodes"` // addresses that the connections went to, in turn
	Environment Environment `json:"environment"`
	Declared    []Range     `json:"declared,omitempty"` // numbers of these ids that the target's nodes declared skipped, in order
	Result
}

// Plan is what the run set out to do, as plain data. loadgen owns its defaults and its meaning.
type Plan struct {
	Target      string        `json:"target"` // URL with {id}
	ConnectTo   []string      `json:"connect_to,omitempty"`
	Admin       string        `json:"admin,omitempty"` // URLs of the nodes' admin planes, separated by commas
	Method      string        `json:"method"`
	Headers     []string      `json:"headers,omitempty"` // "Name: value"; secret values are redacted in run.json
	IDs         []string      `json:"ids"`
	Fresh       bool          `json:"fresh"`     // the ids were made for this run: they must start at 1
	Exclusive   bool          `json:"exclusive"` // nobody else uses the ids
	Engine      string        `json:"engine"`
	SLO         string        `json:"slo"`
	Connections int           `json:"connections"`
	Arrivals    string        `json:"arrivals"`
	Rate        float64       `json:"rate,omitempty"` // fixed rate, requests/s
	ClosedLoop  bool          `json:"closed_loop,omitempty"`
	Duration    time.Duration `json:"duration_ns,omitempty"`
	Start       float64       `json:"start,omitempty"` // search: first rate, requests/s
	MaxRate     float64       `json:"max_rate,omitempty"`
	Step        time.Duration `json:"step_ns,omitempty"`
	Warmup      time.Duration `json:"warmup_ns"`
	Precision   float64       `json:"precision,omitempty"`
	Budget      time.Duration `json:"budget_ns,omitempty"`
	Timeout     time.Duration `json:"timeout_ns"`
	Field       string        `json:"field"`
	IDField     string        `json:"id_field"`
	KeepGoing   bool          `json:"keep_going,omitempty"`
	Record      string        `json:"record"`
	Seed        uint64        `json:"seed"`

	KeyRatio float64 `json:"idempotency_key_ratio,omitempty"` // share of the requests that carry a fresh Idempotency-Key
}

// Environment is where the run was made, so that a reader can judge its figures.
type Environment struct {
	Host      string   `json:"host"`
	OS        string   `json:"os"`
	Kernel    string   `json:"kernel"`
	CPU       string   `json:"cpu"`
	Cores     int      `json:"cores"`
	Memory    uint64   `json:"memory_bytes"`
	OpenFiles uint64   `json:"open_files_limit"`
	Go        string   `json:"go"`
	Targets   []Target `json:"targets,omitempty"` // each node that --admin names
	Target    *Target  `json:"target,omitempty"`  // schema 1: the one node; ReadRun moves it to Targets
}

// Verdict is what a run proves.
type Verdict string

const (
	Pass         Verdict = "pass"
	SLOMissed    Verdict = "slo_missed"
	Violated     Verdict = "violated"
	Inconclusive Verdict = "inconclusive"
)

// Result is what a run found, and what `load --json` prints: the names are a contract.
type Result struct {
	Verdict      Verdict   `json:"verdict"`
	ExitCode     int       `json:"exit_code"`
	Sentence     string    `json:"sentence"` // the first line that a person reads
	MaxRate      *MaxRate  `json:"max_rate"` // null when one fixed rate was driven
	SLO          string    `json:"slo"`
	Requests     uint64    `json:"requests"` // sent, warm-up and all phases together
	Errors       uint64    `json:"errors"`   // sent and not ended in a valid 200
	ErrorReasons Counts    `json:"error_reasons,omitempty"`
	Steps        []Step    `json:"steps"`
	Proof        Proof     `json:"proof"`
	Generator    Generator `json:"generator"`
	StorePromise string    `json:"store_promise"` // "" when --admin was not given
	Warnings     []string  `json:"store_warnings,omitempty"`
	Remarks      []string  `json:"remarks,omitempty"`
	RunDir       string    `json:"run_dir"`
}

// Counts is how often each thing was seen.
type Counts map[string]uint64

// MaxRate is the answer of a search: the largest rate (requests/s) that was confirmed, and the smallest that failed.
type MaxRate struct {
	Pass   float64 `json:"pass"` // 0 when none was confirmed
	Fail   float64 `json:"fail"` // 0 when none failed
	Reason Limit   `json:"reason"`
	Label  string  `json:"label"` // "on this shared machine", or ""
}

// Limit says what kept the answer from being larger, or a step from passing. The list is closed.
type Limit string

const (
	NoLimit           Limit = ""
	LimitSLO          Limit = "slo"
	LimitErrors       Limit = "errors"
	LimitThroughput   Limit = "throughput"
	LimitConnections  Limit = "connections"         // all busy while the target is fast: raise --connections
	LimitGenerator    Limit = "generator"           // this process could not send what was due
	LimitSamples      Limit = "samples"             // too few answers for the objective's percentiles
	LimitHost         Limit = "host"                // generator and target share a saturated machine
	NoFailureInRange  Limit = "no_failure_in_range" // every rate up to --max-rate passed
	NoPassInRange     Limit = "no_pass_in_range"    // the first rate failed
	BudgetSpent       Limit = "budget"              // nothing was confirmed in time
	TargetLost        Limit = "target_lost"         // it stopped answering
	InvariantViolated Limit = "violated"            // a number was wrong
	RunInterrupted    Limit = "interrupted"         // ^C
)

// Phase names what a step is for.
type Phase string

const (
	Warmup  Phase = "warmup"
	Peak    Phase = "peak"    // closed loop: every connection as fast as it goes
	Bracket Phase = "bracket" // doubling, or halving, until pass and fail enclose the answer
	Bisect  Phase = "bisect"
	Confirm Phase = "confirm" // a longer run at the answer
	Above   Phase = "above"   // a longer run just above it, which must fail
	Fixed   Phase = "fixed"   // --rate
)

// Step is one load level. Counts are of hits due in it.
type Step struct {
	Phase        Phase         `json:"phase"`
	PlannedRate  float64       `json:"planned_rate"` // requests/s; 0 = closed loop
	Start        time.Duration `json:"start_ns"`     // since the start of the run
	Duration     time.Duration `json:"duration_ns"`  // as planned
	Elapsed      time.Duration `json:"elapsed_ns"`   // as it was; shorter when the step was ended early
	Planned      uint64        `json:"planned"`      // due within Elapsed
	Sent         uint64        `json:"sent"`
	Answered     uint64        `json:"answered"` // valid 200s in time
	Errors       uint64        `json:"errors"`
	AchievedRate float64       `json:"achieved_rate"` // answered per second
	Latency      Percentiles   `json:"latency"`       // corrected for coordinated omission
	Service      Percentiles   `json:"service"`       // from the send
	LagP99       time.Duration `json:"lag_p99_ns"`    // how late our own timer and CPU were
	InFlightMax  int           `json:"in_flight_max"`
	GeneratorCPU float64       `json:"generator_cpu_percent"` // of one core
	HostCPU      float64       `json:"host_cpu_percent"`      // of the whole machine; −1 where it can't be read
	EndedEarly   bool          `json:"ended_early,omitempty"` // it could not pass any more; don't read its percentiles
	Pass         bool          `json:"pass"`
	Limit        Limit         `json:"limit,omitempty"` // what it failed by
	Why          string        `json:"why"`             // the same for people: "p99 61ms > 50ms"

	LatencyHDR *Histogram `json:"latency_hdr,omitempty"` // in run.json only
	ServiceHDR *Histogram `json:"service_hdr,omitempty"`
}

// Percentiles are durations in nanoseconds.
type Percentiles struct {
	P50  time.Duration `json:"p50_ns"`
	P90  time.Duration `json:"p90_ns"`
	P99  time.Duration `json:"p99_ns"`
	P999 time.Duration `json:"p999_ns"`
	Max  time.Duration `json:"max_ns"`
}

// Proof is what the numbers of a run prove.
type Proof struct {
	Ops          uint64    `json:"ops"` // completed
	Unknown      uint64    `json:"unknown"`
	IDs          int       `json:"ids"`
	Duplicates   uint64    `json:"duplicates"`
	WentBack     uint64    `json:"went_back"`
	Gaps         uint64    `json:"gaps"`     // missing numbers that nothing explains
	Burned       uint64    `json:"burned"`   // missing numbers that an unknown op explains
	Declared     uint64    `json:"declared"` // missing numbers that the server declared skipped
	BadAnswers   uint64    `json:"bad_answers"`
	Exclusive    bool      `json:"exclusive"`
	Linearizable *bool     `json:"linearizable"` // null when it can't be judged
	Sessions     *Sessions `json:"sessions,omitempty"`
	Findings     []Finding `json:"findings"` // the first of each kind; at most MaxFindings
	Remarks      []string  `json:"remarks,omitempty"`
}

// Sessions is what the requests with an Idempotency-Key prove. A key is one op of the proof, however often it was sent.
type Sessions struct {
	Keys       uint64 `json:"keys"`
	Retried    uint64 `json:"retried"`     // keys that were sent more than once
	Retries    uint64 `json:"retries"`     // how often, all keys together
	Replays    uint64 `json:"replays"`     // answers that said Idempotent-Replayed: true
	Recovered  uint64 `json:"recovered"`   // keys whose number came by replays alone: the answer that gave it was lost
	TwoNumbers uint64 `json:"two_numbers"` // keys that were given more than one number
	WrongMarks uint64 `json:"wrong_marks"` // keys whose replays and first answers are marked wrongly
}

// MaxFindings bounds Proof.Findings.
const MaxFindings = 150

// Violations is how many times an invariant broke.
func (p *Proof) Violations() uint64 {
	n := p.Duplicates + p.WentBack + p.Gaps + p.BadAnswers
	if s := p.Sessions; s != nil {
		n += s.TwoNumbers + s.WrongMarks
	}
	return n
}

// Finding is one broken invariant, exactly: what, the numbers, both requests.
type Finding struct {
	Kind  FindingKind `json:"kind"`
	ID    string      `json:"id"`
	First uint64      `json:"first"`           // the number, or the first of a gap
	Last  uint64      `json:"last"`            // = First but for a gap
	Op    *Request    `json:"op,omitempty"`    // the request that broke it (gap: the one with the number after)
	Other *Request    `json:"other,omitempty"` // duplicate: who had it first; went_back: who had completed with a larger one; gap: the one before; two_numbers, wrong_mark: another attempt
	Text  string      `json:"text"`
}

// FindingKind is what broke. The list is closed.
type FindingKind string

const (
	Duplicate FindingKind = "duplicate"
	WentBack  FindingKind = "went_back"
	Gap       FindingKind = "gap"
	BadAnswer FindingKind = "bad_answer"

	TwoNumbers FindingKind = "two_numbers" // for one Idempotency-Key
	WrongMark  FindingKind = "wrong_mark"  // Idempotent-Replayed is missing, or is there on a first answer
)

// Request is an op as a finding shows it.
type Request struct {
	Call   time.Duration `json:"call_ns"`
	Return time.Duration `json:"return_ns"`
	Turno  uint64        `json:"turno,omitempty"`
	Seen   uint64        `json:"seen"`
	Node   string        `json:"node,omitempty"`
	Status uint16        `json:"status,omitempty"`
	Reason string        `json:"reason,omitempty"`
	Answer string        `json:"answer,omitempty"`

	Attempt  uint8 `json:"attempt,omitempty"`  // which request with its Idempotency-Key it was
	Replayed bool  `json:"replayed,omitempty"` // the answer said so
}

// Generator is the evidence that the load generator was not what was measured.
type Generator struct {
	Engine        string        `json:"engine"`
	CPUPerRequest float64       `json:"cpu_us_per_request"`
	CPUPercent    float64       `json:"cpu_percent"` // of one core, at the answer's step
	GCPercent     float64       `json:"gc_percent"`  // share of its CPU that went into garbage collection
	LagP99        time.Duration `json:"lag_p99_ns"`  // worst passing step
	Colocated     bool          `json:"colocated"`   // the target runs on this machine
	Healthy       bool          `json:"healthy"`
	Why           string        `json:"why,omitempty"` // why not healthy
}

// Check says whether this package can read r.
func (r *Run) Check() error {
	if r.Schema < 1 || r.Schema > Schema {
		return fmt.Errorf("run.json has schema_version %d; this tmctl reads 1 to %d", r.Schema, Schema)
	}
	return nil
}

// upgrade brings a run of an older schema to this one's form.
func (r *Run) upgrade() {
	if e := &r.Environment; e.Target != nil {
		e.Targets, e.Target = append([]Target{*e.Target}, e.Targets...), nil
	}
}

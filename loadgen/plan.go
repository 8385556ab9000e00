package loadgen

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/turnomatico/tmctl/history"
	"github.com/turnomatico/tmctl/server/api"
)

// Defaults of a plan; each has its home here.
const (
	DefaultSLO         = "p99<50ms,errors<0.1%"
	DefaultConnections = 64
	DefaultStart       = 500.0 // requests/s
	DefaultStep        = 3 * time.Second
	DefaultWarmup      = 2 * time.Second
	DefaultPrecision   = 0.05
	DefaultBudget      = 2 * time.Minute
	DefaultTimeout     = 5 * time.Second
	DefaultField       = "turno"
	DefaultIDField     = "id"
)

// Names that a plan chooses from; the order is the order in help.
const (
	EngineHTTP1  = "http1"
	EngineVegeta = "vegeta"

	Uniform = "uniform"
	Poisson = "poisson"

	RecordFull = "full"
	RecordNone = "none"
)

// Choices of each named option.
var (
	Engines   = []string{EngineHTTP1, EngineVegeta}
	Arrivals  = []string{Uniform, Poisson}
	Recording = []string{RecordFull, RecordNone}
	Methods   = []string{"GET", "POST"}
)

// Bounds of a plan.
const (
	maxConnections = 60_000
	maxIDs         = 100_000
)

// DefaultPlan searches the largest rate that meets [DefaultSLO]; it lacks a target and ids.
func DefaultPlan() history.Plan {
	return history.Plan{
		Method: "GET", Exclusive: true, Engine: EngineHTTP1, SLO: DefaultSLO, Connections: DefaultConnections,
		Arrivals: Uniform, Start: DefaultStart, Step: DefaultStep, Warmup: DefaultWarmup, Precision: DefaultPrecision,
		Budget: DefaultBudget, Timeout: DefaultTimeout, Field: DefaultField, IDField: DefaultIDField, Record: RecordFull,
	}
}

// Plan is a checked [history.Plan] with its strings read.
type Plan struct {
	history.Plan
	Objective SLO
	to        Target
	admins    []string    // URLs of the nodes' admin planes
	tls       *tls.Config // nil for plain http
}

// Prepare checks spec and reads its strings. base holds what the user says about TLS (--cacert, --insecure); nil is the
// system's. Nothing is dialled. An id in the target's last segment replaces {id} and is the only id of the run.
func Prepare(spec history.Plan, base *tls.Config) (*Plan, error) {
	p := &Plan{Plan: spec}
	var id string
	var err error
	if p.to, id, err = ParseTarget(spec.Target); err != nil {
		return nil, err
	}
	if id != "" {
		if len(spec.IDs) > 0 && !spec.Fresh {
			return nil, fmt.Errorf("target %q names the id %q; write {id} in its place, or leave out --id", spec.Target, id)
		}
		p.IDs, p.Fresh = []string{id}, false
	}
	p.Target = p.to.String()
	if p.admins, err = parseAdmins(spec.Admin); err != nil {
		return nil, err
	}
	p.tls = p.to.tlsConfig(base)
	if p.Objective, err = ParseSLO(spec.SLO); err != nil {
		return nil, err
	}
	return p, p.check()
}

func (p *Plan) check() error {
	if err := p.checkIDs(); err != nil {
		return err
	}
	for _, c := range []struct {
		what, got string
		of        []string
	}{
		{"engine", p.Engine, Engines}, {"arrivals", p.Arrivals, Arrivals},
		{"record", p.Record, Recording}, {"method", p.Method, Methods},
	} {
		if !slices.Contains(c.of, c.got) {
			return fmt.Errorf("%s %q is none of %s", c.what, c.got, strings.Join(c.of, ", "))
		}
	}
	if p.Connections < 1 || p.Connections > maxConnections {
		return fmt.Errorf("%d connections: want 1 to %d", p.Connections, maxConnections)
	}
	if len(p.ConnectTo) > p.Connections || len(p.ConnectTo) > 256 {
		return fmt.Errorf("%d connections can't be spread over %d addresses", p.Connections, len(p.ConnectTo))
	}
	if err := p.checkKeys(); err != nil {
		return err
	}
	if p.Field == "" {
		return fmt.Errorf("the field of the turno has no name")
	}
	if _, err := p.to.request(p.Method, p.IDs[0], p.Headers); err != nil {
		return err
	}
	return p.checkTimes()
}

func (p *Plan) checkKeys() error {
	if !(p.KeyRatio >= 0 && p.KeyRatio <= 1) {
		return fmt.Errorf("idempotency-key-ratio %v: want 0 to 1", p.KeyRatio)
	}
	for _, h := range p.Headers {
		if name, _, _ := strings.Cut(h, ":"); p.KeyRatio > 0 && strings.EqualFold(strings.TrimSpace(name), api.KeyHeader) {
			return fmt.Errorf("header %s and idempotency-key-ratio: the one gives every request the same key, the other some a key each; give one of them", api.KeyHeader)
		}
	}
	return nil
}

func (p *Plan) checkIDs() error {
	if len(p.IDs) < 1 || len(p.IDs) > maxIDs {
		return fmt.Errorf("%d ids: want 1 to %d", len(p.IDs), maxIDs)
	}
	seen := make(map[string]bool, len(p.IDs))
	for _, id := range p.IDs {
		if !api.ValidID(id) {
			return fmt.Errorf("id %q: want 1 to %d of [A-Za-z0-9._-]", id, api.MaxIDLength)
		}
		if seen[id] {
			return fmt.Errorf("id %q is given twice", id)
		}
		seen[id] = true
	}
	return nil
}

func (p *Plan) checkTimes() error {
	if p.Timeout < time.Millisecond || p.Timeout > time.Hour {
		return fmt.Errorf("timeout %s: want 1ms to 1h", p.Timeout)
	}
	if p.Warmup < 0 || p.Warmup > time.Hour {
		return fmt.Errorf("warm-up %s: want 0 to 1h", p.Warmup)
	}
	if !p.searching() {
		if p.Duration < 100*time.Millisecond || p.Duration > 24*time.Hour {
			return fmt.Errorf("duration %s: want 100ms to 24h", p.Duration)
		}
		return nil
	}
	switch {
	case p.Step < 100*time.Millisecond || p.Step > time.Hour:
		return fmt.Errorf("step %s: want 100ms to 1h", p.Step)
	case p.Budget-p.Warmup < 5*p.Step:
		return fmt.Errorf("budget %s, less a warm-up of %s, is less than five steps of %s: nothing could be confirmed", p.Budget, p.Warmup, p.Step)
	case !(p.Precision >= 0.005 && p.Precision <= 1):
		return fmt.Errorf("precision %v: want 0.5%% to 100%%", p.Precision)
	case !(p.Start > 0 && p.Start <= MaxRate):
		return fmt.Errorf("start %v/s: want more than 0", p.Start)
	case p.MaxRate != 0 && p.MaxRate < p.Start:
		return fmt.Errorf("max-rate %v/s is below start %v/s", p.MaxRate, p.Start)
	}
	return nil
}

// searching reports whether the plan looks for a maximum, rather than driving one rate.
func (p *Plan) searching() bool { return p.Rate == 0 && !p.ClosedLoop }

// lagLimit is how late our own timer and CPU may be (p99) before a step is not a measurement of the target.
func (p *Plan) lagLimit() time.Duration {
	return max(5*time.Millisecond, p.Objective.Tightest(p.Timeout)/2)
}

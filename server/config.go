package server

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Defaults of serve's flags.
const (
	DefaultAddr           = "127.0.0.1:7017"
	DefaultAdmin          = "127.0.0.1:7018"
	DefaultStore          = "memory"
	DefaultMaxIDs         = 100_000
	DefaultMaxSessions    = 1_000_000
	DefaultSessionTTL     = 24 * time.Hour
	DefaultMaxInFlight    = 10_000
	DefaultMaxConns       = 10_000 // about 150 MB of memory, over TLS 450 MB (docs/EDGE.md)
	DefaultRequestTimeout = 5 * time.Second
	DefaultDrain          = 5 * time.Second
)

// Limits that no flag sets: no honest client of this service meets them.
const (
	maxHeader    = 8 << 10 // bytes; nginx's bound
	maxBody      = 4 << 10 // bytes; a POST may carry a body, which is ignored
	readTimeout  = 10 * time.Second
	writeTimeout = 10 * time.Second
	idleTimeout  = 90 * time.Second // longer than the 60 s of nginx and most balancers, so that they close first
)

// MaxSessionTTL bounds how long a key keeps its number.
const MaxSessionTTL = 30 * 24 * time.Hour

// DefaultBounds returns what a store may hold without flags.
func DefaultBounds() Bounds {
	return Bounds{IDs: DefaultMaxIDs, Sessions: DefaultMaxSessions, SessionTTL: DefaultSessionTTL}
}

// Config is how a turn server runs. [DefaultConfig] is complete but for who it is.
type Config struct {
	Addr           string         // of the public listener, host:port; port 0 takes a free one
	Admin          string         // of the admin plane; empty: none
	MaxInFlight    int            // requests that wait for the store at once; further ones are shed
	MaxConns       int            // connections of the public listener
	MaxConnsPerIP  int            // of those, from one address; 0: no bound, since load tests and balancers come from one
	TrustedProxies []netip.Prefix // whom MaxConnsPerIP does not concern: many clients come from them
	RequestTimeout time.Duration  // how long a request may wait for the store
	Drain          time.Duration  // how long a stopping server waits for balancers to notice that it is not ready
	TLSCert        string         // a file in PEM, with the certificates that lead to its authority; empty: plain HTTP
	TLSKey         string         // a file in PEM, the certificate's key
	OnRollback     string         // what to do about a store that went back: one of OnRollbacks

	Version string // of tmctl
	PID     int
	Log     *slog.Logger
	Journal Recorder // nil: none

	node string // the server's name in events
}

// DefaultConfig returns what serve does without flags.
func DefaultConfig() Config {
	return Config{
		Addr: DefaultAddr, Admin: DefaultAdmin, MaxInFlight: DefaultMaxInFlight, MaxConns: DefaultMaxConns,
		RequestTimeout: DefaultRequestTimeout, Drain: DefaultDrain, OnRollback: OnRollbackStop, Log: slog.New(slog.DiscardHandler),
	}
}

// Validate reports what no server can run with. It has no effects.
func (c *Config) Validate() error {
	if err := validAddr(c.Addr); err != nil {
		return fmt.Errorf("addr %q: %w", c.Addr, err)
	}
	if c.Admin != "" {
		if err := validAddr(c.Admin); err != nil {
			return fmt.Errorf("admin %q: %w", c.Admin, err)
		}
	}
	switch {
	case c.TLSCert == "" && c.TLSKey != "":
		return errors.New("tls-key without --tls-cert: give both, or neither")
	case c.TLSCert != "" && c.TLSKey == "":
		return errors.New("tls-cert without --tls-key: give both, or neither")
	case c.MaxInFlight < 1:
		return fmt.Errorf("max-inflight %d: want at least 1", c.MaxInFlight)
	case c.MaxConns < 1:
		return fmt.Errorf("max-conns %d: want at least 1", c.MaxConns)
	case c.MaxConnsPerIP < 0:
		return fmt.Errorf("max-conns-per-ip %d: want 0 (no bound) or more", c.MaxConnsPerIP)
	case c.RequestTimeout <= 0:
		return fmt.Errorf("request-timeout %s: want more than 0", c.RequestTimeout)
	case c.Drain < 0:
		return fmt.Errorf("drain %s: want 0 or more", c.Drain)
	case !slices.Contains(OnRollbacks, c.OnRollback):
		return fmt.Errorf("on-rollback %q: want %s", c.OnRollback, strings.Join(OnRollbacks, " or "))
	}
	return nil
}

var errAddr = errors.New("want host:port, for example " + DefaultAddr)

func validAddr(addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return errAddr
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("port %q: want 0 to 65535", port)
	}
	return nil
}

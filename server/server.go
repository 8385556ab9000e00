// Package server is the turn service: it hands out the next number of an id. Start with [Server], then [Store], which says
// what a place for counters must do; handler.go is the contract with clients, stop.go the end.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/valyala/fasthttp"
)

// ListeningMessage is the log message of a server that takes requests. Its attributes are addr and admin (the addresses as
// bound, so port 0 is a real one here; admin is empty when there is none), store and promise. demo waits for it.
const ListeningMessage = "listening"

// State is where in its life a server is. Its names are a contract (api.Snapshot).
type State int32

const (
	Starting State = iota
	Ready
	Draining
)

var stateNames = [...]string{"starting", "ready", "draining"}

func (s State) String() string { return stateNames[s] }

// Server is one node. Make one with [Listen].
type Server struct {
	config  Config
	log     *slog.Logger
	store   Store
	direct  Direct // nil: requests go through the batcher
	parts   parts
	errors  onceASecond // of a direct store
	public  *listener
	admin   net.Listener // nil: none
	conns   *conns
	keys    keys
	metrics metrics
	started time.Time
	pauses  pauses
	process *prometheus.Registry // what the process costs

	lostLogs atomic.Uint64 // lines that could not be written

	state        atomic.Int32
	lastRequests atomic.Bool  // every answer closes its connection
	readyAsked   atomic.Int64 // when /readyz was last asked, in Unix nanoseconds; 0: never
}

// ListenError is returned by Listen when a listener can't be opened.
type ListenError struct {
	Admin bool // the admin plane's, else the public one
	Addr  string
	Err   error
}

func (e *ListenError) Error() string {
	return fmt.Sprintf("listen on %s: %v", e.Addr, innermost(e.Err))
}

func (e *ListenError) Unwrap() error { return e.Err }

// innermost strips what net says around an error ("listen tcp 127.0.0.1:7017: bind:").
func innermost(err error) error {
	for next := err; next != nil; next = errors.Unwrap(next) {
		err = next
	}
	return err
}

// Listen reads the certificate and opens both listeners, so that what can't be opened is known before anything starts. Call
// Run next.
func Listen(ctx context.Context, config Config, store Store) (*Server, error) {
	s := &Server{
		config: config, process: newProcess(), store: store, conns: newConns(config.admission()), started: time.Now(),
		pauses: defaultPauses,
	}
	s.log = slog.New(countedLog{config.Log.Handler(), &s.lostLogs})
	s.config.Log = s.log
	s.direct, _ = store.(Direct)
	s.parts = newParts(store, &s.config)
	var lc net.ListenConfig
	public, err := lc.Listen(ctx, "tcp", config.Addr)
	if err != nil {
		return nil, &ListenError{Addr: config.Addr, Err: err}
	}
	s.public = &listener{TCPListener: public.(*net.TCPListener), conns: s.conns, keys: &s.keys, count: &s.metrics, log: s.log, stop: make(chan struct{})}
	s.config.node = s.Addr()
	if err := s.LoadCertificate(); err != nil {
		_ = public.Close() // it has taken nothing yet
		return nil, err
	}
	if config.Admin == "" {
		return s, nil
	}
	if s.admin, err = lc.Listen(ctx, "tcp", config.Admin); err != nil {
		_ = public.Close() // it has taken nothing yet
		return nil, &ListenError{Admin: true, Addr: config.Admin, Err: err}
	}
	return s, nil
}

// Addr is where the public listener is.
func (s *Server) Addr() string { return s.public.Addr().String() }

// AdminAddr is where the admin plane is; empty when there is none.
func (s *Server) AdminAddr() string {
	if s.admin == nil {
		return ""
	}
	return s.admin.Addr().String()
}

// State says whether the server takes requests.
func (s *Server) State() State { return State(s.state.Load()) }

// Run serves until ctx ends, then stops in order (stop.go), and returns when every request that was read is answered.
func (s *Server) Run(ctx context.Context) error {
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var sweeper sync.WaitGroup
	sweeper.Go(func() { s.conns.sweep(background, s.limits()) })
	defer sweeper.Wait()
	if s.direct == nil {
		defer s.parts.run(background)()
	}
	defer cancel()

	s.tellStarted()
	if s.config.Journal != nil {
		var look lookout
		sweeper.Go(func() { look.watch(background, s) })
	}
	served := make(chan error, 1)
	go func() { served <- s.fasthttp().Serve(s.public) }()
	plane := s.startAdmin()

	info := s.store.Info()
	s.state.Store(int32(Ready))
	s.log.Info(ListeningMessage, "addr", s.Addr(), "admin", s.AdminAddr(), "store", info.Name, "promise", info.Promise)
	s.config.record(EventReady, "requests are taken on "+s.Addr(), nil)

	var failed error
	select {
	case <-ctx.Done():
	case failed = <-served:
		failed = fmt.Errorf("serve %s: %w", s.Addr(), failed)
		served <- nil
	case failed = <-plane.served:
		failed = fmt.Errorf("serve the admin plane on %s: %w", s.AdminAddr(), failed)
		plane.served <- nil
	}
	err := s.stop(served)
	return errors.Join(failed, err, plane.stop(background, s.pauses.lastAnswers))
}

// limits is how long a connection may wait in each phase, but for the store.
func (s *Server) limits() [phases]time.Duration {
	return [phases]time.Duration{idle: idleTimeout, reading: readTimeout, writing: writeTimeout}
}

// chunked is what fasthttp gives for a body's length that is not known beforehand.
const chunked = -1

func (s *Server) fasthttp() *fasthttp.Server {
	return &fasthttp.Server{
		Handler:      s.handle,
		ErrorHandler: s.refuseRaw,
		// Ours is the last request of a connection on which a length and chunks may have disagreed (RFC 9112 §6.1): fasthttp
		// forgets the length. Chunks carry nothing that we read, so closing on all of them costs nobody.
		HeaderReceived: func(h *fasthttp.RequestHeader) (none fasthttp.RequestConfig) {
			if h.ContentLength() == chunked {
				h.SetConnectionClose()
			}
			return none
		},
		// Whoever gets a connection gets an answer in our own form: at its bound fasthttp would send plain text. Ours are the
		// process's open files, and MaxInFlight.
		Concurrency:                  math.MaxInt32,
		ReadBufferSize:               maxHeader,
		WriteBufferSize:              2 << 10,
		MaxRequestBodySize:           maxBody,
		DisablePreParseMultipartForm: true,
		NoDefaultServerHeader:        true,
		SecureErrorLogMessage:        true,
		Logger:                       quiet{s.log},
	}
}

// quiet is where fasthttp reports connections that ended badly: a client's doing, so for debugging only.
type quiet struct{ log *slog.Logger }

func (q quiet) Printf(format string, args ...any) { q.log.Debug(fmt.Sprintf(format, args...)) }

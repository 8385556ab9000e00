package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"runtime"
	"time"

	"github.com/turnomatico/tmctl/server/api"
)

// plane is the admin plane: for operators and balancers, on a listener of its own, so that neither its load nor its secrets
// meet the public's. served gets a value when it ends by itself, and is never ready where there is none.
type plane struct {
	http   *http.Server
	served chan error
}

func (s *Server) startAdmin() *plane {
	p := &plane{served: make(chan error, 1)}
	if s.admin == nil {
		return p
	}
	// No time-out for writing: a profile takes as long as it was asked to.
	p.http = &http.Server{
		Handler: s.adminHandler(), ReadHeaderTimeout: readTimeout, IdleTimeout: idleTimeout,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	go func() { p.served <- p.http.Serve(s.admin) }()
	return p
}

// stop ends the plane, last of all, so that the end can be watched.
func (p *plane) stop(ctx context.Context, within time.Duration) error {
	if p.http == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	if p.http.Shutdown(ctx) != nil {
		_ = p.http.Close() // whoever still takes a profile has had time
	}
	if err := <-p.served; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (s *Server) adminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+api.HealthPath, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET "+api.ReadyPath, s.serveReady)
	mux.Handle("GET "+api.MetricsPath, s.metricsHandler())
	mux.HandleFunc("GET "+api.SnapshotPath, func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, "application/json", http.StatusOK, s.snapshot(time.Now()))
	})
	mux.HandleFunc("GET "+api.CountersPath+"{id}", s.serveCounter)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	// Not cmdline: a store's password may be in it.
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

func (s *Server) serveReady(w http.ResponseWriter, _ *http.Request) {
	s.readyAsked.Store(time.Now().UnixNano())
	if s.State() != Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	fmt.Fprintln(w, s.State())
}

// serveCounter looks without taking and without creating.
func (s *Server) serveCounter(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if !api.ValidID(id) {
		writeProblem(w, problems[badID])
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.config.RequestTimeout)
	defer cancel()
	last, err := s.store.Peek(ctx, id)
	switch {
	case err != nil:
		writeProblem(w, problems[unavailable])
	case last == 0:
		writeProblem(w, problem{api.NotFound, http.StatusNotFound, api.ConsumedNo, "No number of this id was given."})
	default:
		writeJSON(w, "application/json", http.StatusOK, api.Counter{ID: id, Turno: last})
	}
}

func (s *Server) snapshot(now time.Time) api.Snapshot {
	info := s.store.Info()
	snapshot := api.Snapshot{
		At: now.UTC().Format(time.RFC3339Nano), Name: s.Addr(), Version: s.config.Version, Go: runtime.Version(),
		PID: s.config.PID, Uptime: int64(now.Sub(s.started)), State: s.State().String(),
		Store: info.Name, Promise: info.Promise, IDs: info.IDs, MaxIDs: info.Bounds.IDs,
		Sessions: info.Sessions, MaxSessions: info.Bounds.Sessions,
		InFlight: s.parts.waiting(), Requests: s.metrics.requests(), Ledger: s.ledger(), Declared: s.parts.declaredRanges(),
		Blocks:       api.Blocks{Calls: s.parts.books.calls.Load(), Blocks: s.parts.books.blocks.Load()},
		StoreDetails: info.Details, StoreWarnings: info.Warnings,
	}
	s.observe(&snapshot)
	return snapshot
}

func writeProblem(w http.ResponseWriter, p problem) {
	w.Header().Set(api.ConsumedHeader, p.consumed)
	writeJSON(w, problemType, p.status, p.wire())
}

// writeJSON answers with v; a client that does not wait for it is no error of ours.
func writeJSON(w http.ResponseWriter, contentType string, status int, v any) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

package cmd

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// honeycombStandIn is the script command `honeycomb`: it starts a stand-in of Honeycomb's API, and sets $HONEYCOMB to it. It knows
// the key good-key and the dataset turnos; the datasets busy and broken are that always, and silent never answers.
func honeycombStandIn(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: honeycomb")
	}
	end := make(chan struct{})
	refuse := func(w http.ResponseWriter, status int, why string) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": why})
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /1/markers/{dataset}", func(w http.ResponseWriter, r *http.Request) {
		key := r.Header.Get("X-Honeycomb-Team")
		var m map[string]any
		switch dataset := r.PathValue("dataset"); {
		case json.NewDecoder(r.Body).Decode(&m) != nil:
			refuse(w, http.StatusBadRequest, "invalid body")
		case key != "good-key":
			refuse(w, http.StatusUnauthorized, "unknown API key "+key+" - check your credentials")
		case dataset == "busy":
			w.Header().Set("Retry-After", "60")
			refuse(w, http.StatusTooManyRequests, "request rejected due to rate limiting")
		case dataset == "broken":
			refuse(w, http.StatusInternalServerError, "")
		case dataset == "silent":
			select {
			case <-end:
			case <-r.Context().Done():
			}
		case dataset != "turnos":
			refuse(w, http.StatusNotFound, "Dataset not found")
		default:
			m["id"], m["created_at"] = "d1c84ec0", "2026-11-21T10:15:02Z"
			w.WriteHeader(http.StatusCreated)
			_ = json.NewEncoder(w).Encode(m)
		}
	})
	srv := httptest.NewServer(mux)
	ts.Defer(func() { close(end); srv.Close() })
	ts.Setenv("HONEYCOMB", srv.URL)
	ts.Setenv("HONEYCOMB_GONE", strings.TrimSuffix(gone(), "/"))
}

// gone is a URL where nobody listens.
func gone() string {
	srv := httptest.NewServer(nil)
	defer srv.Close()
	return srv.URL
}

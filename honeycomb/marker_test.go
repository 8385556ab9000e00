package honeycomb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

const key = "hcxik_01secret"

// answer is what the stand-in answers a request with.
type answer struct {
	status int
	body   string
	after  string
}

const made = `{"created_at":"2026-11-21T10:15:02Z","id":"d1c84ec0","message":"v2.3","type":"deploy","start_time":1795256102}`

// standIn answers like Honeycomb's API, one answer after the other.
func standIn(t *testing.T, answers ...answer) (c *Client, asked func() []string, waited *[]time.Duration) {
	t.Helper()
	requests, waited := make(chan string, 10), new([]time.Duration)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		requests <- fmt.Sprintf("%s %s %s %s %s", r.Method, r.URL.EscapedPath(), r.Header.Get("X-Honeycomb-Team"), r.Header.Get("Content-Type"), b)
		a := answers[0]
		if len(answers) > 1 {
			answers = answers[1:]
		}
		if a.after != "" {
			w.Header().Set("Retry-After", a.after)
		}
		if a.status/100 == 3 {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, a.body)
	}))
	t.Cleanup(srv.Close)
	c = &Client{URL: srv.URL, Key: key, HTTP: new(http.Transport), Wait: func(_ context.Context, d time.Duration) error {
		*waited = append(*waited, d)
		return nil
	}}
	return c, func() (all []string) {
		for len(requests) > 0 {
			all = append(all, <-requests)
		}
		return all
	}, waited
}

func TestMark(t *testing.T) {
	c, asked, _ := standIn(t, answer{status: 201, body: made})
	start := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	m, err := c.Mark(t.Context(), "turnos/a b", Marker{Message: "v2.3", Type: "deploy", URL: "https://x/y", Start: start, End: start.Add(time.Minute)})
	if err != nil || m.ID != "d1c84ec0" {
		t.Fatalf("Mark() = %+v, %v; want d1c84ec0", m, err)
	}
	want := "POST /1/markers/turnos%2Fa%20b " + key + ` application/json {"end_time":1795255260,"message":"v2.3","start_time":1795255200,"type":"deploy","url":"https://x/y"}`
	if got := asked(); len(got) != 1 || got[0] != want {
		t.Errorf("asked %q; want %q", got, want)
	}
	if _, err := c.Mark(t.Context(), Everywhere, Marker{Message: "m", Type: "load"}); err != nil {
		t.Fatal(err)
	}
	if got := asked(); len(got) != 1 || !strings.HasSuffix(got[0], `/__all__ `+key+` application/json {"message":"m","type":"load"}`) {
		t.Errorf("asked %q; want no times", got)
	}
}

func TestRefused(t *testing.T) {
	tests := []struct {
		name    string
		answers []answer
		want    string // of the error; empty: none
		asked   int
		waited  string
	}{
		{"a wrong key", []answer{{401, `{"error":"unknown API key - check your credentials"}`, ""}}, "honeycomb answers 401 Unauthorized: unknown API key - check your credentials", 1, "[]"},
		{"the key is repeated", []answer{{401, `{"error":"no key ` + key + `"}`, ""}}, "honeycomb answers 401 Unauthorized: no key …", 1, "[]"},
		{"no such dataset", []answer{{404, `{"status":404,"title":"Not Found","detail":"Dataset not found"}`, ""}}, "honeycomb answers 404 Not Found: Dataset not found", 1, "[]"},
		{"a page of a proxy", []answer{{502, `<html>bad</html>`, ""}}, "honeycomb answers 502 Bad Gateway", 1, "[]"},
		{"another status that is not known", []answer{{599, ``, ""}}, "honeycomb answers 599", 1, "[]"},
		{"a redirect", []answer{{307, ``, ""}}, "honeycomb answers 307 Temporary Redirect", 1, "[]"},
		{"an answer that is no marker", []answer{{200, `hello`, ""}}, "honeycomb answers 200 OK: but what came with it is no marker", 1, "[]"},
		{"too often, once", []answer{{429, `{}`, "3"}, {201, made, ""}}, "", 2, "[3s]"},
		{"too often, without a word when", []answer{{429, `{}`, ""}, {429, `{}`, "soon"}, {201, made, ""}}, "", 3, "[1s 2s]"},
		{"too often, always", []answer{{429, `{"error":"request rejected due to rate limiting"}`, "2"}}, "honeycomb answers 429 Too Many Requests: request rejected due to rate limiting (try again in 2s)", 3, "[2s 2s]"},
		{"away, once", []answer{{503, ``, "1"}, {201, made, ""}}, "", 2, "[1s]"},
		{"longer than there is time", []answer{{429, `{}`, "3600"}}, "honeycomb answers 429 Too Many Requests (try again in 1h0m0s)", 1, "[]"},
		{"an endless reason", []answer{{400, `{"error":"` + strings.Repeat("x ", 1000) + `"}`, ""}}, "honeycomb answers 400 Bad Request: " + strings.Repeat("x ", 150), 1, "[]"},
	}
	for _, tt := range tests {
		c, asked, waited := standIn(t, tt.answers...)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		_, err := c.Mark(ctx, "turnos", Marker{Message: "m", Type: "deploy"})
		cancel()
		said := ""
		if err != nil {
			said = err.Error()
		}
		if n := len(asked()); said != tt.want || n != tt.asked || fmt.Sprint(*waited) != tt.waited {
			t.Errorf("Mark(%s) = %q after %d requests, waited %v; want %q, %d, %s", tt.name, said, n, *waited, tt.want, tt.asked, tt.waited)
		}
	}
}

// What does not answer ends with the context, and its error has no key in it.
func TestNoAnswer(t *testing.T) {
	arrived, done := make(chan struct{}), make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(arrived)
		<-done
	}))
	defer srv.Close()
	defer close(done)
	c := &Client{URL: srv.URL + "/" + key, Key: key, HTTP: new(http.Transport)}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	_, err := c.Mark(ctx, key, Marker{})
	if !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), key) {
		t.Errorf("Mark() = %v; want %v", err, context.Canceled)
	}
	srv2 := httptest.NewServer(nil)
	c.URL = srv2.URL
	srv2.Close()
	if _, err := c.Mark(t.Context(), key, Marker{}); err == nil || strings.Contains(err.Error(), key) {
		t.Errorf("Mark() with nobody there = %v; want an error without the key", err)
	}
}

func TestRetryAfterDate(t *testing.T) {
	now := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{"": 0, "7": 7 * time.Second, "-1": 0, "Sat, 21 Nov 2026 10:00:30 GMT": 30 * time.Second, "Sat, 21 Nov 2026 09:00:30 GMT": 0} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("retryAfter(%q) = %s; want %s", value, got, want)
		}
	}
}

func TestChecks(t *testing.T) {
	for _, good := range []string{Endpoints["us"], Endpoints["eu"], "http://127.0.0.1:80", "http://localhost:1/"} {
		if err := CheckURL(good); err != nil {
			t.Errorf("CheckURL(%s) = %v", good, err)
		}
	}
	for _, bad := range []string{"", "api.honeycomb.io", "http://api.honeycomb.io", "ftp://x", "https://u:p@x", "https://x?y", ":"} {
		if CheckURL(bad) == nil {
			t.Errorf("CheckURL(%s) = nil", bad)
		}
	}
	for bad := range map[string]bool{key + "\n": true, "a b": true, "ä": true} {
		if err := CheckKey(bad); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("CheckKey(%q) = %v; want an error without the key", bad, err)
		}
	}
	b, err := json.Marshal((&Marker{}).wire())
	if err != nil || string(b) != `{"message":"","type":""}` {
		t.Errorf("an empty marker is %s, %v", b, err)
	}
}

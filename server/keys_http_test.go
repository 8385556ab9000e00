package server_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/api"
	"github.com/turnomatico/tmctl/server/store/memory"
)

// with is a request for a number of a with header lines.
func with(lines ...string) string {
	return "POST /turno/a HTTP/1.1\r\n" + host + strings.Join(append(lines, "\r\n"), "\r\n")
}

func key(value string) string { return api.KeyHeader + ": " + value }

// Both ways to a store: a request that takes its number itself, and one that waits for a call.
var waysToTake = map[string]func(*memory.Store) server.Store{
	"direct": func(m *memory.Store) server.Store { return m },
	"call":   func(m *memory.Store) server.Store { return struct{ server.Store }{m} },
}

func TestIdempotencyKey(t *testing.T) {
	for name, way := range waysToTake {
		t.Run(name, func(t *testing.T) {
			bounds := server.Bounds{IDs: 10, Sessions: 3, SessionTTL: server.DefaultSessionTTL}
			r := run(t, way(memory.New(bounds)), nil)
			first := r.ask(with(key("k1")))
			checkTurno(t, first, `{"id":"a","turno":1}`)
			checkReplayed(t, first, "")
			checkTurno(t, r.ask(with()), `{"id":"a","turno":2}`)
			for _, raw := range []string{with(key("k1")), with(key(`"k1"`)), with("idempotency-key: k1"), strings.Replace(with(key("k1")), "POST", "GET", 1)} {
				again := r.ask(raw)
				checkTurno(t, again, `{"id":"a","turno":1}`)
				checkReplayed(t, again, "true")
			}
			checkTurno(t, r.ask(strings.Replace(with(key("k1")), "/a", "/b", 1)), `{"id":"b","turno":1}`)
			checkTurno(t, r.ask(with(key("K1"))), `{"id":"a","turno":3}`)
			full := r.ask(with(key("k3")))
			checkProblem(t, full, "POST", 503, api.SessionsFull, api.ConsumedNo)
			if got := full.Header.Get("Retry-After"); got == "" {
				t.Error("a full table is refused without Retry-After")
			}
			checkReplayed(t, r.ask(with(key("k1"))), "true")

			r.settled()
			_, body, _ := r.get(api.SnapshotPath)
			var s api.Snapshot
			if err := json.Unmarshal([]byte(body), &s); err != nil {
				t.Fatal(err)
			}
			if s.Requests["ok"] != 4 || s.Requests["replayed"] != 5 || s.Requests["sessions_full"] != 1 || s.Sessions != 3 || s.MaxSessions != 3 {
				t.Errorf("requests %v, %d of %d sessions; want 4 ok, 5 replayed, 1 sessions_full, 3 of 3", s.Requests, s.Sessions, s.MaxSessions)
			}
			if s.Ledger.Issued != 4 || s.Ledger.Delivered != 4 {
				t.Errorf("the ledger says %+v; want 4 issued and delivered", s.Ledger)
			}
		})
	}
}

func checkReplayed(t *testing.T, a answer, want string) {
	t.Helper()
	if got := a.Header.Get(api.ReplayedHeader); got != want || a.StatusCode != 200 {
		t.Errorf("answer %d with %s: %q; want 200, %q", a.StatusCode, api.ReplayedHeader, got, want)
	}
}

// What is no key is refused, and takes nothing.
func TestBadKeys(t *testing.T) {
	for _, value := range []string{"", "   ", "a b", "a\tb", "caf\xc3\xa9", strings.Repeat("k", api.MaxKeyLength+1), `"`, `""`, `"a`, `"a"b`, `"a\x"`, `"\`,
		`"` + strings.Repeat("k", api.MaxKeyLength+1) + `"`} {
		checkBadKey(t, fmt.Sprintf("%.20q", value), with(key(value)))
	}
	checkBadKey(t, "two keys", with(key("a"), key("b")))
	checkBadKey(t, "one key twice", with(key("a"), key("a")))
}

func checkBadKey(t *testing.T, name, raw string) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		store := memory.New(keyBounds)
		checkProblem(t, run(t, store, nil).ask(raw), "POST", 400, api.BadKey, api.ConsumedNo)
		if n := taken(t, store, "a"); n != 0 {
			t.Errorf("it took %d numbers", n)
		}
	})
}

// A string of RFC 9651 is the same key as its content.
func TestParseKey(t *testing.T) {
	for value, want := range map[string]string{
		"8e03978e-40d5-43e8-bc93-6894a57f9324": "8e03978e-40d5-43e8-bc93-6894a57f9324",
		`"8e03978e-40d5"`:                      "8e03978e-40d5",
		`"a b"`:                                "a b",
		`"a\"b\\c"`:                            `a"b\c`,
		`a"b`:                                  `a"b`,
		"!~":                                   "!~",
	} {
		if got, ok := api.ParseKey([]byte(value)); got != want || !ok {
			t.Errorf("ParseKey(%s) = %q, %t; want %q", value, got, ok, want)
		}
	}
}

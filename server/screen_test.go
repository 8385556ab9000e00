package server_test

import (
	"testing"

	"github.com/turnomatico/tmctl/server/api"
)

// A browser that asks ahead of its user gets no number; what only looks like that does.
func TestPrefetchTakesNothing(t *testing.T) {
	tests := []struct {
		header  string
		refused bool
	}{
		{"Purpose: prefetch", true},
		{"purpose:prefetch", true},
		{"Purpose: Prefetch \t", true},
		{"Sec-Purpose: prefetch", true},
		{"Sec-Purpose: prefetch;prerender", true},
		{"Sec-Purpose: prefetch; anonymous-client-ip", true},
		{"SEC-PURPOSE: prerender", true},
		{"X-Moz: prefetch", true},
		{"X-Purpose: preview", true},
		{"X-Purpose: prefetch", true},
		{"Purpose: preview", true},
		{"X-A: b\r\nX-Moz: prefetch\r\nX-C: d", true},
		{"Purpose: navigate", false},
		{"Purpose:", false},
		{"Sec-Purpose: prefetcher", false},
		{"X-Reason: prefetch", false},
		{"Sec-Fetch-Dest: prefetch", false},
	}
	for _, method := range []string{"GET", "POST"} {
		for _, tt := range tests {
			store := fewIDs()
			got := run(t, store, nil).ask(method + " /turno/a HTTP/1.1\r\n" + host + tt.header + "\r\n\r\n")
			if !tt.refused {
				checkTurno(t, got, `{"id":"a","turno":1}`)
				continue
			}
			checkProblem(t, got, method, 403, api.Prefetch, api.ConsumedNo)
			if got.Close {
				t.Errorf("%s: the connection is closed; want it kept", tt.header)
			}
			if n, ids := taken(t, store, "a"), store.Info().IDs; n != 0 || ids != 0 {
				t.Errorf("%s took %d numbers and made %d ids; want none", tt.header, n, ids)
			}
		}
	}
}

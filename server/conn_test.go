package server_test

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/api"
	"github.com/turnomatico/tmctl/server/store/memory"
)

// Time passes for connections only by sweeps, so these tests do it by hand (the server's own sweeps add what is less than
// the limits tested).
func TestSweep(t *testing.T) {
	const half = "GET /turno/a HT"
	tests := []struct {
		name  string
		sent  string // before time passes; a whole request is answered first
		after time.Duration
		ended bool
		told  bool // by a 408
	}{
		{"fresh, for a while", "", server.IdleTimeout / 2, false, false},
		{"fresh, too long", "", server.IdleTimeout, true, true},
		{"kept, for a while", getA, server.IdleTimeout / 2, false, false},
		{"kept, too long", getA, server.IdleTimeout, true, false},
		{"half a request, for a while", half, server.ReadTimeout / 2, false, false},
		{"half a request, too long", half, 2 * server.ReadTimeout, true, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := run(t, memory.New(server.Bounds{IDs: 1}), nil)
			c := r.dial()
			r.awaitConnections(1)
			r.awaitIdle() // over TLS, the handshake is reading
			c.send(tt.sent)
			if tt.sent == getA {
				c.receive("GET")
			}
			if tt.sent == half {
				r.awaitReading()
			} else {
				r.awaitIdle()
			}
			r.Sweep(tt.after)
			if !tt.ended {
				c.send(getA[len(tt.sent)%len(getA):])
				if a := c.receive("GET"); a.StatusCode != 200 {
					t.Errorf("a request after Sweep(%s) got %d %s; want 200", tt.after, a.StatusCode, a.body)
				}
				return
			}
			if tt.told {
				checkProblem(t, c.receive("GET"), "GET", 408, api.BadRequest, api.ConsumedNo)
			}
			if b, err := c.r.ReadByte(); !errors.Is(err, io.EOF) {
				t.Errorf("Sweep(%s) left the connection open: %q, %v", tt.after, b, err)
			}
		})
	}
}

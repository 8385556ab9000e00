package loadgen

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/turnomatico/tmctl/history"
)

// TestVegetaReadsOurExport encodes ops in each format and lets vegeta's own decoder detect and read them.
func TestVegetaReadsOurExport(t *testing.T) {
	run := &history.Run{Started: time.Date(2026, 11, 21, 10, 15, 2, 0, time.UTC), IDs: []string{"a", "b"},
		Plan: history.Plan{Target: "http://h/turno/{id}", Method: "GET"}}
	ops := []history.Op{
		{ID: 0, Call: 5 * time.Millisecond, Return: 8 * time.Millisecond, Wait: 2 * time.Millisecond, Turno: 1, Status: 200},
		{ID: 1, Call: 6 * time.Millisecond, Return: 9 * time.Millisecond, Outcome: history.Unknown, Reason: history.TimedOut},
	}
	for _, e := range VegetaEncoders {
		t.Run(e.Name, func(t *testing.T) {
			var b bytes.Buffer
			encode := e.New(&b)
			for i := range ops {
				if err := encode(VegetaResult(run, &ops[i], uint64(i))); err != nil {
					t.Fatal(err)
				}
			}
			decode := vegeta.DecoderFor(&b)
			if decode == nil {
				t.Fatal("vegeta does not know the format")
			}
			var got [2]vegeta.Result
			for i := range got {
				if err := decode(&got[i]); err != nil {
					t.Fatal(err)
				}
			}
			if err := decode(new(vegeta.Result)); !errors.Is(err, io.EOF) {
				t.Errorf("after the last result: %v; want EOF", err)
			}
			first := got[0]
			if first.Code != 200 || first.URL != "http://h/turno/a" || first.Method != "GET" || first.Error != "" ||
				first.Latency != 5*time.Millisecond || !first.Timestamp.Equal(run.Started.Add(3*time.Millisecond)) {
				t.Errorf("vegeta read %+v; want a 200 of 5 ms, due 3 ms after the start", first)
			}
			if second := got[1]; second.Seq != 1 || second.Error != "unknown: timeout" || second.Code != 0 {
				t.Errorf("vegeta read %+v; want a timeout", second)
			}
		})
	}
}

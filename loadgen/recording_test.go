package loadgen

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/turnomatico/tmctl/history"
	"github.com/turnomatico/tmctl/history/linear"
)

// writerFails is a sink whose disk is full after some batches; the proof misses none.
type writerFails struct {
	after int
	c     *linear.Checker
}

func (s *writerFails) Add(b history.Batch) error {
	s.c.Add(b)
	if s.after--; s.after < 0 {
		return errors.New("disk full")
	}
	return nil
}
func (s *writerFails) Violations() uint64 { return s.c.Violations() }

func TestFailedRecordingConvictsNobody(t *testing.T) {
	convicted := 0
	var last history.Proof
	for i := range 5 {
		addr := counterServer(t) // one each: a request that was given up may still take a number when the next run has begun
		_, s := prep(t, addr, func(h *history.Plan) { h.ClosedLoop, h.Duration, h.Warmup = true, time.Second, 0 })
		sink := &writerFails{after: 5, c: linear.New(linear.Config{IDs: []string{"a"}, Exclusive: true})}
		if o, err := s.Run(context.Background(), time.Now(), sink, logWatcher{t}); err == nil {
			t.Fatal(i, o)
		}
		if p := sink.c.Close(); p.Violations() > 0 {
			convicted++
			last = p
		}
	}
	if convicted > 0 {
		t.Errorf("%d of 5 runs whose disk was full convict a right server: %d gaps: %v", convicted, last.Gaps, last.Findings[0].Text)
	}
}

package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// gate is a disk that can be made to fail, or to hang.
type gate struct {
	fails atomic.Bool
	hangs chan struct{} // until it is closed; nil: it does not
	lines []string
}

func (g *gate) add(line func() ([]byte, error)) error {
	b, err := line()
	switch {
	case err != nil:
		return err
	case g.fails.Load():
		return errFull
	case g.hangs != nil:
		<-g.hangs
	}
	g.lines = append(g.lines, string(b))
	return nil
}

func (g *gate) sync() error  { return nil }
func (g *gate) close() error { return nil }

func (g *gate) has(text string) (n int) {
	for _, l := range g.lines {
		n += strings.Count(l, text)
	}
	return n
}

// An event that can't be written is tried again each second, and those behind it wait; one that nobody could write is lost.
func TestRecorderRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, log := &gate{}, new(strings.Builder)
		g.fails.Store(true)
		r := NewRecorder(&Writer{out: g, now: time.Now}, slog.New(slog.NewTextHandler(log, nil)))
		for i := range 3 {
			r.Record(Event{Kind: Note, Text: fmt.Sprint("e", i)})
		}
		at := time.Now().UTC().Format(time.RFC3339)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if len(g.lines) != 0 || r.Dropped() != 0 {
			t.Errorf("%d lines, %d dropped while the disk is full", len(g.lines), r.Dropped())
		}
		g.fails.Store(false)
		time.Sleep(time.Second)
		r.Record(Event{Kind: "no.kind"})
		r.Record(Event{Kind: Note, Text: strings.Repeat("x", MaxEvent)})
		r.Record(Event{Kind: Note, Text: "last"})
		synctest.Wait()
		if g.has(at) != 3 || g.has(`"text":"last"`) != 1 || g.has(string(JournalDropped)) == 0 || r.Dropped() != 2 {
			t.Errorf("dropped %d, written:\n%s; want e0, e1, e2 at %s, what was dropped (2), and last", r.Dropped(), g.lines, at)
		}
		if n := strings.Count(log.String(), "can't be written"); n > 3 || !strings.Contains(log.String(), "is written again") {
			t.Errorf("logged %s", log)
		}
		if err := r.Close(t.Context()); err == nil || !strings.Contains(err.Error(), "2 events were not written") {
			t.Errorf("Close() = %v; want that 2 were not written", err)
		}
		r.Record(Event{Kind: Note})
		if r.Dropped() != 3 {
			t.Errorf("dropped %d after Close; want 3", r.Dropped())
		}
	})
}

// Record never waits, however the disk hangs, and Close waits no longer than it may.
func TestRecorderNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{hangs: make(chan struct{})}
		r := NewRecorder(&Writer{out: g, now: time.Now}, slog.New(slog.DiscardHandler))
		begun := time.Now()
		for range 3 * queued {
			r.Record(Event{Kind: Note})
		}
		if took := time.Since(begun); took != 0 || r.Dropped() < queued {
			t.Errorf("recording took %s, dropped %d; want none, and more than %d", took, r.Dropped(), queued)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if err := r.Close(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != 2*time.Second {
			t.Errorf("Close() = %v after %s; want %v after 2s", err, time.Since(begun), context.DeadlineExceeded)
		}
		close(g.hangs)
		synctest.Wait()
		if n := uint64(g.has(`"kind":"note"`)); n+r.Dropped() != 3*queued {
			t.Errorf("%d written and %d dropped of %d", n, r.Dropped(), 3*queued)
		}
	})
}

// What waits when the recorder is closed is written.
func TestRecorderFlushes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	w, err := Append(path, DefaultLimits, clock())
	must(t, err)
	r := NewRecorder(w, slog.New(slog.DiscardHandler))
	for i := range queued {
		r.Record(Event{Kind: Note, Text: fmt.Sprint(i)})
	}
	must(t, r.Close(t.Context()))
	if events, _ := readAll(t, path); len(events) != queued {
		t.Errorf("read %d events; want %d", len(events), queued)
	}
}

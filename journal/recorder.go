package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of a Recorder.
const (
	queued     = 1024 // events that wait to be written
	retryEvery = time.Second
)

// Recorder writes events for those who can't wait for a disk. An event that can't be written is tried again while there is
// room for those behind it; what is lost is counted, logged, and told by an event as soon as one can be written.
type Recorder struct {
	w       *Writer
	log     *slog.Logger
	queue   chan Event
	dropped atomic.Uint64
	told    uint64 // how many of those an event has told of; run's alone
	failing bool   // run's alone

	once    sync.Once
	closing chan struct{}
	closed  chan struct{}
}

// NewRecorder starts one. Close ends it, and w.
func NewRecorder(w *Writer, log *slog.Logger) *Recorder {
	r := &Recorder{w: w, log: log, queue: make(chan Event, queued), closing: make(chan struct{}), closed: make(chan struct{})}
	go r.run()
	return r
}

// Record takes an event to be written. It never waits. Safe for concurrent use.
func (r *Recorder) Record(e Event) {
	if e.At.IsZero() {
		e.At = r.w.now()
	}
	select {
	case <-r.closing:
		r.dropped.Add(1)
		return
	default:
	}
	select {
	case r.queue <- e:
	default:
		r.dropped.Add(1)
	}
}

// Dropped is how many events were lost so far.
func (r *Recorder) Dropped() uint64 { return r.dropped.Load() }

// Close writes what waits, unless ctx ends first or the disk refuses, and returns an error if any event was lost.
func (r *Recorder) Close(ctx context.Context) error {
	r.once.Do(func() { close(r.closing) })
	select {
	case <-r.closed:
	case <-ctx.Done():
		return fmt.Errorf("end the journal: %w; up to %d events were not written", ctx.Err(), len(r.queue)+1)
	}
	err := r.w.Close()
	switch n := r.dropped.Load(); {
	case n > 0 && err != nil:
		return fmt.Errorf("%d events were not written: %w", n, err)
	case n > 0:
		return fmt.Errorf("%d events were not written: they came faster than they could be", n)
	}
	return nil // what failed once was written later
}

func (r *Recorder) run() {
	defer close(r.closed)
	for {
		select {
		case e := <-r.queue:
			r.write(e)
		case <-r.closing:
			for len(r.queue) > 0 {
				r.write(<-r.queue)
			}
			r.tell()
			return
		}
		if len(r.queue) == 0 {
			if err := r.w.Sync(); err != nil {
				r.complain(err)
			}
		}
	}
}

// write tries until e is written, or nothing is to be waited for any more.
func (r *Recorder) write(e Event) {
	for {
		r.tell()
		err := r.w.Write(e)
		if err == nil {
			r.recovered()
			return
		}
		r.complain(err)
		if errors.Is(err, ErrTooLarge) || !e.Kind.Valid() {
			r.dropped.Add(1)
			return
		}
		select {
		case <-time.After(retryEvery):
		case <-r.closing:
			if r.w.Write(e) != nil {
				r.dropped.Add(1)
			}
			return
		}
	}
}

// tell writes how many events were lost, if it can.
func (r *Recorder) tell() {
	n := r.dropped.Load() - r.told
	if n == 0 {
		return
	}
	if r.w.Write(Event{Kind: JournalDropped, Source: "journal", Text: fmt.Sprintf("%d events were lost before this one: the journal could not be written fast enough, or at all", n),
		Data: map[string]any{"events": n}}) == nil {
		r.told += n
	}
}

func (r *Recorder) complain(err error) {
	if !r.failing {
		r.log.Error("the journal can't be written: it is tried again every second", "err", err, "room_for", queued)
	}
	r.failing = true
}

func (r *Recorder) recovered() {
	if r.failing {
		r.log.Info("the journal is written again", "lost", r.dropped.Load())
	}
	r.failing = false
}

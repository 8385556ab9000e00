package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// MaxEvent bounds an event as it is written, in bytes: a line goes out in one write, and a reader holds it whole.
const MaxEvent = 64 << 10

// ErrTooLarge is returned by Write for an event of more than MaxEvent bytes. It will not be written by trying again.
var ErrTooLarge = fmt.Errorf("the event is larger than %d bytes", MaxEvent)

// Writer appends events, each as one whole line in one write. When Write returns nil the event is the kernel's and survives
// the process, however that ends; what survives a power cut is what Sync came after. An event that could not be written is
// the caller's to write again or to count as lost: nothing of it is left in the file. Safe for concurrent use.
type Writer struct {
	mu  sync.Mutex
	out sink
	now func() time.Time
	seq uint64
	err error // the first of writing
}

// sink is where lines go. add calls line once, when nobody else can write, so that events stand in the order of their times.
type sink interface {
	add(line func() ([]byte, error)) error
	sync() error
	close() error
}

// Create starts a journal in a new file at path, of any size. A journal is never written over.
func Create(path string, now func() time.Time) (*Writer, error) {
	f, err := createFile(path)
	if err != nil {
		return nil, fmt.Errorf("create journal: %w", err)
	}
	return &Writer{out: f, now: now}, nil
}

// Append opens the journal at path, or starts it. Other processes may do the same, with the same limits; their events don't
// mix, but each counts its own Seq.
func Append(path string, limits Limits, now func() time.Time) (*Writer, error) {
	f, err := openFile(path, limits)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	return &Writer{out: f, now: now}, nil
}

// NewWriter starts a journal on out, which Close leaves open.
func NewWriter(out io.Writer, now func() time.Time) *Writer {
	return &Writer{out: &stream{w: out}, now: now}
}

// Write appends e with the next Seq. It refuses kinds that are not on the list.
func (w *Writer) Write(e Event) error {
	if !e.Kind.Valid() {
		return fmt.Errorf("write journal: there is no kind %q", e.Kind)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	err := w.write(e)
	if f, ok := w.out.(*file); err == nil && ok && f.pruned != "" {
		pruned := Event{Kind: JournalPruned, Source: "journal", Text: f.pruned + " was deleted: it was the oldest of as many segments as are kept"}
		f.pruned = ""
		_ = w.write(pruned) // the next segment that goes says so again
	}
	return err
}

// write is Write under mu.
func (w *Writer) write(e Event) error {
	err := w.out.add(func() ([]byte, error) {
		if e.At.IsZero() {
			e.At = w.now()
		}
		e.At, e.Seq = e.At.UTC(), w.seq+1
		line, err := json.Marshal(e)
		if err == nil && len(line) >= MaxEvent {
			err = ErrTooLarge
		}
		return append(line, '\n'), err
	})
	if err != nil {
		err = fmt.Errorf("write journal: %w", err)
		if w.err == nil {
			w.err = err
		}
		return err
	}
	w.seq++
	return nil
}

// Sync has what was written survive the machine.
func (w *Writer) Sync() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.out.sync(); err != nil {
		return fmt.Errorf("sync journal: %w", err)
	}
	return nil
}

// Close ends the journal and returns the first error of writing it.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.out.close(); err != nil && w.err == nil {
		w.err = fmt.Errorf("close journal: %w", err)
	}
	return w.err
}

// stream is an io.Writer as a sink.
type stream struct {
	w   io.Writer
	err error // for good: a line may have been cut, and another would be glued to it
}

func (s *stream) add(line func() ([]byte, error)) error {
	b, err := line()
	if err := errors.Join(s.err, err); err != nil {
		return err
	}
	_, s.err = s.w.Write(b)
	return s.err
}

func (s *stream) sync() error  { return nil }
func (s *stream) close() error { return nil }

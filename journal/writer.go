package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// Writer appends events. Each is on its way to the disk, as one whole line in one write, when Write returns: a journal is
// read after a crash. It is safe for concurrent use.
type Writer struct {
	mu   sync.Mutex
	w    io.Writer
	file *os.File // nil when NewWriter made the Writer
	now  func() time.Time
	seq  uint64
	err  error // the first, for good: a line may have been cut, and another would be glued to it
}

// Create starts a journal in a new file at path. A journal is never written over.
func Create(path string, now func() time.Time) (*Writer, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o666)
	if err != nil {
		return nil, fmt.Errorf("create journal: %w", err)
	}
	w := NewWriter(f, now)
	w.file = f
	return w, nil
}

// NewWriter starts a journal on out, which Close leaves open.
func NewWriter(out io.Writer, now func() time.Time) *Writer { return &Writer{w: out, now: now} }

// Write appends e with the next Seq. It refuses kinds that are not on the list.
func (w *Writer) Write(e Event) error {
	if !e.Kind.Valid() {
		return fmt.Errorf("write journal: there is no kind %q", e.Kind)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return w.err
	}
	if e.At.IsZero() {
		e.At = w.now()
	}
	e.At, e.Seq = e.At.UTC(), w.seq+1
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	if _, err := w.w.Write(append(line, '\n')); err != nil {
		w.err = fmt.Errorf("write journal: %w", err)
		return w.err
	}
	w.seq = e.Seq
	return nil
}

// Close ends the journal and returns the first error of writing it.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file != nil {
		if err := errors.Join(w.file.Sync(), w.file.Close()); err != nil && w.err == nil {
			w.err = fmt.Errorf("close journal: %w", err)
		}
		w.file = nil
	}
	return w.err
}

package journal

import (
	"errors"
	"io"
	"time"
)

// Earlier is by how much an event must be older than the one before it in its journal for [Line] to tell: several processes
// write to one file, and each may be a moment late.
const Earlier = 5 * time.Second

// Line is an event among those of several journals.
type Line struct {
	Event
	Journal string        // the name that it was added by
	Earlier time.Duration // than the one before it in its journal: a clock went back, or the event was written late; 0: it is in order
}

// Merge puts the events of several journals into the order of their times, as far as the clocks agree: the events of one
// journal stay in the order in which they were written, whatever their times say. It holds one event of each. The zero value
// is ready.
type Merge struct{ in []*input }

type input struct {
	*Reader
	name string
	head Line
	has  bool
	dry  bool      // nothing more for now
	last time.Time // the largest so far
}

// Add takes a journal in, which Close closes.
func (m *Merge) Add(name string, r *Reader) { m.in = append(m.in, &input{Reader: r, name: name}) }

// Next returns the next event of all, or io.EOF when there is none now; like [Reader.Next] it may be called again.
func (m *Merge) Next() (Line, error) {
	var first *input
	for _, in := range m.in {
		if err := in.fill(); err != nil {
			return Line{}, err
		}
		if in.has && (first == nil || in.last.Before(first.last)) {
			first = in
		}
	}
	if first == nil {
		for _, in := range m.in {
			in.dry = false
		}
		return Line{}, io.EOF
	}
	first.has = false
	return first.head, nil
}

// fill reads the head, unless it is there.
func (in *input) fill() error {
	if in.has || in.dry {
		return nil
	}
	e, err := in.Reader.Next()
	if errors.Is(err, io.EOF) {
		in.dry = true
		return nil
	}
	if err != nil {
		return err
	}
	in.has, in.head = true, Line{Event: e, Journal: in.name}
	if back := in.last.Sub(e.At); !in.last.IsZero() && back > Earlier {
		in.head.Earlier = back
	}
	if e.At.After(in.last) {
		in.last = e.At
	}
	return nil
}

// Torn says what the ends of the journals lack.
func (m *Merge) Torn() (all []string) {
	for _, in := range m.in {
		if torn := in.Reader.Torn(); torn != "" {
			all = append(all, torn)
		}
	}
	return all
}

// Close ends reading.
func (m *Merge) Close() {
	for _, in := range m.in {
		in.Reader.Close()
	}
}

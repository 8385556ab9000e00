package journal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// maxLine bounds one event, so that a file that is no journal is not read into memory whole.
const maxLine = 1 << 20

// Reader reads a journal with its segments, the oldest first, and can follow it: after io.EOF, Next may be called again, and
// goes on with what was written meanwhile, also across a rotation, without missing or repeating an event. It needs no lock,
// so it never holds up who writes. Not safe for concurrent use.
type Reader struct {
	path   string
	remark func(string) // told of what was left out

	open   []*os.File    // the oldest first; the first is read
	final  bool          // nothing more is written to the first
	been   []os.FileInfo // those that were read, at most MaxKeep of them
	in     *bufio.Reader
	offset int64 // in the first
	line   int   // of the first, that was read last
	part   []byte
	long   bool // the line is longer than any event: the rest of it is left out
}

// Open opens the journal at path. remark is called by Next with what is left out, in words; it must not be nil.
func Open(path string, remark func(string)) (*Reader, error) {
	r := Follow(path, remark)
	if err := r.begin(); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	if len(r.open) == 0 {
		return nil, &fs.PathError{Op: "open journal", Path: path, Err: fs.ErrNotExist}
	}
	return r, nil
}

// Follow is Open for a journal that need not be there yet.
func Follow(path string, remark func(string)) *Reader {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	return &Reader{path: path, remark: remark, in: bufio.NewReaderSize(nil, 64<<10)}
}

// Close ends reading.
func (r *Reader) Close() {
	closeAll(r.open)
	r.open = nil
}

// Next returns the next event, or io.EOF when there is none now. Lines that are no event are left out: one that was cut by a
// crash, for example. Kinds that this tmctl does not know are kept: a later one may have written them.
func (r *Reader) Next() (Event, error) {
	for {
		line, err := r.next()
		if errors.Is(err, io.EOF) {
			more, err := r.goOn()
			if more {
				continue
			}
			if err == nil {
				err = io.EOF
			}
			return Event{}, err
		}
		if err != nil {
			return Event{}, fmt.Errorf("read journal: %w", err)
		}
		if e, ok := r.parse(line); ok {
			return e, nil
		}
	}
}

// Torn says what the end of the journal lacks: empty for nothing.
func (r *Reader) Torn() string {
	if len(r.part) == 0 || len(r.open) == 0 {
		return ""
	}
	return fmt.Sprintf("%s ends in the middle of an event: its %d bytes are left out", r.open[0].Name(), len(r.part))
}

// next reads up to the next newline; at io.EOF what it has is kept.
func (r *Reader) next() ([]byte, error) {
	if len(r.open) == 0 {
		return nil, io.EOF
	}
	for {
		part, err := r.in.ReadSlice('\n')
		r.offset += int64(len(part))
		if r.part = append(r.part, part...); len(r.part) > maxLine {
			r.part, r.long = r.part[:maxLine], true
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil {
			return nil, err
		}
		line := r.part
		r.part = r.part[:0]
		r.line++
		return line, nil
	}
}

// parse makes an event of a line, or says why it can't.
func (r *Reader) parse(line []byte) (Event, bool) {
	if long := r.long; long || len(bytes.TrimSpace(line)) == 0 {
		if r.long = false; long {
			r.leaveOut("it is longer than any event")
		}
		return Event{}, false
	}
	var e Event
	if err := json.Unmarshal(line, &e); err != nil {
		if e, ok := ofLater(line); ok {
			return e, true
		}
		r.leaveOut("it was cut, or tmctl did not write it")
		return Event{}, false
	}
	if e.Kind == "" || e.At.IsZero() {
		r.leaveOut("it is JSON, but no event")
		return Event{}, false
	}
	return e, true
}

// ofLater reads of an event of a later form what can be read.
func ofLater(line []byte) (e Event, ok bool) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(line, &fields) != nil || json.Unmarshal(fields["v"], &e.Version) != nil || e.Version <= Version {
		return e, false
	}
	into := map[string]any{"at": &e.At, "seq": &e.Seq, "kind": &e.Kind, "source": &e.Source, "node": &e.Node, "text": &e.Text, "data": &e.Data}
	for name, field := range into {
		_ = json.Unmarshal(fields[name], field) // what has another form there is left out
	}
	return e, e.Kind != "" && !e.At.IsZero()
}

func (r *Reader) leaveOut(why string) {
	r.remark(fmt.Sprintf("%s line %d is left out: %s", r.open[0].Name(), r.line, why))
}

// goOn does what is to be done at the end of a segment. It is true if there may be more to read.
func (r *Reader) goOn() (bool, error) {
	switch {
	case len(r.open) == 0:
		err := r.begin()
		return len(r.open) > 0, err
	case len(r.open) > 1 || r.final:
		return r.leave()
	}
	here, err := isAt(r.open[0], r.path)
	if err != nil {
		return false, err
	}
	if !here { // what was written before it was moved aside is to be read, too
		r.final = true
		return true, nil
	}
	info, err := r.open[0].Stat()
	if err == nil && info.Size() < r.offset {
		r.remark(r.path + " was cut short, and is read from its beginning")
		_, err = r.open[0].Seek(0, io.SeekStart)
		r.read(r.open)
		return err == nil, err
	}
	return false, err
}

// begin opens what there is.
func (r *Reader) begin() error {
	files, _, err := segments(r.path, nil)
	r.read(files)
	return err
}

// leave goes to the next segment.
func (r *Reader) leave() (bool, error) {
	own, err := r.open[0].Stat()
	if err != nil {
		return false, err
	}
	been := append(slices.Clone(r.been[max(0, len(r.been)-MaxKeep):]), own)
	if len(r.open) == 1 {
		newer, found, err := segments(r.path, been)
		if err != nil {
			return false, err
		}
		if len(newer) == 0 { // it is being rotated, or was deleted: one that comes is a new one
			return false, nil
		}
		if !found {
			r.remark("what was read last of " + r.path + " is gone: events may be missing here")
		}
		r.open = append(r.open, newer...)
	}
	if torn := r.Torn(); torn != "" {
		r.remark(torn)
	}
	_ = r.open[0].Close() // read only
	r.been = been
	r.read(r.open[1:])
	return true, nil
}

// read begins with the first of files.
func (r *Reader) read(files []*os.File) {
	r.open, r.final, r.offset, r.line, r.part, r.long = files, false, 0, 0, r.part[:0], false
	if len(files) > 0 {
		r.in.Reset(files[0])
	}
}

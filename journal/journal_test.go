package journal

import (
	"bytes"
	"errors"
	"io/fs"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

func clock() func() time.Time {
	at := time.Date(2026, 11, 21, 10, 15, 2, 0, time.FixedZone("", 3600))
	return func() time.Time { at = at.Add(time.Nanosecond); return at }
}

func TestWriteThenRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.ndjson")
	w, err := Create(path, clock())
	if err != nil {
		t.Fatal(err)
	}
	own := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	want := []Event{
		{At: time.Date(2026, 11, 21, 9, 15, 2, 1, time.UTC), Seq: 1, Kind: RunStarted, Source: "load", Text: "driving http://h/turno/{id}"},
		{At: own, Seq: 2, Kind: Note, Source: "ana", Node: "n2", Text: "two\nlines", Data: map[string]any{"why": "a deploy"}},
	}
	for _, e := range want {
		if e.Seq == 1 {
			e.At = time.Time{}
		}
		e.Seq = 99
		if err := w.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Write(Event{Kind: "run.paused"}); err == nil {
		t.Error("Write takes a kind that is not on the list")
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got, torn, err := ReadFile(path)
	if err != nil || torn != "" || !reflect.DeepEqual(got, want) {
		t.Errorf("ReadFile() = %+v, %q, %v; want %+v", got, torn, err, want)
	}
	if _, err := Create(path, clock()); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Create over a journal = %v; want %v", err, fs.ErrExist)
	}
}

func TestReadDamaged(t *testing.T) {
	const good = `{"at":"2026-11-21T10:15:02Z","seq":1,"kind":"note","source":"ana","text":"a"}` + "\n"
	tests := []struct {
		name, in  string
		events    int
		torn, err string
	}{
		{"empty", "", 0, "", ""},
		{"whole", good + good, 2, "", ""},
		{"torn", good + good[:40], 1, "middle of event 2: its 40 bytes", ""},
		{"torn before the newline", good + strings.TrimSpace(good), 1, "middle of event 2", ""},
		{"an empty line", good + "\n" + good, 2, "", ""},
		{"a kind of a later tmctl", strings.Replace(good, "note", "node.moved", 1), 1, "", ""},
		{"not JSON", good + "hello\n" + good, 1, "", "line 2"},
		{"one endless line", strings.Repeat("x", maxLine+10), 0, "", "line 1: it is longer"},
	}
	for _, tt := range tests {
		events, torn, err := Read(strings.NewReader(tt.in))
		said := ""
		if err != nil {
			said = err.Error()
		}
		if len(events) != tt.events || !strings.Contains(torn, tt.torn) || (torn == "") != (tt.torn == "") ||
			!strings.Contains(said, tt.err) || (said == "") != (tt.err == "") {
			t.Errorf("Read(%s) = %d events, %q, %v; want %d, %q, %q", tt.name, len(events), torn, err, tt.events, tt.torn, tt.err)
		}
	}
}

// halfWriter is a disk with room for n bytes.
type halfWriter struct {
	bytes.Buffer
	n int
}

var errFull = errors.New("no space left on device")

func (h *halfWriter) Write(b []byte) (int, error) {
	if len(b) > h.n {
		h.Buffer.Write(b[:h.n])
		return h.n, errFull
	}
	h.n -= len(b)
	return h.Buffer.Write(b)
}

func TestFullDisk(t *testing.T) {
	disk := &halfWriter{n: 150}
	w := NewWriter(disk, clock())
	if err := w.Write(Event{Kind: Note, Text: "first"}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := w.Write(Event{Kind: Note, Text: "second"}); !errors.Is(err, errFull) {
			t.Errorf("Write() on a full disk = %v; want %v", err, errFull)
		}
	}
	if err := w.Close(); !errors.Is(err, errFull) {
		t.Errorf("Close() after a full disk = %v; want %v", err, errFull)
	}
	events, torn, err := Read(disk)
	if len(events) != 1 || torn == "" || err != nil {
		t.Errorf("Read() = %d events, %q, %v; want 1, torn", len(events), torn, err)
	}
}

func TestConcurrentWriters(t *testing.T) {
	var out bytes.Buffer
	w := NewWriter(&out, clock())
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				if err := w.Write(Event{Kind: Note, Text: "x"}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	events, _, err := Read(&out)
	if err != nil || len(events) != 400 {
		t.Fatalf("Read() = %d events, %v; want 400", len(events), err)
	}
	for i, e := range events {
		if e.Seq != uint64(i+1) {
			t.Fatalf("event %d has seq %d", i, e.Seq)
		}
	}
}

package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestMain lets a test run this binary as a process that writes a journal until it is killed (crash_test.go).
func TestMain(m *testing.M) {
	if path := os.Getenv(childJournal); path != "" {
		child(path)
	}
	os.Exit(m.Run())
}

func clock() func() time.Time {
	var mu sync.Mutex
	at := time.Date(2026, 11, 21, 10, 15, 2, 0, time.FixedZone("", 3600))
	return func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		at = at.Add(time.Nanosecond)
		return at
	}
}

// readAll reads a journal to its end, with what was left out.
func readAll(t *testing.T, path string) (events []Event, remarks []string) {
	t.Helper()
	r, err := Open(path, func(s string) { remarks = append(remarks, s) })
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	events = rest(t, r)
	if torn := r.Torn(); torn != "" {
		remarks = append(remarks, torn)
	}
	return events, remarks
}

// rest is what r has now.
func rest(t *testing.T, r *Reader) (events []Event) {
	t.Helper()
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return events
		}
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
}

func texts(events []Event) (all []string) {
	for _, e := range events {
		all = append(all, e.Text)
	}
	return all
}

func write(t *testing.T, w *Writer, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if err := w.Write(Event{Kind: Note, Source: "ana", Text: text}); err != nil {
			t.Fatal(err)
		}
	}
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
	if err := w.Write(Event{Kind: Note, Text: strings.Repeat("x", MaxEvent)}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("Write of a large event = %v; want %v", err, ErrTooLarge)
	}
	if err := w.Close(); !errors.Is(err, ErrTooLarge) {
		t.Errorf("Close() = %v; want the first error, %v", err, ErrTooLarge)
	}
	got, remarks := readAll(t, path)
	if len(remarks) > 0 || !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v, %q; want %+v", got, remarks, want)
	}
	if _, err := Create(path, clock()); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Create over a journal = %v; want %v", err, fs.ErrExist)
	}
	if _, err := Open(path+".gone", nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open of nothing = %v; want %v", err, fs.ErrNotExist)
	}
}

func TestReadDamaged(t *testing.T) {
	const good = `{"at":"2026-11-21T10:15:02Z","seq":1,"kind":"note","source":"ana","text":"a"}` + "\n"
	tests := []struct {
		name, in string
		events   int
		remark   string
	}{
		{"empty", "", 0, ""},
		{"whole", good + good, 2, ""},
		{"torn", good + good[:40], 1, "ends in the middle of an event: its 40 bytes are left out"},
		{"torn before the newline", good + strings.TrimSpace(good), 1, "ends in the middle of an event"},
		{"torn, and then gone on", good + good[:40] + "\n" + good, 2, "line 2 is left out: it was cut"},
		{"an empty line", good + "\n" + good, 2, ""},
		{"a kind of a later tmctl", strings.Replace(good, "note", "node.moved", 1), 1, ""},
		{"a later form", strings.Replace(good, `{`, `{"v":2,"who":"x",`, 1), 1, ""},
		{"a later form, with another type", strings.Replace(good, `{`, `{"v":2,"node":["n1","n2"],`, 1), 1, ""},
		{"this form, with another type", strings.Replace(good, `{`, `{"node":["n1","n2"],`, 1), 0, "line 1 is left out"},
		{"not JSON", good + "hello\n" + good, 2, "line 2 is left out"},
		{"JSON, but no event", `{"level":"INFO"}` + "\n" + good, 1, "line 1 is left out: it is JSON, but no event"},
		{"one endless line", strings.Repeat("x", maxLine+70_000) + "\n" + good, 1, "line 1 is left out: it is longer"},
		{"one endless line without an end", strings.Repeat("x", 3*maxLine), 0, "ends in the middle"},
	}
	for _, tt := range tests {
		path := filepath.Join(t.TempDir(), "j")
		if err := os.WriteFile(path, []byte(tt.in), 0o600); err != nil {
			t.Fatal(err)
		}
		events, remarks := readAll(t, path)
		if said := strings.Join(remarks, "; "); len(events) != tt.events || !strings.Contains(said, tt.remark) || (said == "") != (tt.remark == "") {
			t.Errorf("read %s: %d events, %q; want %d, %q", tt.name, len(events), said, tt.events, tt.remark)
		}
		for _, e := range events {
			if e.Text != "a" {
				t.Errorf("read %s: %+v", tt.name, e)
			}
		}
	}
}

// Who opens a journal that ends in the middle of a line begins a new one.
func TestAppendAfterTornTail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	for _, text := range []string{"a", "b", "c"} {
		w, err := Append(path, DefaultLimits, clock())
		if err != nil {
			t.Fatal(err)
		}
		write(t, w, text)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); text == "b" && (err != nil || os.Truncate(path, info.Size()-20) != nil) {
			t.Fatal(err)
		}
	}
	events, remarks := readAll(t, path)
	if got := fmt.Sprint(texts(events)); got != "[a c]" || len(remarks) != 1 || !strings.Contains(remarks[0], "line 2") {
		t.Errorf("read %s, %q; want [a c] and line 2 left out", got, remarks)
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

// What can't be taken back ends the journal: another line would be glued to half of one.
func TestFullStream(t *testing.T) {
	disk := &halfWriter{n: 150}
	w := NewWriter(disk, clock())
	if err := w.Write(Event{Kind: Note, Text: "first"}); err != nil {
		t.Fatal(err)
	}
	size := 150
	for range 2 {
		if err := w.Write(Event{Kind: Note, Text: "second"}); !errors.Is(err, errFull) || disk.Len() != size {
			t.Errorf("Write() when full = %v, %d bytes; want %v, %d", err, disk.Len(), errFull, size)
		}
	}
	if err := w.Close(); !errors.Is(err, errFull) {
		t.Errorf("Close() after that = %v; want %v", err, errFull)
	}
}

func TestConcurrentWrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	w, err := Create(path, clock())
	if err != nil {
		t.Fatal(err)
	}
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
	events, remarks := readAll(t, path)
	if len(events) != 400 || len(remarks) > 0 {
		t.Fatalf("read %d events, %q; want 400", len(events), remarks)
	}
	for i, e := range events {
		if e.Seq != uint64(i+1) || i > 0 && e.At.Before(events[i-1].At) {
			t.Fatalf("event %d has seq %d and time %s", i, e.Seq, e.At)
		}
	}
}

func TestKinds(t *testing.T) {
	seen := map[Kind]bool{}
	for _, m := range Meanings {
		if seen[m.Kind] || m.Says == "" || strings.Trim(string(m.Kind), "abcdefghijklmnopqrstuvwxyz._") != "" {
			t.Errorf("kind %q, %q: it is on the list twice, says nothing, or is no word", m.Kind, m.Says)
		}
		seen[m.Kind] = true
	}
	for _, k := range ByPeople {
		if !k.Valid() {
			t.Errorf("%s is not on the list", k)
		}
	}
}

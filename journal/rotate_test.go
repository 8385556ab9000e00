package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// small rotates every few events.
var small = Limits{Segment: 1000, Keep: 3}

func appendTo(t *testing.T, path string, limits Limits) *Writer {
	t.Helper()
	w, err := Append(path, limits, clock())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return w
}

// A journal stays within its limits, says what it deleted, and is read in order, with a gap in its numbers that a crash left.
func TestRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	w := appendTo(t, path, small)
	var want []string
	for i := range 20 {
		want = append(want, fmt.Sprint(i))
		write(t, w, want[i])
	}
	events, remarks := readAll(t, path)
	if got := texts(events); fmt.Sprint(got) != fmt.Sprint(want) || len(remarks) > 0 {
		t.Fatalf("read %v, %q; want %v", got, remarks, want)
	}
	for i := range 60 {
		write(t, w, fmt.Sprint(20+i))
	}
	wantSmall(t, path)
	events, _ = readAll(t, path)
	last, pruned := texts(events), 0
	for _, e := range events {
		if e.Kind == JournalPruned {
			pruned++
		}
	}
	if pruned == 0 || last[len(last)-1] != "79" {
		t.Errorf("read %v; want events about deleted segments, and 79 last", last)
	}
	if err := os.Rename(segment(path, 2), filepath.Join(t.TempDir(), "aside")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(segment(path, 3)); err != nil {
		t.Fatal(err)
	}
	third, err := os.ReadFile(segment(path, 3))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 12 {
		write(t, w, fmt.Sprint("after ", i))
	}
	if now, err := os.ReadFile(segment(path, 3)); err != nil || string(now) != string(third) {
		t.Errorf("a gap at 2 was not filled: 3 has changed (%v)", err)
	}
	wantSmall(t, path)
}

func wantSmall(t *testing.T, path string) {
	t.Helper()
	files, _ := filepath.Glob(path + "*")
	for _, f := range files {
		if info, err := os.Stat(f); err != nil || info.Size() > small.Segment {
			t.Errorf("%s has %d bytes (%v); want at most %d", f, info.Size(), err, small.Segment)
		}
	}
	if len(files) > small.Keep+1 {
		t.Errorf("%d segments; want at most %d", len(files), small.Keep+1)
	}
}

// Several processes write and rotate, as several Writers do here, while a follower reads and another one starts late: each
// reads every event once, and those of a writer in order.
func TestRotationUnderConcurrentWriters(t *testing.T) {
	const writers, each = 4, 300
	path := filepath.Join(t.TempDir(), "j")
	limits := Limits{Segment: 2000, Keep: MaxKeep}
	var writing sync.WaitGroup
	for n := range writers {
		w := appendTo(t, path, limits)
		writing.Go(func() {
			for i := range each {
				if err := w.Write(Event{Kind: Note, Source: fmt.Sprint(n), Text: fmt.Sprint(i)}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	written := make(chan struct{})
	go func() { writing.Wait(); close(written) }()
	r := Follow(path, func(s string) { t.Error(s) })
	defer r.Close()
	seen := map[string]int{}
	for ended := false; ; {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			if ended {
				break
			}
			select {
			case <-written:
				ended = true // what there is now is all
			default:
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind == JournalPruned {
			continue
		}
		if e.Text != fmt.Sprint(seen[e.Source]) {
			t.Fatalf("writer %s: read %s; want %d", e.Source, e.Text, seen[e.Source])
		}
		seen[e.Source]++
	}
	for n := range writers {
		if got := seen[fmt.Sprint(n)]; got != each {
			t.Errorf("writer %d: read %d events; want %d", n, got, each)
		}
	}
	if _, err := os.Stat(segment(path, 10)); err != nil {
		t.Errorf("it was hardly rotated: %v", err)
	}
}

// A follower of a journal that others than we move, shorten, delete and make again.
func TestFollow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	var remarks []string
	r := Follow(path, func(s string) { remarks = append(remarks, s) })
	defer r.Close()
	step := func(what, want, remark string) {
		t.Helper()
		got, said := fmt.Sprint(texts(rest(t, r))), strings.Join(remarks, "; ")
		if got != want || !strings.Contains(said, remark) || (said == "") != (remark == "") {
			t.Errorf("%s: read %s, %q; want %s, %q", what, got, said, want, remark)
		}
		remarks = nil
	}
	step("nothing is there", "[]", "")
	w := appendTo(t, path, DefaultLimits)
	step("it is empty", "[]", "")
	write(t, w, "a", "b")
	step("written", "[a b]", "")
	step("nothing new", "[]", "")
	must(t, os.Rename(path, path+".1"))
	step("moved aside, as logrotate does", "[]", "")
	write(t, w, "c")
	step("written after that", "[c]", "")
	must(t, os.Truncate(path, 0))
	step("cut short", "[]", "was cut short")
	write(t, w, "d")
	step("written after that", "[d]", "")
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	must(t, err)
	defer f.Close()
	_, err = f.WriteString(`{"at":"2026-11-21T10:15:02Z","kind":"note","te`)
	must(t, err)
	step("half a line", "[]", "")
	_, err = f.WriteString(`xt":"e"}` + "\n")
	must(t, err)
	step("the other half", "[e]", "")
	_, err = f.WriteString(`{"at":"20`)
	must(t, err)
	must(t, os.Remove(path))
	write(t, w, "f")
	step("deleted, with half a line", "[f]", "in the middle of an event: its 9 bytes")
	must(t, os.Rename(path, path+".1"))
	write(t, w, "g")
	must(t, os.Rename(path+".1", path+".2"))
	must(t, os.Rename(path, path+".1"))
	write(t, w, "h")
	step("rotated twice", "[g h]", "")
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A process that was stopped in the middle of a write does not hold up the others for ever.
func TestBusy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	w := appendTo(t, path, DefaultLimits)
	write(t, w, "a")
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	defer f.Close()
	must(t, lock(f, 0))
	if err := w.Write(Event{Kind: Note}); !errors.Is(err, ErrBusy) {
		t.Errorf("Write to a held journal = %v; want %v", err, ErrBusy)
	}
	must(t, unlock(f))
	write(t, w, "b")
	if events, _ := readAll(t, path); fmt.Sprint(texts(events)) != "[a b]" {
		t.Errorf("read %v; want [a b]", texts(events))
	}
}

func TestNoJournal(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{dir, "/dev/null", filepath.Join(dir, "no", "j")} {
		if _, err := Append(path, DefaultLimits, clock()); err == nil {
			t.Errorf("Append(%s) = nil; want an error", path)
		}
	}
	if _, err := Open(dir, nil); err == nil {
		t.Error("Open of a directory = nil; want an error")
	}
}

// Segments are where the journal is, not where a link to it is.
func TestLink(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "j"), filepath.Join(t.TempDir(), "link")
	must(t, os.WriteFile(path, nil, 0o600))
	must(t, os.Symlink(path, link))
	w := appendTo(t, link, small)
	for i := range 20 {
		write(t, w, fmt.Sprint(i))
	}
	if _, err := os.Stat(segment(path, 1)); err != nil {
		t.Error(err)
	}
	if events, _ := readAll(t, link); len(events) != 20 {
		t.Errorf("read %d events by the link; want 20", len(events))
	}
}

// What is written and moved aside between the end that a follower saw and its look at the name is read.
func TestFollowAtTheEdge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	w := appendTo(t, path, DefaultLimits)
	write(t, w, "a")
	r := Follow(path, func(s string) { t.Error(s) })
	defer r.Close()
	if got := fmt.Sprint(texts(rest(t, r))); got != "[a]" {
		t.Fatalf("read %s; want [a]", got)
	}
	write(t, w, "b")
	must(t, os.Rename(path, path+".1"))
	write(t, w, "c")
	if more, err := r.goOn(); !more || err != nil {
		t.Errorf("goOn() = %t, %v; want that there is more", more, err)
	}
	if got := fmt.Sprint(texts(rest(t, r))); got != "[b c]" {
		t.Errorf("read %s; want [b c]", got)
	}
}

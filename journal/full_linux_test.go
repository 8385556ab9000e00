package journal

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// tmpfs mounts a disk of so many bytes. Where that is not allowed it skips, but not in CI.
func tmpfs(t *testing.T, size string) string {
	t.Helper()
	at := filepath.Join(t.TempDir(), "disk")
	must(t, os.Mkdir(at, 0o700))
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size="+size, "tmpfs", at).CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("mount: %v: %s", err, out)
		}
		t.Skipf("no file system can be mounted here: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(at, 0); err != nil {
			t.Error(err)
			_ = syscall.Unmount(at, syscall.MNT_DETACH)
		}
	})
	return at
}

// On a full disk each event is written whole or refused, and nothing is left of one that was refused. With room again the
// same Writer goes on.
func TestFullDisk(t *testing.T) {
	for _, limits := range []Limits{DefaultLimits, {Segment: 5000, Keep: 9}} {
		disk := tmpfs(t, "64k")
		path, filler := filepath.Join(disk, "j"), filepath.Join(disk, "filler")
		must(t, os.WriteFile(filler, make([]byte, 32<<10), 0o600))
		w, err := Append(path, limits, clock())
		must(t, err)
		var want []string
		refused := 0
		for i := range 400 {
			text := fmt.Sprint(i, strings.Repeat("x", i%300))
			switch err := w.Write(Event{Kind: Note, Source: "ana", Text: text}); {
			case err == nil:
				want = append(want, text)
			case errors.Is(err, syscall.ENOSPC):
				refused++
			default:
				t.Fatal(err)
			}
			if i == 300 {
				must(t, os.Remove(filler))
			}
		}
		if err := w.Close(); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("Close() = %v; want the first error", err)
		}
		events, remarks := readAll(t, path)
		if fmt.Sprint(texts(events)) != fmt.Sprint(want) || len(remarks) > 0 {
			t.Errorf("limits %v: read %d events, %q; want those %d that were acknowledged", limits, len(events), remarks, len(want))
		}
		if refused == 0 || len(want) < 150 {
			t.Errorf("limits %v: %d refused, %d written: the disk was not full, or stayed so", limits, refused, len(want))
		}
		must(t, os.RemoveAll(path))
	}
}

// A recorder writes what it was given as soon as there is room, and tells what it could not keep.
func TestRecorderOnFullDisk(t *testing.T) {
	disk := tmpfs(t, "256k")
	path, filler := filepath.Join(disk, "j"), filepath.Join(disk, "filler")
	w, err := Append(path, DefaultLimits, clock())
	must(t, err)
	f, err := os.Create(filler)
	must(t, err)
	for size := 1 << 14; size > 0; size /= 2 {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
	}
	must(t, f.Close())
	r := NewRecorder(w, slog.New(slog.DiscardHandler))
	for i := range queued + 100 {
		r.Record(Event{Kind: Note, Source: "ana", Text: fmt.Sprint(i)})
	}
	lost := r.Dropped()
	if lost == 0 || lost > 100 {
		t.Errorf("%d events were dropped; want up to 100", lost)
	}
	must(t, os.Remove(filler))
	if err := r.Close(t.Context()); err == nil {
		t.Error("Close() = nil; want how many were lost")
	}
	_, err = os.Stat(path)
	must(t, err)
	events, remarks := readAll(t, path)
	kept, told := 0, uint64(0)
	for _, e := range events {
		if e.Kind == JournalDropped {
			told += uint64(e.Data["events"].(float64))
			continue
		}
		kept++
	}
	if kept+int(r.Dropped()) != queued+100 || told != r.Dropped() || len(remarks) > 0 {
		t.Errorf("%d written, %d told lost, %d counted lost of %d, %q", kept, told, r.Dropped(), queued+100, remarks)
	}
}

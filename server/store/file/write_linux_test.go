package file

import (
	"errors"
	"os"
	"syscall"
	"testing"
)

// What is preallocated is on the disk, not a hole.
func TestPreallocated(t *testing.T) {
	dir := t.TempDir()
	s := opened(t, dir, 10)
	info, err := s.file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if blocks := info.Sys().(*syscall.Stat_t).Blocks; info.Size() < firstSize || blocks*512 < firstSize {
		t.Errorf("a new file has %d bytes, %d of them on disk; want %d", info.Size(), blocks*512, firstSize)
	}
}

// A disk that refuses a write did nothing, and the store goes on when it writes again. The descriptor that is written to is
// made one that can't be written.
func TestWriteRefused(t *testing.T) {
	tests := []struct {
		name string
		ids  []string
		full bool // the log
		file func(*Store) *os.File
	}{
		{"a record", []string{"a", "b"}, false, func(s *Store) *os.File { return s.logFile }},
		{"the next generation of the log", []string{"a", "b"}, true, func(s *Store) *os.File { return s.logFile }},
		{"the counters, when the log is full", []string{"a", "b"}, true, func(s *Store) *os.File { return s.file }},
		{"the counters, with new ids", []string{"c", "d"}, false, func(s *Store) *os.File { return s.file }},
		{"the counters, which grow", manyIDs("new", 8_000), false, func(s *Store) *os.File { return s.file }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir, last := t.TempDir(), map[string]uint64{}
			n := &node{s: openSmall(t, dir, 50_000)}
			n.must(t, last, 5, "a", "b")
			if tt.full {
				n.fillLog(t, last)
			}
			works := replace(t, tt.file(n.s), tt.file(n.s).Name())
			for range 3 {
				wantUnavailable(t, n, tt.ids...)
			}
			wantLasts(t, n.s, last)
			works()
			n.must(t, last, 5, tt.ids...)
			n.must(t, last, 5, "a", "b")
			wantLasts(t, n.s, last)
			if err := n.s.Close(); err != nil {
				t.Fatal(err)
			}
			wantLasts(t, opened(t, dir, 50_000), last)
		})
	}
}

// replace has what writes to f write to what is at path, opened for reading, until the returned function is called.
func replace(t *testing.T, f *os.File, path string) (back func()) {
	t.Helper()
	fd := int(f.Fd())
	kept, err := syscall.Dup(fd)
	if err != nil {
		t.Fatal(err)
	}
	flags := os.O_RDONLY
	if path == os.DevNull {
		flags = os.O_RDWR
	}
	other, err := os.OpenFile(path, flags, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := syscall.Dup3(int(other.Fd()), fd, syscall.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := errors.Join(syscall.Dup3(kept, fd, syscall.O_CLOEXEC), syscall.Close(kept)); err != nil {
			t.Fatal(err)
		}
	}
}

// After an fsync that failed nothing more is written. /dev/null takes what is written, and can't be fsynced.
func TestFsyncFails(t *testing.T) {
	for name, file := range map[string]func(*Store) *os.File{
		"new": func(s *Store) *os.File { return s.file }, "a": func(s *Store) *os.File { return s.logFile },
	} {
		dir, last := t.TempDir(), map[string]uint64{}
		n := &node{s: open(t, dir, 10)}
		n.must(t, last, 5, "a")
		n.must(t, last, 5, "a") // so that the log has what the counters don't
		works := replace(t, file(n.s), os.DevNull)
		wantUnknown(t, n, name)
		works()
		wantStopped(t, n)
		if err := n.s.Close(); err != nil {
			t.Fatal(err)
		}
		n = &node{s: opened(t, dir, 10)}
		wantLasts(t, n.s, last)
		n.must(t, last, 5, "a")
	}
}

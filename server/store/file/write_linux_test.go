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

// A disk that refuses a write did nothing, and the store goes on when it writes again. The descriptor that bbolt writes to is
// made one that can't be written.
func TestWriteRefused(t *testing.T) {
	for _, grows := range []bool{false, true} {
		n, last := &node{s: opened(t, t.TempDir(), 50_000)}, map[string]uint64{}
		n.must(t, last, 5, "a", "b")
		ids := []string{"a", "b"}
		if grows {
			ids = manyIDs("new", 8_000) // more than there is room for in the file
		}
		works := replace(t, n.s, n.s.path)
		for range 3 {
			wantUnavailable(t, n, ids...)
		}
		wantLasts(t, n.s, last)
		works()
		n.must(t, last, 5, ids...)
		n.must(t, last, 5, "a", "b")
		wantLasts(t, n.s, last)
	}
}

// replace has the store write to what is at path, opened for reading, until the returned function is called.
func replace(t *testing.T, s *Store, path string) (back func()) {
	t.Helper()
	fd := int(s.file.Fd())
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
	dir, last := t.TempDir(), map[string]uint64{}
	n := &node{s: open(t, dir, 10)}
	n.must(t, last, 5, "a")
	works := replace(t, n.s, os.DevNull)
	wantUnknown(t, n)
	works()
	wantStopped(t, n)
	if err := n.s.Close(); err != nil {
		t.Fatal(err)
	}
	n = &node{s: opened(t, dir, 10)}
	n.must(t, last, 5, "a")
}

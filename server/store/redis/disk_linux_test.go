package redis

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/store/redistest"
)

// smallDisk is a file system of some bytes, for which one must be root.
func smallDisk(t *testing.T, options string) string {
	t.Helper()
	dir := t.TempDir()
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options)
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatalf("mount a small file system: %v", err)
	}
	if err != nil {
		t.Skipf("mount a small file system: %v: needs root", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// A full disk refuses numbers, loses none that were given, and is no trouble any more when it has room.
func TestDiskFull(t *testing.T) {
	dir := smallDisk(t, "size=1m")
	r := redistest.Start(t, redistest.Options{Dir: dir, Fsync: "everysec"})
	n := open(t, r.URL())
	n.want("a", 5, 1)
	ballast := filepath.Join(dir, "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if err := errors.Join(f.Close(), noSpace(err)); err != nil {
		t.Fatal(err)
	}
	last := uint64(5)
	eventually(t, "the full disk is noticed", func() bool { // what is left of its last page is filled first
		first, granted, err := n.take("a", 3)
		if err == nil && first == last+1 {
			last = first + granted - 1
			return false
		}
		if !errors.Is(err, server.ErrUnavailable) || !strings.Contains(err.Error(), "can't write to its disk") {
			t.Errorf("Reserve(a) = %d, %v on a full disk; want it unavailable", first, err)
		}
		return true
	})
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	eventually(t, "Redis has written what it owed", func() bool { return strings.Contains(r.Do("INFO", "persistence"), "aof_last_write_status:ok") })
	n.want("a", 1, last+1)
	r.Restart()
	n.changed()
	n.rejoin(0)
	n.want("a", 1, last+2)
}

// noSpace is nil for the error of a full disk.
func noSpace(err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		return nil
	}
	return err
}

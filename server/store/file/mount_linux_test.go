package file

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"unsafe"
)

// needRoot skips where file systems can't be mounted; CI runs as root.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("mounting a file system needs root")
	}
}

// mount runs mount(8) and unmounts at the end. Where root may not mount either, it skips, but not in CI.
func mount(t *testing.T, at string, args ...string) {
	t.Helper()
	needRoot(t)
	if err := os.MkdirAll(at, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mount", append(args, at)...).CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("mount %v: %v: %s", args, err, out)
		}
		t.Skipf("root can't mount here: mount %v: %v: %s", args, err, out)
	}
	t.Cleanup(func() { unmount(t, at) })
}

// unmount does nothing if it was done before.
func unmount(t *testing.T, at string) {
	t.Helper()
	if err := syscall.Unmount(at, 0); err != nil && err != syscall.EINVAL {
		t.Errorf("unmount %s: %v", at, err)
		_ = syscall.Unmount(at, syscall.MNT_DETACH)
	}
}

// tmpfs mounts a file system of so many bytes and returns where.
func tmpfs(t *testing.T, size string) string {
	t.Helper()
	at := filepath.Join(t.TempDir(), "disk")
	mount(t, at, "-t", "tmpfs", "-o", "size="+size, "tmpfs")
	return at
}

// fillUp takes all room of a disk, until the returned function is called.
func fillUp(t *testing.T, disk string) (empty func()) {
	t.Helper()
	path := filepath.Join(disk, "filler")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for size := 1 << 20; size > 0; size /= 2 {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

// unsynced is how many pages of a file are not on disk, as the kernel knows it (cachestat(2), Linux 6.5).
func unsynced(t *testing.T, f *os.File) uint64 {
	t.Helper()
	const cachestat = 451
	var whole struct{ offset, length uint64 }
	var stat struct{ cached, dirty, writeback, evicted, recentlyEvicted uint64 }
	_, _, errno := syscall.Syscall6(cachestat, f.Fd(), uintptr(unsafe.Pointer(&whole)), uintptr(unsafe.Pointer(&stat)), 0, 0, 0)
	if errno != 0 {
		t.Skipf("this kernel does not say which pages are on disk: %v", errno)
	}
	return stat.dirty + stat.writeback
}

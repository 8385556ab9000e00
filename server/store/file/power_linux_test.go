package file

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/turnomatico/tmctl/server"
)

// Before a call is answered all of it is on disk, as the kernel says.
func TestFsync(t *testing.T) {
	s := opened(t, t.TempDir(), 50_000)
	if s.disk.name == "tmpfs" || s.disk.name == "ramfs" {
		t.Skip("the temporary directory is in memory: nothing there is ever on disk")
	}
	n, last := &node{s: s}, map[string]uint64{}
	n.hook(t, &hooked{write: func(b []byte, at int64) (int, error) {
		if r, ok := readRecord(b); ok && len(r.body) == 0 {
			return len(b), nil // a seal need not be on disk, and the kernel counts in larger units than blocks
		}
		return s.logFile.WriteAt(b, at)
	}})
	rng := rand.New(rand.NewPCG(1, 1))
	for range 20 {
		n.must(t, last, 1, manyIDs("id", 1+rng.IntN(2000))...)
		n.must(t, last, 1, manyIDs("id", 1+rng.IntN(len(last)))...)
		if counters, log := unsynced(t, s.file), unsynced(t, s.logFile); counters+log > 0 {
			t.Fatalf("a call was answered with %d pages of the counters still in memory, and %d of the log", counters, log)
		}
	}
}

// image makes a file with an ext4 file system in it and mounts it.
func image(t *testing.T, path, at string, megabytes int64) {
	t.Helper()
	needRoot(t)
	if _, err := exec.LookPath("mkfs.ext4"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err, "(apt install e2fsprogs)")
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(megabytes<<20), f.Close()); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mkfs.ext4", "-q", "-F", path).CombinedOutput(); err != nil {
		t.Fatalf("mkfs.ext4: %v: %s", err, out)
	}
	mount(t, at, "-o", "loop", path)
}

// The power fails after an answer: what is left of the disk is what was written to its blocks, and what was only in memory is
// gone. No number that was answered is given again.
func TestPowerFailure(t *testing.T) {
	base := t.TempDir()
	path, at := filepath.Join(base, "image"), filepath.Join(base, "disk")
	image(t, path, at, 24)
	dir := filepath.Join(at, "counters")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	n, last := &node{s: openSmall(t, dir, 5000)}, map[string]uint64{}
	t.Cleanup(func() { n.s.Close() }) // before it is unmounted
	rng := rand.New(rand.NewPCG(1, 1))
	for round := range 15 {
		for range 1 + rng.IntN(5) {
			var ids []string
			for _, i := range rng.Perm(100 * (round + 1))[:1+rng.IntN(50)] {
				ids = append(ids, fmt.Sprintf("id-%d", i))
			}
			n.must(t, last, 1+rng.Uint64N(9), ids...)
		}
		if round%3 == 2 {
			n.fillLog(t, last)
		}
		afterwards(t, path, filepath.Join(base, fmt.Sprint(round)), last)
	}
}

// afterwards looks at a copy of the disk as it is this moment.
func afterwards(t *testing.T, path, at string, last map[string]uint64) {
	t.Helper()
	blocks, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	copied := at + ".image"
	defer os.Remove(copied)
	if err := os.WriteFile(copied, blocks, 0o600); err != nil {
		t.Fatal(err)
	}
	mount(t, at, "-o", "loop", copied)
	defer unmount(t, at)
	s, err := Open(filepath.Join(at, "counters"), server.Bounds{IDs: 5000})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	wantLasts(t, s, last)
}

// The disk fails under a store: the file system is in a file that can't grow, as on a thin volume. The write is taken, the
// fsync says that it went nowhere. From then on nothing is given, and after a restart nothing twice.
func TestDiskFails(t *testing.T) {
	small := tmpfs(t, "24m")
	path, at := filepath.Join(small, "image"), filepath.Join(t.TempDir(), "disk")
	image(t, path, at, 64)
	dir := filepath.Join(at, "counters")
	n, last := &node{s: open(t, dir, 200_000)}, map[string]uint64{}
	n.must(t, last, 3, "a", "b")
	empty := fillUp(t, small)
	var failed error
	for i := 0; failed == nil && i < 100; i++ {
		ids := manyIDs(fmt.Sprint("new", i), 500)
		claims, err := n.take(t, 2, ids...)
		for _, c := range claims {
			if err == nil && c.Err == nil {
				last[c.ID] += c.Granted
			}
		}
		failed = err
	}
	if failed == nil || errors.Is(failed, server.ErrUnavailable) {
		t.Fatalf("Reserve = %v on a disk that fails; want an error that says that numbers may be gone", failed)
	}
	t.Logf("with %d ids: %v", len(last), failed)
	empty()
	wantStopped(t, n)
	if err := n.s.Close(); err != nil {
		t.Fatal(err)
	}
	unmount(t, at)
	mount(t, at, "-o", "loop", path)
	n = &node{s: open(t, dir, 200_000)}
	defer n.s.Close()
	for id, was := range last {
		if now, err := n.s.Peek(t.Context(), id); now < was || err != nil {
			t.Errorf("Peek(%s) = %d, %v after the disk had failed; %d had been given", id, now, err, was)
		}
	}
	n.must(t, last, 3, "a", "b")
}

package file

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/turnomatico/tmctl/server"
)

// A full disk refuses new ids, and them alone; with room again they are served, without a restart. Nothing wrong is given.
func TestFullDisk(t *testing.T) {
	disk := tmpfs(t, "8m")
	dir, last := filepath.Join(disk, "counters"), map[string]uint64{}
	n := &node{s: open(t, dir, 100_000)}
	known := manyIDs("known", 100)
	n.must(t, last, 3, known...)
	empty := fillUp(t, disk)
	fresh := manyIDs("fresh", 20_000)
	next := 0
	for ; ; next++ { // what was preallocated takes some
		ids := fresh[next*500:][:500]
		claims, err := n.take(t, 2, ids...)
		if errors.Is(err, server.ErrUnavailable) {
			if !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("Reserve = %v; want it to say that the disk is full", err)
			}
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range claims {
			last[c.ID] += c.Granted
		}
	}
	t.Logf("%d new ids found room in the file", next*500)
	new500 := fresh[next*500:][:500]
	for range 5 {
		n.must(t, last, 4, known...)
		wantLasts(t, n.s, last)
		claims, err := n.take(t, 2, append(new500[:499:499], known[0])...) // together
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range claims[:499] {
			if !errors.Is(c.Err, server.ErrUnavailable) {
				t.Fatalf("a new id = %d, %v on a full disk; want ErrUnavailable", c.First, c.Err)
			}
		}
		if c := claims[499]; c.Err != nil || c.First != last[c.ID]+1 {
			t.Errorf("with new ids beside it, %s = %d, %v; want %d", c.ID, c.First, c.Err, last[c.ID]+1)
		}
		last[known[0]] += 2
	}
	empty()
	n.must(t, last, 2, new500...)
	n.must(t, last, 1, known...)
	wantLasts(t, n.s, last)
	if err := n.s.Close(); err != nil {
		t.Fatal(err)
	}
	n = &node{s: opened(t, dir, 100_000)}
	wantLasts(t, n.s, last)
	n.must(t, last, 1, known...)
}

// Keys that a full disk has no room for are in the log, and when that is full nothing is taken. With room again all goes on,
// without a restart, and each key has its number.
func TestFullDiskKeys(t *testing.T) {
	disk := tmpfs(t, "8m")
	c := &clock{ms: 1e12}
	dir := filepath.Join(disk, "counters")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	n := c.openAt(t, dir, 1_000_000)
	n.wantKey(t, "a", "first", 1, false)
	empty := fillUp(t, disk)
	keys := map[string]uint64{"a/first": 1}
	next, err := 0, error(nil)
	claim := func() server.Claim {
		cl := server.Claim{ID: "a"}
		for i := range 100 {
			cl.Keys = append(cl.Keys, server.Key{Name: fmt.Sprintf("%0100d", next+i)})
		}
		return cl
	}
	for ; next < 50_000 && err == nil; next += 100 {
		n.seq++
		call := &server.Call{Seq: n.seq, Claims: []server.Claim{claim()}}
		if err = n.s.Reserve(t.Context(), call); err != nil {
			break
		}
		for _, k := range call.Claims[0].Keys {
			keys["a/"+k.Name] = k.Turno
		}
	}
	if !errors.Is(err, server.ErrUnavailable) || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("Reserve = %v on a full disk after %d keys; want ErrUnavailable, and why", err, next)
	}
	wantUnavailable(t, n, "new")
	empty()
	n.once(t, "a", "more")
	wantKeys(t, n.s, map[string]uint64{"a/more": uint64(len(keys)) + 1})
	n.close(t)
	n = c.openAt(t, dir, 1_000_000)
	defer n.close(t)
	some := map[string]uint64{}
	for key, turno := range keys {
		if some[key] = turno; len(some) == 500 {
			break
		}
	}
	wantKeys(t, n.s, some)
	if got := n.s.Info().Sessions; got != len(keys)+1 {
		t.Errorf("Info().Sessions = %d; want %d", got, len(keys)+1)
	}
}

// A store can't be made on a full disk, and nothing is left of it. One that is there already needs no room.
func TestOpenOnFullDisk(t *testing.T) {
	disk := tmpfs(t, "8m")
	dir, last := filepath.Join(disk, "counters"), map[string]uint64{}
	for i := range 2 {
		empty := fillUp(t, disk)
		if i == 0 {
			wantRefused(t, dir, syscall.ENOSPC, "no space left")
			if left, _ := filepath.Glob(filepath.Join(dir, dataName+"*")); len(left) > 0 {
				t.Errorf("a store that could not be made left %v", left)
			}
			empty()
		}
		n := &node{s: open(t, dir, 10)}
		n.must(t, last, 1, "a")
		if err := n.s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOpenReadOnly(t *testing.T) {
	disk := tmpfs(t, "8m")
	made := filepath.Join(disk, "made")
	if err := open(t, made, 10).Close(); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("", disk, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, made, syscall.EROFS, "read-only")
	wantRefused(t, filepath.Join(disk, "new"), syscall.EROFS, "read-only")
}

// What a user may not read or write. Root may, so this thread is another user's meanwhile.
func TestOpenForbidden(t *testing.T) {
	base, err := os.MkdirTemp("", "tmctl-file-") // t.TempDir is below a directory that only root may enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	if os.Geteuid() == 0 {
		const nobody = 65534
		if err := os.Chown(base, nobody, nobody); err != nil {
			t.Fatal(err)
		}
		runtime.LockOSThread() // for good: the thread ends with the test
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETFSUID, nobody, 0, 0); errno != 0 {
			t.Fatal(errno)
		}
	}
	forbid := func(path string, mode os.FileMode) {
		t.Helper()
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Chmod(path, 0o700) })
	}
	dir := filepath.Join(base, "made")
	if err := open(t, dir, 10).Close(); err != nil {
		t.Fatal(err)
	}
	forbid(filepath.Join(dir, dataName), 0o400)
	wantRefused(t, dir, os.ErrPermission, dataName)
	forbid(filepath.Join(dir, lockName), 0o400)
	wantRefused(t, dir, os.ErrPermission, lockName)
	forbid(dir, 0)
	wantRefused(t, dir, os.ErrPermission, "permission denied")
	forbid(base, 0o500)
	wantRefused(t, filepath.Join(base, "new"), os.ErrPermission, "permission denied")
}

// On a file system in memory the promise is another one, and loud.
func TestInMemory(t *testing.T) {
	s := opened(t, filepath.Join(tmpfs(t, "8m"), "counters"), 10)
	i := s.Info()
	if i.Details["filesystem"] != "tmpfs" || len(i.Warnings) != 1 || i.Promise == (disk{name: "ext4"}).promise() {
		t.Errorf("Info = %+v on tmpfs; want a warning, and no promise that numbers last", i)
	}
	for _, f := range s.Examine(t.Context()) {
		if want := f.Name == "file system"; (f.Level == server.Fail) != want {
			t.Errorf("examined on tmpfs: %+v", f)
		}
	}
}

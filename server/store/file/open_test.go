package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/turnomatico/tmctl/server"
)

// wantRefused wants Open to fail for a reason, and to say what to do.
func wantRefused(t *testing.T, dir string, why error, says string) {
	t.Helper()
	s, err := Open(dir, server.Bounds{IDs: 10})
	if err == nil {
		s.Close()
		t.Fatalf("Open(%s) works; want %v", dir, why)
	}
	e := (*OpenError)(nil)
	if !errors.As(err, &e) || !errors.Is(err, why) || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), dir) {
		t.Errorf("Open = %v; want %v, with %q", err, why, says)
	} else if e.Hint == "" {
		t.Errorf("Open = %v, without a hint", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	write := func(content string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, dataName), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	tests := []struct {
		name string
		make func(t *testing.T, dir string)
		sub  string // opened below dir
		why  error
		says string
	}{
		{"a file where the directory should be", write(""), dataName, ErrForeign, "is a file"},
		{"a file on the way to it", write(""), dataName + "/x", syscall.ENOTDIR, "not a directory"},
		{"a text", write(strings.Repeat("to whom it may concern\n", 1000)), "", ErrDamaged, "this is not where a header is"},
		{"nothing in the file", write(""), "", ErrDamaged, "EOF"},
		{"zeros", write(strings.Repeat("\x00", 1<<20)), "", ErrDamaged, "header"},
		{"a directory where the file should be", func(t *testing.T, dir string) {
			if err := os.Mkdir(filepath.Join(dir, dataName), 0o700); err != nil {
				t.Fatal(err)
			}
		}, "", syscall.EISDIR, "is a directory"},
		{"a bbolt database of another program", func(t *testing.T, dir string) {
			edit(t, dir, func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("members")); return err })
		}, "", ErrForeign, "another program's"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			tt.make(t, dir)
			wantRefused(t, filepath.Join(dir, tt.sub), tt.why, tt.says)
		})
	}
}

// A directory has one process at a time, and whoever comes second learns who has it.
func TestOpenInUse(t *testing.T) {
	dir := t.TempDir()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), childDir+"="+dir)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer c.Wait()
	defer c.Process.Kill()
	if _, err := out.Read(make([]byte, 1)); err != nil { // it has the directory now
		t.Fatal(err)
	}
	go func() { _, _ = out.(*os.File).WriteTo(discard{}) }()
	wantRefused(t, dir, ErrInUse, fmt.Sprintf("process %d on ", c.Process.Pid))
	_ = c.Process.Kill()
	_ = c.Wait()
	opened(t, dir, 10)
	wantRefused(t, dir, ErrInUse, fmt.Sprintf("process %d on ", os.Getpid()))
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

// Another program that has only the database open is in the way too.
func TestOpenInUseByBolt(t *testing.T) {
	dir := t.TempDir()
	if err := open(t, dir, 10).Close(); err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(filepath.Join(dir, dataName), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	wantRefused(t, dir, ErrInUse, dataName)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	opened(t, dir, 10)
}

// What a process left that was killed while it made a new store is in nobody's way.
func TestOpenAfterHalfAStore(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, dataName+".new"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	(&node{s: opened(t, dir, 10)}).must(t, map[string]uint64{}, 1, "a")
}

// An open store that fails lets go of the directory.
func TestOpenLetsGo(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, dataName)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		wantRefused(t, dir, ErrDamaged, path)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	opened(t, dir, 10)
}

func TestHints(t *testing.T) {
	hints := map[string]error{}
	for _, err := range []error{ErrInUse, ErrDamaged, ErrForeign, fs.ErrPermission, syscall.EROFS, syscall.ENOSPC, syscall.EDQUOT,
		syscall.ENOTDIR, syscall.EISDIR, syscall.EIO, errors.New("something else")} {
		e := explain("/dir", fmt.Errorf("open: %w", err))
		if other := hints[e.Hint]; other != nil {
			t.Errorf("%v has the hint of %v: %s", err, other, e.Hint)
		}
		hints[e.Hint] = err
	}
}

package file

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/turnomatico/tmctl/server"
)

// wantUnavailable wants a call to take nothing.
func wantUnavailable(t *testing.T, n *node, ids ...string) {
	t.Helper()
	if claims, err := n.take(t, 5, ids...); !errors.Is(err, server.ErrUnavailable) {
		t.Errorf("Reserve = %v, %v; want ErrUnavailable", claims, err)
	}
}

// wantStopped wants a store to take no more numbers, and to say so.
func wantStopped(t *testing.T, n *node) {
	t.Helper()
	wantUnavailable(t, n, "a")
	ctx, cancel := context.WithTimeout(t.Context(), hang)
	defer cancel()
	if _, err := n.s.Set(ctx, "a", 1000, false); !errors.Is(err, server.ErrUnavailable) {
		t.Errorf("Set = %v; want ErrUnavailable", err)
	}
	if w := n.s.Info().Warnings; len(w) == 0 || !strings.Contains(w[0], "until a restart") {
		t.Errorf("Info().Warnings = %q; want one of the restart that is needed", w)
	}
}

// wantUnknown wants a call of 5 of an id to say that something may have been taken, also when it is made again.
func wantUnknown(t *testing.T, n *node, id string) {
	t.Helper()
	n.seq++
	for range 2 {
		call := &server.Call{Seq: n.seq, Claims: []server.Claim{{ID: id, N: 5}}}
		if err := n.s.Reserve(t.Context(), call); err == nil || errors.Is(err, server.ErrUnavailable) {
			t.Errorf("Reserve = %v; want an error that says that numbers may be gone", err)
		}
	}
}

// What bbolt may do at the worst moment: the transaction is in the file, or not, and it says that it failed. An id that is new
// is a transaction, and so is a log that is full.
func TestCommitFails(t *testing.T) {
	tests := []struct {
		name   string
		update func(db *bbolt.DB, fn func(*bbolt.Tx) error) error
		gone   uint64 // numbers that a restart finds taken
	}{
		{"the header is written, its fsync fails", func(db *bbolt.DB, fn func(*bbolt.Tx) error) error {
			return errors.Join(db.Update(fn), syscall.EIO)
		}, 5},
		{"a write fails, and yet the header is written", func(db *bbolt.DB, fn func(*bbolt.Tx) error) error {
			return errors.Join(db.Update(fn), &os.PathError{Op: "write", Err: syscall.EIO})
		}, 5},
		{"a file can't grow, and yet the header is written", func(db *bbolt.DB, fn func(*bbolt.Tx) error) error {
			return errors.Join(db.Update(fn), errors.New("file resize error: no"))
		}, 5},
		{"the pages are written, their fsync fails", func(db *bbolt.DB, fn func(*bbolt.Tx) error) error {
			return abort(db, fn, syscall.EIO)
		}, 0},
		{"the fsync of a file that grows fails", func(db *bbolt.DB, fn func(*bbolt.Tx) error) error {
			return abort(db, fn, errors.New("file sync error: no"))
		}, 0},
		{"it panics", func(db *bbolt.DB, fn func(*bbolt.Tx) error) error {
			return db.Update(func(tx *bbolt.Tx) error {
				_ = fn(tx)
				panic("assertion failed")
			})
		}, 0},
		{"it panics, and holds its lock for ever", func(db *bbolt.DB, fn func(*bbolt.Tx) error) error {
			tx, _ := db.Begin(true)
			_ = fn(tx)
			panic("assertion failed")
		}, 0},
	}
	for _, tt := range tests {
		for _, id := range []string{"new", "a"} {
			t.Run(tt.name+", "+id, func(t *testing.T) { commitFails(t, id, tt.update, tt.gone) })
		}
	}
}

func commitFails(t *testing.T, id string, fails func(*bbolt.DB, func(*bbolt.Tx) error) error, gone uint64) {
	dir, last := t.TempDir(), map[string]uint64{}
	n := &node{s: openSmall(t, dir, 10)}
	n.must(t, last, 5, "a")
	if id == "a" {
		n.fillLog(t, last)
	}
	update := n.s.update
	n.s.update = fails
	wantUnknown(t, n, id)
	n.s.update = update
	wantStopped(t, n)
	wantLasts(t, n.s, last)
	if t.Failed() {
		return // closing it would wait for what hangs
	}
	if err := n.s.Close(); err != nil {
		t.Fatal(err)
	}
	if gone > 0 {
		last[id] += gone
	}
	n = &node{s: opened(t, dir, 10)}
	wantLasts(t, n.s, last)
	n.must(t, last, 5, "a")
}

// abort comes as far as committing, and fails.
func abort(db *bbolt.DB, fn func(*bbolt.Tx) error, err error) error {
	return db.Update(func(tx *bbolt.Tx) error { return errors.Join(fn(tx), err) })
}

// A file that somebody deletes would take what is written with it.
func TestDeleted(t *testing.T) {
	n := &node{s: opened(t, t.TempDir(), 10)}
	n.must(t, map[string]uint64{}, 5, "a")
	if err := os.Remove(n.s.path); err != nil {
		t.Fatal(err)
	}
	wantStopped(t, n)
	n = &node{s: opened(t, t.TempDir(), 10)}
	n.must(t, map[string]uint64{}, 5, "a")
	if err := os.Remove(n.s.logPath); err != nil {
		t.Fatal(err)
	}
	wantStopped(t, n)
}

// While the disk hangs, a caller has his answer when his time is over, and the call made again is given what it took.
func TestDiskHangs(t *testing.T) {
	n, last := &node{s: opened(t, t.TempDir(), 10)}, map[string]uint64{}
	n.must(t, last, 5, "a")
	goOn := make(chan struct{})
	n.onSync(t, func() error { <-goOn; return nil })
	reserve := func(seq, amount uint64) (server.Claim, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		call := &server.Call{Seq: seq, Claims: []server.Claim{{ID: "a", N: amount}}}
		err := n.s.Reserve(ctx, call)
		return call.Claims[0], err
	}
	for range 2 {
		if c, err := reserve(2, 3); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, server.ErrUnavailable) {
			t.Errorf("Reserve = %v, %v while the disk hangs; want an error that says that numbers may be gone", c, err)
		}
	}
	if c, err := reserve(3, 2); !errors.Is(err, server.ErrUnavailable) {
		t.Errorf("the next call = %v, %v while the disk hangs; want ErrUnavailable: it never began", c, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if f := n.s.examineFsync(ctx); f.Level != server.Fail || f.Hint == "" {
		t.Errorf("examined while the disk hangs: %+v", f)
	}
	if last, err := n.s.Peek(t.Context(), "a"); last != 5 || err != nil {
		t.Errorf("Peek = %d, %v; want 5, what is on disk", last, err)
	}
	close(goOn)
	n.seq = 1
	n.must(t, last, 3, "a") // the call again
	n.must(t, last, 2, "a") // and the one that never began
	wantLasts(t, n.s, last)
}

// An operator who gives up on a disk that hangs is told that the counter may move yet.
func TestSetHangs(t *testing.T) {
	s := opened(t, t.TempDir(), 10)
	update, begun, goOn := s.update, make(chan struct{}), make(chan struct{})
	s.update = func(db *bbolt.DB, fn func(*bbolt.Tx) error) error { close(begun); <-goOn; return update(db, fn) }
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-begun; cancel() }()
	if _, err := s.Set(ctx, "a", 9, false); !errors.Is(err, errHangs) || !errors.Is(err, context.Canceled) {
		t.Errorf("Set = %v; want errHangs", err)
	}
	s.update = update
	close(goOn)
	if was, err := s.Set(t.Context(), "a", 9, false); was != 9 || err != nil {
		t.Errorf("Set = %d, %v after it; want 9", was, err)
	}
}

// Close waits for a transaction that nobody waits for any more.
func TestCloseWaits(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 10)
	update, begun, goOn := s.update, make(chan struct{}), make(chan struct{})
	s.update = func(db *bbolt.DB, fn func(*bbolt.Tx) error) error { close(begun); <-goOn; return update(db, fn) }
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-begun; cancel() }()
	if err := s.Reserve(ctx, &server.Call{Seq: 1, Claims: []server.Claim{{ID: "a", N: 5}}}); !errors.Is(err, context.Canceled) {
		t.Errorf("Reserve = %v; want the context's error", err)
	}
	closed := make(chan error)
	go func() { closed <- s.Close() }()
	close(goOn)
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	wantLasts(t, opened(t, dir, 10), map[string]uint64{"a": 5})
}

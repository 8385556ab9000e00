package file

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/store/sessions"
)

// clock is one that a test sets.
type clock struct{ ms int64 }

// openAt opens a store that goes by a clock. Keys live for an hour.
func (c *clock) openAt(t *testing.T, dir string, keys int) *node {
	t.Helper()
	makeSmall(t, dir, smallLog)
	s := newStore(dir, server.Bounds{IDs: 10, Sessions: keys, SessionTTL: time.Hour})
	s.now = func() int64 { return c.ms }
	if _, err := s.start(); err != nil {
		t.Fatal(err)
	}
	return &node{s: s}
}

const hour = int64(time.Hour / time.Millisecond)

// once asks for the numbers of keys of id.
func (n *node) once(t *testing.T, id string, names ...string) []server.Key {
	t.Helper()
	n.seq++
	call := &server.Call{Seq: n.seq, Claims: []server.Claim{{ID: id}}}
	for _, name := range names {
		call.Claims[0].Keys = append(call.Claims[0].Keys, server.Key{Name: name})
	}
	if err := n.s.Reserve(t.Context(), call); err != nil || call.Claims[0].Err != nil {
		t.Fatal(err, call.Claims[0].Err)
	}
	return call.Claims[0].Keys
}

// wantKey wants a key to have a number, new or given before.
func (n *node) wantKey(t *testing.T, id, name string, turno uint64, replayed bool) {
	t.Helper()
	if k := n.once(t, id, name)[0]; k.Turno != turno || k.Replayed != replayed || k.Err != nil {
		t.Errorf("key %s of %s has %d, %t, %v; want %d, %t", name, id, k.Turno, k.Replayed, k.Err, turno, replayed)
	}
}

func (n *node) close(t *testing.T) {
	t.Helper()
	if err := n.s.Close(); err != nil {
		t.Fatal(err)
	}
}

// A key keeps its number for its time, over restarts, whether the file has it or only the log, and no longer.
func TestKeysLast(t *testing.T) {
	for _, how := range []string{"closed", "killed", "the log begins anew"} {
		t.Run(how, func(t *testing.T) {
			dir, c := t.TempDir(), &clock{ms: 1e12}
			n := c.openAt(t, dir, 10)
			n.wantKey(t, "a", "x", 1, false)
			c.ms += hour / 2
			n.wantKey(t, "a", "y", 2, false) // in the log, x is in the file: a was new
			if how == "the log begins anew" {
				n.fillLog(t, map[string]uint64{"a": 2})
				if err := n.s.wait(t.Context(), func() error { return n.s.renew(nil) }); err != nil {
					t.Fatal(err)
				}
			}
			last, err := n.s.Peek(t.Context(), "a")
			if err != nil {
				t.Fatal(err)
			}
			if how != "closed" {
				left := t.TempDir()
				readFiles(t, dir).write(t, left)
				defer n.close(t)
				dir = left
			} else {
				n.close(t)
			}
			c.ms += hour/2 - 1
			n = c.openAt(t, dir, 10)
			n.wantKey(t, "a", "x", 1, true)
			n.wantKey(t, "a", "y", 2, true)
			if got := n.s.Info().Sessions; got != 2 {
				t.Errorf("Info().Sessions = %d; want 2", got)
			}
			c.ms++
			n.wantKey(t, "a", "x", last+1, false)
			n.close(t)
			n = c.openAt(t, dir, 10)
			defer n.close(t)
			n.wantKey(t, "a", "x", last+1, true)
			n.wantKey(t, "a", "y", 2, true)
			if got := n.s.Info().Sessions; got != 2 {
				t.Errorf("Info().Sessions = %d; want 2", got)
			}
		})
	}
}

// No more keys than may be have a number, also after a restart, and none is forgotten for a new one.
func TestKeysFull(t *testing.T) {
	dir, c := t.TempDir(), &clock{ms: 1e12}
	n := c.openAt(t, dir, 2)
	n.wantKey(t, "a", "x", 1, false)
	n.wantKey(t, "a", "y", 2, false)
	for _, keys := range []int{2, 1, 0} {
		if k := n.once(t, "a", "z")[0]; k.Err != server.ErrSessionsFull {
			t.Errorf("a key too many has %d, %v; want ErrSessionsFull", k.Turno, k.Err)
		}
		n.close(t)
		n = c.openAt(t, dir, keys)
		n.wantKey(t, "a", "x", 1, true)
		n.wantKey(t, "a", "y", 2, true)
	}
	n.close(t)
	c.ms += hour
	n = c.openAt(t, dir, 1)
	n.wantKey(t, "a", "z", 3, false)
	n.close(t)
}

// onDisk is how many keys the file of a store has.
func (n *node) onDisk(t *testing.T) (keys int) {
	t.Helper()
	err := n.s.db.View(func(tx *bbolt.Tx) error { keys = tx.Bucket(keysBucket).Stats().KeyN; return nil })
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// Keys whose time is over leave the disk too, some with each transaction, and those that live stay.
func TestKeysLeaveTheDisk(t *testing.T) {
	dir, c := t.TempDir(), &clock{ms: 1e12}
	const many = 2*forget + 10
	n := c.openAt(t, dir, 3*many)
	var names []string
	for i := range many {
		names = append(names, fmt.Sprint("key-", i))
	}
	n.once(t, "a", names...)
	c.ms += hour / 2
	n.wantKey(t, "a", "lives", many+1, false)
	renew := func() {
		t.Helper()
		if err := n.s.wait(t.Context(), func() error { return n.s.renew(nil) }); err != nil {
			t.Fatal(err)
		}
	}
	renew()
	if got := n.onDisk(t); got != many+1 {
		t.Errorf("%d keys are on disk; want %d", got, many+1)
	}
	c.ms += hour / 2
	for _, want := range []int{many + 1 - forget, many + 1 - 2*forget, 1, 1} {
		if renew(); n.onDisk(t) != want {
			t.Errorf("%d keys are on disk; want %d", n.onDisk(t), want)
		}
	}
	n.close(t)
	n = c.openAt(t, dir, 3*many)
	n.wantKey(t, "a", "lives", many+1, true)
	n.wantKey(t, "a", names[0], many+2, false)
	n.close(t)
}

// A call whose outcome is not known gives its keys no number until a restart knows; one that took nothing never does.
func TestKeysOfACallThatFails(t *testing.T) {
	dir, c := t.TempDir(), &clock{ms: 1e12}
	n := c.openAt(t, dir, 10)
	n.wantKey(t, "a", "x", 1, false)
	call := func() error {
		n.seq++
		return n.s.Reserve(t.Context(), &server.Call{Seq: n.seq, Claims: []server.Claim{{ID: "a", N: 1, Keys: []server.Key{{Name: "y"}}}}})
	}
	disk := &hooked{write: func([]byte, int64) (int, error) { return 0, os.ErrDeadlineExceeded }}
	n.hook(t, disk)
	if err := call(); !errors.Is(err, server.ErrUnavailable) {
		t.Errorf("Reserve = %v; want ErrUnavailable", err)
	}
	if got := n.s.Info().Sessions; got != 1 {
		t.Errorf("Info().Sessions = %d after a call that took nothing; want 1", got)
	}
	if err := n.s.wait(t.Context(), func() error {
		disk.write, disk.sync = nil, func() error { return os.ErrDeadlineExceeded }
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := call(); err == nil || errors.Is(err, server.ErrUnavailable) {
		t.Errorf("Reserve = %v; want an error that says that numbers may be gone", err)
	}
	n.close(t)
	n = c.openAt(t, dir, 10)
	defer n.close(t)
	n.wantKey(t, "a", "y", 3, true) // the record was written, and is read
}

// What others wrote into the keys.
func TestKeysEdited(t *testing.T) {
	good := sessions.Entry{ID: "a", Key: "x", Turno: 1, Expires: 2e12}
	for name, bend := range map[string]func(key, value []byte) (k, v []byte){
		"a number": func(key, value []byte) ([]byte, []byte) { value[7]++; return key, value },
		"a time":   func(key, value []byte) ([]byte, []byte) { key[0]++; return key, value },
		"a name":   func(key, value []byte) ([]byte, []byte) { key[len(key)-1]++; return key, value },
		"no value": func(key, value []byte) ([]byte, []byte) { return key, nil },
		"no entry": func(key, value []byte) ([]byte, []byte) { return []byte("x"), value },
		"no id": func([]byte, []byte) ([]byte, []byte) {
			return keyEntry(sessions.Entry{Key: "x", Turno: 1, Expires: 2e12})
		},
		"no turno": func([]byte, []byte) ([]byte, []byte) {
			return keyEntry(sessions.Entry{ID: "a", Key: "x", Expires: 2e12})
		},
		"no key": func([]byte, []byte) ([]byte, []byte) {
			return keyEntry(sessions.Entry{ID: "a", Turno: 1, Expires: 2e12})
		},
		"as it was": func(key, value []byte) ([]byte, []byte) { return key, value },
		"no bucket": nil,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := open(t, dir, 10).Close(); err != nil {
				t.Fatal(err)
			}
			edit(t, dir, func(tx *bbolt.Tx) error {
				if bend == nil {
					return tx.DeleteBucket(keysBucket)
				}
				key, value := keyEntry(good)
				return tx.Bucket(keysBucket).Put(bend(slices.Clone(key), slices.Clone(value)))
			})
			if name != "as it was" {
				wantRefused(t, dir, ErrDamaged, filepath.Join(dir, dataName))
				return
			}
			n := &node{s: opened(t, dir, 10)}
			n.wantKey(t, "a", "x", 1, true)
		})
	}
}

// What a caller does to the keys of a call that was answered does not change what the call made again is given.
func TestKeysAreTheCallers(t *testing.T) {
	n := &node{s: opened(t, t.TempDir(), 10)}
	for range 3 {
		call := &server.Call{Seq: 1, Claims: []server.Claim{{ID: "a", N: 1, Keys: []server.Key{{Name: "x"}}}}}
		if err := n.s.Reserve(t.Context(), call); err != nil {
			t.Fatal(err)
		}
		k := &call.Claims[0].Keys[0]
		if *k != (server.Key{Name: "x", Turno: 2}) {
			t.Errorf("the key has %+v; want 2, new", *k)
		}
		*k = server.Key{Name: "y", Turno: 9, Replayed: true}
	}
}

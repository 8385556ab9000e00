package file

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/store/storetest"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		child(dir)
	}
	os.Exit(m.Run())
}

func TestStore(t *testing.T) { storetest.Run(t, aPlace) }

func TestSessions(t *testing.T) { storetest.RunSessions(t, aPlace) }

func aPlace(t *testing.T) storetest.Place {
	dir := t.TempDir()
	return storetest.Place{
		Alone: true, Lasts: true,
		Open:  func(t *testing.T) server.Store { return open(t, dir, storetest.MaxIDs) },
		Break: func(t *testing.T, id string) { breakCell(t, dir, id) },
	}
}

// open opens a store that the test closes.
func open(t testing.TB, dir string, maxIDs int) *Store {
	t.Helper()
	s, err := Open(dir, server.Bounds{IDs: maxIDs, Sessions: storetest.Bounds.Sessions, SessionTTL: storetest.Bounds.SessionTTL})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// smallLog is one that is full soon.
const smallLog = 8

// openSmall makes a store with a small log if there is none, and opens it.
func openSmall(t testing.TB, dir string, maxIDs int) *Store {
	t.Helper()
	makeSmall(t, dir, smallLog)
	return open(t, dir, maxIDs)
}

func makeSmall(t testing.TB, dir string, blocks int) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(dir, dataName)); err == nil {
		return
	}
	if err := create(dir, blocks); err != nil {
		t.Fatal(err)
	}
}

// fillLog takes numbers of the ids in last until the next call needs a transaction.
func (n *node) fillLog(t testing.TB, last map[string]uint64) {
	t.Helper()
	ids := slices.Sorted(maps.Keys(last))
	for n.s.log.fits(make([]byte, 2*64*len(ids))) {
		n.must(t, last, 1, ids...)
	}
}

// hooked is a device on which something else happens.
type hooked struct {
	device
	sync  func() error
	write func(b []byte, at int64) (int, error)
}

func (h *hooked) Sync() error {
	if h.sync != nil {
		if err := h.sync(); err != nil {
			return err
		}
	}
	return h.device.Sync()
}

func (h *hooked) WriteAt(b []byte, at int64) (int, error) {
	if h.write != nil {
		return h.write(b, at)
	}
	return h.device.WriteAt(b, at)
}

// hook replaces what the log is on.
func (n *node) hook(t testing.TB, h *hooked) {
	t.Helper()
	if err := n.s.wait(t.Context(), func() error { h.device, n.s.log.disk = n.s.log.disk, h; return nil }); err != nil {
		t.Fatal(err)
	}
}

// onSync has sync be called before each fsync of the log.
func (n *node) onSync(t testing.TB, sync func() error) { n.hook(t, &hooked{sync: sync}) }

// opened opens a store that is closed at the end.
func opened(t testing.TB, dir string, maxIDs int) *Store {
	t.Helper()
	s := open(t, dir, maxIDs)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
	})
	return s
}

// edit changes the database of a store that is not open, as somebody might with another program.
func edit(t testing.TB, dir string, change func(*bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(dir, dataName), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(change); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// breakCell sets id's counter back by hand.
func breakCell(t testing.TB, dir, id string) {
	t.Helper()
	edit(t, dir, func(tx *bbolt.Tx) error {
		place, ok := readPlace(id, tx.Bucket(idsBucket).Get([]byte(id)))
		if !ok {
			return fmt.Errorf("no id %s", id)
		}
		key := sheetKey(place / perSheet)
		sheet := slices.Clone(tx.Bucket(numbersBucket).Get(key))
		binary.BigEndian.PutUint64(cell(sheet, place), 1)
		return tx.Bucket(numbersBucket).Put(key, sheet)
	})
}

// node makes the calls of the one slot there is.
type node struct {
	s   *Store
	seq uint64
}

// take takes n numbers of each id.
func (n *node) take(t testing.TB, amount uint64, ids ...string) ([]server.Claim, error) {
	n.seq++
	call := &server.Call{Seq: n.seq}
	for _, id := range ids {
		call.Claims = append(call.Claims, server.Claim{ID: id, N: amount})
	}
	ctx, cancel := context.WithTimeout(t.Context(), hang)
	defer cancel()
	err := n.s.Reserve(ctx, call)
	return call.Claims, err
}

// hang is when a test gives up on a store, or a disk, that hangs.
const hang = 20 * time.Second

// must takes n numbers of each id, and adds them to last, where they have to follow.
func (n *node) must(t testing.TB, last map[string]uint64, amount uint64, ids ...string) {
	t.Helper()
	claims, err := n.take(t, amount, ids...)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range claims {
		if c.Err != nil || c.First != last[c.ID]+1 || c.Granted != amount {
			t.Fatalf("the claim of %d of %s = %d, %d, %v; want them from %d", c.N, c.ID, c.First, c.Granted, c.Err, last[c.ID]+1)
		}
		last[c.ID] += c.Granted
	}
}

// wantLasts wants the store to have these counters and no others.
func wantLasts(t testing.TB, s *Store, want map[string]uint64) {
	t.Helper()
	got := map[string]uint64{}
	if err := s.List(t.Context(), func(id string, last uint64) error { got[id] = last; return nil }); err != nil {
		t.Error(err)
	}
	if !maps.Equal(got, want) {
		for id := range want {
			if got[id] != want[id] {
				t.Errorf("the last number of %s is %d; want %d", id, got[id], want[id])
			}
		}
		t.Fatalf("the store has %d ids; want %d", len(got), len(want))
	}
}

// manyIDs are n long ids.
func manyIDs(prefix string, n int) (ids []string) {
	for i := range n {
		ids = append(ids, fmt.Sprintf("%s-%05d-%s", prefix, i, strings.Repeat("x", 40)))
	}
	return ids
}

// The files that a directory holds, and that others can't read them.
func TestDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	opened(t, dir, 10)
	for name, want := range map[string]os.FileMode{".": 0o700 | os.ModeDir, lockName: 0o600, dataName: 0o600, logName: 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want {
			t.Errorf("%s has mode %v; want %v", name, info.Mode(), want)
		}
	}
	if entries, err := os.ReadDir(dir); len(entries) != 3 || err != nil {
		t.Errorf("the directory holds %v, %v; want the counters, the log and the lock", entries, err)
	}
}

// Ids that are there already are served, though fewer are allowed now.
func TestFewerIDsAllowed(t *testing.T) {
	dir, last := t.TempDir(), map[string]uint64{}
	s := open(t, dir, 3)
	(&node{s: s}).must(t, last, 2, "a", "b", "c")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	n := &node{s: opened(t, dir, 1)}
	n.must(t, last, 2, "a", "b", "c")
	if claims, err := n.take(t, 1, "d"); err != nil || claims[0].Err != server.ErrTooManyIDs {
		t.Errorf("a new id = %v, %v; want ErrTooManyIDs", err, claims[0].Err)
	}
}

// The version of bbolt that commit.go was written for is the one that is built.
func TestEngine(t *testing.T) {
	mod, err := os.ReadFile("../../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	name, version, _ := strings.Cut(engine, " ")
	if want := "go.etcd.io/" + name + " v" + version + "\n"; !strings.Contains(string(mod), want) {
		t.Errorf("go.mod does not say %q: read tx.go of the version there before changing this", want)
	}
}

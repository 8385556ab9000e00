package file

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/store/sessions"
)

// killed makes a store with some records, each of one block, and returns its files as a process that is killed leaves them.
func killed(t *testing.T, dir string, records int) (files, map[string]uint64) {
	t.Helper()
	makeSmall(t, dir, 32)
	last := map[string]uint64{}
	n := &node{s: opened(t, dir, 10)}
	n.must(t, last, 1, "a", "b")
	for range records {
		n.must(t, last, 1, "a")
	}
	if err := n.s.wait(t.Context(), func() error { return nil }); err != nil { // the seal is written
		t.Fatal(err)
	}
	return readFiles(t, dir), last
}

// refused wants files not to be opened, because of damage, and says why.
func refused(t *testing.T, f files, says string) {
	t.Helper()
	dir := t.TempDir()
	f.write(t, dir)
	wantRefused(t, dir, ErrDamaged, says)
	if after := readFiles(t, dir); !bytes.Equal(after.log, f.log) || !bytes.Equal(after.counters, f.counters) {
		t.Error("it was changed")
	}
}

// A record that was answered and is not as it was written is found, also the last one, by its seal.
func TestRecordDamaged(t *testing.T) {
	f, last := killed(t, t.TempDir(), 5)
	for record := 1; record <= 5; record++ {
		for _, at := range []int{0, 5, 9, 30, recordHead} {
			b := slices.Clone(f.log)
			b[record*blockSize+at] ^= 4
			refused(t, files{f.counters, b}, "is not as it was written, and there is record")
		}
	}
	b := slices.Clone(f.log)
	copy(b[3*blockSize:4*blockSize], b[2*blockSize:]) // an earlier one of the same generation
	refused(t, files{f.counters, b}, "is not as it was written, and there is record")

	dir := t.TempDir()
	b = slices.Clone(f.log)
	clear(b[6*blockSize : 7*blockSize]) // without its seal the last record is one that nobody was answered
	b[5*blockSize+recordHead]++
	files{f.counters, b}.write(t, dir)
	last["a"]--
	wantLasts(t, opened(t, dir, 10), last)
}

// A log that is not the one that belongs to the counters is not taken for it.
func TestOtherLog(t *testing.T) {
	dir := t.TempDir()
	f, _ := killed(t, dir, 5)
	other, _ := killed(t, t.TempDir(), 5)
	newer := t.TempDir()
	f.write(t, newer)
	n := &node{s: opened(t, newer, 10)}
	last := map[string]uint64{"a": 6}
	for range 7 { // more than there were before
		n.must(t, last, 1, "a")
	}
	later := readFiles(t, newer)

	refused(t, files{f.counters, other.log}, "does not belong to "+dataName)
	refused(t, files{later.counters, f.log}, "does not belong to "+dataName)
	refused(t, files{f.counters, later.log}, "it is newer than "+dataName)
	refused(t, files{f.counters, f.log[:20*blockSize]}, "it should have 32 blocks")
	refused(t, files{f.counters, append(slices.Clone(f.log), 0)}, "it should have 32 blocks")
	refused(t, files{f.counters, nil}, "it is cut short")
	refused(t, files{f.counters, make([]byte, 32*blockSize)}, "its beginning fails its checksum")

	gone := t.TempDir()
	f.write(t, gone)
	if err := os.Remove(filepath.Join(gone, logName)); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, gone, ErrDamaged, "it is gone")
	f.write(t, gone)
	if err := os.Remove(filepath.Join(gone, dataName)); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, gone, ErrDamaged, "it is gone, and "+logName+" is there")
}

// noLog makes a store one of format 1, which had none.
func noLog(t *testing.T, dir string) {
	t.Helper()
	edit(t, dir, func(tx *bbolt.Tx) error {
		info := tx.Bucket(infoBucket)
		return errors.Join(info.Put(formatKey, formatNoLog), info.Delete(logKey))
	})
	if err := os.Remove(filepath.Join(dir, logName)); err != nil {
		t.Fatal(err)
	}
}

// A store of the format before is given a log, also when a process was killed while it did that.
func TestUpgrade(t *testing.T) {
	dir, last := t.TempDir(), map[string]uint64{}
	n := &node{s: open(t, dir, 10)}
	n.must(t, last, 5, "a", "b")
	if err := n.s.Close(); err != nil {
		t.Fatal(err)
	}
	used, err := os.ReadFile(filepath.Join(dir, logName))
	if err != nil {
		t.Fatal(err)
	}
	for _, left := range []string{logName, logName + newSuffix, "nothing"} {
		noLog(t, dir)
		if left == logName {
			err = createLog(filepath.Join(dir, logName), logBlocks, newGeneration())
		} else if left != "nothing" {
			err = os.WriteFile(filepath.Join(dir, left), []byte("half"), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		n = &node{s: open(t, dir, 10)}
		wantLasts(t, n.s, last)
		n.must(t, last, 1, "a", "b")
		if err := n.s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	wantLasts(t, opened(t, dir, 10), last)

	old := t.TempDir()
	if err := open(t, old, 10).Close(); err != nil {
		t.Fatal(err)
	}
	noLog(t, old)
	if err := os.WriteFile(filepath.Join(old, logName), used, 0o600); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, old, ErrDamaged, "an old copy")
}

// What a process left that was killed while it made a new store: a log, and no counters yet.
func TestOpenAfterItsLog(t *testing.T) {
	dir := t.TempDir()
	if err := createLog(filepath.Join(dir, logName), logBlocks, newGeneration()); err != nil {
		t.Fatal(err)
	}
	(&node{s: opened(t, dir, 10)}).must(t, map[string]uint64{}, 1, "a")
}

// However often the log is full, everything is there: what the counters include, and what they don't yet.
func TestLogBeginsAnew(t *testing.T) {
	dir, last := t.TempDir(), map[string]uint64{}
	n := &node{s: openSmall(t, dir, 1000)}
	ids := manyIDs("id", 300)
	n.must(t, last, 1, ids...)
	for i := range 100 {
		n.must(t, last, 1, ids[:1+i*7%300]...)
		if i%9 == 0 {
			left := t.TempDir()
			readFiles(t, dir).write(t, left)
			wantLasts(t, opened(t, left, 1000), last)
		}
	}
	if _, err := n.s.Set(t.Context(), ids[0], 3, true); err != nil { // back
		t.Fatal(err)
	}
	last[ids[0]] = 3
	n.must(t, last, 1, ids[0])
	left := t.TempDir()
	readFiles(t, dir).write(t, left)
	wantLasts(t, opened(t, left, 1000), last)
	if err := n.s.Close(); err != nil {
		t.Fatal(err)
	}
	wantLasts(t, opened(t, dir, 1000), last)
}

// A call that is larger than the log is a transaction.
func TestLargeCall(t *testing.T) {
	dir, last := t.TempDir(), map[string]uint64{}
	n := &node{s: openSmall(t, dir, 1000)}
	ids := manyIDs("id", 1000)
	for range 3 {
		n.must(t, last, 1, ids...)
		n.must(t, last, 1, ids[:3]...)
	}
	wantLasts(t, n.s, last)
	left := t.TempDir()
	readFiles(t, dir).write(t, left)
	wantLasts(t, opened(t, left, 1000), last)
	if err := n.s.Close(); err != nil {
		t.Fatal(err)
	}
}

// A transaction for which there is no room is made in pieces.
func TestPieces(t *testing.T) {
	dir, last := t.TempDir(), map[string]uint64{}
	n := &node{s: openSmall(t, dir, 1000)}
	ids := manyIDs("id", 1000)
	n.must(t, last, 1, ids...)
	n.must(t, last, 1, ids[0], ids[500], ids[999])
	update, pieces := n.s.update, 0
	n.s.update = func(db *bbolt.DB, fn func(*bbolt.Tx) error) error {
		if pieces++; pieces == 1 {
			return errors.New("file resize error: no")
		}
		left := t.TempDir() // the process is killed between two of them
		readFiles(t, dir).write(t, left)
		if s, err := Open(left, server.Bounds{IDs: 1000}); err != nil {
			t.Error(err) // a test that ends here would end the writer
		} else {
			for id, want := range last {
				if got, err := s.Peek(t.Context(), id); got != want || err != nil {
					t.Errorf("Peek(%s) = %d, %v; want %d", id, got, err, want)
				}
			}
			s.Close()
		}
		return update(db, fn)
	}
	if err := n.s.wait(t.Context(), func() error { return n.s.renew(nil) }); err != nil {
		t.Fatal(err)
	}
	if n.s.update = update; pieces != 1+3+1 {
		t.Errorf("it took %d transactions; want one that fails, one for each sheet, and one for the mark", pieces)
	}
	n.must(t, last, 1, ids[0], ids[500], ids[999])
	if err := n.s.Close(); err != nil {
		t.Fatal(err)
	}
	wantLasts(t, opened(t, dir, 1000), last)
}

// When there is no room for the counters, ids that are known go on until the log is full; then nothing is taken until there is.
func TestNoRoomForCounters(t *testing.T) {
	dir, last := t.TempDir(), map[string]uint64{}
	n := &node{s: openSmall(t, dir, 10)}
	n.must(t, last, 1, "a", "b")
	update := n.s.update
	n.s.update = func(*bbolt.DB, func(*bbolt.Tx) error) error { return errors.New("file resize error: no") }
	wantUnavailable(t, n, "new")
	n.fillLog(t, last)
	for range 3 {
		wantUnavailable(t, n, "a")
	}
	wantLasts(t, n.s, last)
	n.s.update = update
	n.must(t, last, 1, "a", "b", "new")
	n.must(t, last, 1, "a", "b", "new")
	n.s.update = func(*bbolt.DB, func(*bbolt.Tx) error) error { return errors.New("file resize error: no") }
	if err := n.s.Close(); err != nil { // the log has it
		t.Fatal(err)
	}
	wantLasts(t, opened(t, dir, 10), last)
}

// FuzzRecord: what is encoded is read back, and what is anything else is no record.
func FuzzRecord(f *testing.F) {
	f.Add([]byte("body"), uint32(0), byte(0))
	f.Add(bytes.Repeat([]byte{7}, 5000), uint32(40), byte(1))
	f.Fuzz(func(t *testing.T, body []byte, at uint32, with byte) {
		m := mark{generation: newGeneration(), number: 9}
		b := m.encode(body)
		r, ok := readRecord(b)
		if !ok || r.generation != m.generation || r.number != 9 || !bytes.Equal(r.body, body) || len(b) != blocksOf(len(body))*blockSize {
			t.Fatalf("a record of %d bytes is read as %v, %v", len(body), r, ok)
		}
		used := recordHead + len(body)
		if b[int(at)%used] ^= with; with != 0 {
			if _, ok := readRecord(b); ok {
				t.Error("a record with a byte changed is read")
			}
		}
		_ = eachEntry(body, func(string, uint64) error { return nil }, noKeys)
	})
}

func noKeys(sessions.Entry) {}

// The entries of a body are read back, and a body that ends early or late is none.
func TestBody(t *testing.T) {
	d := &draft{moved: []*counter{{id: "a", next: 1}, {id: strings.Repeat("x", 64), next: 1<<53 - 1}}}
	body := d.body()
	got := map[string]uint64{}
	if err := eachEntry(body, func(id string, last uint64) error { got[id] = last; return nil }, noKeys); err != nil || len(got) != 2 {
		t.Errorf("the entries are %v, %v", got, err)
	}
	for _, c := range d.moved {
		if got[c.id] != c.next {
			t.Errorf("%s is at %d; want %d", c.id, got[c.id], c.next)
		}
	}
	none := func(string, uint64) error { return nil }
	for i := 1; i < len(body); i++ {
		if eachEntry(body[:i], none, noKeys) == nil {
			t.Errorf("a body cut at %d is read", i)
		}
	}
	if eachEntry(append(body, 0), none, noKeys) == nil {
		t.Error("a body with something behind it is read")
	}
	enough := errors.New("enough")
	if err := eachEntry(body, func(string, uint64) error { return enough }, noKeys); err != enough {
		t.Errorf("an error is %v", err)
	}
}

// An id that the counters don't have can't be in the log.
func TestUnknownIDInLog(t *testing.T) {
	f, _ := killed(t, t.TempDir(), 1)
	r, ok := readRecord(f.log[blockSize:])
	if !ok {
		t.Fatal("no record")
	}
	m := mark{generation: r.generation, number: r.number}
	d := &draft{moved: []*counter{{id: "other", next: 1}}}
	b := slices.Clone(f.log)
	copy(b[blockSize:], m.encode(d.body()))
	refused(t, files{f.counters, b}, `has no id "other"`)
}

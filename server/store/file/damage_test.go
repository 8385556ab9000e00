package file

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/turnomatico/tmctl/server"
)

// files are what a directory holds.
type files struct{ counters, log []byte }

// aStore makes the files of a store with a history, as a process leaves them that is killed, and what its counters are.
func aStore(t testing.TB, ids, rounds int) (left files, last map[string]uint64) {
	t.Helper()
	dir, last := t.TempDir(), map[string]uint64{}
	makeSmall(t, dir, 64)
	s := open(t, dir, ids)
	n := &node{s: s}
	var all []string
	for i := range ids {
		all = append(all, fmt.Sprintf("id-%d", i))
	}
	n.must(t, last, 1, all...)
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range rounds {
		if i == rounds-10 { // the log is half full at the end
			n.fillLog(t, last)
		}
		rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		n.must(t, last, 1+rng.Uint64N(100), all[:1+rng.IntN(len(all))]...)
	}
	if err := s.wait(t.Context(), func() error { return nil }); err != nil { // the seal is written
		t.Fatal(err)
	}
	defer s.Close()
	return readFiles(t, dir), last
}

func readFiles(t testing.TB, dir string) (f files) {
	t.Helper()
	var errs [2]error
	f.counters, errs[0] = os.ReadFile(filepath.Join(dir, dataName))
	f.log, errs[1] = os.ReadFile(filepath.Join(dir, logName))
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f files) write(t testing.TB, dir string) {
	t.Helper()
	err := errors.Join(os.WriteFile(filepath.Join(dir, dataName), f.counters, 0o600), os.WriteFile(filepath.Join(dir, logName), f.log, 0o600))
	if err != nil {
		t.Fatal(err)
	}
}

// used is the part of a file that has pages in it.
func used(t testing.TB, content []byte) int {
	t.Helper()
	h, err := readHeader(bytes.NewReader(content), 0)
	if err != nil {
		t.Fatal(err)
	}
	return int(h.Pages) * pageSize
}

// damage is what disks, and people, do to a file of which the first used bytes are not zeros.
func damage(rng *rand.Rand, b []byte, used int) (says string, damaged []byte) {
	const sector = 512
	at := rng.IntN(used)
	page := at - at%pageSize
	switch rng.IntN(8) {
	case 0:
		b[at] ^= 1 << rng.IntN(8)
		return fmt.Sprintf("a bit at %d", at), b
	case 1: // in what pages say of each other, most likely
		at = page + rng.IntN(64)
		b[at] = byte(rng.Uint32())
		return fmt.Sprintf("a byte at %d", at), b
	case 2:
		at -= at % sector
		clear(b[at : at+sector])
		return fmt.Sprintf("a sector of zeros at %d", at), b
	case 3:
		clear(b[page : page+pageSize])
		return fmt.Sprintf("a page of zeros at %d", page), b
	case 4:
		for i := range b[at:min(at+sector, used)] {
			b[at+i] = byte(rng.Uint32())
		}
		return fmt.Sprintf("a sector of noise at %d", at), b
	case 5:
		from := rng.IntN(used/pageSize) * pageSize
		copy(b[page:page+pageSize], b[from:])
		return fmt.Sprintf("the page at %d at %d", from, page), b
	case 6:
		at -= at % sector
		from := rng.IntN(used/sector) * sector
		copy(b[at:at+sector], b[from:])
		return fmt.Sprintf("the sector at %d at %d", from, at), b
	default:
		return fmt.Sprintf("cut at %d", at), b[:at]
	}
}

// Whatever happens to the file, no number is given again: it is not opened, or the counters in question are broken, or
// nothing in use was hit. And a file that is not opened stays as it is.
func TestDamage(t *testing.T) {
	content, last := aStore(t, 500, 60)
	seeds := 200
	if testing.Short() {
		seeds = 50
	}
	inUse := used(t, content.counters)
	t.Run("counters", func(t *testing.T) {
		testDamage(t, seeds, last, func(rng *rand.Rand) (says string, f files) {
			f = content
			says, f.counters = damageSome(rng, slices.Clone(f.counters), inUse)
			return says, f
		})
	})
	t.Run("log", func(t *testing.T) {
		testDamage(t, seeds, last, func(rng *rand.Rand) (says string, f files) {
			f = content
			says, f.log = damageSome(rng, slices.Clone(f.log), len(f.log))
			return says, f
		})
	})
}

// damageSome damages a file in one place, or in a few.
func damageSome(rng *rand.Rand, b []byte, used int) (says string, damaged []byte) {
	size := len(b)
	says, b = damage(rng, b, used)
	for range rng.IntN(3) {
		if len(b) == size {
			var more string
			more, b = damage(rng, b, used)
			says += ", " + more
		}
	}
	return says, b
}

func testDamage(t *testing.T, seeds int, last map[string]uint64, damaged func(*rand.Rand) (string, files)) {
	var refused, broken, unhurt int
	for seed := range seeds {
		says, f := damaged(rand.New(rand.NewPCG(uint64(seed), 7)))
		switch n, opened := tryDamaged(t, f, last); {
		case t.Failed():
			t.Fatalf("seed %d: %s", seed, says)
		case !opened:
			refused++
		case n > 0:
			broken++
		default:
			unhurt++
		}
	}
	t.Logf("%d damaged files: %d not opened, %d with broken counters, %d as before", seeds, refused, broken, unhurt)
	if refused < seeds/10 || unhurt < seeds/50 {
		t.Error("the damage leans to one side")
	}
}

// tryDamaged opens a store and takes numbers. It returns how many counters are broken.
func tryDamaged(t testing.TB, content files, last map[string]uint64) (broken int, opened bool) {
	t.Helper()
	dir := inMemoryDir(t)
	defer os.RemoveAll(dir) // there are many of them
	content.write(t, dir)
	s, err := Open(dir, server.Bounds{IDs: len(last)})
	if err != nil {
		if after := readFiles(t, dir); !bytes.Equal(after.counters, content.counters) || !bytes.Equal(after.log, content.log) {
			t.Errorf("a store that is not opened (%v) was changed", err)
		}
		if e := (*OpenError)(nil); !errors.As(err, &e) || e.Hint == "" || !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrForeign) {
			t.Errorf("Open = %v; want an OpenError of damage", err)
		}
		return 0, false
	}
	defer s.Close()
	n := &node{s: s}
	for id, was := range last {
		claims, err := n.take(t, 3, id)
		if err != nil {
			t.Errorf("Reserve(%s) = %v", id, err)
			return broken, true
		}
		c := claims[0]
		if e := (*server.BrokenError)(nil); errors.As(c.Err, &e) {
			broken++
		} else if c.First != was+1 || c.Granted != 3 || c.Err != nil {
			t.Errorf("Reserve(%s) = %d, %d, %v; the last number was %d", id, c.First, c.Granted, c.Err, was)
		}
		if n.seq > 20 && broken == 0 { // the others are as good: a look is enough
			break
		}
	}
	for id, was := range last {
		if now, err := s.Peek(t.Context(), id); err == nil && now < was {
			t.Errorf("Peek(%s) = %d; the last number was %d", id, now, was)
		}
	}
	return broken, true
}

// FuzzDamage puts anything anywhere.
func FuzzDamage(f *testing.F) {
	content, last := aStore(f, 60, 10)
	f.Add(uint32(0), []byte{0xff})
	f.Add(uint32(pageSize+16), []byte("other"))
	f.Add(uint32(2*pageSize), bytes.Repeat([]byte{1}, 20))
	f.Add(uint32(3*pageSize+8), []byte{1, 0, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, at uint32, patch []byte) {
		f := files{slices.Clone(content.counters), slices.Clone(content.log)}
		if at := int(at) % (len(f.counters) + len(f.log)); at < len(f.log) {
			copy(f.log[at:], patch)
		} else {
			copy(f.counters[at-len(f.log):], patch)
		}
		tryDamaged(t, f, last)
	})
}

// Both headers must be whole: bbolt alone would go back to before the last transaction.
func TestOneHeader(t *testing.T) {
	content, last := aStore(t, 5, 5)
	for _, at := range []int{0, pageSize} {
		damaged, older := slices.Clone(content.counters), slices.Clone(content.counters)
		damaged[at+70]++
		copy(older[at:at+pageSize], content.counters[pageSize-at:])
		for says, b := range map[string][]byte{"damaged": damaged, "the other one": older} {
			if _, opened := tryDamaged(t, files{b, content.log}, last); opened {
				t.Errorf("a file whose header at %d is %s was opened", at, says)
			}
		}
	}
}

// What others wrote into the database by hand.
func TestEdited(t *testing.T) {
	put := func(bucket, key, value []byte) func(*bbolt.Tx) error {
		return func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Put(key, value) }
	}
	remove := func(bucket, key []byte) func(*bbolt.Tx) error {
		return func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Delete(key) }
	}
	tests := []struct {
		name string
		edit func(*bbolt.Tx) error
		want error
	}{
		{"a newer format", put(infoBucket, formatKey, []byte("3")), ErrForeign},
		{"no format", remove(infoBucket, formatKey), ErrForeign},
		{"no bucket of ours", func(tx *bbolt.Tx) error { return tx.DeleteBucket(infoBucket) }, ErrForeign},
		{"no mark in the log", remove(infoBucket, logKey), ErrDamaged},
		{"a mark of another log", put(infoBucket, logKey, markEntry(mark{generation: newGeneration(), number: 1, block: 1})), ErrDamaged},
		{"a mark that was edited", put(infoBucket, logKey, make([]byte, 32)), ErrDamaged},
		{"no counters", func(tx *bbolt.Tx) error { return tx.DeleteBucket(numbersBucket) }, ErrDamaged},
		{"an id with the place of another", put(idsBucket, []byte("b"), placeEntry("b", 0)), ErrDamaged},
		{"an id at no place", put(idsBucket, []byte("c"), placeEntry("c", perSheet)), ErrDamaged},
		{"an id that is none", put(idsBucket, []byte("no id"), placeEntry("no id", 2)), ErrDamaged},
		{"an id without a number", put(idsBucket, []byte("c"), placeEntry("c", 2)), nil},
		{"an id by another name", func(tx *bbolt.Tx) error {
			ids := tx.Bucket(idsBucket)
			return errors.Join(ids.Put([]byte("x"), slices.Clone(ids.Get([]byte("a")))), ids.Delete([]byte("a")))
		}, ErrDamaged},
		{"a number without an id", remove(idsBucket, []byte("a")), ErrDamaged},
		{"a sheet of another size", put(numbersBucket, sheetKey(0), make([]byte, sheetSize-1)), ErrDamaged},
		{"a sheet missing", put(numbersBucket, sheetKey(2), make([]byte, sheetSize)), ErrDamaged},
		{"something else among the sheets", put(numbersBucket, []byte("a"), []byte("1")), ErrDamaged},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir, 10)
			(&node{s: s}).must(t, map[string]uint64{}, 7, "a", "b")
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			edit(t, dir, tt.edit)
			s, err := Open(dir, server.Bounds{IDs: 10})
			if !errors.Is(err, tt.want) {
				t.Errorf("Open = %v; want %v", err, tt.want)
			}
			if err == nil {
				claims, err := (&node{s: s}).take(t, 1, "c") // the one that is not as it should be
				if e := (*server.BrokenError)(nil); err != nil || !errors.As(claims[0].Err, &e) {
					t.Errorf("Reserve(c) = %v, %v; want a BrokenError", err, claims)
				}
				s.Close()
			}
		})
	}
}

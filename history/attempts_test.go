package history

import (
	"bytes"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// attempt is number n of a key, from call to return, that was given turno; 0 = its outcome is unknown.
func attempt(n uint8, call, end time.Duration, turno uint64) Op {
	o := Op{Attempt: n, Call: call, Return: end, Turno: turno, Seen: uint64(call), Status: 200}
	if turno == 0 {
		o.Outcome, o.Reason, o.Status = Unknown, Reset, 0
	}
	return o
}

func TestFold(t *testing.T) {
	refused := Op{Attempt: 1, Call: 1, Return: 2, Seen: 1, Outcome: Failed, Reason: NotConsumed, Status: 503}
	folded := func(call, end time.Duration, turno uint64, n uint8) Op {
		o := attempt(n, call, end, turno)
		o.Seen = uint64(call)
		return o
	}
	tests := []struct {
		name     string
		attempts []Op
		want     []Op
	}{
		{"one", []Op{attempt(1, 1, 2, 7)}, []Op{attempt(1, 1, 2, 7)}},
		{"a replay", []Op{attempt(1, 1, 2, 7), attempt(2, 3, 4, 7)}, []Op{attempt(1, 1, 2, 7)}},
		{"two together, the second answered first", []Op{attempt(1, 1, 9, 7), attempt(2, 2, 4, 7)}, []Op{folded(1, 4, 7, 2)}},
		{"recovered", []Op{attempt(1, 1, 5, 0), attempt(2, 6, 8, 7), attempt(3, 9, 10, 7)}, []Op{folded(1, 8, 7, 2)}},
		{"refused, then given", []Op{refused, attempt(2, 3, 4, 7)}, []Op{attempt(2, 3, 4, 7)}},
		{"refused, lost, then given", []Op{refused, attempt(2, 3, 4, 0), attempt(3, 5, 6, 7)}, []Op{folded(3, 6, 7, 3)}},
		{"all lost", []Op{attempt(1, 1, 5, 0), attempt(2, 6, 8, 0)}, []Op{attempt(1, 1, 5, 0)}},
		{"refused, then lost", []Op{refused, attempt(2, 3, 4, 0)}, []Op{attempt(2, 3, 4, 0)}},
		{"all refused", []Op{refused, refused}, []Op{refused}},
		{"two numbers", []Op{attempt(1, 1, 2, 7), attempt(2, 3, 4, 8), attempt(3, 5, 6, 7)}, []Op{attempt(1, 1, 2, 7), attempt(2, 3, 4, 8)}},
		{"lost, and two numbers", []Op{attempt(1, 1, 2, 0), attempt(2, 3, 4, 8), attempt(3, 5, 6, 9)},
			[]Op{attempt(1, 1, 2, 0), attempt(2, 3, 4, 8), attempt(3, 5, 6, 9)}},
	}
	for _, tt := range tests {
		before := slices.Clone(tt.attempts)
		if got := Fold(nil, tt.attempts); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("Fold(%s) = %+v; want %+v", tt.name, got, tt.want)
		}
		if !reflect.DeepEqual(before, tt.attempts) {
			t.Errorf("Fold(%s) changed its attempts", tt.name)
		}
	}
}

func TestAttempts(t *testing.T) {
	other := attempt(2, 1, 2, 3)
	other.ID = 1
	tests := []struct {
		name string
		ops  []Op
		want int
	}{
		{"no key", []Op{{}, {}}, 1},
		{"a key, then none", []Op{attempt(1, 1, 2, 7), {}}, 1},
		{"two keys", []Op{attempt(1, 1, 2, 7), attempt(1, 3, 4, 8)}, 1},
		{"three attempts", []Op{attempt(1, 1, 2, 7), attempt(2, 3, 4, 7), attempt(3, 5, 6, 7), attempt(1, 7, 8, 8)}, 3},
		{"another id", []Op{attempt(1, 1, 2, 7), other}, 1},
		{"no key, then an attempt that has lost its first", []Op{{}, attempt(2, 3, 4, 7)}, 1},
	}
	for _, tt := range tests {
		if got := Attempts(tt.ops); got != tt.want {
			t.Errorf("Attempts(%s) = %d; want %d", tt.name, got, tt.want)
		}
	}
}

// The attempts of a key stay in one block, wherever the block is full.
func TestBlocksKeepAttemptsTogether(t *testing.T) {
	var file bytes.Buffer
	w, err := NewWriter(&file)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{blockOps - 1, 2 * blockOps} { // of which groups of 3 and of 7 don't end where blocks are full
		var b Batch
		for i := range size {
			n := uint8(i%3 + 1)
			if size > blockOps {
				n = uint8(i%7 + 1)
			}
			b.Ops = append(b.Ops, attempt(n, time.Duration(i), time.Duration(i)+1, uint64(i+1)))
		}
		if err := w.Add(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := NewReader(&file)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	blocks := 0
	for b, err := range r.Batches() {
		if err != nil {
			t.Fatal(err)
		}
		if blocks++; b.Ops[0].Attempt != 1 {
			t.Errorf("block %d begins with attempt %d", blocks, b.Ops[0].Attempt)
		}
	}
	if r.Ops() != 3*blockOps-1 || blocks < 3 {
		t.Errorf("%d ops in %d blocks; want %d", r.Ops(), blocks, 3*blockOps-1)
	}
}

// A writer takes more attempts of a key than there can be.
func TestBlocksTakeEndlessAttempts(t *testing.T) {
	var b Batch
	for range blockOps + 5 {
		b.Ops = append(b.Ops, attempt(2, 1, 2, 3))
	}
	var file bytes.Buffer
	w, err := NewWriter(&file)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Add(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got, torn, err := readAll(&file); err != nil || torn != "" || len(got.ops) != len(b.Ops) {
		t.Errorf("read back %d ops, %v, torn %q; want %d", len(got.ops), err, torn, len(b.Ops))
	}
}

// A history of version 1 has no keys, and no room for them.
func TestReadHistoryOfVersion1(t *testing.T) {
	want := someOps(20)
	body := bodyOf(t, want)
	if body[len(body)-1] != 0 {
		t.Fatal("a block without keys does not end with their number")
	}
	old := asFile(t, body[:len(body)-1])
	if _, _, err := readAll(bytes.NewReader(old)); err == nil {
		t.Error("a block of version 1 passes for one of version 2")
	}
	old[len(magic)-1] = 1
	got, _, err := readAll(bytes.NewReader(old))
	if err != nil || !reflect.DeepEqual(got.ops, want.Ops) {
		t.Errorf("read %+v, %v; want %+v", got.ops, err, want.Ops)
	}
}

// A block of which a key's word means nothing was made on purpose.
func TestReadKeysThatMeanNothing(t *testing.T) {
	body := bodyOf(t, someOps(3))
	for name, keys := range map[string]string{
		"too many": "\x04\x00\x02\x01\x02\x01\x02\x01\x02", "beyond the ops": "\x01\x03\x02", "twice": "\x02\x00\x02\x00\x02",
		"nothing said": "\x01\x00\x00", "attempt 256": "\x01\x00\x80\x04", "cut off": "\x01\x00",
	} {
		file := asFile(t, append(bytes.Clone(body[:len(body)-1]), keys...))
		if _, _, err := readAll(bytes.NewReader(file)); err == nil || !strings.Contains(err.Error(), "columns don't fit") {
			t.Errorf("reading keys that are %s: %v", name, err)
		}
	}
}

func bodyOf(t *testing.T, b Batch) []byte {
	t.Helper()
	var w Writer
	for i := range b.Ops {
		if err := w.block.add(&b.Ops[i]); err != nil {
			t.Fatal(err)
		}
	}
	return w.block.encode(nil)
}

// Lookup names a key's op once, as the proof counted it.
func TestLookupFoldsAttempts(t *testing.T) {
	path := filepath.Join(t.TempDir(), HistoryFile)
	w, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	plain := Op{Call: 20, Return: 30, Turno: 7, Status: 200}
	if err := w.Add(Batch{Ops: []Op{attempt(1, 1, 5, 0), attempt(2, 6, 8, 7), attempt(3, 9, 10, 7), plain}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	found, err := Lookup(path, []Key{{Turno: 7}})
	if got := found[Key{Turno: 7}]; err != nil || len(got) != 2 || got[0].Call != 1 || got[0].Return != 8 || got[1] != plain {
		t.Errorf("Lookup(7) = %+v, %v; want the key's op, from 1 to 8, and the other", got, err)
	}
}

package history

import (
	"bytes"
	"errors"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// someOps is n ops of two ids, the last of them a bad answer.
func someOps(n int) (b Batch) {
	for i := range n {
		at := time.Duration(i) * 10 * time.Microsecond
		b.Ops = append(b.Ops, Op{Call: at, Return: at + 300*time.Microsecond, Turno: uint64(i/2 + 1), Seen: uint64(max(0, i/2-20)),
			ID: uint32(i % 2), Status: 200, Node: uint8(i % 3)})
	}
	bad := &b.Ops[n-1]
	bad.Turno, bad.Outcome, bad.Reason = 0, Unknown, NotJSON
	b.Answers = []Answer{{Index: n - 1, Body: []byte("<html>")}}
	b.Watermark = bad.Return
	return b
}

// fileOf is a history of blocks of size ops each.
func fileOf(tb testing.TB, blocks, size int) (file []byte, want flat) {
	var out bytes.Buffer
	w, err := NewWriter(&out)
	if err != nil {
		tb.Fatal(err)
	}
	for i := range blocks {
		b := someOps(size)
		b.Watermark += time.Duration(i) * time.Second
		want.add(b)
		if err := w.Add(b); err != nil {
			tb.Fatal(err)
		}
		w.flush()
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes(), want
}

// TestTornAnywhere cuts a file at every byte: whole blocks before the cut are read, and what is missing is said.
func TestTornAnywhere(t *testing.T) {
	file, want := fileOf(t, 3, 50)
	for n := range len(file) {
		got, torn, err := readAll(bytes.NewReader(file[:n]))
		if n < len(magic) {
			if !errors.Is(err, ErrNotHistory) {
				t.Fatalf("%d bytes: %v; want %v", n, err, ErrNotHistory)
			}
			continue
		}
		if err != nil || torn == "" || !isPrefix(got, want, 50) {
			t.Fatalf("%d of %d bytes: %d ops, torn %q, %v; want whole blocks, torn", n, len(file), len(got.ops), torn, err)
		}
	}
}

func isPrefix(got, want flat, size int) bool {
	n := len(got.ops)
	return n%size == 0 && n <= len(want.ops) && slices.Equal(got.ops, want.ops[:n]) && slices.Equal(got.answers, want.answers[:n/size])
}

// TestZerosAtTheEnd is what a machine leaves that lost power after the file had grown.
func TestZerosAtTheEnd(t *testing.T) {
	file, _ := fileOf(t, 3, 50)
	cut := len(file) - headerSize - endSize
	got, torn, err := readAll(bytes.NewReader(append(file[:cut:cut], make([]byte, 9000)...)))
	if err != nil || torn == "" || len(got.ops) != 150 {
		t.Errorf("%d ops, torn %q, %v; want 150, torn", len(got.ops), torn, err)
	}
}

// TestEveryFlippedBitIsSeen flips each bit of a file in turn: the error names the block, and what is before it is good.
func TestEveryFlippedBitIsSeen(t *testing.T) {
	file, want := fileOf(t, 3, 50)
	for i := range len(file) * 8 {
		bad := bytes.Clone(file)
		bad[i/8] ^= 1 << (i % 8)
		got, torn, err := readAll(bytes.NewReader(bad))
		if err == nil || torn != "" {
			t.Fatalf("bit %d of byte %d flipped: torn %q, %v; want an error", i%8, i/8, torn, err)
		}
		if i/8 >= len(magic) && !strings.Contains(err.Error(), "block ") || !isPrefix(got, want, 50) {
			t.Fatalf("bit %d of byte %d flipped: %d ops and %v; want whole blocks, and the block named", i%8, i/8, len(got.ops), err)
		}
	}
}

func TestBlocksMissingOrMore(t *testing.T) {
	file, _ := fileOf(t, 3, 50)
	block := (len(file) - len(magic) - headerSize - endSize) / 3
	second := len(magic) + block
	tests := []struct {
		name string
		file []byte
		want string
	}{
		{"the second block is missing", slices.Concat(file[:second], file[second+block:]), "block 2 at byte"},
		{"the second block is there twice", slices.Concat(file[:second+block], file[second:]), "block 3 at byte"},
		{"something follows the end", append(bytes.Clone(file), 0), "more after the end mark"},
		{"two files in one", slices.Concat(file, file), "more after the end mark"},
		{"another version", []byte("tmhist\x1a\x03"), "version 3; this tmctl reads 1 to 2"},
		{"version 0", []byte("tmhist\x1a\x00"), "version 0; this tmctl reads 1 to 2"},
	}
	for _, tt := range tests {
		if _, _, err := readAll(bytes.NewReader(tt.file)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("reading when %s: %v; want %q", tt.name, err, tt.want)
		}
	}
}

// disk has room for n bytes.
type disk struct {
	kept bytes.Buffer
	n    int
}

var errFull = errors.New("no space left on device")

func (d *disk) Write(b []byte) (int, error) {
	n := min(len(b), d.n)
	d.n -= n
	d.kept.Write(b[:n])
	if n < len(b) {
		return n, errFull
	}
	return n, nil
}

// TestFullDisk: whatever the disk has room for, Add or Close says that it was not enough, and the rest can be read.
func TestFullDisk(t *testing.T) {
	want := someOps(50)
	for room := len(magic); ; room += 7 {
		d := &disk{n: room}
		w, err := NewWriter(d)
		if err != nil {
			t.Fatal(err)
		}
		addErr := w.Add(want)
		w.flush()
		closeErr := w.Close()
		got, torn, err := readAll(&d.kept)
		if closeErr == nil && torn == "" && err == nil {
			if room < 3*headerSize {
				t.Errorf("a disk with room for %d bytes was enough", room)
			}
			break
		}
		if !errors.Is(closeErr, errFull) || !errors.Is(w.Add(want), errFull) || addErr != nil {
			t.Fatalf("with room for %d bytes: Add() = %v, Close() = %v; want nil, %v, and from then on Add the same", room, addErr, closeErr, errFull)
		}
		if err != nil || torn == "" || len(got.ops) > 0 && !slices.Equal(got.ops, want.Ops) {
			t.Fatalf("with room for %d bytes: %d ops, torn %q, %v", room, len(got.ops), torn, err)
		}
	}
	if _, err := NewWriter(&disk{}); !errors.Is(err, errFull) {
		t.Errorf("NewWriter on a full disk = %v; want %v", err, errFull)
	}
}

func TestWriterRefusesOpsThatLie(t *testing.T) {
	for name, o := range map[string]Op{
		"a turno without an OK":            {Outcome: Failed, Turno: 3},
		"an outcome that there is not":     {Outcome: 3},
		"a reason that is not on the list": {Outcome: Unknown, Reason: 60},
	} {
		w, err := NewWriter(new(bytes.Buffer))
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Add(Batch{Ops: []Op{o}}); err == nil || w.Close() == nil {
			t.Errorf("Add(%s) = %v; want an error, and Close the same", name, err)
		}
	}
}

// TestLargeBatch is cut into blocks; only the last may promise what the batch's watermark promises.
func TestLargeBatch(t *testing.T) {
	path := filepath.Join(t.TempDir(), HistoryFile)
	w, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	b := someOps(3*blockOps + 5)
	b.Answers = append(b.Answers, Answer{Index: 2*blockOps - 1, Body: make([]byte, 3*MaxAnswer)})
	b.Answers[0], b.Answers[1] = b.Answers[1], b.Answers[0]
	if err := errors.Join(w.Add(b), w.Close(), w.Close()); err != nil {
		t.Fatal(err)
	}
	r, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var marks []time.Duration
	var got flat
	for b, err := range r.Batches() {
		if err != nil {
			t.Fatal(err)
		}
		marks = append(marks, b.Watermark)
		got.add(b)
	}
	if want := []time.Duration{0, 0, 0, b.Watermark}; !slices.Equal(marks, want) {
		t.Errorf("watermarks of the blocks = %v; want %v", marks, want)
	}
	if !slices.Equal(got.ops, b.Ops) || !reflect.DeepEqual(got.at, []int{2*blockOps - 1, 3*blockOps + 4}) || len(got.answers[0]) != MaxAnswer {
		t.Errorf("%d ops, answers at %v; want %d", len(got.ops), got.at, len(b.Ops))
	}
	if r.Ops() != uint64(len(b.Ops)) || r.Torn() != "" {
		t.Errorf("Ops() = %d, Torn() = %q", r.Ops(), r.Torn())
	}
}

// TestSlowRunIsOnDiskSoon: a second of the run is a block, however few ops.
func TestSlowRunIsOnDiskSoon(t *testing.T) {
	var out bytes.Buffer
	w, err := NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 30 {
		at := time.Duration(i) * 100 * time.Millisecond
		if err := w.Add(Batch{Ops: []Op{{Call: at, Return: at + 1, Turno: uint64(i + 1)}}, Watermark: at}); err != nil {
			t.Fatal(err)
		}
	}
	if got, _, _ := readAll(&out); len(got.ops) < 20 {
		t.Errorf("%d of 30 ops are on disk after 3 s of the run; want at least 20", len(got.ops))
	}
}

// TestBodiesMadeOnPurpose changes every byte of a body whose checksums are then right.
func TestBodiesMadeOnPurpose(t *testing.T) {
	var w Writer
	b := someOps(40)
	for i := range b.Ops {
		if err := w.block.add(&b.Ops[i]); err != nil {
			t.Fatal(err)
		}
	}
	w.block.answer(39, b.Answers[0].Body)
	body := w.block.encode(nil)
	for i := range body {
		for _, c := range []byte{0, 1, body[i] + 1, body[i] - 1, 0x7f, 0x80, 0xff} {
			bad := bytes.Clone(body)
			bad[i] = c
			got, _, err := readAll(bytes.NewReader(asFile(t, bad)))
			for _, at := range got.at {
				if at >= len(got.ops) {
					t.Fatalf("byte %d = %#x: an answer to op %d of %d", i, c, at, len(got.ops))
				}
			}
			if len(got.ops) > blockOps || err != nil && len(got.ops) > 0 {
				t.Fatalf("byte %d = %#x: %d ops and %v", i, c, len(got.ops), err)
			}
		}
	}
}

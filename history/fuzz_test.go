package history

import (
	"bytes"
	"errors"
	"testing"
)

// FuzzReader: whatever the bytes, reading ends, yields no more than they can hold, and says so when they are not whole.
// Half of the work is done on frames whose checksums are right, or nothing but checksums would be tried.
func FuzzReader(f *testing.F) {
	file, _ := fileOf(f, 2, 10)
	f.Add(file, false)
	f.Add(file[:len(file)/2], false)
	f.Add([]byte(magic), false)
	var w Writer
	for i := range someOps(10).Ops {
		if err := w.block.add(&someOps(10).Ops[i]); err != nil {
			f.Fatal(err)
		}
	}
	f.Add(w.block.encode(nil), true)
	f.Fuzz(func(t *testing.T, data []byte, body bool) {
		if body {
			data = asFile(t, data)
		}
		r, err := NewReader(bytes.NewReader(data))
		if err != nil {
			return
		}
		defer r.Close()
		var failed error
		for b, err := range r.Batches() {
			failed = errors.Join(failed, err)
			if len(b.Ops) > blockOps || len(b.Answers) > len(r.raw) {
				t.Fatalf("a block of %d ops and %d answers", len(b.Ops), len(b.Answers))
			}
			for i := range b.Ops {
				if o := &b.Ops[i]; !o.Outcome.Valid() || !o.Reason.Valid() || o.Outcome != OK && o.Turno != 0 {
					t.Fatalf("op %+v", o)
				}
			}
			for _, a := range b.Answers {
				if a.Index >= len(b.Ops) || len(a.Body) > MaxAnswer {
					t.Fatalf("answer %+v to one of %d ops", a, len(b.Ops))
				}
			}
		}
		if failed != nil && r.Torn() != "" {
			t.Fatalf("torn (%s) and damaged (%v)", r.Torn(), failed)
		}
	})
}

// asFile packs body as the only block of a history that was not closed.
func asFile(t *testing.T, body []byte) []byte {
	var out bytes.Buffer
	w, err := NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	w.frame = w.zip.EncodeAll(body, make([]byte, headerSize))
	w.put(kindOps, len(body))
	return out.Bytes()
}

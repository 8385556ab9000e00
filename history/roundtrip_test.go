package history

import (
	"bytes"
	"io"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// anyOp draws every op that a Writer takes, however odd.
func anyOp(t *rapid.T) Op {
	span := rapid.Custom(func(t *rapid.T) time.Duration { return time.Duration(rapid.Int64().Draw(t, "ns")) })
	o := Op{
		Call: span.Draw(t, "call"), Return: span.Draw(t, "return"), Wait: span.Draw(t, "wait"), Seen: rapid.Uint64().Draw(t, "seen"),
		ID: rapid.Uint32().Draw(t, "id"), Status: rapid.Uint16().Draw(t, "status"), Node: rapid.Uint8().Draw(t, "node"),
		Outcome: Outcome(rapid.IntRange(0, int(Unknown)).Draw(t, "outcome")),
		Reason:  Reason(rapid.IntRange(0, len(reasonNames)-1).Draw(t, "reason")),
	}
	if rapid.IntRange(0, 3).Draw(t, "keyed") == 0 {
		o.Attempt, o.Replayed = rapid.Uint8().Draw(t, "attempt"), rapid.Bool().Draw(t, "replayed")
	}
	if o.Outcome == OK {
		o.Turno = rapid.Uint64().Draw(t, "turno")
	}
	return o
}

// flat is what must survive: ops and answers in order, and the last watermark.
type flat struct {
	ops       []Op
	answers   []string
	at        []int
	watermark time.Duration
}

func (f *flat) add(b Batch) {
	for _, a := range b.Answers {
		f.at = append(f.at, len(f.ops)+a.Index)
		f.answers = append(f.answers, string(a.Body))
	}
	f.ops = append(f.ops, b.Ops...)
	f.watermark = b.Watermark
}

func readAll(in io.Reader) (f flat, torn string, err error) {
	r, err := NewReader(in)
	if err != nil {
		return f, "", err
	}
	defer r.Close()
	for b, err := range r.Batches() {
		if err != nil {
			return f, r.Torn(), err
		}
		f.add(b)
	}
	return f, r.Torn(), nil
}

func TestDecodeEncodeIsIdentity(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var file bytes.Buffer
		w, err := NewWriter(&file)
		if err != nil {
			t.Fatal(err)
		}
		var want flat
		watermark := time.Duration(0)
		for range rapid.IntRange(0, 5).Draw(t, "batches") {
			b := Batch{Ops: rapid.SliceOfN(rapid.Custom(anyOp), 0, 40).Draw(t, "ops")}
			watermark += time.Duration(rapid.Int64Range(0, 1<<40).Draw(t, "watermark"))
			b.Watermark = watermark
			for i := range b.Ops {
				if b.Ops[i].Reason.BadAnswer() {
					b.Answers = append(b.Answers, Answer{Index: i, Body: rapid.SliceOfN(rapid.Byte(), 0, MaxAnswer).Draw(t, "body")})
				}
			}
			want.add(b)
			if err := w.Add(b); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		got, torn, err := readAll(&file)
		if err != nil || torn != "" {
			t.Fatalf("read back: %v, torn %q", err, torn)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("read back %+v; want %+v", got, want)
		}
	})
}

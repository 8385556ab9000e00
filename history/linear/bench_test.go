package linear

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"github.com/turnomatico/tmctl/history"
)

// The path of a recorded run: every figure is for one op, on one core.

const benchOps = 1 << 20

// loads are the shapes of traffic that differ for the checker and on disk.
var loads = []struct {
	ids, conns, size int
}{{1, 64, 512}, {8, 64, 512}, {1, 256, 16 << 10}}

func benchLoads(b *testing.B, run func(b *testing.B, batches []history.Batch, ids int)) {
	for _, l := range loads {
		b.Run(fmt.Sprintf("ids=%d/conns=%d/batch=%d", l.ids, l.conns, l.size), func(b *testing.B) {
			run(b, load(l.ids, l.conns, benchOps, l.size), l.ids)
		})
	}
}

func perOp(b *testing.B, ops int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(ops), "ns/op")
	b.ReportMetric(float64(ops)/b.Elapsed().Seconds(), "ops/s")
}

func record(tb testing.TB, w io.Writer, batches []history.Batch) {
	h, err := history.NewWriter(w)
	if err != nil {
		tb.Fatal(err)
	}
	for _, batch := range batches {
		if err := h.Add(batch); err != nil {
			tb.Fatal(err)
		}
	}
	if err := h.Close(); err != nil {
		tb.Fatal(err)
	}
}

func BenchmarkRecord(b *testing.B) {
	benchLoads(b, func(b *testing.B, batches []history.Batch, _ int) {
		var file bytes.Buffer
		ops := 0
		for b.Loop() {
			file.Reset()
			record(b, &file, batches)
			ops += count(batches)
		}
		perOp(b, ops)
		b.ReportMetric(float64(file.Len())/float64(count(batches)), "bytes/op")
	})
}

func names(ids int) (names []string) {
	for i := range ids {
		names = append(names, fmt.Sprintf("grupo%d", i+1))
	}
	return names
}

func BenchmarkCheck(b *testing.B) {
	benchLoads(b, func(b *testing.B, batches []history.Batch, ids int) {
		ops := 0
		for b.Loop() {
			c := New(Config{IDs: names(ids), Fresh: true, Exclusive: true})
			for _, batch := range batches {
				c.Add(batch)
			}
			if p := c.Close(); p.Ops != uint64(count(batches)) || p.Violations() > 0 {
				b.Fatalf("%+v", p)
			}
			ops += count(batches)
		}
		perOp(b, ops)
	})
}

// BenchmarkReadAndCheck is what `tmctl check` does.
func BenchmarkReadAndCheck(b *testing.B) {
	benchLoads(b, func(b *testing.B, batches []history.Batch, ids int) {
		var file bytes.Buffer
		record(b, &file, batches)
		ops := 0
		for b.Loop() {
			r, err := history.NewReader(bytes.NewReader(file.Bytes()))
			if err != nil {
				b.Fatal(err)
			}
			c := New(Config{IDs: names(ids), Fresh: true, Exclusive: true})
			for batch, err := range r.Batches() {
				if err != nil {
					b.Fatal(err)
				}
				c.Add(batch)
			}
			if p := c.Close(); p.Ops != uint64(count(batches)) || p.Violations() > 0 {
				b.Fatalf("%+v", p)
			}
			r.Close()
			ops += count(batches)
		}
		perOp(b, ops)
	})
}

package file_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/store/file"
)

// A call is two fsyncs; what a claim adds to it is what these compare.
func BenchmarkReserve(b *testing.B) {
	for _, bb := range []struct{ ids, claims int }{{1, 1}, {10_000, 1}, {10_000, 64}, {10_000, 1000}, {100_000, 64}} {
		b.Run(fmt.Sprintf("ids=%d/claims=%d", bb.ids, bb.claims), func(b *testing.B) { benchmarkReserve(b, bb.ids, bb.claims) })
	}
}

func benchmarkReserve(b *testing.B, ids, claims int) {
	s, err := file.Open(b.TempDir(), server.Bounds{IDs: ids})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	call := &server.Call{}
	reserve := func() {
		call.Seq++
		if err := s.Reserve(b.Context(), call); err != nil {
			b.Fatal(err)
		}
	}
	names := make([]string, ids)
	for i := range names {
		names[i] = fmt.Sprintf("grupo-%05d", i)
		call.Claims = append(call.Claims, server.Claim{ID: names[i], N: 1})
		if len(call.Claims) == 1000 || i == ids-1 {
			reserve()
			call.Claims = call.Claims[:0]
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		call.Claims = call.Claims[:0]
		for first, i := rand.IntN(ids), 0; i < claims; i++ {
			const step = 7919 // a prime: no id twice, and neighbours are far apart
			call.Claims = append(call.Claims, server.Claim{ID: names[(first+i*step)%ids], N: 10})
		}
		reserve()
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(claims), "µs/claim")
}

// A call whose requests have keys, in a store that has many; and how long it takes to open that one.
func BenchmarkKeys(b *testing.B) {
	for _, keys := range []int{0, 100_000, 1_000_000} {
		b.Run(fmt.Sprint("keys=", keys), func(b *testing.B) { benchmarkKeys(b, keys) })
	}
}

func benchmarkKeys(b *testing.B, keys int) {
	dir, bounds := b.TempDir(), server.Bounds{IDs: 100, Sessions: 1 << 30, SessionTTL: time.Hour}
	open := func() *file.Store {
		s, err := file.Open(dir, bounds)
		if err != nil {
			b.Fatal(err)
		}
		return s
	}
	var slowest time.Duration
	s, call, next := open(), &server.Call{}, 0
	reserve := func(n int) {
		claim := server.Claim{ID: "grupo1"}
		for range n {
			next++
			claim.Keys = append(claim.Keys, server.Key{Name: fmt.Sprintf("6ba7b810-9dad-11d1-80b4-%012d", next)}) // a UUID is as long
		}
		call.Seq++
		call.Claims = append(call.Claims[:0], claim)
		start := time.Now()
		if err := s.Reserve(b.Context(), call); err != nil {
			b.Fatal(err)
		}
		slowest = max(slowest, time.Since(start))
	}
	for next < keys {
		reserve(1000)
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	start := time.Now()
	s = open()
	defer s.Close()
	opening := time.Since(start)
	call.Seq, slowest = 0, 0
	for b.Loop() {
		reserve(64)
	}
	b.ReportMetric(float64(opening.Milliseconds()), "ms-to-open")
	b.ReportMetric(float64(slowest.Milliseconds()), "ms-slowest-call")
	info, err := os.Stat(filepath.Join(dir, "counters.db"))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(info.Size()>>20), "MB")
}

package file_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

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

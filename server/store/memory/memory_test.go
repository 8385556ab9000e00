package memory_test

import (
	"testing"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/store/memory"
	"github.com/turnomatico/tmctl/server/store/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(_ *testing.T, n int) []server.Store {
		s := memory.New(storetest.MaxIDs)
		handles := make([]server.Store, n)
		for i := range handles {
			handles[i] = s
		}
		return handles
	})
}

// With more ids than buckets, ids share one, and stay apart.
func TestOneBucket(t *testing.T) {
	s := memory.New(1)
	if _, _, err := s.Reserve(t.Context(), []byte("a"), 1); err != nil {
		t.Fatal(err)
	}
	if last, err := s.Peek(t.Context(), []byte("b")); last != 0 || err != nil {
		t.Errorf("Peek(b) = %d, %v with a in its bucket; want 0", last, err)
	}
}

func BenchmarkReserve(b *testing.B) {
	s, id := memory.New(10), []byte("grupo1")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, _, err := s.Reserve(b.Context(), id, 1); err != nil {
				b.Fatal(err)
			}
		}
	})
}

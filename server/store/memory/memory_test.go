package memory_test

import (
	"testing"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/store/memory"
	"github.com/turnomatico/tmctl/server/store/storetest"
)

func place(*testing.T) storetest.Place {
	s := memory.New(storetest.Bounds)
	return storetest.Place{Open: func(*testing.T) server.Store { return s.Another() }}
}

func TestStore(t *testing.T) { storetest.Run(t, place) }

func TestSessions(t *testing.T) { storetest.RunSessions(t, place) }

// With more ids than buckets, ids share one, and stay apart.
func TestOneBucket(t *testing.T) {
	s := memory.New(server.Bounds{IDs: 1})
	if _, err := s.Take([]byte("a")); err != nil {
		t.Fatal(err)
	}
	if last, err := s.Peek(t.Context(), "b"); last != 0 || err != nil {
		t.Errorf("Peek(b) = %d, %v with a in its bucket; want 0", last, err)
	}
}

func BenchmarkTake(b *testing.B) {
	s, id := memory.New(server.Bounds{IDs: 10}), []byte("grupo1")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.Take(id); err != nil {
				b.Fatal(err)
			}
		}
	})
}

package targettest

import (
	"testing"
	"time"
)

func TestOneInAMillion(t *testing.T) {
	for name, want := range map[string][3]uint64{
		"one-duplicate-in-a-million": {999_999, 999_999, 1_000_000},
		"one-skipped-in-a-million":   {999_999, 1_000_001, 1_000_002},
	} {
		b := Named(name)
		for i, w := range want {
			if got := b.number(&b, uint64(999_999+i)); got != w {
				t.Errorf("%s: request %d is given %d; want %d", name, 999_999+i, got, w)
			}
		}
	}
}

// The request that came first covers the hole; n+1 is answered before the request that gets n is sent.
func TestGoesBack(t *testing.T) {
	b := Named("goes-back")
	b.Period, b.Latency = 6, patience
	s := Start(t, b)
	cover, a, other := dial(t, s), dial(t, s), dial(t, s)
	if got := cover.nexts(5); got != "1 2 3 4 5" {
		t.Fatalf("answers = %s; want 1 2 3 4 5", got)
	}
	cover.ask("") // the sixth
	until(t, 6, s.Arrivals)
	waiting := func() uint64 {
		q := s.queue("a")
		q.mu.Lock()
		defer q.mu.Unlock()
		if q.swap.waiting {
			return 1
		}
		return 0
	}
	until(t, 1, waiting)
	// A new connection can't get the held number: its client may have sent the request before it had a larger one.
	for _, step := range []struct {
		c    *client
		want string
	}{{a, "7"}, {other, "8"}, {a, "6"}, {cover, "9"}, {a, "10"}} {
		got := ""
		if step.c == cover {
			got = cover.read()
		} else {
			got = step.c.next()
		}
		if got != step.want {
			t.Fatalf("got %s; want %s", got, step.want)
		}
	}
}

func TestGoesBackGivesUp(t *testing.T) {
	b := Named("goes-back")
	b.Period, b.Latency = 1, time.Millisecond
	if got := dial(t, Start(t, b)).nexts(1); got != "1" {
		t.Errorf("a client alone gets %s; want 1", got)
	}
}

func TestPrefetchedBlocksInterleave(t *testing.T) {
	s := Start(t, Named("prefetch"))
	one, two := dialNode(t, s, 0), dialNode(t, s, 1)
	got := one.next() + " " + two.next() + " " + one.next() + " " + two.nexts(50)[len("52"):]
	if want := "1 51 2"; got[:len(want)] != want || got[len(got)-3:] != "101" {
		t.Errorf("answers = %s; want 1 51 2 … 101", got)
	}
}

func TestPrefetchedPerConnection(t *testing.T) {
	s := Start(t, Named("prefetch-per-connection"))
	one, two := dial(t, s), dial(t, s)
	if got := one.next() + " " + two.next() + " " + one.next() + " " + two.next(); got != "1 3 2 4" {
		t.Errorf("answers = %s; want 1 3 2 4", got)
	}
}

// The first node's first number goes to a request that was sent after the second node had answered a larger one.
func TestLateJoinerGetsTheOldNumber(t *testing.T) {
	t.Parallel()
	b := Named("late-joiner")
	b.Latency = 4 * time.Second // simulated; in it the four steps below must happen, also on a busy machine
	s := Start(t, b)
	first, late, two := dialNode(t, s, 0), dialNode(t, s, 0), dialNode(t, s, 1)
	issued := func() uint64 { return s.Issued("a") }
	first.ask("")
	until(t, 1, issued)
	if got := two.next(); got != "2" {
		t.Fatalf("the other node answers %s; want 2", got)
	}
	late.ask("")
	until(t, 3, issued)
	if a, b := late.read(), first.read(); a != "1" || b != "3" {
		t.Errorf("late %s, first %s; want 1, 3", a, b)
	}
}

func TestScheduleServesExactlyItsRate(t *testing.T) {
	var s schedule
	start := time.Unix(0, 0)
	each := time.Second / 2000
	for i := range 100 { // all at once: one after the other
		if got, want := s.book(start, each).Sub(start), each*time.Duration(i+1); got != want {
			t.Fatalf("place %d is served at %s; want %s", i, got, want)
		}
	}
	if got := s.book(start.Add(time.Second), each).Sub(start); got != time.Second+each { // it can't save up idle time
		t.Errorf("after a rest served at %s; want %s", got, time.Second+each)
	}
}

// A loaded machine makes it slower, never faster: only the upper bound can be a test.
func TestCapacityIsNotExceeded(t *testing.T) {
	t.Parallel()
	b := Named("capacity")
	start := time.Now()
	numbersOf(t, Start(t, b), 16, 50)
	took := time.Since(start)
	t.Logf("800 answers at %v/s took %s", b.Rate, took)
	if least := time.Duration(799/b.Rate*float64(time.Second)) - time.Millisecond; took < least {
		t.Errorf("800 answers took %s; at %v/s no less than %s", took, b.Rate, least)
	}
}

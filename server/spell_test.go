package server

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// What the lookout sees, a quarter of a second after the other: b is a call that failed, g one that was answered, s a request
// that was shed, c a connection that was refused, r a request without a number, and . nothing.
func TestLookout(t *testing.T) {
	tests := []struct{ name, seen, want string }{
		{"nothing", "....", ""},
		{"all is well", "gggg", ""},
		{"a failure, then calm", ".bg........", "store.unavailable@1 store.available@2"},
		{"many failures", "bbbbgggggggggg", "store.unavailable@0 store.available@4"},
		{"it comes and goes", "bgbgbgbgggggggggg", "store.unavailable@0 store.available@7"},
		{"answers and failures at once", "B B B B B gggggggggg", "store.unavailable@0 store.available@5"},
		{"nobody asks any more", "b..............", "store.unavailable@0"},
		{"nobody asks for a while", "b..............g", "store.unavailable@0 store.available@15"},
		{"requests without a number", "rrrgggggggggg", "store.unavailable@0 store.available@3"},
		{"twice", "bgggggggggb", "store.unavailable@0 store.available@1 store.unavailable@10"},
		{"shedding", "sss.........", "shedding.began@0 shedding.ended@3"},
		{"connections", "c..........", "shedding.began@0 shedding.ended@1"},
		{"shedding and failing", "sb.g..........", "shedding.began@0 store.unavailable@1 store.available@3 shedding.ended@1"},
	}
	start := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	for _, tt := range tests {
		var l lookout
		var seen tally
		var got []string
		for i, what := range strings.ReplaceAll(tt.seen, " ", "") {
			switch what {
			case 'b':
				seen.failed++
			case 'B':
				seen.failed++
				seen.answered++
			case 'g':
				seen.answered++
			case 's':
				seen.shed++
			case 'c':
				seen.refused++
			case 'r':
				seen.unserved++
			}
			for _, e := range l.look(start.Add(time.Duration(i)*lookEvery), seen, "it is gone") {
				got = append(got, fmt.Sprintf("%s@%d", e.Kind, e.At.Sub(start)/lookEvery))
			}
		}
		if got := strings.Join(got, " "); !sameWords(got, tt.want) {
			t.Errorf("look(%s: %s) = %s; want %s", tt.name, tt.seen, got, tt.want)
		}
	}
}

func sameWords(a, b string) bool {
	count := map[string]int{}
	for _, w := range strings.Fields(a) {
		count[w]++
	}
	for _, w := range strings.Fields(b) {
		count[w]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}

// What an event says of a spell is of that spell alone.
func TestLookoutCounts(t *testing.T) {
	var l lookout
	at := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	seen := tally{answered: 100, failed: 7, unserved: 8, shed: 9, refused: 10}
	l.look(at, seen, "")
	l.look(at.Add(time.Hour), seen, "")
	l = lookout{before: seen}
	seen.failed, seen.unserved, seen.shed, seen.refused = 8, 18, 12, 14
	began := l.look(at, seen, "connection refused")
	seen.failed++
	l.look(at.Add(time.Second), seen, "connection refused")
	seen.answered++
	ended := l.look(at.Add(3200*time.Millisecond), seen, "")
	var got []string
	for _, e := range append(began, ended...) {
		got = append(got, e.Text)
	}
	want := []string{"the store fails: connection refused", "requests are shed: too many wait for the store (--max-inflight), or too many of one id",
		"nothing is shed any more, after 1s: 3 requests and 4 connections were refused", "the store answers again, after 3.2s: 2 calls had failed, and 10 requests got no number for it"}
	for _, w := range want {
		if !strings.Contains(strings.Join(got, "\n"), w) {
			t.Errorf("told\n%s\nwant %q", strings.Join(got, "\n"), w)
		}
	}
}

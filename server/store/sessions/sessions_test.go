package sessions

import (
	"fmt"
	"testing"
	"time"

	"github.com/turnomatico/tmctl/server"
)

// use settles a claim of keys of id at a time, of a counter at last, and says what they have.
func use(t *testing.T, table *Table, now int64, id string, last *uint64, names ...string) (have []string) {
	t.Helper()
	c := server.Claim{ID: id}
	for _, n := range names {
		c.Keys = append(c.Keys, server.Key{Name: n})
	}
	d := table.Begin(now)
	d.Settle(&c, func(n uint64) (uint64, uint64, error) {
		*last += n
		return *last - n + 1, n, nil
	})
	d.Commit()
	for _, k := range c.Keys {
		switch {
		case k.Err != nil:
			have = append(have, "full")
		case k.Replayed:
			have = append(have, fmt.Sprint(k.Turno, "r"))
		default:
			have = append(have, fmt.Sprint(k.Turno))
		}
	}
	return have
}

func want(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: %v; want %v", what, got, want)
	}
}

// A key is forgotten when its lifetime is over, not before, and makes room then.
func TestLifetime(t *testing.T) {
	table, last := New(server.Bounds{Sessions: 2, SessionTTL: time.Second}), uint64(0)
	want(t, "new", use(t, table, 0, "a", &last, "x"), "1")
	want(t, "half a lifetime later", use(t, table, 500, "a", &last, "x", "y"), "1r", "2")
	want(t, "the last moment", use(t, table, 999, "a", &last, "x", "z"), "1r", "full")
	want(t, "after the first's lifetime", use(t, table, 1000, "a", &last, "z", "x"), "3", "full")
	if got := table.Len(1499); got != 2 {
		t.Errorf("Len(1499) = %d; want 2", got)
	}
	if got := table.Len(5000); got != 0 {
		t.Errorf("Len(5000) = %d; want 0", got)
	}
}

// What a draft holds is in no table before Commit, and counts as room taken.
func TestDraft(t *testing.T) {
	table := New(server.Bounds{Sessions: 1, SessionTTL: time.Second})
	d := table.Begin(0)
	take := func(n uint64) (uint64, uint64, error) { return 1, n, nil }
	first, second := server.Claim{ID: "a", Keys: []server.Key{{Name: "x"}}}, server.Claim{ID: "b", Keys: []server.Key{{Name: "x"}}}
	d.Settle(&first, take)
	d.Settle(&second, take)
	if first.Keys[0].Err != nil || second.Keys[0].Err != server.ErrSessionsFull {
		t.Errorf("two keys where one has room: %v, %v", first.Keys[0].Err, second.Keys[0].Err)
	}
	if n := table.Get(0, "a", "x"); n != 0 {
		t.Errorf("before Commit the key has %d", n)
	}
	d.Commit()
	if n := table.Get(0, "a", "x"); n != 1 {
		t.Errorf("after Commit the key has %d; want 1", n)
	}
}

// When the clock goes back, keys live longer, in the order in which they came.
func TestClockGoesBack(t *testing.T) {
	table, last := New(server.Bounds{Sessions: 10, SessionTTL: time.Second}), uint64(0)
	use(t, table, 10_000, "a", &last, "x")
	use(t, table, 0, "a", &last, "y")
	want(t, "at the first's last moment", use(t, table, 10_999, "a", &last, "x", "y"), "1r", "2r")
	want(t, "after it", use(t, table, 11_000, "a", &last, "x", "y"), "3", "4")
}

// The queue of lifetimes does not grow with all the keys that ever were.
func TestMemoryIsBounded(t *testing.T) {
	table, last := New(server.Bounds{Sessions: 10, SessionTTL: 10 * time.Millisecond}), uint64(0)
	for now := range int64(100_000) {
		use(t, table, now, "a", &last, fmt.Sprint(now))
	}
	if n := cap(table.queue); n > 10_000 {
		t.Errorf("the queue has room for %d after 100,000 keys of which 10 live", n)
	}
}

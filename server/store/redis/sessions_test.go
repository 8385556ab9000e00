package redis

import (
	"strconv"
	"testing"
	"time"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/store/redistest"
)

// keyedNode is a node whose keys live as long as ttl says.
func keyedNode(t *testing.T, r *redistest.Server, ttl time.Duration) *node {
	t.Helper()
	n := open(t, r.URL())
	n.bounds = server.Bounds{IDs: 100, Sessions: 100, SessionTTL: ttl}
	if err := n.join(t.Context()); err != nil {
		t.Fatal(err)
	}
	return n
}

// use takes a number of a for a key.
func (n *node) use(key string) server.Key {
	n.t.Helper()
	n.seq[0]++
	call := &server.Call{Seq: n.seq[0], Claims: []server.Claim{{ID: "a", Keys: []server.Key{{Name: key}}}}}
	if err := n.Reserve(n.t.Context(), call); err != nil {
		n.t.Fatal(err)
	}
	return call.Claims[0].Keys[0]
}

// Redis itself forgets a key, at least its lifetime after it was new; then it is not counted any more.
func TestSessionExpires(t *testing.T) {
	r := redistest.Start(t, redistest.Options{})
	n := keyedNode(t, r, time.Hour)
	if k := n.use("x"); k.Turno != 1 || k.Replayed {
		t.Fatalf("a new key has %+v", k)
	}
	left, err := strconv.Atoi(r.Do("PTTL", "turno:#s:a:x"))
	if hour := int(time.Hour / time.Millisecond); err != nil || left < hour-60_000 || left > hour+hour/sessionGrains {
		t.Errorf("the key expires in %d ms; want an hour, and no more than a %dth longer", left, sessionGrains)
	}
	short := keyedNode(t, r, 40*time.Millisecond)
	if k := short.use("y"); k.Turno != 2 || k.Replayed {
		t.Fatalf("a new key has %+v", k)
	}
	for r.Do("EXISTS", "turno:#s:a:y") != "0" { // Redis' own clock
		time.Sleep(time.Millisecond)
	}
	if err := short.Check(t.Context()); err != nil || short.Info().Sessions != 1 {
		t.Errorf("Check() = %v, Info().Sessions = %d; want 1: the other has expired", err, short.Info().Sessions)
	}
	if k := short.use("y"); k.Turno != 3 || k.Replayed {
		t.Errorf("an expired key has %+v; want a new number, 3", k)
	}
	if k := short.use("x"); k.Turno != 1 || !k.Replayed {
		t.Errorf("the other key has %+v; want 1 again", k)
	}
	if n := r.Do("HLEN", "turno:#sessions"); n != "2" {
		t.Errorf("#sessions has %s entries; want 2: that of an hour and the last", n)
	}
}

// What a key's place holds that is no number is left as it is, and named.
func TestPoisonedSession(t *testing.T) {
	r := redistest.Start(t, redistest.Options{})
	n := keyedNode(t, r, time.Hour)
	n.use("x")
	r.Run("SET turno:#s:a:x abc")
	k := n.use("x")
	if broken, ok := k.Err.(*server.BrokenError); !ok || broken.Key != "turno:#s:a:x" {
		t.Errorf("a key whose place holds abc: %+v; want an error that names it", k)
	}
	if got := r.Do("GET", "turno:#s:a:x"); got != "abc" {
		t.Errorf("it holds %s now", got)
	}
	if k := n.use("y"); k.Turno != 2 {
		t.Errorf("the next key has %+v; want 2", k)
	}
}

package file

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/turnomatico/tmctl/server"
)

// childDir, when set, makes the test binary a process that takes numbers from the store in that directory until it is killed.
const childDir = "TMCTL_TEST_FILE_CHILD"

var childBounds = server.Bounds{IDs: 100, Sessions: 1_000_000, SessionTTL: time.Hour}

// child says what it asks for before it does, and what it was given after that.
func child(dir string) {
	s, err := Open(dir, childBounds)
	if err != nil {
		fmt.Println("error", err, "0")
		os.Exit(1)
	}
	for seq := uint64(1); ; seq++ {
		call := &server.Call{Seq: seq}
		for i := range 1 + rand.IntN(3) {
			call.Claims = append(call.Claims, server.Claim{ID: fmt.Sprintf("id-%d", i), N: 1 + rand.Uint64N(9)})
			fmt.Println("ask", call.Claims[i].ID, call.Claims[i].N+1)
			call.Claims[i].Keys = []server.Key{{Name: fmt.Sprint(os.Getpid(), "-", seq)}}
		}
		if err := s.Reserve(context.Background(), call); err != nil {
			fmt.Println("error", err, "0")
			os.Exit(1)
		}
		for _, c := range call.Claims {
			fmt.Println("got", c.ID, c.First+c.Granted-1)
			fmt.Println("key", c.ID+"/"+c.Keys[0].Name, c.Keys[0].Turno)
		}
	}
}

// kills is how often TestKill does: some at a moment when the store is being made or opened, most while it takes numbers.
const kills = 30

// A process is killed again and again. What it said it was given is not given again, and at most what it had asked for and
// was not told of is gone, all of a call or nothing.
func TestKill(t *testing.T) {
	keys := map[string]uint64{}
	dir, last := t.TempDir(), map[string]uint64{}
	taken := 0
	for round := range kills {
		asked, got := runAndKill(t, dir, keys, rand.N(40*time.Millisecond), round%5 == 0)
		for id, n := range got {
			taken++
			if n <= last[id] {
				t.Fatalf("round %d: %s was given %d, after %d", round, id, n, last[id])
			}
			last[id] = n
		}
		s, err := Open(dir, childBounds)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		moved := 0
		for id, n := range asked {
			switch now, err := s.Peek(t.Context(), id); {
			case err != nil:
				t.Fatal(err)
			case now == last[id]+n:
				moved++
				last[id] = now
			case now != last[id]:
				t.Fatalf("round %d: %s is at %d; the process had been given up to %d, and had asked for %d more", round, id, now, last[id], n)
			}
		}
		if moved != 0 && moved != len(asked) {
			t.Fatalf("round %d: %d of %d claims of the last call were taken", round, moved, len(asked))
		}
		wantLasts(t, s, last)
		wantKeys(t, s, keys)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if taken < kills {
		t.Errorf("the processes were killed before they took anything: %d ids got numbers in %d rounds", taken, kills)
	}
}

// wantKeys wants keys, written id/key, to have the numbers that they were given.
func wantKeys(t *testing.T, s *Store, keys map[string]uint64) {
	t.Helper()
	n := &node{s: s, seq: s.slot.seq}
	for key, turno := range keys {
		id, name, _ := strings.Cut(key, "/")
		n.wantKey(t, id, name, turno, true)
	}
}

// runAndKill runs a child and kills it when it has taken numbers for some time, or has run for that time if early. It returns
// what the child was given last, and how much more it had asked for by then; keys is what its keys have.
func runAndKill(t *testing.T, dir string, keys map[string]uint64, after time.Duration, early bool) (asked, got map[string]uint64) {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), childDir+"="+dir)
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	kill := func() { time.AfterFunc(after, func() { _ = c.Process.Kill() }) }
	if early {
		kill()
	}
	asked, got = map[string]uint64{}, map[string]uint64{}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var what, id string
		var n uint64
		if _, err := fmt.Sscan(lines.Text(), &what, &id, &n); err != nil || what == "error" {
			t.Errorf("the process says %q", lines.Text())
			continue
		}
		switch what {
		case "key":
			keys[id] = n
		case "ask":
			asked[id] = n
		case "got":
			if !early && len(got) == 0 {
				kill()
			}
			got[id] = n
			delete(asked, id)
		}
	}
	_ = c.Wait() // it was killed
	return asked, got
}

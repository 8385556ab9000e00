package journal

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// childJournal, when set, makes the test binary a process that appends to that journal until it is killed.
const childJournal = "TMCTL_TEST_JOURNAL_CHILD"

// crashing rotates often, and keeps enough to be read after each round.
var crashing = Limits{Segment: 64_000, Keep: MaxKeep}

// child says which event it was told is written.
func child(path string) {
	w, err := Append(path, crashing, time.Now)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	me := fmt.Sprint(os.Getpid())
	for i := 0; ; i++ {
		if err := w.Write(Event{Kind: Note, Source: me, Text: fmt.Sprint(i), Data: map[string]any{"pad": strings.Repeat("x", rand.IntN(400))}}); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(i)
	}
}

// Two processes at a time append to one journal and are killed. What a process was told is written is there, once and in
// order, and whoever comes next is not hidden by what is left of its last line.
func TestKill(t *testing.T) {
	told := 0
	for round := range 6 {
		path := filepath.Join(t.TempDir(), "j")
		got := map[string]int{}
		for range 3 {
			a, b := startChild(t, path), startChild(t, path)
			for _, c := range []*writing{a, b} {
				n := c.kill(t, rand.N(10*time.Millisecond))
				got[fmt.Sprint(c.Process.Pid)] = n
				told += n
			}
		}
		seen := map[string]int{}
		events, remarks := readAll(t, path)
		for _, e := range events {
			if e.Kind == JournalPruned {
				t.Fatalf("round %d: too much was written to be kept", round)
			}
			if e.Text != fmt.Sprint(seen[e.Source]) {
				t.Fatalf("round %d: event %s of process %s; want %d", round, e.Text, e.Source, seen[e.Source])
			}
			seen[e.Source]++
		}
		for pid, n := range got {
			if extra := seen[pid] - n; extra != 0 && extra != 1 {
				t.Errorf("round %d: %d events of a process that was told of %d, %q", round, seen[pid], n, remarks)
			}
		}
	}
	if told < 100 {
		t.Errorf("the processes were killed before they wrote anything: %d events", told)
	}
}

// writing is a child.
type writing struct {
	*exec.Cmd
	lines *bufio.Scanner
}

func startChild(t *testing.T, path string) *writing {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), childJournal+"="+path)
	out, err := c.StdoutPipe()
	must(t, err)
	must(t, c.Start())
	t.Cleanup(func() { _ = c.Process.Kill() })
	return &writing{c, bufio.NewScanner(out)}
}

// kill ends the process some time after its first event, and returns how many events it was told are written.
func (w *writing) kill(t *testing.T, after time.Duration) (n int) {
	t.Helper()
	for w.lines.Scan() {
		if n == 0 {
			time.AfterFunc(after, func() { _ = w.Process.Kill() })
		}
		if got, err := strconv.Atoi(w.lines.Text()); err != nil || got != n {
			t.Fatalf("the process says %q; want %d", w.lines.Text(), n)
		}
		n++
	}
	_ = w.Wait() // it was killed
	return n
}

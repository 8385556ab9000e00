package redis

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/store/redistest"
)

// visit opens the store as an operator does.
func visit(t *testing.T, url string) *Store {
	t.Helper()
	o, err := Parse(url)
	if err != nil {
		t.Fatal(err)
	}
	o.patience = patienceOfTests
	s, err := o.Visit(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestList(t *testing.T) {
	r := redistest.Start(t, redistest.Options{})
	for _, prefix := range []string{"turno:", "", "odd*[?]\\:"} {
		t.Run(prefix, func(t *testing.T) {
			r.Run("FLUSHALL")
			n := open(t, r.URL()+"?prefix="+strings.NewReplacer("?", "%3F", "[", "%5B", "]", "%5D", "\\", "%5C").Replace(prefix))
			n.want("given", 7, 1)
			n.want("gone", 7, 1)
			for i := range 2500 {
				r.Do("SET", prefix+"preset"+strconv.Itoa(i), strconv.Itoa(i))
			}
			r.Do("SET", prefix+"no id!", "1")
			r.Do("SET", "odd*x?\\:other", "1")
			r.Do("SET", prefix+"text", "abc")
			r.Do("RPUSH", prefix+"list", "1")
			r.Do("DEL", prefix+"gone")
			before := r.Do("DBSIZE")
			var ids []string
			sum := uint64(0)
			err := visit(t, n.name).List(t.Context(), func(id string, last uint64) error {
				ids = append(ids, id)
				sum += last
				return nil
			})
			if len(ids) != 2501 || !slices.IsSorted(ids) || sum != 7+2499*2500/2 {
				t.Errorf("List() lists %d counters with a sum of %d; want 2501 in order, with %d", len(ids), sum, 7+2499*2500/2)
			}
			for _, want := range []string{"text holds \"abc\"", "list is a list", "gone is gone"} {
				if err == nil || !strings.Contains(err.Error(), prefix+want) {
					t.Errorf("List() = %v; want it to say %q", err, want)
				}
			}
			if after := r.Do("DBSIZE"); after != before {
				t.Errorf("there were %s keys, and are %s", before, after)
			}
			stop := errors.New("stop")
			if err := n.List(t.Context(), func(string, uint64) error { return stop }); !errors.Is(err, stop) {
				t.Errorf("List() = %v; want the caller's error", err)
			}
		})
	}
}

func TestSet(t *testing.T) {
	r := redistest.Start(t, redistest.Options{})
	tests := []struct {
		held string // a command, or nothing
		last uint64
		back bool
		was  uint64
		err  string
		then string
	}{
		{"", 5, false, 0, "", "5"},
		{"", 0, false, 0, "", "0"},
		{"SET turno:a 5", 5, false, 5, "", "5"},
		{"SET turno:a 5", 6, false, 5, "", "6"},
		{"SET turno:a 5", 4, false, 5, server.ErrBackwards.Error(), "5"},
		{"SET turno:a 5", 4, true, 5, "", "4"},
		{"SET turno:a 5", 9007199254740991, false, 5, "", "9007199254740991"},
		{"SET turno:a 5", 9007199254740992, true, 0, "can't be", "5"},
		{"SET turno:a 9007199254740991", 9007199254740990, false, 9007199254740991, server.ErrBackwards.Error(), "9007199254740991"},
		{"SET turno:a abc", 6, false, 0, `turno:a holds "abc"`, "abc"},
		{"SET turno:a 9007199254740992", 9007199254740991, false, 0, `turno:a holds "9007199254740992"`, "9007199254740992"},
		{"SET turno:a abc", 6, true, 0, "", "6"},
		{"RPUSH turno:a 1", 6, false, 0, "turno:a is a list", "WRONGTYPE"},
		{"RPUSH turno:a 1", 6, true, 0, "", "6"},
	}
	for _, tt := range tests {
		r.Run("FLUSHALL")
		if tt.held != "" {
			r.Run(tt.held)
		}
		s := visit(t, r.URL())
		was, err := s.Set(t.Context(), "a", tt.last, tt.back)
		if was != tt.was || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%q: Set(a, %d, %v) = %d, %v; want %d, %q", tt.held, tt.last, tt.back, was, err, tt.was, tt.err)
		}
		if got := r.Do("GET", "turno:a"); !strings.HasPrefix(got, tt.then) {
			t.Errorf("%q: Set(a, %d, %v) leaves %q; want %q", tt.held, tt.last, tt.back, got, tt.then)
		}
		if tt.err == "" && tt.last < 9007199254740991 {
			open(t, r.URL()).want("a", 1, tt.last+1)
		}
	}
	if _, err := visit(t, r.URL()).Set(t.Context(), "no id", 1, true); err == nil {
		t.Error("Set(no id) sets it")
	}
}

// An id that was stopped is set going at its mark or above, and below it only by force.
func TestSetStopped(t *testing.T) {
	r := redistest.Start(t, redistest.Options{})
	for _, tt := range []struct {
		last uint64
		back bool
		mark uint64 // of the refusal; 0: it is set going
	}{{39, false, 40}, {40, false, 0}, {41, false, 0}, {20, true, 0}} {
		r.Run("FLUSHALL")
		n := open(t, r.URL())
		n.want("a", 10, 1)
		if _, err := n.Fence(t.Context(), []server.Mark{{ID: "a", Last: 40}}, 0); err != nil {
			t.Fatal(err)
		}
		var below *server.BelowMarkError
		was, err := visit(t, r.URL()).Set(t.Context(), "a", tt.last, tt.back)
		if refused := errors.As(err, &below); refused != (tt.mark > 0) || refused && (below.Mark != tt.mark || was != 10) {
			t.Errorf("Set(a, %d, %t) = %d, %v; want a refusal at %d (0: none)", tt.last, tt.back, was, err, tt.mark)
		}
		if got, want := r.Do("HEXISTS", "turno:#stopped", "a"), map[bool]string{true: "1", false: "0"}[tt.mark > 0]; got != want {
			t.Errorf("after Set(a, %d, %t) the id is stopped: %s; want %s", tt.last, tt.back, got, want)
		}
	}
}

// A visitor leaves nothing, and takes no number.
func TestVisit(t *testing.T) {
	r := redistest.Start(t, redistest.Options{})
	s := visit(t, r.URL())
	s.Examine(t.Context())
	if last, err := s.Peek(t.Context(), "a"); last != 0 || err != nil {
		t.Errorf("Peek(a) = %d, %v; want 0", last, err)
	}
	call := &server.Call{Seq: 1, Claims: []server.Claim{{ID: "a", N: 1}}}
	if err := s.Reserve(t.Context(), call); !errors.Is(err, server.ErrChanged) {
		t.Errorf("Reserve() = %v; want ErrChanged: a visitor is no node", err)
	}
	if err := s.List(t.Context(), nil); err != nil {
		t.Errorf("List() = %v of nothing", err)
	}
	if got := r.Do("DBSIZE"); got != "0" {
		t.Errorf("there are %s keys now; want none: %q", got, r.Do("KEYS", "*"))
	}
	r.Run("REPLICAOF 127.0.0.1 1", "CONFIG SET replica-serve-stale-data yes")
	if role := findings(visit(t, r.URL()).Examine(t.Context()))["role"]; role.Level != server.Fail {
		t.Errorf("Examine(a replica) = %+v; want it told", role)
	}
}

// The answers of two slots may be read in another order than Redis gave them.
func TestIDsDoNotFall(t *testing.T) {
	s := &Store{}
	for _, answer := range []string{"5\n", "3\n", "\n"} {
		if err := s.settle(&server.Call{}, answer); err != nil || s.ids.Load() != 5 {
			t.Errorf("after %q there are %d ids, %v; want 5", answer, s.ids.Load(), err)
		}
	}
}

// Info is read while all else goes on.
func TestInfoMeanwhile(t *testing.T) {
	r := redistest.Start(t, redistest.Options{})
	n := open(t, r.URL())
	var all sync.WaitGroup
	end := make(chan struct{})
	all.Go(func() {
		for {
			select {
			case <-end:
				return
			default:
				_ = fmt.Sprint(n.Info())
			}
		}
	})
	for i := range uint64(20) {
		n.want("a", 1, i+1)
		r.Run("SCRIPT FLUSH")
		n.changed()
		n.rejoin(0)
		n.same()
	}
	close(end)
	all.Wait()
}

package file

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/api"
)

func TestSet(t *testing.T) {
	dir := t.TempDir()
	n, last := &node{s: open(t, dir, 3)}, map[string]uint64{}
	n.must(t, last, 5, "a")
	tests := []struct {
		id   string
		last uint64
		back bool
		was  uint64
		want error
	}{
		{"a", 5, false, 5, nil},
		{"a", 90, false, 5, nil},
		{"a", 89, false, 90, server.ErrBackwards},
		{"a", 20, true, 90, nil},
		{"b", 7, false, 0, nil},
		{"c", 0, false, 0, nil},
		{"d", 1, false, 0, server.ErrTooManyIDs},
		{"b", api.MaxTurno, false, 7, nil},
	}
	for _, tt := range tests {
		was, err := n.s.Set(t.Context(), tt.id, tt.last, tt.back)
		if was != tt.was || !errors.Is(err, tt.want) {
			t.Errorf("Set(%s, %d, %v) = %d, %v; want %d, %v", tt.id, tt.last, tt.back, was, err, tt.was, tt.want)
		}
	}
	if _, err := n.s.Set(t.Context(), "a", api.MaxTurno+1, true); err == nil {
		t.Error("Set works beyond the last number there is")
	}
	if _, err := n.s.Set(t.Context(), "a b", 1, true); err == nil {
		t.Error("Set works with what is no id")
	}
	last = map[string]uint64{"a": 20, "b": api.MaxTurno, "c": 0}
	wantLasts(t, n.s, last)
	n.must(t, last, 1, "a", "c")
	if claims, err := n.take(t, 1, "b"); err != nil || !errors.Is(claims[0].Err, server.ErrExhausted) {
		t.Errorf("Reserve(b) = %v, %v; want ErrExhausted", claims, err)
	}
	if err := n.s.Close(); err != nil {
		t.Fatal(err)
	}
	wantLasts(t, opened(t, dir, 3), last)
}

// A counter that is broken is named wherever one looks, and can be set anew if one means it.
func TestBroken(t *testing.T) {
	dir := t.TempDir()
	n, last := &node{s: open(t, dir, 10)}, map[string]uint64{}
	n.must(t, last, 5, "a", "b", "c")
	if err := n.s.Close(); err != nil {
		t.Fatal(err)
	}
	breakCell(t, dir, "b")
	n = &node{s: opened(t, dir, 10)}
	wantBroken := func(what string, err error) {
		t.Helper()
		if e := (*server.BrokenError)(nil); !errors.As(err, &e) || !strings.Contains(err.Error(), "counter b in "+dir) {
			t.Errorf("%s = %v; want a BrokenError that names b", what, err)
		}
	}
	_, err := n.s.Set(t.Context(), "b", 9, false)
	wantBroken("Set", err)
	var ids []string
	wantBroken("List", n.s.List(t.Context(), func(id string, _ uint64) error { ids = append(ids, id); return nil }))
	if !slices.Equal(ids, []string{"a", "c"}) {
		t.Errorf("List lists %v; want those that are whole", ids)
	}
	if f := finding(t, n.s, "counters"); f.Level != server.Fail || !strings.Contains(f.Says, "1 of 3 counters are damaged: b") {
		t.Errorf("examined: %+v", f)
	}
	if was, err := n.s.Set(t.Context(), "b", 9, true); was != 0 || err != nil {
		t.Errorf("Set(b, 9, true) = %d, %v", was, err)
	}
	last["b"] = 9
	n.must(t, last, 2, "a", "b", "c")
	wantLasts(t, n.s, last)
}

func TestListStops(t *testing.T) {
	s := opened(t, t.TempDir(), 10)
	(&node{s: s}).must(t, map[string]uint64{}, 5, "c", "a", "b")
	var ids []string
	enough := errors.New("enough")
	err := s.List(t.Context(), func(id string, last uint64) error {
		if ids = append(ids, id); len(ids) == 2 {
			return enough
		}
		return nil
	})
	if !slices.Equal(ids, []string{"a", "b"}) || !errors.Is(err, enough) {
		t.Errorf("List lists %v, %v", ids, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = s.List(ctx, func(string, uint64) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("List = %v; want the context's error", err)
	}
}

func finding(t *testing.T, s *Store, name string) server.Finding {
	t.Helper()
	all := s.Examine(t.Context())
	i := slices.IndexFunc(all, func(f server.Finding) bool { return f.Name == name })
	if i < 0 {
		t.Fatalf("examined: %+v; want %s", all, name)
	}
	return all[i]
}

func TestExamine(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "counters")
	s := opened(t, dir, 2)
	(&node{s: s}).must(t, map[string]uint64{}, 5, "a")
	for _, f := range s.Examine(t.Context()) {
		if f.Says == "" || f.Level == server.Fail && f.Name != "file system" || f.Level != server.OK && f.Hint == "" {
			t.Errorf("examined: %+v", f)
		}
		t.Logf("%s: %s: %s", f.Level, f.Name, f.Says)
	}
	if f := finding(t, s, "counters"); f.Level != server.OK || f.Says != "1 of 2 ids" {
		t.Errorf("examined: %+v", f)
	}
	(&node{s: s, seq: 1}).must(t, map[string]uint64{}, 5, "b")
	if f := finding(t, s, "counters"); f.Level != server.Warn {
		t.Errorf("with as many ids as may be: %+v", f)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if f := finding(t, s, "access"); f.Level != server.Warn {
		t.Errorf("with a directory that everyone can write: %+v", f)
	}
	wantLasts(t, s, map[string]uint64{"a": 5, "b": 5}) // nothing was taken
	if err := os.Remove(s.path); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"access", "fsync"} {
		if f := finding(t, s, name); f.Level != server.Fail || f.Hint == "" {
			t.Errorf("with the file gone: %+v", f)
		}
	}
}

// Which file systems can be relied on.
func TestDisks(t *testing.T) {
	for name, warns := range map[string]bool{"ext4": false, "xfs": false, unknownDisk: false, "tmpfs": true, "overlay": true, "nfs": true, "fuse": true} {
		if got := len((disk{name: name}).warnings("/dir")) > 0; got != warns {
			t.Errorf("warnings of %s: %v; want %v", name, got, warns)
		}
	}
	if p := (disk{name: "ext4"}).promise(); !strings.HasPrefix(p, "nothing lost, no duplicates") {
		t.Errorf("the promise on ext4 is %q", p)
	}
}

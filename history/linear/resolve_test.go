package linear

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/turnomatico/tmctl/history"
)

// TestResolveNamesForgottenRequests makes findings whose other request is longer ago than the Checker remembers.
func TestResolveNamesForgottenRequests(t *testing.T) {
	cfg := Config{IDs: []string{"grupo1"}, Nodes: []string{"a:1", "b:2"}, Fresh: true, Exclusive: true}
	var b history.Batch
	for i := range 3 * recentOps {
		at := time.Duration(i) * time.Microsecond
		b.Ops = append(b.Ops, history.Op{Call: at, Return: at + 500, Turno: uint64(i + 1), Seen: uint64(i), Node: 1})
	}
	b.Ops[3*recentOps-1].Turno = 42
	b.Ops[100].Outcome, b.Ops[100].Turno = history.Failed, 0 // 101 is missing

	c := New(cfg)
	c.Add(b)
	p := c.Close()
	var file bytes.Buffer
	record(t, &file, []history.Batch{b})
	path := filepath.Join(t.TempDir(), history.HistoryFile)
	if err := os.WriteFile(path, file.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	err := Resolve(cfg, &p, func(keys []history.Key) (map[history.Key][]history.Op, error) { return history.Lookup(path, keys) })
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"grupo1: turno 42 was given twice: sent 0.049151 s, answered 0.049152 s, by b:2; and before: sent 0.000041 s, answered 0.000041 s, by b:2",
		"grupo1: turno 42 went back: sent 0.049151 s, answered 0.049152 s, by b:2, but 49151 had been given before that: sent 0.049150 s",
		"grupo1: turno 101 was given to nobody, and no request of unknown outcome explains it; the last below, 100: sent 0.000099 s, " +
			"answered 0.000100 s, by b:2; the next above, 102: sent 0.000101 s, answered 0.000102 s, by b:2",
	}
	if len(p.Findings) != len(want) {
		t.Fatalf("%d findings: %+v; want %d", len(p.Findings), p.Findings, len(want))
	}
	for i, f := range p.Findings {
		if f.Op == nil || f.Other == nil || !strings.HasPrefix(f.Text, want[i]) {
			t.Errorf("finding %d is %q; want %q, both requests known", i, f.Text, want[i])
		}
	}
}

package journal

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var start = time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)

// writeAt writes a journal of events, each so many seconds after the start.
func writeAt(t *testing.T, name string, seconds ...float64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	w := appendTo(t, path, DefaultLimits)
	for i, s := range seconds {
		must(t, w.Write(Event{At: start.Add(time.Duration(s * float64(time.Second))), Kind: Note, Source: name, Text: fmt.Sprint(name, i)}))
	}
	return path
}

func TestMerge(t *testing.T) {
	tests := []struct {
		name string
		a, b []float64
		want string
	}{
		{"one", []float64{1, 2}, nil, "a0 a1"},
		{"by time", []float64{1, 3, 5}, []float64{2, 4}, "a0 b0 a1 b1 a2"},
		{"equal times", []float64{1, 1}, []float64{1}, "a0 a1 b0"},
		{"a moment late", []float64{1, 4, 3, 5}, []float64{2}, "a0 b0 a1 a2 a3"},
		{"a clock that went back", []float64{100, 10, 11}, []float64{50, 120}, "b0 a0 a1(-1m30s) a2(-1m29s) b1"},
	}
	for _, tt := range tests {
		var m Merge
		for _, j := range []struct {
			name string
			at   []float64
		}{{"a", tt.a}, {"b", tt.b}} {
			r, err := Open(writeAt(t, j.name, j.at...), func(s string) { t.Error(s) })
			must(t, err)
			m.Add(j.name, r)
		}
		if got := mergedNow(t, &m); got != tt.want {
			t.Errorf("merge %s: %s; want %s", tt.name, got, tt.want)
		}
		m.Close()
	}
}

// mergedNow is what m has now.
func mergedNow(t *testing.T, m *Merge) string {
	t.Helper()
	var got []string
	for {
		l, err := m.Next()
		if errors.Is(err, io.EOF) {
			return strings.Join(got, " ")
		}
		must(t, err)
		text := l.Text
		if l.Earlier > 0 {
			text += fmt.Sprintf("(-%s)", l.Earlier)
		}
		if l.Journal != l.Source {
			t.Errorf("%s is of journal %s; want %s", l.Text, l.Journal, l.Source)
		}
		got = append(got, text)
	}
}

func TestMergeFollows(t *testing.T) {
	var m Merge
	defer m.Close()
	var writers []*Writer
	for _, name := range []string{"a", "b"} {
		path := filepath.Join(t.TempDir(), name)
		m.Add(name, Follow(path, func(s string) { t.Error(s) }))
		writers = append(writers, appendTo(t, path, Limits{Segment: 1000, Keep: MaxKeep}))
	}
	if got := mergedNow(t, &m); got != "" {
		t.Errorf("merged %q of nothing", got)
	}
	next := 0
	for round := range 10 {
		var want []string
		for i := range 10 {
			name := []string{"a", "b"}[i%2]
			want = append(want, fmt.Sprint(name, round, i))
			must(t, writers[i%2].Write(Event{At: start.Add(time.Duration(next) * time.Second), Kind: Note, Source: name, Text: want[i]}))
			next++
		}
		if got := mergedNow(t, &m); got != strings.Join(want, " ") {
			t.Fatalf("round %d: merged %s; want %s", round, got, want)
		}
	}
}

package targettest

import (
	"cmp"
	"strings"
	"testing"

	"github.com/turnomatico/tmctl/history"
)

// What one client after the other is told, with small periods. "Checked alone" stands for a test of its own.
var sequences = map[string]struct {
	period, after uint64
	n             int
	want          string
}{
	"tls":                  {n: 4, want: "1 2 3 4"},
	"tls-keep-alive":       {n: 4, want: "1 2 3 4"},
	"ipv6":                 {n: 4, want: "1 2 3 4"},
	"two-nodes":            {n: 4, want: "1 2 3 4"},
	"429-not-consumed":     {n: 12, want: "429 429 1 2 3 4 5 6 7 429 429 429"},
	"503-not-consumed":     {period: 3, n: 7, want: "1 2 503 3 4 503 5"},
	"503-silent":           {n: 12, want: "503 503 1 2 3 4 5 6 7 503 503 503"},
	"503-maybe":            {period: 3, n: 6, want: "1 2 503 4 5 503"},
	"503-lies":             {period: 3, n: 6, want: "1 2 503 4 5 503"},
	"dies":                 {after: 3, n: 5, want: "1 2 3 eof refused"},
	"reset-consumed":       {period: 3, n: 7, want: "1 2 reset 4 5 reset 7"},
	"reset-not-consumed":   {period: 3, n: 7, want: "1 2 reset 3 4 reset 5"},
	"truncated":            {period: 3, n: 7, want: "1 2 eof 4 5 eof 7"},
	"truncated-chunk":      {period: 3, n: 7, want: "1 2 eof 4 5 eof 7"},
	"truncated-header":     {period: 3, n: 7, want: "1 2 junk 4 5 junk 7"}, // so net/http calls half a line
	"garbage-sometimes":    {period: 3, n: 7, want: "1 2 junk 4 5 junk 7"},
	"two-lengths":          {period: 3, n: 7, want: "1 2 junk 4 5 junk 7"},
	"html-sometimes":       {period: 3, n: 6, want: "1 2 bad id 4 5 bad id"},
	"duplicate":            {period: 3, n: 7, want: "1 2 2 3 4 4 5"},
	"skips":                {period: 3, n: 7, want: "1 2 4 5 6 8 9"},
	"starts-at-2":          {n: 3, want: "2 3 4"},
	"starts-at-0":          {n: 3, want: "0 1 2"},
	"jumps":                {after: 3, n: 5, want: "1 2 3 1000004 1000005"},
	"jumps-in-silence":     {after: 3, n: 5, want: "1 2 3 1000004 1000005"},
	"jumps-further":        {after: 3, n: 5, want: "1 2 3 1000005 1000006"},
	"declares-everything":  {period: 3, n: 7, want: "1 2 2 3 4 4 5"},
	"restarts":             {after: 3, n: 7, want: "1 2 3 1 2 3 4"},
	"stale":                {period: 4, n: 9, want: "1 2 3 1 4 5 6 4 7"},
	"slow":                 {n: 3, want: "1 2 3"},
	"capacity":             {n: 3, want: "1 2 3"},
	"capacity-exceeded":    {n: 3, want: "1 2 3"},
	"exponent":             {n: 12, want: "1 2 3 4 5 6 7 8 9 10 11 12"},
	"prefetch":             {n: 3, want: "1 2 3"}, // one node alone is right
	"answers-twice":        {n: 3, want: "1 2 3"},
	"surplus":              {n: 3, want: "1 2 3"},
	"timeout-not-consumed": {period: 9, n: 3, want: "1 2 3"},
	"timeout-consumed":     {period: 9, n: 3, want: "1 2 3"},
	"answers-too-late":     {period: 3, n: 4, want: "1 2 3 4"},
}

func TestAnswersInSequence(t *testing.T) {
	for name, row := range sequences {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := Named(name)
			b.Period, b.After = cmp.Or(row.period, b.Period), cmp.Or(row.after, b.After)
			s := Start(t, b)
			if got := dial(t, s).nexts(row.n); got != row.want {
				t.Errorf("%d answers = %s; want %s", row.n, got, row.want)
			}
		})
	}
}

// Whatever their form, the right ones count 1, 2, 3 … for a reader that is right.
func TestRightServersAreRight(t *testing.T) {
	for _, b := range right {
		t.Run(b.Name, func(t *testing.T) {
			t.Parallel()
			s := Start(t, b)
			if got := dial(t, s).nexts(11); got != "1 2 3 4 5 6 7 8 9 10 11" {
				t.Errorf("answers = %s", got)
			}
			if s.Arrivals() != 11 || s.Issued("a") != 11 || s.Elsewhere() != 0 {
				t.Errorf("arrivals %d, issued %d, elsewhere %d; want 11, 11, 0", s.Arrivals(), s.Issued("a"), s.Elsewhere())
			}
		})
	}
}

func TestIssuedCountsWhatWasConsumed(t *testing.T) {
	for name, want := range map[string]uint64{
		"429-not-consumed": 7, "503-silent": 7, "503-maybe": 10, "503-lies": 10, "404": 0, "500": 10, "204": 10, "302": 0,
		"reset-consumed": 10, "reset-not-consumed": 5, "truncated": 10, "duplicate": 10, "stale": 5,
	} {
		b := Named(name)
		if b.Period != 0 {
			b.Period = 2
		}
		s := Start(t, b)
		got := dial(t, s).nexts(10)
		if s.Issued("a") != want {
			t.Errorf("%s: issued %d; want %d (%s)", name, s.Issued("a"), want, got)
		}
	}
}

// aloneTested are those with a test of their own.
var aloneTested = strings.Fields(`sessions sessions-thinking sessions-resets sessions-silent sessions-maybe sessions-full ignores-keys forgets-keys
	races-on-keys unmarked-replays marks-everything keys-of-all-ids delivers-replays refused slams hangs hangs-at-once endless goes-back prefetch-per-connection late-joiner
	one-counter one-duplicate-in-a-million one-skipped-in-a-million`)

func TestTheListIsSound(t *testing.T) {
	checked := map[string]bool{}
	for name := range firstAnswers {
		checked[name] = true
	}
	for name := range sequences {
		checked[name] = true
	}
	for _, name := range aloneTested {
		checked[name] = true
	}
	seen := map[string]bool{}
	for _, b := range Behaviours {
		t.Logf("%-28s %-22s %-14s %v", b.Name, b.Want, b.Want.Reason, b.Args)
		if b.Name == "" || b.Doc == "" || seen[b.Name] || !checked[b.Name] {
			t.Errorf("%q: want a name of its own, a doc and a test on the wire", b.Name)
		}
		seen[b.Name] = true
		if w := b.Want; (w.Verdict == history.Violated) != (w.Finding != "") || (w.Burned || w.Skipped > 0) && w.Verdict != history.Pass {
			t.Errorf("%s: want %+v contradicts itself", b.Name, w)
		}
	}
	for name := range checked {
		if !seen[name] {
			t.Errorf("a test speaks of %q, which is not in the list", name)
		}
	}
}

//go:build linux

package faults

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// The document, and where its tables are.
const (
	document = root + "/docs/GUARANTEES.md"
	begins   = "<!-- %s: written by go test ./faults -run Guarantees -update -->\n"
	ends     = "<!-- %s: end -->"
)

// TestGuaranteesDocIsCurrent holds docs/GUARANTEES.md against the tables that the other tests play, so that what is
// promised there and what is tested are the same words.
func TestGuaranteesDocIsCurrent(t *testing.T) {
	text := readDocument(t)
	current := text
	for name, table := range map[string]string{"faults": faultsTable(), "mutants": mutantsTable(measured(text))} {
		current = replace(t, current, name, table)
	}
	if *update && current != text {
		if err := os.WriteFile(document, []byte(current), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if current != text {
		t.Errorf("%s is stale; run go test ./faults -run Guarantees -update", filepath.Base(document))
	}
}

func readDocument(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// replace puts a table between its markers.
func replace(t *testing.T, text, name, table string) string {
	t.Helper()
	before, rest, ok := strings.Cut(text, fmt.Sprintf(begins, name))
	_, after, closed := strings.Cut(rest, fmt.Sprintf(ends, name))
	if !ok || !closed {
		t.Fatalf("%s has no place for the table of %s", filepath.Base(document), name)
	}
	return before + fmt.Sprintf(begins, name) + "\n" + table + "\n" + fmt.Sprintf(ends, name) + after
}

// faultsTable is a line for every fault.
func faultsTable() string {
	var b strings.Builder
	b.WriteString("| fault | what is done | store (nodes) | what becomes of the numbers |\n|---|---|---|---|\n")
	for _, f := range faults {
		var with []string
		for _, st := range f.stores {
			with = append(with, st.name+" ("+numbers(f.with(st))+")")
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", f.name, f.does, strings.Join(with, ", "), f.want)
	}
	return b.String()
}

func numbers(of []int) string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(of), "[]"), " ", ", ")
}

// mutantsTable is a line for every mutant. The seconds are those of the machine that it was written on.
func mutantsTable(seconds map[string]string) string {
	var b strings.Builder
	b.WriteString("| mutant | what it does wrong | convicted by | as | seconds |\n|---|---|---|---|---|\n")
	for _, m := range mutants {
		s := seconds[m.name]
		if s == "" {
			s = "–"
		}
		fmt.Fprintf(&b, "| %s | %s | %s · %s (%d) | %s | %s |\n", m.name, m.does, m.row, m.store.name, m.nodes, m.convicts, s)
	}
	return b.String()
}

var mutantLine = regexp.MustCompile(`(?m)^\| ([^|]+) \|.*\| ([\d.]+) \|$`)

// measured reads the seconds that the document has.
func measured(text string) map[string]string {
	_, table, _ := strings.Cut(text, fmt.Sprintf(begins, "mutants"))
	table, _, _ = strings.Cut(table, fmt.Sprintf(ends, "mutants")) // other tables have mutants of the same names
	seconds := map[string]string{}
	for _, m := range mutantLine.FindAllStringSubmatch(table, -1) {
		seconds[m[1]] = m[2]
	}
	return seconds
}

// convictions is how long each mutant lived, in this run.
var convictions struct {
	sync.Mutex
	seconds map[string]time.Duration
}

func convicted(m *mutant, after time.Duration) {
	convictions.Lock()
	defer convictions.Unlock()
	if convictions.seconds == nil {
		convictions.seconds = map[string]time.Duration{}
	}
	convictions.seconds[m.name] = after
}

// writeSeconds is for -update: it writes how long the mutants of this run lived.
func writeSeconds(t *testing.T) {
	t.Helper()
	text := readDocument(t)
	seconds := measured(text)
	convictions.Lock()
	defer convictions.Unlock()
	for name, d := range convictions.seconds {
		seconds[name] = fmt.Sprintf("%.1f", d.Seconds())
	}
	if err := os.WriteFile(document, []byte(replace(t, text, "mutants", mutantsTable(seconds))), 0o644); err != nil {
		t.Fatal(err)
	}
}

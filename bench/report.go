package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// report is all that was found.
type report struct {
	Machine  []string                     `json:"machine"`
	Settings string                       `json:"settings"`
	Rows     []row                        `json:"rows"`
	Notes    []string                     `json:"notes,omitempty"`
	Runs     map[string]map[string]series `json:"runs"` // figure → contender → every run
}

func (r *report) print(w io.Writer, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	_, err := io.WriteString(w, r.markdown())
	return err
}

func (r *report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s.\n\n", time.Now().UTC().Format(time.DateOnly), r.Settings)
	for _, m := range r.Machine {
		fmt.Fprintf(&b, "- %s\n", m)
	}
	b.WriteString("\n| figure | ours | peer | ratio | bound | goal | verdict |\n|---|---|---|---|---|---|---|\n")
	for _, row := range r.Rows {
		b.WriteString(row.markdown() + "\n")
	}
	for i, n := range r.Notes {
		if i == 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "- note: %s\n", n)
	}
	return b.String()
}

// unmeasured complains of rows without a value although something was to be measured. Short is no complaint: speed is
// reported, and passes or fails nothing.
func (r *report) unmeasured() error {
	for _, row := range r.Rows {
		if row.Ours == nil {
			return fmt.Errorf("%s was not measured; see the notes", row.Figure)
		}
	}
	return nil
}

// The markers of a page, between which the table stands.
const (
	pageBegin = "<!-- make bench writes from here -->\n"
	pageEnd   = "<!-- to here -->\n"
)

// between puts text between the markers of a page, in the place of what was there.
func between(page, text string) (string, error) {
	head, rest, begins := strings.Cut(page, pageBegin)
	_, tail, ends := strings.Cut(rest, pageEnd)
	if !begins || !ends {
		return "", fmt.Errorf("want the lines %q and %q, in this order", strings.TrimSpace(pageBegin), strings.TrimSpace(pageEnd))
	}
	return head + pageBegin + text + pageEnd + tail, nil
}

func writePage(path, text string) error {
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	next, err := between(string(page), text)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return os.WriteFile(path, []byte(next), 0o644)
}

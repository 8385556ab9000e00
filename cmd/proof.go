package cmd

import (
	"fmt"
	"io"
	"strings"

	"github.com/turnomatico/tmctl/history"
	"github.com/turnomatico/tmctl/report"
)

// proofText writes what the numbers prove, for people: one line, then each finding and remark on a line of its own.
func proofText(w io.Writer, p *history.Proof) {
	counts := []string{report.Count(p.Ops) + " turnos of " + plural(uint64(p.IDs), "id")}
	counts = append(counts, brokenParts(p)...)
	for _, c := range []struct {
		n    uint64
		what string
	}{{p.Unknown, "of unknown outcome"}, {p.Burned, "burned"}} {
		if c.n > 0 {
			counts = append(counts, report.Count(c.n)+" "+c.what)
		}
	}
	if p.Declared > 0 {
		counts = append(counts, declaredPart(p))
	}
	fmt.Fprintf(w, "proof      %s · %s\n", proofWord(p), strings.Join(counts, " · "))
	if s := p.Sessions; s != nil {
		fmt.Fprintf(w, "sessions   %s · %s sent again, %s in all · %s · %s\n", plural(s.Keys, "key"), report.Count(s.Retried),
			plural(s.Retries, "time"), plural(s.Replays, "replay"), sessionsWord(s))
	}
	findingsText(w, p)
	for _, remark := range p.Remarks {
		fmt.Fprintf(w, "remark     %s\n", remark)
	}
}

// sessionsWord says what became of the keys.
func sessionsWord(s *history.Sessions) string {
	if broken := keyParts(s); len(broken) > 0 {
		return strings.Join(broken, ", ")
	}
	if s.Recovered > 0 {
		return "one number each, " + report.Count(s.Recovered) + " of them by a retry alone"
	}
	return "one number each"
}

// keyParts counts what broke, kind by kind; nothing where no request had a key.
func keyParts(s *history.Sessions) (parts []string) {
	if s != nil && s.TwoNumbers > 0 {
		parts = append(parts, plural(s.TwoNumbers, "key that took two numbers"))
	}
	if s != nil && s.WrongMarks > 0 {
		parts = append(parts, plural(s.WrongMarks, "key that came back wrongly marked"))
	}
	return parts
}

// declaredPart counts the missing numbers that a declaration explains.
func declaredPart(p *history.Proof) string {
	return plural(p.Declared, "number") + " declared skipped by the server (rollback)"
}

// shownOfKind is how many findings of a kind people get to see; the JSON has more.
const shownOfKind = 3

func findingsText(w io.Writer, p *history.Proof) {
	shown := map[history.FindingKind]int{}
	for i := range p.Findings {
		f := &p.Findings[i]
		if shown[f.Kind]++; shown[f.Kind] <= shownOfKind {
			fmt.Fprintf(w, "  %-10s %s\n", f.Kind, f.Text)
		}
		if last := i+1 == len(p.Findings) || p.Findings[i+1].Kind != f.Kind; last && shown[f.Kind] > shownOfKind {
			fmt.Fprintf(w, "  %-10s … and more like these: --json lists the first %d\n", "", shown[f.Kind])
		}
	}
}

// proofWord says in a few words what is proved.
func proofWord(p *history.Proof) string {
	switch {
	case p.Violations() > 0:
		return "violated"
	case p.Ops == 0:
		return "nothing to prove"
	case p.Linearizable == nil:
		return "unique, in the order of real time"
	default:
		return "unique, consecutive, linearizable"
	}
}

// brokenParts counts what broke, kind by kind.
func brokenParts(p *history.Proof) (parts []string) {
	for _, c := range []struct {
		n    uint64
		what string
	}{{p.Duplicates, "duplicate"}, {p.WentBack, "number that went back"}, {p.Gaps, "unexplained gap"}, {p.BadAnswers, "bad answer"}} {
		if c.n > 0 {
			parts = append(parts, plural(c.n, c.what))
		}
	}
	return append(parts, keyParts(p.Sessions)...)
}

// checkText writes what check found in one run, for people: the verdict first.
func checkText(w io.Writer, c *checked) {
	if c.Proof == nil {
		return // the error says it all
	}
	verdict := string(c.Verdict)
	if verdict == "" {
		verdict = "unreadable"
	}
	fmt.Fprintf(w, "%s · %s\n", verdict, c.RunDir)
	proofText(w, c.Proof)
	if c.Torn != "" {
		fmt.Fprintf(w, "torn       %s\n", c.Torn)
	}
}

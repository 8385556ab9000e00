package server_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/turnomatico/tmctl/server"
)

var update = flag.Bool("update", false, "write docs/EDGE.md's tables anew")

const (
	edgePage   = "../docs/EDGE.md"
	edgeBegins = "<!-- %s: written by go test ./server -run EdgePage -update -->\n"
	edgeEnds   = "<!-- %s: end -->"
)

// docs/EDGE.md says what hostile clients get in the words of the rows that TestHostileClients plays, and the limits as the
// code has them.
func TestEdgePageIsCurrent(t *testing.T) {
	b, err := os.ReadFile(edgePage)
	if err != nil {
		t.Fatal(err)
	}
	got := string(b)
	for name, table := range map[string]string{"hostile": hostileTable(), "limits": limitsTable()} {
		before, rest, ok := strings.Cut(got, fmt.Sprintf(edgeBegins, name))
		_, after, closed := strings.Cut(rest, fmt.Sprintf(edgeEnds, name))
		if !ok || !closed {
			t.Fatalf("%s has no place for the table of %s", edgePage, name)
		}
		got = before + fmt.Sprintf(edgeBegins, name) + "\n" + table + "\n" + fmt.Sprintf(edgeEnds, name) + after
	}
	if *update {
		if err := os.WriteFile(edgePage, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if got != string(b) {
		t.Errorf("%s is stale; run go test ./server -run EdgePage -update", edgePage)
	}
}

func hostileTable() string {
	var b strings.Builder
	for i, topic := range hostileTopics {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "### %s\n\n| the client sends, or does | it gets | the connection | numbers |\n|---|---|---|--:|\n", topic.title)
		for _, h := range topic.rows {
			goes := map[bool]string{true: "is closed", false: "is kept"}[h.ends]
			fmt.Fprintf(&b, "| %s | %s | %s | %d |\n", h.does, h.answers(), goes, h.take)
		}
	}
	return b.String()
}

// answers is what h gets, with equal ones in a row counted: 200 ×10, 429 `too_many_ids` ×90.
func (h *hostile) answers() string {
	var all []string
	words := strings.Fields(h.gets)
	for len(words) > 0 {
		n := slices.IndexFunc(words, func(w string) bool { return w != words[0] })
		if n < 0 {
			n = len(words)
		}
		status, code, _ := strings.Cut(words[0], ":")
		if code != "" {
			status += " `" + code + "`"
		}
		if n > 1 {
			status += fmt.Sprintf(" ×%d", n)
		}
		all, words = append(all, status), words[n:]
	}
	if all == nil {
		return "–"
	}
	return strings.Join(all, ", ")
}

func limitsTable() string {
	rows := []struct{ what, bound, beyond string }{
		{"the request line and all headers", fmt.Sprintf("%d bytes", server.MaxHeader), "431 `bad_request`, closed"},
		{"a body, which is not looked at", fmt.Sprintf("%d bytes", server.MaxBody), "413 `bad_request`, closed"},
		{"the time for a whole request, and before it for the TLS handshake", server.ReadTimeout.String(), "408 `bad_request`, closed (a handshake: closed)"},
		{"the time between two requests, and before the first", server.IdleTimeout.String(), "closed (before the first: 408 `bad_request`)"},
		{"the same, while more than 7/8 of `--max-conns` are open", server.CrowdedIdle.String(), "the same"},
		{"the time for a client to take an answer", server.WriteTimeout.String(), "closed; the numbers are `write_failed` in the ledger"},
		{"connections (`--max-conns`)", fmt.Sprint(server.DefaultMaxConns), "503 `overloaded`, closed (over TLS: closed)"},
		{"connections of an address (`--max-conns-per-ip`)", "no bound", "503 `overloaded`, closed (over TLS: closed)"},
		{"requests that wait for the store (`--max-inflight`)", fmt.Sprint(server.DefaultMaxInFlight), "503 `overloaded`"},
		{"ids (`--max-ids`)", fmt.Sprint(server.DefaultMaxIDs), "429 `too_many_ids`"},
	}
	var b strings.Builder
	b.WriteString("| what | bound | beyond it |\n|---|---|---|\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", r.what, r.bound, r.beyond)
	}
	return b.String()
}
